defmodule Etsunami.PieceTest do
  # Small nested values are made in one piece, of what fits into it; others compound by compound.
  use ExUnit.Case, async: true
  @moduletag :library

  defp nested(0, inner), do: inner
  defp nested(depth, inner), do: {depth, nested(depth - 1, inner)}

  defp shapes do
    edges =
      for n <- Enum.concat([1..70, 93..98, 125..130, 253..258]) do
        [
          {Enum.to_list(1..n), {n}},
          List.to_tuple(for i <- 1..n, do: {i, [i | {i}]}),
          {List.to_tuple(Enum.to_list(1..n)), [{}]},
          nested(n, [n / 7]),
          for(i <- 1..n, do: [i]),
          {:floats, {List.to_tuple(for i <- 1..n, do: i / 3)}},
          {[for(i <- 1..n, do: "text #{i}")], 1 + 2 ** (n + 50)},
          Enum.reduce(1..n, {:tail}, fn i, tail -> [{i} | tail] end)
        ]
      end

    others = [%{a: {1.5, [%{}]}}, {}, [], self(), make_ref(), &shapes/0, <<5::3>>, -0.0, ""]
    odd = [{[[] | {}], {{}, [{}]}}, [{others} | {others}], {:a, {%{{[1]} => {[2.5]}}, {[], {}}}}]

    Enum.concat(edges) ++ odd ++ others
  end

  test "values of all sizes come back, and live on their own" do
    table = Etsunami.new(:pieces, [:public])

    for {shape, n} <- Enum.with_index(shapes()) do
      Etsunami.insert(table, [{n, shape}, {{n}, n / 2, [shape], shape, "after"}])
      found = {Etsunami.lookup(table, n), Etsunami.lookup(table, {n})}
      parts = for place <- 1..5, do: Etsunami.lookup_element(table, {n}, place)
      assert found === {[{n, shape}], [{{n}, n / 2, [shape], shape, "after"}]}
      assert parts === [{n}, n / 2, [shape], shape, "after"]
      # The collector takes such terms apart, copying them to heap and message does, too.
      :erlang.garbage_collect()
      assert Task.await(Task.async(fn -> found end)) === found
      [{_, inner}] = Etsunami.take(table, n)
      :erlang.garbage_collect()
      assert :erlang.term_to_binary(inner) == :erlang.term_to_binary(shape)
    end
  end

  # What is small is encoded on the stack, the rest in a buffer; keys have to be the same words.
  for type <- [:set, :ordered_set] do
    test "#{type}: a key is one, whether its object is large or small" do
      table = Etsunami.new(:pieces, [unquote(type), :public])
      <<_, part::binary-size(9), _::binary>> = Enum.join(1..200, " ")
      texts = for(n <- 0..70, do: String.duplicate("k", n)) ++ [part, <<5::3>>, <<1, 2, 7::5>>]

      keys =
        [1.5, 1.0e300, 2 ** 64, -(2 ** 70), {}, [], {0.0}, [0.25 | :tail], %{a: {1.5}, b: 2}, %{}] ++
          [self(), {make_ref()}, nested(5, 1), nested(6, 1), nested(7, 1), nested(20, [])] ++
          for(n <- [90, 91, 92, 93, 94, 95, 96, 97], do: Enum.to_list(1..n)) ++ texts

      for key <- Enum.concat(Enum.map(keys, &[&1, {&1}, [&1], {:a, {&1, [&1]}}])) do
        large = {key, Enum.to_list(1..300)}
        assert Etsunami.insert_new(table, large)
        refute Etsunami.insert_new(table, {key, 1})
        assert Etsunami.lookup(table, key) === [large]
        assert Etsunami.insert(table, {key, key})
        refute Etsunami.insert_new(table, large)
        assert Etsunami.take(table, key) === [{key, key}]
        assert Etsunami.info(table, :size) == 0
      end
    end
  end

  # Terms are written from the top of the heap on, for as long as there is room. What is made on its
  # own, the big map, takes memory in between.
  test "terms are whole wherever the heap ends" do
    table = Etsunami.new(:pieces, [:public])
    big = Map.new(1..60, &{&1, [&1]})
    inner = {1.5, [{:a, big}, {2 ** 80, "text", [big | {2.5}]}], {big, %{a: {1}, b: [2]}}}
    values = [7, {1, 2}, Enum.to_list(1..50), %{a: 1, b: {2.5}}, inner, [inner, {inner}]]
    for {value, n} <- Enum.with_index(values), do: Etsunami.insert(table, {n, value, :last})

    look = fn first ->
      # Whatever is found stays alive, so that the heap grows; each run begins elsewhere.
      kept =
        {Enum.to_list(1..first//1), for(_ <- 1..40, n <- 0..5, do: Etsunami.lookup(table, n))}

      kept |> elem(1) |> Enum.chunk_every(6) |> Enum.uniq()
    end

    expected = [for({value, n} <- Enum.with_index(values), do: [{n, value, :last}])]

    for first <- 0..120, least <- [0, 300] do
      {process, ref} =
        :erlang.spawn_opt(fn -> exit(look.(first)) end, [:monitor, min_heap_size: least])

      assert_receive {:DOWN, ^ref, :process, ^process, found}, 10_000
      assert found === expected
    end
  end

  test "a part of a value that was looked up is kept without the rest" do
    table = Etsunami.new(:pieces, [:public])
    Etsunami.insert(table, {1, {{:a, 1.5}, [{:b, [1, 2.5]}, :c], {{:d}}}})

    parts =
      for _ <- 1..1000,
          {_, [{_, list} | rest], {inner}} <- [Etsunami.lookup_element(table, 1, 2)],
          do: {list, rest, inner}

    :erlang.garbage_collect()
    assert Enum.uniq(parts) === [{[1, 2.5], [:c], {:d}}]
  end
end
