defmodule Etsunami.Parity.SelectTest do
  # What select and its family find and change, against what :ets.match_spec_run gives for the
  # objects one by one.
  use Etsunami.EtsCase, async: false

  @moduletag :library
  @unordered [:set, :bag, :duplicate_bag]
  @bags [:bag, :duplicate_bag]
  @stop :"$end_of_table"

  # {Key, Small, Term}, under keys of many kinds; in bags several for a key.
  defp objects do
    plain = for n <- 1..60, v <- 1..3, do: {n, rem(n, 5), {v, "text #{n}"}}
    tuples = for a <- [:a, :b], n <- 1..10, v <- 1..2, do: {{a, n, [v]}, n, %{v => n, :w => a}}
    lists = for n <- 1..10, do: {[:list, n, :tail], n, [n | :improper]}
    maps = for n <- 1..10, do: {%{id: n}, 2.0 * n, <<n::7>>}
    others = [{1.0, 1, :float}, {2 ** 70, 2, 2 ** 71}, {"binary", 3, {}}, {:atom, 4, []}, {:only}]
    plain ++ tuples ++ lists ++ maps ++ others
  end

  defp specs do
    [
      [{:_, [], [:"$_"]}],
      [{:"$1", [], [{{:"$1", :found}}]}],
      [{{:"$1", :"$2", :_}, [], [:"$$"]}],
      [{{:"$3", :"$1", :"$2"}, [], [[:"$3", {:+, :"$1", 1} | :"$2"]]}],
      [{{:"$1", :"$2", :_}, [{:is_integer, :"$1"}, {:<, :"$1", 20}], [{{:"$2", :"$1"}}]}],
      [{{:"$1", :_, :_}, [{:>=, :"$1", 10}, {:"=<", :"$1", 30}], [:"$1"]}],
      [{{7, :_, :"$1"}, [], [:"$1"]}],
      [{{7.0, :_, :"$1"}, [], [:"$1"]}],
      [{{1, :"$1", :_}, [], [:"$_"]}, {{1.0, :"$1", :_}, [], [:"$_"]}],
      [{{:"$1", :_, :_}, [{:"=:=", :"$1", 1}], [:"$_"]}],
      [{{:"$1", :_, :_}, [{:==, :"$1", 1}], [:"$_"]}],
      [{{{:a, :"$1", :_}, :_, :_}, [{:>, :"$1", 3}], [:"$1"]}],
      [{{{:a, 3, :"$1"}, :_, :_}, [], [:"$1"]}],
      [{{{:"$1", 3, :_}, :"$2", :_}, [], [{{:"$1", :"$2"}}]}],
      [{{[:list, :"$1" | :_], :_, :"$2"}, [{:<, :"$1", 5}], [:"$2"]}],
      [{{%{id: :"$1"}, :_, :_}, [{:>, :"$1", 4}], [:"$_"]}],
      [{{%{id: 3}, :_, :_}, [], [:"$_"]}],
      [{{:_, :_, %{w: :a}}, [], [:"$_"]}],
      [{{:"$1", :"$1", :_}, [], [:"$1"]}],
      [{{:_, 3, :_}, [], [true]}, {{:"$1", 4, :_}, [{:is_integer, :"$1"}], [:"$_"]}],
      [{{:"$1", :_, :_}, [{:orelse, {:<, :"$1", 3}, {:>, :"$1", {{:b, 5, []}}}}], [:"$1"]}],
      [{{{:a, 1, [1]}, :_, :_}, [], [1]}, {{9, :_, :_}, [], [2]}, {{:nothing, :_}, [], [3]}],
      [{{:"$1", :"$2", :_}, [], [{:div, :"$2", 0}]}],
      [{{:"$1", :"$2", :_}, [{:>, {:div, :"$2", 0}, 1}], [:"$1"]}],
      [{{:only}, [], [{:self}, {:node}]}],
      [{{:_, :_, :_}, [false], [:"$_"]}]
    ]
  end

  defp fill(ets, table) do
    # One by one: a list may come in another order in a bag.
    for object <- objects(), do: ets.insert(table, object)
    ets.tab2list(table)
  end

  defp expected(objects, spec), do: :ets.match_spec_run(objects, :ets.match_spec_compile(spec))

  defp in_order(list, :ordered_set), do: list
  # Equal numbers of both types are told apart.
  defp in_order(list, _type), do: Enum.sort_by(list, &{&1, :erlang.term_to_binary(&1)})

  defp chunks(_ets, @stop, _next), do: []
  defp chunks(ets, {list, rest}, next), do: [list | chunks(ets, apply(ets, next, [rest]), next)]

  table_test "select/2 gives the results of all objects", context do
    %{ets: ets, table: table, type: type} = context
    objects = fill(ets, table)

    for spec <- specs() do
      expected = expected(objects, spec)
      assert in_order(ets.select(table, spec), type) === in_order(expected, type)
      reverse = in_order(Enum.reverse(expected), type)
      assert in_order(ets.select_reverse(table, spec), type) === reverse
    end
  end

  table_test "select/3 gives them in chunks", context do
    %{ets: ets, table: table, type: type} = context
    objects = fill(ets, table)

    for spec <- specs(), limit <- [1, 2, 7, 59, 60, 500] do
      expected = expected(objects, spec)
      up = chunks(ets, ets.select(table, spec, limit), :select)
      down = chunks(ets, ets.select_reverse(table, spec, limit), :select_reverse)
      assert in_order(Enum.concat(up), type) === in_order(expected, type)
      assert in_order(Enum.concat(down), type) === in_order(Enum.reverse(expected), type)
      assert Enum.all?(up ++ down, &(length(&1) in 1..limit))
    end
  end

  table_test "chunks of an ordered_set are full", [types: [:ordered_set]], context do
    %{ets: ets, table: table} = context
    for n <- 1..20, do: ets.insert(table, {n, rem(n, 2)})
    spec = [{{:"$1", 1}, [], [:"$1"]}]

    assert {[1, 3, 5, 7, 9], next} = ets.select(table, spec, 5)
    assert {[11, 13, 15, 17, 19], next} = ets.select(next)
    assert ets.select(next) == @stop
    assert {[19, 17, 15, 13, 11, 9, 7, 5], next} = ets.select_reverse(table, spec, 8)
    assert ets.select(next) == {[3, 1], @stop}
    assert ets.select_reverse(next) == {[3, 1], @stop}
    assert ets.select(table, spec, 11) == {Enum.to_list(1..19//2), @stop}
    assert ets.select(table, [{{:missing, :_}, [], [1]}], 11) == @stop
  end

  table_test "a bound key has no continuation", context do
    %{ets: ets, table: table} = context
    ets.insert(table, [{1, :a}, {2, :b}])
    assert ets.select(table, [{{1, :"$1"}, [], [:"$1"]}], 1) == {[:a], @stop}
    assert ets.select_reverse(table, [{{1, :"$1"}, [], [:"$1"]}], 1) == {[:a], @stop}
    assert ets.match(table, {2, :"$1"}, 1) == {[[:b]], @stop}
    assert ets.match_object(table, {2, :_}, 5) == {[{2, :b}], @stop}
    assert ets.match_object(table, {3, :_}, 5) == @stop
  end

  table_test "objects of one key come in the order of insertion", [types: @bags], context do
    %{ets: ets, table: table} = context
    for n <- 1..2000, do: ets.insert(table, {:key, n})
    for n <- 1..500, do: ets.insert(table, {n, n})
    for n <- 100..200, do: ets.delete_object(table, {:key, n})
    expected = Enum.to_list(1..99) ++ Enum.to_list(201..2000)
    assert ets.select(table, [{{:key, :"$1"}, [], [:"$1"]}]) == expected
    assert for([n] <- ets.match(table, {:key, :"$1"}), do: n) == expected
    by_scan = for {:key, n} <- ets.select(table, [{:_, [], [:"$_"]}]), do: n
    assert by_scan == expected
  end

  table_test "match and match_object are select in short", context do
    %{ets: ets, table: table, type: type} = context
    objects = fill(ets, table)

    for pattern <- [:_, :"$1", {:_, :"$2", :"$1"}, {5, :"$1", :_}, {{:a, :"$1", :_}, :_, :_}] do
      values = in_order(expected(objects, [{pattern, [], [:"$$"]}]), type)
      found = in_order(expected(objects, [{pattern, [], [:"$_"]}]), type)
      assert in_order(ets.match(table, pattern), type) === values
      assert in_order(ets.match_object(table, pattern), type) === found
      assert ets |> chunks(ets.match(table, pattern, 3), :match) |> chunked(type) === values

      for next <- [:match_object, :select] do
        start = ets.match_object(table, pattern, 3)
        assert ets |> chunks(start, next) |> chunked(type) === found
      end
    end
  end

  defp chunked(chunks, type), do: chunks |> Enum.concat() |> in_order(type)

  table_test "select_count counts what is true", %{ets: ets, table: table} do
    objects = fill(ets, table)

    for spec <- specs() ++ [[{{:_, 3, :_}, [], [true]}], [{:_, [], [true]}]] do
      assert ets.select_count(table, spec) == Enum.count(expected(objects, spec), &(&1 === true))
    end
  end

  table_test "select_delete deletes what is true", %{ets: ets, table: table} do
    fill(ets, table)

    for spec <- specs() ++ [[{{:"$1", 4, :_}, [], [{:is_integer, :"$1"}]}]] do
      before = contents(ets, table)
      {gone, kept} = Enum.split_with(before, &(expected([&1], spec) === [true]))
      assert ets.select_delete(table, spec) == length(gone)
      assert contents(ets, table) == kept
      assert ets.info(table, :size) == length(kept)
    end

    assert ets.select_delete(table, [{:_, [], [true]}]) > 0
    assert ets.tab2list(table) == []
    assert ets.select_delete(table, [{:_, [], [true]}]) == 0
  end

  table_test "deletes by pattern leave a key with many objects in one pass",
             [types: [:bag, :duplicate_bag]],
             %{ets: ets, table: table} do
    empty = ets.info(table, :memory)

    for count <- [1, 2, 16, 17, 64, 65, 300, 2_048, 2_049, 5_000],
        {part, size} <- [
          {[{:==, {:rem, :"$1", 2}, 0}], div(count, 2)},
          {[{:<, :"$1", 200}], min(count, 199)},
          {[{:>, :"$1", 7}], max(count - 7, 0)},
          {[], count}
        ] do
      objects = for n <- 1..count, do: {:k, {n, 1}, "value"}
      others = [{:j, {1, 1}, "other"}, {:l, {2, 1}, "other"}, {:l, {4, 1}, "other"}]
      ets.insert(table, objects)
      ets.insert(table, others)
      assert ets.select_delete(table, [{{:k, {:"$1", :_}, :_}, part, [true]}]) == size
      rest = ets.lookup(table, :k)
      assert length(rest) == count - size
      spec = [{{:_, {:"$1", :_}, :_}, part, [true]}]
      matching = ets.select_count(table, spec)
      assert ets.select_delete(table, spec) == matching
      assert ets.lookup(table, :k) == rest
      # The key takes objects as before.
      ets.insert(table, {:k, :more, 1})
      ets.insert(table, {:k, :more, 2})
      assert ets.lookup(table, :k) == rest ++ [{:k, :more, 1}, {:k, :more, 2}]
      for {_, n, _} = object <- rest, n < {20, 0}, do: ets.delete_object(table, object)
      expected = for {_, n, _} = object <- rest, n >= {20, 0}, do: object
      assert ets.lookup(table, :k) == expected ++ [{:k, :more, 1}, {:k, :more, 2}]
      ets.match_delete(table, {:k, :_, :_})
      assert ets.lookup(table, :k) == []
      ets.match_delete(table, :_)
      assert {ets.info(table, :size), ets.info(table, :memory)} == {0, empty}
    end
  end

  table_test "equal objects go together", [types: [:duplicate_bag]], %{ets: ets, table: table} do
    for count <- [3, 40, 3_000] do
      ets.insert(table, for(n <- 1..count, do: {:k, rem(n, 3)}))
      gone = Enum.count(1..count, &(rem(&1, 3) == 1))
      assert ets.select_delete(table, [{{:k, 1}, [], [true]}]) == gone
      rest = for n <- 1..count, rem(n, 3) != 1, do: {:k, rem(n, 3)}
      assert Enum.sort(ets.lookup(table, :k)) == Enum.sort(rest)
      ets.delete_object(table, {:k, 0})
      assert ets.match_delete(table, {:k, 2})
      assert ets.tab2list(table) == []
    end
  end

  table_test "match_delete deletes what matches", %{ets: ets, table: table} do
    fill(ets, table)

    for pattern <- [{:_, 3, :_}, {5, :_, :_}, {{:a, :_, :_}, :_, :_}, {:"$1", :"$1", :_}] do
      {_gone, kept} =
        Enum.split_with(contents(ets, table), &(expected([&1], [{pattern, [], [1]}]) != []))

      assert ets.match_delete(table, pattern)
      assert contents(ets, table) == kept
    end

    assert ets.match_delete(table, :_)
    assert ets.info(table, :size) == 0
  end

  @replacing [:set, :ordered_set, :duplicate_bag]

  table_test "select_replace replaces what matches", [types: @replacing], context do
    %{ets: ets, table: table} = context
    fill(ets, table)

    for {key, small, rest} <- [{:"$1", 3, :"$2"}, {:"$1", :"$3", :"$2"}, {7, :"$3", :_}] do
      head = {key, small, rest}
      value = if small == :"$3", do: {:+, :"$3", 100}, else: :three
      body = {{key, value, {:const, {:was, small}}}}
      spec = [{head, [{:is_integer, key}], [body]}]
      objects = contents(ets, table)
      {replaced, kept} = Enum.split_with(objects, &(expected([&1], spec) != []))
      assert ets.select_replace(table, spec) == length(replaced)
      assert contents(ets, table) == Enum.sort(kept ++ expected(replaced, spec))
      assert ets.info(table, :size) == length(objects)
    end

    before = contents(ets, table)
    assert ets.select_replace(table, [{:_, [], [:"$_"]}]) == length(before)
    assert contents(ets, table) == before
  end

  table_test "what is replaced keeps its place", [types: [:duplicate_bag]], context do
    %{ets: ets, table: table} = context

    for size <- [1, 2, 16, 17, 200, 3000] do
      for n <- 1..size, do: ets.insert(table, {:key, n})
      spec = [{{:key, :"$1"}, [{:==, {:rem, :"$1", 2}, 1}], [{{:key, {:-, 0, :"$1"}}}]}]
      assert ets.select_replace(table, spec) == div(size + 1, 2)
      expected = for n <- 1..size, do: {:key, if(rem(n, 2) == 1, do: -n, else: n)}
      assert ets.lookup(table, :key) == expected
      assert ets.select_replace(table, [{{:key, :_}, [], [{{:key, :same}}]}]) == size
      assert ets.lookup(table, :key) == List.duplicate({:key, :same}, size)
      assert ets.info(table, :size) == size
      ets.delete_object(table, {:key, :same})
      assert ets.info(table, :size) == 0
    end
  end

  table_test "keys may not change", [types: @replacing], %{ets: ets, table: table} do
    ets.insert(table, for(n <- 1..10, do: {n, n}))
    before = contents(ets, table)

    for body <- [{{:"$2", :"$1"}}, {{1, :"$1"}}, :"$1", {{{:+, :"$1", 0}, 1}}, {{}}, 1] do
      assert_badarg ets.select_replace(table, [{{:"$1", :"$2"}, [], [body]}])
      assert contents(ets, table) == before
    end
  end

  table_test "a bag cannot replace", [types: [:bag]], %{ets: ets, table: table} do
    assert_badarg ets.select_replace(table, [{:_, [], [:"$_"]}])
  end

  table_test "the key may be anywhere", [variants: [[keypos: 2], [keypos: 3]]], context do
    %{ets: ets, table: table} = context
    ets.insert(table, for(n <- 1..50, do: {-n, rem(n, 7), n}))
    objects = contents(ets, table)

    for spec <- [
          [{{:_, 3, :_}, [], [:"$_"]}],
          [{{:_, :_, 3}, [], [:"$_"]}],
          [{{:_, :"$1", :_}, [{:>, :"$1", 4}], [:"$_"]}],
          [{{:_, :_, :"$1"}, [{:>, :"$1", 40}], [:"$_"]}],
          [{{:_, 2, 30}, [], [:"$_"]}],
          [{{:_}, [], [:"$_"]}],
          [{{:_, :_}, [], [:"$_"]}]
        ] do
      assert Enum.sort(ets.select(table, spec)) == expected(objects, spec)
    end
  end

  table_test "big results", [variants: [[]]], %{ets: ets, table: table, type: type} do
    n = 30_000
    ets.insert(table, for(i <- 1..n, do: {i, {i, [i], "#{i}"}}))
    expected = for i <- 1..n, do: {i, {i, [i], "#{i}"}}
    assert in_order(ets.select(table, [{:_, [], [:"$_"]}]), type) == expected

    assert in_order(ets.select_reverse(table, [{:_, [], [:"$_"]}]), type) ==
             in_order(Enum.reverse(expected), type)

    up = chunks(ets, ets.select(table, [{:_, [], [:"$_"]}], 10_000), :select)
    assert up |> Enum.concat() |> in_order(type) == expected
    assert ets.select_count(table, [{{:"$1", :_}, [], [{:>, :"$1", 10}]}]) == n - 10
  end

  table_test "results with large and shared parts", [variants: [[]]], context do
    %{ets: ets, table: table} = context
    binary = :binary.copy("x", 100_000)
    deep = Enum.reduce(1..10_000, [], fn n, inner -> {n, inner} end)
    long = Enum.to_list(1..50_000)
    ets.insert(table, [{1, binary, deep}, {2, long, %{key: binary}}])
    assert ets.select(table, [{{1, :"$1", :_}, [], [:"$1"]}]) == [binary]
    assert ets.select(table, [{{1, :_, :"$1"}, [], [{{:"$1", :"$1"}}]}]) == [{deep, deep}]
    assert ets.select(table, [{{2, :"$1", :_}, [], [{:length, :"$1"}]}]) == [50_000]
    spec = [{{:_, :"$1", :"$2"}, [], [[:"$1", :"$2", :"$_"]]}]
    expected = for {_, a, b} = object <- contents(ets, table), do: [a, b, object]
    assert Enum.sort(ets.select(table, spec)) == Enum.sort(expected)
    assert Enum.sort(ets.match_object(table, {:_, :_, :_})) == contents(ets, table)
  end

  table_test "what lives in the emulator comes back", [variants: [[]]], context do
    %{ets: ets, table: table} = context
    counter = :counters.new(1, [])
    fun = fn -> counter end
    terms = [self(), make_ref(), counter, fun, &Enum.map/2, hd(Port.list())]
    for {term, n} <- Enum.with_index(terms), do: ets.insert(table, {n, term, [term]})

    for {term, n} <- Enum.with_index(terms) do
      found = ets.select(table, [{{:"$1", {:const, term}, :_}, [], [:"$1"]}])
      assert found == [] or found == [n]
      assert ets.select(table, [{{:"$1", term, :_}, [], [:"$1"]}]) == [n]
      spec = [{{:"$1", :"$2", :_}, [{:"=:=", :"$2", {:const, term}}], [{{:"$1", {:const, fun}}}]}]
      assert ets.select(table, spec) == [{n, fun}]
      assert ets.match(table, {n, :"$1", :"$2"}) == [[term, [term]]]
    end
  end

  table_test "tables without objects", %{ets: ets, table: table} do
    for spec <- specs() do
      assert ets.select(table, spec) == []
      assert ets.select(table, spec, 10) == @stop
      assert ets.select_count(table, spec) == 0
      assert ets.select_delete(table, spec) == 0
    end
  end

  table_test "unordered tables know no direction", [types: @unordered], context do
    %{ets: ets, table: table} = context
    ets.insert(table, for(n <- 1..100, do: {n}))
    spec = [{{:"$1"}, [], [:"$1"]}]
    assert ets.select(table, spec) == ets.select_reverse(table, spec)
  end
end
