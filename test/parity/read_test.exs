defmodule Etsunami.Parity.ReadTest do
  use Etsunami.EtsCase, async: false

  @sets [:set, :ordered_set]
  @bags [:bag, :duplicate_bag]

  describe "lookup/2" do
    table_test "finds nothing in an empty table", %{ets: ets, table: table} do
      assert ets.lookup(table, :key) == []
    end

    table_test "finds the object with the key alone", %{ets: ets, table: table} do
      ets.insert(table, for(n <- 1..1000, do: {n, -n}))
      for n <- 1..1000, do: assert(ets.lookup(table, n) == [{n, -n}])
      for n <- [0, 1001, -1, :a, 1.5, "1"], do: assert(ets.lookup(table, n) == [])
    end

    table_test "knows keys by ===", [types: [:set | @bags]], %{ets: ets, table: table} do
      ets.insert(table, [{1, :integer}, {1.0, :float}])
      assert ets.lookup(table, 1) == [{1, :integer}]
      assert ets.lookup(table, 1.0) === [{1.0, :float}]
      assert ets.lookup(table, 2.0) == []
      ets.insert(table, {[1, {2.0}], :list})
      assert ets.lookup(table, [1, {2.0}]) == [{[1, {2.0}], :list}]
      assert ets.lookup(table, [1.0, {2}]) == []
    end

    table_test "knows keys by ==", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, {1, :integer})
      assert ets.lookup(table, 1.0) === [{1, :integer}]
      ets.insert(table, {1.0, :float})
      assert ets.lookup(table, 1) === [{1.0, :float}]
      assert ets.info(table, :size) == 1
      ets.insert(table, {[1, {2.0}], :list})
      assert ets.lookup(table, [1.0, {2}]) === [{[1, {2.0}], :list}]
    end

    table_test "tells large integers from the floats beside them", %{ets: ets, table: table} do
      big = 2 ** 53 + 1
      ets.insert(table, {big, :integer})
      assert ets.lookup(table, big) == [{big, :integer}]
      assert ets.lookup(table, 2.0 ** 53) == []
    end

    table_test "keeps the order of insertion", [types: @bags], %{ets: ets, table: table} do
      objects = for n <- Enum.shuffle(1..200), do: {:key, n}
      for object <- objects, do: ets.insert(table, object)
      assert ets.lookup(table, :key) == objects
      {object, rest} = List.pop_at(objects, 100)
      ets.delete_object(table, object)
      assert ets.lookup(table, :key) == rest
      ets.insert(table, object)
      assert ets.lookup(table, :key) == rest ++ [object]
    end

    table_test "keeps the order in a fixed table", [types: @bags], %{ets: ets, table: table} do
      ets.safe_fixtable(table, true)
      for n <- 1..20, do: ets.insert(table, {:key, n})
      for n <- 1..20, rem(n, 3) == 0, do: ets.delete_object(table, {:key, n})
      for n <- [21, 3, 6], do: ets.insert(table, {:key, n})

      expected =
        for(n <- 1..20, rem(n, 3) != 0, do: {:key, n}) ++ [{:key, 21}, {:key, 3}, {:key, 6}]

      assert ets.lookup(table, :key) == expected
      ets.safe_fixtable(table, false)
      assert ets.lookup(table, :key) == expected
    end

    table_test "finds objects of different sizes", [types: @bags], %{ets: ets, table: table} do
      objects = [{:key}, {:key, 1}, {:key, 1, 2}, {:key, 1, 2, 3}]
      for object <- objects, do: ets.insert(table, object)
      assert ets.lookup(table, :key) == objects
    end

    table_test "finds by the element at keypos", %{ets: ets} = context do
      table = new_table(context, keypos: 3)
      ets.insert(table, [{:a, :b, :c}, {:d, :e, :f, :g}])
      assert ets.lookup(table, :c) == [{:a, :b, :c}]
      assert ets.lookup(table, :f) == [{:d, :e, :f, :g}]
      assert ets.lookup(table, :a) == []
      ets.delete(table)
    end
  end

  describe "member/2" do
    table_test "tells whether a key is there", %{ets: ets, table: table} do
      refute ets.member(table, :key)
      ets.insert(table, {:key, 1})
      assert ets.member(table, :key)
      refute ets.member(table, :other)
      ets.delete(table, :key)
      refute ets.member(table, :key)
    end

    table_test "goes by ==", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, {1})
      assert ets.member(table, 1.0)
      ets.insert(table, {2.0})
      assert ets.member(table, 2)
    end

    table_test "goes by ===", [types: [:set | @bags]], %{ets: ets, table: table} do
      ets.insert(table, {1})
      refute ets.member(table, 1.0)
    end
  end

  describe "lookup_element/3" do
    table_test "returns one element", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, "two", [3]})
      assert ets.lookup_element(table, :key, 1) == :key
      assert ets.lookup_element(table, :key, 2) == "two"
      assert ets.lookup_element(table, :key, 3) == [3]
    end

    table_test "returns the key as it is stored", [types: [:ordered_set]], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {1, :x})
      assert ets.lookup_element(table, 1.0, 1) === 1
    end

    table_test "returns the elements in order", [types: @bags], %{ets: ets, table: table} do
      for n <- [3, 1, 2], do: ets.insert(table, {:key, n, -n})
      assert ets.lookup_element(table, :key, 1) == [:key, :key, :key]
      assert ets.lookup_element(table, :key, 2) == [3, 1, 2]
      assert ets.lookup_element(table, :key, 3) == [-3, -1, -2]
    end

    table_test "returns equal elements, too", [types: @bags], %{ets: ets, table: table} do
      for n <- [3, 1, 2], do: ets.insert(table, {:key, n, :same})
      assert ets.lookup_element(table, :key, 3) == [:same, :same, :same]
    end

    table_test "fails without the key or the element", %{ets: ets, table: table} do
      assert_badarg(ets.lookup_element(table, :key, 1))
      ets.insert(table, {:key, 2})
      assert_badarg(ets.lookup_element(table, :other, 2))

      for position <- [0, -1, 3, 2 ** 31 - 1, 2 ** 70, 1.0, :a] do
        assert_badarg(ets.lookup_element(table, :key, position))
      end
    end

    table_test "fails at a position beyond 32 bits", [differs: :huge_position], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {:key, 2})

      for position <- [2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 59 - 1] do
        assert_badarg ets.lookup_element(table, :key, position)
      end
    end

    table_test "fails if one object is too short", [types: @bags], %{ets: ets, table: table} do
      for object <- [{:key, 1, 2}, {:key, 1}], do: ets.insert(table, object)
      assert ets.lookup_element(table, :key, 2) == [1, 1]
      assert_badarg(ets.lookup_element(table, :key, 3))
    end
  end

  describe "lookup_element/4" do
    @needs [{:lookup_element, 4}]

    table_test "returns the default without the key", [needs: @needs], %{ets: ets, table: table} do
      for default <- [nil, [], %{a: "b"}, 2 ** 100] do
        assert ets.lookup_element(table, :key, 2, default) === default
        assert ets.lookup_element(table, :key, 1_000_000, default) === default
      end
    end

    table_test "returns the element with the key", [needs: @needs, types: @sets], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {:key, 2})
      assert ets.lookup_element(table, :key, 2, :default) == 2
      assert ets.lookup_element(table, :key, 1, :default) == :key
    end

    table_test "returns the elements with the key", [needs: @needs, types: @bags], %{
      ets: ets,
      table: table
    } do
      for n <- [2, 1], do: ets.insert(table, {:key, n})
      assert ets.lookup_element(table, :key, 2, :default) == [2, 1]
    end

    table_test "fails at a bad position all the same", [needs: @needs], %{ets: ets, table: table} do
      ets.insert(table, {:key, 2})

      for position <- [0, -1, 1.0, :a, 2 ** 70] do
        assert_badarg(ets.lookup_element(table, :key, position, :default))
        assert_badarg(ets.lookup_element(table, :other, position, :default))
      end

      assert_badarg(ets.lookup_element(table, :key, 3, :default))
    end
  end
end
