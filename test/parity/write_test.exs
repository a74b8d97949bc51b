defmodule Etsunami.Parity.WriteTest do
  use Etsunami.EtsCase, async: false

  @sets [:set, :ordered_set]
  @bags [:bag, :duplicate_bag]

  describe "insert/2" do
    table_test "answers true", %{ets: ets, table: table} do
      assert ets.insert(table, {:key}) == true
      assert ets.insert(table, {:key}) == true
      assert ets.insert(table, [{:key}, {:other}]) == true
      assert ets.insert(table, []) == true
    end

    table_test "replaces the object with the key", [types: @sets], %{ets: ets, table: table} do
      for value <- [1, "two", {3}, [4.0]], do: ets.insert(table, {:key, value})
      assert ets.lookup(table, :key) == [{:key, [4.0]}]
      ets.insert(table, {:key})
      assert ets.lookup(table, :key) == [{:key}]
      ets.insert(table, {:key, 1, 2, 3})
      assert ets.lookup(table, :key) == [{:key, 1, 2, 3}]
      assert ets.info(table, :size) == 1
    end

    table_test "replaces the key, too", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, {1.0, :a})
      ets.insert(table, {1, :b})
      assert ets.tab2list(table) === [{1, :b}]
    end

    table_test "adds different objects", [types: @bags], %{ets: ets, table: table} do
      for n <- 1..5, do: ets.insert(table, {:key, n})
      assert ets.lookup(table, :key) == for(n <- 1..5, do: {:key, n})
      assert ets.info(table, :size) == 5
    end

    table_test "adds no equal object", [types: [:bag]], %{ets: ets, table: table} do
      for object <- [{:key, 1}, {:key, 2}, {:key, 1}], do: ets.insert(table, object)
      assert ets.lookup(table, :key) == [{:key, 1}, {:key, 2}]
      assert ets.info(table, :size) == 2
    end

    table_test "tells objects by ===", [types: [:bag]], %{ets: ets, table: table} do
      for object <- [{:key, 1}, {:key, 1.0}, {:key, [1]}, {:key, [1.0]}] do
        ets.insert(table, object)
      end

      assert ets.lookup(table, :key) === [{:key, 1}, {:key, 1.0}, {:key, [1]}, {:key, [1.0]}]
    end

    table_test "adds equal objects", [types: [:duplicate_bag]], %{ets: ets, table: table} do
      for object <- [{:key, 1}, {:key, 2}, {:key, 1}], do: ets.insert(table, object)
      assert ets.lookup(table, :key) == [{:key, 1}, {:key, 2}, {:key, 1}]
      assert ets.info(table, :size) == 3
    end

    table_test "keeps objects of any size", %{ets: ets, table: table} do
      for size <- [1, 2, 3, 10, 100, 1000, 10_000] do
        object = :size |> Tuple.duplicate(size) |> put_elem(0, size)
        ets.insert(table, object)
        assert ets.lookup(table, size) == [object]
      end
    end

    table_test "fails with what is no object", %{ets: ets, table: table} do
      for term <- [1, :a, "a", %{}, {}, self(), 1.0, fn -> 1 end, <<1::1>>] do
        assert_badarg ets.insert(table, term)
        assert_badarg ets.insert(table, [term])
        assert_badarg ets.insert(table, [{:key}, term])
      end

      assert_badarg ets.insert(table, [{:key} | {:tail}])
      assert_badarg ets.insert(table, [{:a}, {:b} | :tail])
      assert_badarg ets.insert(table, [[{:nested}]])
      assert ets.info(table, :size) == 0
    end

    table_test "fails with too short an object", %{ets: ets} = context do
      table = new_table(context, keypos: 3)
      assert_badarg ets.insert(table, {1, 2})
      assert_badarg ets.insert(table, [{1, 2, 3}, {1, 2}])
      assert ets.tab2list(table) == []
      assert ets.insert(table, {1, 2, 3})
      ets.delete(table)
    end
  end

  describe "insert/2 of a list" do
    table_test "inserts all of it", %{ets: ets, table: table} do
      objects = for n <- 1..3000, do: {n, n * n}
      ets.insert(table, Enum.shuffle(objects))
      assert contents(ets, table) == objects
      assert ets.info(table, :size) == 3000
    end

    table_test "keeps the last object of a key", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 0})
      ets.insert(table, for(n <- 1..100, do: {:key, n}))
      assert ets.tab2list(table) == [{:key, 100}]
    end

    table_test "keeps the order of the list", [types: @bags, differs: :bag_list_order], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {:key, 0})
      ets.insert(table, for(n <- 1..100, do: {:key, n}))
      assert ets.lookup(table, :key) == for(n <- 0..100, do: {:key, n})
    end

    table_test "drops equal objects", [types: [:bag]], %{ets: ets, table: table} do
      ets.insert(table, {:key, 1})
      ets.insert(table, [{:key, 1}, {:key, 2}, {:key, 2}, {:key, 1}])
      assert contents(ets, table) == [{:key, 1}, {:key, 2}]
      assert ets.info(table, :size) == 2
    end

    table_test "keeps equal objects", [types: [:duplicate_bag]], %{ets: ets, table: table} do
      ets.insert(table, List.duplicate({:key, 1}, 50))
      assert ets.lookup(table, :key) == List.duplicate({:key, 1}, 50)
    end

    table_test "inserts nothing if one is no object", %{ets: ets, table: table} do
      ets.insert(table, {0, :old})
      objects = for n <- 0..2000, do: {n, :new}
      assert_badarg ets.insert(table, objects ++ [:no_object])
      assert_badarg ets.insert(table, objects ++ :improper)
      assert_badarg ets.insert(table, [:no_object | objects])
      assert ets.tab2list(table) == [{0, :old}]
    end
  end

  describe "insert_new/2" do
    table_test "inserts where no key is", %{ets: ets, table: table} do
      assert ets.insert_new(table, {:a, 1}) == true
      assert ets.insert_new(table, {:a, 2}) == false
      assert ets.insert_new(table, {:a, 1}) == false
      assert ets.insert_new(table, [{:b, 1}, {:c, 1}]) == true
      assert ets.insert_new(table, [{:d, 1}, {:c, 2}]) == false
      assert ets.insert_new(table, [{:a, 2}]) == false
      assert ets.insert_new(table, []) == true
      assert contents(ets, table) == [{:a, 1}, {:b, 1}, {:c, 1}]
    end

    table_test "goes by ==", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, {1, :a})
      refute ets.insert_new(table, {1.0, :b})
      refute ets.insert_new(table, [{2, :b}, {1.0, :b}])
      assert ets.tab2list(table) === [{1, :a}]
    end

    table_test "goes by ===", [types: [:set | @bags]], %{ets: ets, table: table} do
      ets.insert(table, {1, :a})
      assert ets.insert_new(table, {1.0, :b})
      assert ets.info(table, :size) == 2
    end

    table_test "takes the last of a key in the list", [types: @sets], %{ets: ets, table: table} do
      assert ets.insert_new(table, [{:key, 1}, {:key, 2}])
      assert ets.tab2list(table) == [{:key, 2}]
    end

    table_test "takes the list as a whole", [types: @bags], %{ets: ets, table: table} do
      assert ets.insert_new(table, [{:key, 1}, {:key, 2}])
      assert contents(ets, table) == [{:key, 1}, {:key, 2}]
    end

    table_test "fails as insert/2 does", %{ets: ets, table: table} do
      ets.insert(table, {:key, 1})

      for term <- [1, {}, [{:new}, {}], [{:key}, 1], [{:new} | :tail], "", [[]]] do
        assert_badarg ets.insert_new(table, term)
      end

      assert ets.tab2list(table) == [{:key, 1}]
    end
  end

  describe "delete/2" do
    table_test "deletes all with the key", %{ets: ets, table: table} do
      for n <- 1..3, key <- [:a, :b], do: ets.insert(table, {key, n})
      assert ets.delete(table, :a) == true
      assert ets.lookup(table, :a) == []
      refute ets.lookup(table, :b) == []
      assert ets.delete(table, :a) == true
      assert ets.delete(table, :never) == true
      ets.delete(table, :b)
      assert ets.info(table, :size) == 0
    end

    table_test "goes by ==", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, {1})
      ets.delete(table, 1.0)
      assert ets.tab2list(table) == []
    end

    table_test "goes by ===", [types: [:set | @bags]], %{ets: ets, table: table} do
      ets.insert(table, {1})
      ets.delete(table, 1.0)
      assert ets.tab2list(table) == [{1}]
    end

    table_test "makes room for new objects", %{ets: ets, table: table} do
      for round <- 1..3 do
        ets.insert(table, for(n <- 1..500, do: {n, round}))
        for n <- Enum.shuffle(1..500), do: ets.delete(table, n)
        assert ets.info(table, :size) == 0
        assert ets.tab2list(table) == []
      end
    end
  end

  describe "delete_object/2" do
    table_test "deletes the equal object", %{ets: ets, table: table} do
      ets.insert(table, [{:a, 1}, {:b, 1}])
      assert ets.delete_object(table, {:a, 1}) == true
      assert ets.tab2list(table) == [{:b, 1}]
    end

    table_test "leaves any other object", %{ets: ets, table: table} do
      ets.insert(table, {:a, 1})

      for object <- [{:a, 2}, {:a}, {:a, 1, 1}, {:b, 1}, {:a, 1.0}, {:a, :_}] do
        assert ets.delete_object(table, object) == true
      end

      assert ets.tab2list(table) == [{:a, 1}]
    end

    table_test "goes by == for the key and by === for the rest", [types: [:ordered_set]], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {1, 1})
      ets.delete_object(table, {1, 1.0})
      assert ets.tab2list(table) == [{1, 1}]
    end

    table_test "deletes one of several", [types: @bags], %{ets: ets, table: table} do
      for n <- 1..5, do: ets.insert(table, {:key, n})
      ets.delete_object(table, {:key, 3})
      assert ets.lookup(table, :key) == for(n <- [1, 2, 4, 5], do: {:key, n})
      assert ets.info(table, :size) == 4
    end

    table_test "deletes all copies", [types: [:duplicate_bag]], %{ets: ets, table: table} do
      for n <- [1, 2, 1, 1, 2], do: ets.insert(table, {:key, n})
      ets.delete_object(table, {:key, 1})
      assert ets.lookup(table, :key) == [{:key, 2}, {:key, 2}]
      assert ets.info(table, :size) == 2
    end

    table_test "fails with what is no object", %{ets: ets, table: table} do
      for term <- [1, :a, [], [{:a}], {}, "a"], do: assert_badarg(ets.delete_object(table, term))
    end
  end

  describe "delete_all_objects/1" do
    table_test "empties the table", %{ets: ets, table: table} do
      ets.insert(table, for(n <- 1..2000, do: {n, n}))
      assert ets.delete_all_objects(table) == true
      assert ets.info(table, :size) == 0
      assert ets.tab2list(table) == []
      assert ets.first(table) == :"$end_of_table"
      assert ets.lookup(table, 1) == []
      assert ets.delete_all_objects(table) == true
      ets.insert(table, {1, 1})
      assert ets.tab2list(table) == [{1, 1}]
    end
  end

  describe "take/2" do
    table_test "removes what it returns", %{ets: ets, table: table} do
      ets.insert(table, [{:a, 1}, {:b, 1}])
      assert ets.take(table, :a) == [{:a, 1}]
      assert ets.take(table, :a) == []
      assert ets.take(table, :never) == []
      assert ets.tab2list(table) == [{:b, 1}]
      assert ets.info(table, :size) == 1
    end

    table_test "goes by ==", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, {1, :a})
      assert ets.take(table, 1.0) === [{1, :a}]
      assert ets.info(table, :size) == 0
    end

    table_test "takes all in the order of insertion", [types: @bags], %{ets: ets, table: table} do
      for n <- [3, 1, 2], do: ets.insert(table, {:key, n})
      assert ets.take(table, :key) == [{:key, 3}, {:key, 1}, {:key, 2}]
      assert ets.tab2list(table) == []
    end

    table_test "takes from a fixed table", %{ets: ets, table: table} do
      ets.insert(table, [{1, 1}, {2, 2}])
      ets.safe_fixtable(table, true)
      assert ets.take(table, 1) == [{1, 1}]
      assert ets.take(table, 1) == []
      assert ets.info(table, :size) == 1
      ets.insert(table, {1, 3})
      assert ets.take(table, 1) == [{1, 3}]
      ets.safe_fixtable(table, false)
      assert ets.tab2list(table) == [{2, 2}]
    end
  end
end
