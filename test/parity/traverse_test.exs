defmodule Etsunami.Parity.TraverseTest do
  use Etsunami.EtsCase, async: false

  @hashed [:set, :bag, :duplicate_bag]
  @bags [:bag, :duplicate_bag]
  @stop :"$end_of_table"
  @lookups [{:first_lookup, 1}, {:next_lookup, 2}, {:last_lookup, 1}, {:prev_lookup, 2}]

  # One of each kind in the order of terms.
  @ordered [
    -(2 ** 70),
    -2.5,
    -1,
    0,
    0.5,
    1,
    2 ** 53,
    2 ** 53 + 1,
    2 ** 70,
    :"",
    :a,
    :aa,
    :b,
    :ä,
    {},
    {:z},
    {:a, :a},
    {:a, :b},
    {:b, :a},
    %{},
    %{a: 1},
    %{a: 2},
    %{b: 0},
    [],
    [1],
    [1, 2],
    [1 | 2],
    [2],
    "",
    <<1::3>>,
    "a",
    <<"a", 1::1>>,
    "aa",
    "b"
  ]

  describe "first/1 and next/2" do
    table_test "find nothing in an empty table", %{ets: ets, table: table} do
      assert ets.first(table) == @stop
      assert ets.last(table) == @stop
    end

    table_test "visit each key once", %{ets: ets, table: table} do
      for size <- [1, 2, 10, 1000] do
        ets.delete_all_objects(table)
        ets.insert(table, for(n <- 1..size, value <- [:a, :b], do: {n, value}))
        assert Enum.sort(keys(ets, table, :first, :next)) == Enum.to_list(1..size)
        assert Enum.sort(keys(ets, table, :last, :prev)) == Enum.to_list(1..size)
      end
    end

    table_test "go in the order of terms", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, for(key <- Enum.shuffle(@ordered), do: {key}))
      sorted = Enum.sort(@ordered)
      assert keys(ets, table, :first, :next) === sorted
      assert keys(ets, table, :last, :prev) === Enum.reverse(sorted)
      assert ets.first(table) === hd(sorted)
      assert ets.last(table) === List.last(sorted)
    end

    table_test "start between keys", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, for(n <- 2..200//2, do: {n}))

      for n <- 1..199//2 do
        assert ets.next(table, n) == n + 1
        assert ets.next(table, n - 0.5) == n + 1
      end

      for n <- 3..201//2, do: assert(ets.prev(table, n) == n - 1)
      assert ets.prev(table, 1) == @stop
      assert ets.prev(table, 2) == @stop
      assert ets.next(table, 200) == @stop
      assert ets.next(table, :atom) == @stop
      assert ets.prev(table, :atom) == 200
      assert ets.next(table, -1.0e300) == 2
      assert ets.prev(table, -1.0e300) == @stop
    end

    table_test "go on from an equal key", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, [{1}, {2.0}, {3}])
      assert ets.next(table, 1.0) === 2.0
      assert ets.next(table, 2) === 3
      assert ets.prev(table, 2) === 1
    end

    table_test "are the same both ways", [types: @hashed], %{ets: ets, table: table} do
      ets.insert(table, for(n <- 1..100, do: {n}))
      assert ets.first(table) == ets.last(table)
      for n <- 1..100, do: assert(ets.next(table, n) == ets.prev(table, n))
      assert keys(ets, table, :first, :next) == keys(ets, table, :last, :prev)
    end

    table_test "fail at an unknown key", [types: @hashed], %{ets: ets, table: table} do
      assert_badarg ets.next(table, 1)
      assert_badarg ets.prev(table, 1)
      ets.insert(table, for(n <- 1..100, do: {n}))

      for key <- [0, 101, 1.0, :a, @stop] do
        assert_badarg ets.next(table, key)
        assert_badarg ets.prev(table, key)
      end

      ets.delete(table, 50)
      assert_badarg ets.next(table, 50)
    end

    table_test "empty a table", %{ets: ets, table: table} do
      ets.insert(table, for(n <- 1..500, do: {n}))

      taken =
        Stream.repeatedly(fn -> ets.first(table) end)
        |> Stream.take_while(&(&1 != @stop))
        |> Enum.map(fn key ->
          ets.delete(table, key)
          key
        end)

      assert Enum.sort(taken) == Enum.to_list(1..500)
      assert ets.info(table, :size) == 0
    end
  end

  describe "first_lookup/1 and its like" do
    table_test "find nothing in an empty table", [needs: @lookups], %{ets: ets, table: table} do
      assert ets.first_lookup(table) == @stop
      assert ets.last_lookup(table) == @stop
    end

    table_test "bring the objects along", [needs: @lookups], %{ets: ets, table: table} do
      for n <- 1..200, value <- [:a, :b], do: ets.insert(table, {n, value})

      for {start, step} <- [{:first, :next}, {:last, :prev}] do
        expected = for key <- keys(ets, table, start, step), do: {key, ets.lookup(table, key)}
        assert pairs(ets, table, start, step) == expected
      end
    end

    table_test "start between keys", [needs: @lookups, types: [:ordered_set]], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, [{1, :a}, {3, :c}])
      assert ets.next_lookup(table, 0) == {1, [{1, :a}]}
      assert ets.next_lookup(table, 1.0) == {3, [{3, :c}]}
      assert ets.next_lookup(table, 3) == @stop
      assert ets.prev_lookup(table, 2) == {1, [{1, :a}]}
      assert ets.prev_lookup(table, :a) == {3, [{3, :c}]}
      assert ets.prev_lookup(table, 1) == @stop
    end

    table_test "fail at an unknown key", [needs: @lookups, types: @hashed], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {1})
      assert_badarg ets.next_lookup(table, 2)
      assert_badarg ets.prev_lookup(table, 2)
    end

    table_test "keep the order of insertion", [needs: @lookups, types: @bags], %{
      ets: ets,
      table: table
    } do
      for n <- [3, 1, 2], do: ets.insert(table, {:key, n})
      assert ets.first_lookup(table) == {:key, [{:key, 3}, {:key, 1}, {:key, 2}]}
    end
  end

  describe "slot/2" do
    table_test "has the objects of the table in its slots", %{ets: ets, table: table} do
      objects = for n <- 1..1000, do: {n, -n}
      ets.insert(table, objects)
      assert ets |> slots(table) |> Enum.sort() == objects
    end

    table_test "has no slot in an empty ordered_set",
               [types: [:ordered_set], differs: :slot_of_empty],
               %{ets: ets, table: table} do
      assert ets.slot(table, 0) == @stop
      assert_badarg ets.slot(table, 1)
    end

    table_test "has no objects in the slots of an empty table", [types: @hashed], %{
      ets: ets,
      table: table
    } do
      assert slots(ets, table) == []
    end

    table_test "has one end", %{ets: ets, table: table} do
      ets.insert(table, {1})
      stop = Enum.find(0..10_000_000, &(ets.slot(table, &1) == @stop))
      assert_badarg ets.slot(table, stop + 1)
      assert_badarg ets.slot(table, stop + 1000)
    end

    table_test "goes in the order of keys", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, for(n <- Enum.shuffle(1..100), do: {n}))
      for n <- 1..100, do: assert(ets.slot(table, n - 1) == [{n}])
      assert ets.slot(table, 100) == @stop
      assert_badarg ets.slot(table, 101)
    end

    table_test "fails at a bad number", %{ets: ets, table: table} do
      for index <- [-1, 1.0, :a, 2 ** 70, -(2 ** 70)], do: assert_badarg(ets.slot(table, index))
    end
  end

  describe "tab2list/1" do
    table_test "returns all objects", %{ets: ets, table: table} do
      assert ets.tab2list(table) == []

      for size <- [1, 499, 500, 501, 3000] do
        objects = for n <- 1..size, do: {n, n}
        ets.delete_all_objects(table)
        ets.insert(table, Enum.shuffle(objects))
        assert contents(ets, table) == objects
      end
    end

    table_test "goes in the order of keys", [types: [:ordered_set]], %{ets: ets, table: table} do
      objects = for n <- 1..2000, do: {n}
      ets.insert(table, Enum.shuffle(objects))
      assert ets.tab2list(table) == objects
    end

    table_test "returns all objects of a key", [types: @bags], %{ets: ets, table: table} do
      objects = for n <- 1..2000, do: {:key, n}
      ets.insert(table, objects)
      ets.insert(table, {:other, 1})
      assert contents(ets, table) == objects ++ [{:other, 1}]
    end
  end

  describe "foldl/3 and foldr/3" do
    table_test "fold nothing in an empty table", %{ets: ets, table: table} do
      assert ets.foldl(fn _object, _acc -> raise "never" end, :acc, table) == :acc
      assert ets.foldr(fn _object, _acc -> raise "never" end, :acc, table) == :acc
    end

    table_test "see all objects", %{ets: ets, table: table} do
      objects = for n <- 1..1500, do: {n, n}
      ets.insert(table, objects)
      assert Enum.sort(ets.foldl(&[&1 | &2], [], table)) == objects
      assert Enum.sort(ets.foldr(&[&1 | &2], [], table)) == objects
      assert ets.info(table, :safe_fixed) == false
    end

    table_test "go from end to end", [types: [:ordered_set]], %{ets: ets, table: table} do
      objects = for n <- 1..1500, do: {n}
      ets.insert(table, Enum.shuffle(objects))
      assert ets.foldr(&[&1 | &2], [], table) == objects
      assert ets.foldl(&[&1 | &2], [], table) == Enum.reverse(objects)
    end

    table_test "go through the objects of a key from either end", [types: @bags], %{
      ets: ets,
      table: table
    } do
      for n <- 1..50, do: ets.insert(table, {:key, n})
      objects = ets.lookup(table, :key)
      assert ets.foldr(&[&1 | &2], [], table) == objects
      assert ets.foldl(&[&1 | &2], [], table) == Enum.reverse(objects)
    end

    table_test "go on when the function deletes", %{ets: ets, table: table} do
      for fold <- [:foldl, :foldr] do
        ets.insert(table, for(n <- 1..1000, do: {n}))

        delete = fn {key}, acc ->
          ets.delete(table, key)
          [key | acc]
        end

        assert Enum.sort(apply(ets, fold, [delete, [], table])) == Enum.to_list(1..1000)
        assert ets.tab2list(table) == []
      end
    end

    table_test "see nothing that the function has deleted", %{ets: ets, table: table} do
      ets.insert(table, for(n <- 1..1000, do: {n}))

      # Each object takes its partner with it.
      delete = fn {key}, acc ->
        ets.delete(table, 1001 - key)
        [key | acc]
      end

      seen = ets.foldl(delete, [], table)
      assert length(seen) == 500
      assert Enum.sort(seen ++ Enum.map(seen, &(1001 - &1))) == Enum.to_list(1..1000)
    end

    table_test "see what the function has replaced", [types: [:set, :ordered_set]], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, for(n <- 1..10, do: {n, :old}))

      replace = fn {_key, value}, acc ->
        ets.insert(table, for(n <- 1..10, do: {n, :new}))
        [value | acc]
      end

      assert ets.foldl(replace, [], table) == List.duplicate(:new, 9) ++ [:old]
    end

    table_test "see the end of a growing table", [types: [:ordered_set]], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {1})

      grow = fn {key}, acc ->
        if key < 1000, do: ets.insert(table, {key + 1})
        acc + key
      end

      assert ets.foldl(grow, 0, table) == 500_500
    end

    table_test "release the table when the function fails", %{ets: ets, table: table} do
      ets.insert(table, [{1}, {2}])
      assert_raise RuntimeError, fn -> ets.foldl(fn _, _ -> raise "stop" end, :acc, table) end
      assert catch_throw(ets.foldr(fn _, _ -> throw(:stop) end, :acc, table)) == :stop
      assert ets.info(table, :safe_fixed) == false
    end

    table_test "fail when the table vanishes", %{ets: ets} = context do
      table = new_table(context)
      ets.insert(table, [{1}, {2}])
      assert_badarg ets.foldl(fn _, _ -> ets.delete(table) end, :acc, table)
    end

    table_test "may be nested", %{ets: ets, table: table} do
      ets.insert(table, for(n <- 1..10, do: {n}))
      sum = fn -> ets.foldl(fn {n}, acc -> acc + n end, 0, table) end
      assert ets.foldl(fn {n}, acc -> acc + n * sum.() end, 0, table) == 55 * 55
    end

    table_test "fail without a function", %{ets: ets, table: table} do
      ets.insert(table, {1})
      assert catch_error(ets.foldl(:no_function, :acc, table))
      assert catch_error(ets.foldl(fn _ -> 1 end, :acc, table))
      assert ets.info(table, :safe_fixed) == false
    end
  end

  defp keys(ets, table, start, step) do
    ets
    |> apply(start, [table])
    |> Stream.iterate(&apply(ets, step, [table, &1]))
    |> Enum.take_while(&(&1 != @stop))
  end

  defp pairs(ets, table, start, step) do
    ets
    |> apply(:"#{start}_lookup", [table])
    |> Stream.iterate(fn {key, _objects} -> apply(ets, :"#{step}_lookup", [table, key]) end)
    |> Enum.take_while(&(&1 != @stop))
  end

  defp slots(ets, table) do
    0
    |> Stream.iterate(&(&1 + 1))
    |> Stream.map(&ets.slot(table, &1))
    |> Stream.take_while(&(&1 != @stop))
    |> Enum.concat()
  end
end
