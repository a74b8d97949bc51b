defmodule Etsunami.ValueTest do
  # Values that are read and made in the VM's memory: large maps, big integers, references.
  use ExUnit.Case, async: true
  @moduletag :library

  defp table(type \\ :set), do: Etsunami.new(:values, [type, :public])

  defp key(:small, n), do: n
  defp key(:text, n), do: "key #{n}"
  defp key(:atom, n), do: :"value_test_#{n}"
  defp key(:float, n), do: n / 3
  defp key(:tuple, n), do: {n, [n | "x"]}
  defp key(:mixed, n), do: key(Enum.at([:small, :text, :float, :tuple, :big], rem(n, 5)), n)
  defp key(:big, n), do: 2 ** 100 + n
  defp key(:map, n), do: %{n => n, "n" => %{n => n}}
  defp key(:reference, _n), do: make_ref()

  defp value(n),
    do: Enum.at([n, "value #{n}", {n, n / 7}, [n, [n]], %{n => n}, -(2 ** 80)], rem(n, 6))

  defp map(kind, n), do: Map.new(1..n, &{key(kind, &1), value(&1)})

  @kinds [:small, :text, :atom, :float, :tuple, :mixed, :big, :map, :reference]
  @sizes [1, 2, 31, 32, 33, 34, 64, 100, 257, 1000]

  defp same?(back, map) do
    assert back === map
    assert :erts_debug.flat_size(back) == :erts_debug.flat_size(map)
    assert :maps.to_list(back) === :maps.to_list(map)
    assert Enum.all?(map, fn {key, value} -> Map.fetch(back, key) === {:ok, value} end)
    assert Map.put(back, :another, 1) === Map.put(map, :another, 1)
    first = hd(Map.keys(map))
    assert Map.delete(back, first) === Map.delete(map, first)
  end

  for kind <- @kinds do
    test "maps with keys of kind #{kind} come back, and are maps for everything" do
      table = table()

      for size <- @sizes do
        map = map(unquote(kind), size)
        Etsunami.insert(table, [{size, map}, {{size, :nested}, {[map | map], %{map: map}}}])
        [{^size, back}] = Etsunami.lookup(table, size)
        [{_, {[head | tail], %{map: inner}}}] = Etsunami.lookup(table, {size, :nested})
        same?(back, map)
        assert [head, tail, inner] === [map, map, map]
        Etsunami.update_element(table, size, {2, Map.put(map, :more, map)})
        same?(Etsunami.lookup_element(table, size, 2), Map.put(map, :more, map))
        :erlang.garbage_collect()
        assert {back, head} === {map, map}
      end
    end
  end

  test "maps that were made in other ways are the same" do
    for size <- [33, 40, 100, 500] do
      map = map(:mixed, size)

      grown =
        Enum.reduce(Enum.shuffle(Map.to_list(map)), %{}, fn {k, v}, m -> Map.put(m, k, v) end)

      extra = Map.new(1..200, &{{:extra, &1}, &1})
      shrunk = Map.drop(Map.merge(extra, map), Map.keys(extra))
      table = table(:bag)
      Etsunami.insert(table, {1, map})
      Etsunami.insert(table, [{1, grown}, {1, shrunk}])
      assert Etsunami.lookup(table, 1) === [{1, map}]
      assert Etsunami.match(table, {:"$1", shrunk}) == [[1]]

      assert Etsunami.select_count(table, [
               {{:_, :"$1"}, [{:"=:=", :"$1", {:const, grown}}], [true]}
             ]) == 1

      Etsunami.delete_object(table, {1, grown})
      assert Etsunami.info(table, :size) == 0
    end
  end

  test "large maps are keys, too" do
    for type <- [:set, :ordered_set], size <- [33, 100, 300] do
      table = table(type)
      map = map(:mixed, size)
      Etsunami.insert(table, {map, map})

      again =
        Enum.reduce(Enum.shuffle(Map.to_list(map)), %{}, fn {k, v}, m -> Map.put(m, k, v) end)

      assert [{key, value}] = Etsunami.lookup(table, again)
      assert key === map and value === map
      assert Etsunami.lookup(table, Map.put(map, :x, 1)) == []
    end
  end

  test "large maps that hold what has to be kept" do
    table = table()
    counter = :counters.new(1, [])
    long = :binary.copy("x", 1000)
    map = Map.new(1..50, &{&1, [counter, fn -> &1 end, long, <<1::3>>, make_ref()]})
    Etsunami.insert(table, {1, map})
    assert Etsunami.lookup(table, 1) === [{1, map}]
    :counters.add(hd(Etsunami.lookup_element(table, 1, 2)[50]), 1, 5)
    assert :counters.get(counter, 1) == 5
  end

  test "deep values, wide values" do
    table = table()

    values = [
      Enum.reduce(1..5000, [], fn i, inner -> [inner, i] end),
      Enum.reduce(1..5000, {}, fn i, inner -> {inner, "#{i}"} end),
      Enum.reduce(1..500, %{}, fn i, inner -> %{"n" => inner, i => i} end),
      Enum.reduce(1..60, 0, fn i, inner -> Map.put(Map.new(1..40, &{&1, &1}), i, inner) end),
      List.duplicate(%{"id" => 1, "tags" => ["a", "b"], "geo" => %{"lat" => 1.5}}, 3000),
      Enum.to_list(1..20_000),
      List.to_tuple(Enum.map(1..5000, &{&1, "#{&1}"})),
      Enum.map(1..3000, &(&1 / 3)),
      for(i <- 1..100, do: [i | i]) ++ :tail
    ]

    for {value, i} <- Enum.with_index(values) do
      Etsunami.insert(table, {i, value})
      assert Etsunami.lookup(table, i) === [{i, value}]
      assert Task.await(Task.async(fn -> Etsunami.lookup_element(table, i, 2) end)) === value
    end
  end

  test "big integers of every length and sign" do
    table = table()

    for bits <- Enum.concat([58..66, 126..130, [500, 4096, 70_000]]),
        n <- [-1, 0, 1],
        s <- [-1, 1] do
      value = s * (2 ** bits + n)
      Etsunami.insert(table, {value, value, [value]})
      assert Etsunami.lookup(table, value) === [{value, value, [value]}]
      assert Etsunami.lookup(table, 3 * value) == []
    end
  end

  defp references do
    alias = :erlang.alias()
    magic = :atomics.new(1, [])
    remote = :erlang.binary_to_term(<<131, 90, 3::16, 119, 3, "a@b", 1::32, 2::32, 3::32, 4::32>>)
    for(_ <- 1..50, do: make_ref()) ++ [alias, magic, remote]
  end

  for type <- [:set, :ordered_set, :bag] do
    test "references of all kinds are keys and values of a #{type}" do
      {ours, theirs} = {table(unquote(type)), :ets.new(:values, [unquote(type)])}
      references = references()

      for tab <- [{Etsunami, ours}, {:ets, theirs}], {ref, i} <- Enum.with_index(references) do
        {module, table} = tab
        module.insert(table, {ref, i, {ref, [ref]}})
      end

      for {ref, i} <- Enum.with_index(references) do
        assert Etsunami.lookup(ours, ref) === [{ref, i, {ref, [ref]}}]
        assert Etsunami.match(ours, {:"$1", :_, {ref, :_}}) === [[ref]]
        assert Etsunami.lookup(ours, {ref}) == []
      end

      spec = [{{:"$1", :"$2", :_}, [{:is_reference, :"$1"}], [:"$2"]}]
      assert Enum.sort(Etsunami.select(ours, spec)) == Enum.to_list(0..52)

      if unquote(type) == :ordered_set do
        assert Etsunami.tab2list(ours) === :ets.tab2list(theirs)
      end
    end
  end

  test "a reference from another process, and from a message, is the same key" do
    table = table()
    reference = make_ref()
    Etsunami.insert(table, {reference, 1})
    assert Task.await(Task.async(fn -> Etsunami.lookup(table, reference) end)) == [{reference, 1}]
    again = :erlang.binary_to_term(:erlang.term_to_binary(reference))
    assert Etsunami.member(table, again)
  end
end
