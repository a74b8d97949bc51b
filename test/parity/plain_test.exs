defmodule Etsunami.Parity.PlainTest do
  # Plain patterns run without being compiled. With a guard that always holds they are compiled: both
  # ways have to find the same, in the same order.
  use ExUnit.Case, async: true

  @types [:set, :ordered_set, :bag, :duplicate_bag]
  @bodies [:"$_", :"$$", :"$1", :"$2", :"$10"]

  # Parts of objects and of patterns alike, so that many patterns match.
  @parts [0, 1, 1.0, 0.0, -0.0, 2.5, :a, :b, :"$_", :"$$", :"$01", [], {}, "text", <<5::3>>] ++
           [2 ** 70, -(2 ** 70), [1], [:a | :b], %{a: 1}, {1, :a}, {1.0, :a}, {1, :a, :b}] ++
           [{:a, 1, 2, 3, 4}, {:a, 1, 2, 3, 5}, {:a, 1, 2, 3, 4, 5}, {1, 2, 3, 4, 5, 6, 7}] ++
           [{{1}, :a}, {0.0, 1}, {"text", 1}, String.duplicate("long", 40)]
  @names [:_, :_, :"$1", :"$2", :"$10", :"$0"]

  setup_all do
    :rand.seed(:exsss, {1, 2, 3})
    objects = for _ <- 1..400, do: object()
    patterns = for _ <- 1..1500, do: pattern(Enum.random(objects))

    fixed = [
      {},
      {:_},
      :_,
      :"$1",
      {:"$1", :"$1"},
      {{:"$1", :"$1"}, :_},
      [:no],
      {:"$1", {:"$1", :_}}
    ]

    wide = for n <- 15..18, do: List.to_tuple(List.duplicate(:_, n))
    variables = for n <- 7..10, do: List.to_tuple(for i <- n..1//-1, do: :"$#{i}")
    {:ok, objects: objects, patterns: fixed ++ wide ++ variables ++ patterns}
  end

  defp object do
    case :rand.uniform(12) do
      n when n < 4 -> {Enum.random(@parts), :rand.uniform(3)}
      12 -> List.to_tuple(for i <- 1..Enum.random(7..17), do: i)
      _ -> {Enum.random(@parts), Enum.random(@parts), Enum.random(@parts)}
    end
  end

  # An object in which some parts, and parts of parts, have become something else.
  defp pattern(object),
    do: change(object, &if(is_tuple(&1), do: change(&1, fn x -> x end), else: &1))

  defp change(tuple, inner) do
    parts =
      for part <- Tuple.to_list(tuple) do
        case :rand.uniform(10) do
          n when n < 4 -> inner.(part)
          n when n < 9 -> Enum.random(@names)
          9 -> Enum.random(@parts)
          10 -> part
        end
      end

    List.to_tuple(parts)
  end

  defp outcome(fun) do
    {:ok, fun.()}
  rescue
    error in ArgumentError -> error.__struct__
  end

  # Bits tell -0.0 from 0.0 on every release.
  defp bits(result), do: :erlang.term_to_binary(result)

  defp all(:"$end_of_table"), do: []
  defp all({results, continuation}), do: [results | all(Etsunami.select(continuation))]

  defp ways(table, clause) do
    for select <- [
          &Etsunami.select(table, &1),
          &Etsunami.select_reverse(table, &1),
          &all(Etsunami.select(table, &1, 3)),
          &all(Etsunami.select_reverse(table, &1, 2))
        ] do
      bits(outcome(fn -> select.([clause]) end))
    end
  end

  for type <- @types, keypos <- [1, 2] do
    test "as when compiled, in a #{type} with the key at #{keypos}", context do
      table = Etsunami.new(:plain, [unquote(type), keypos: unquote(keypos)])
      for object <- context.objects, do: Etsunami.insert(table, object)

      matched =
        for {pattern, n} <- Enum.with_index(context.patterns) do
          body = [Enum.at(@bodies, rem(n, 5))]
          plain = ways(table, {pattern, [], body})
          compiled = ways(table, {pattern, [true], body})
          assert plain == compiled, "#{inspect({pattern, body})}"
          plain
        end

      assert matched |> Enum.uniq() |> length() > 100
    end
  end

  test "a search that takes many chunks goes on with the compiled pattern" do
    for type <- @types do
      table = Etsunami.new(:plain, [type])
      Etsunami.insert(table, for(n <- 1..30_000, do: {{rem(n, 2), n}, n, :x}))

      for key <- [:_, {1, :"$3"}, {:"$3", :_}, :"$3"], body <- [:"$_", :"$$", :"$1"] do
        clause = fn guards -> [{{key, :"$1", :x}, guards, [body]}] end
        assert Etsunami.select(table, clause.([])) == Etsunami.select(table, clause.([true]))
        chunks = fn guards -> all(Etsunami.select(table, clause.(guards), 4001)) end
        assert chunks.([]) == chunks.([true])
      end
    end
  end
end
