defmodule Etsunami.Model.Compound do
  @moduledoc """
  Commands that are several calls, which mean something only together.

  | command | what |
  | --- | --- |
  | `:walk`, `:walk_back`, `:walk_lookup`, `:walk_lookup_back` | from one end to the other |
  | `:slots` | the objects of all slots |
  | `:drain` | a search in chunks, to its end |
  | `:repaired_drain` | the same by a continuation that was stored and repaired |
  | `:run_compiled`, `:is_compiled` | a specification is compiled and used |
  | `:show` | what `i/1` and its like print |
  | `:dump_to_dets`, `:fill_from_dets` | a table of dets is opened and closed around the call |
  | `:query`, `:query_key` | a table is read by qlc, all of it or a key |
  """

  alias Etsunami.Model.Sides

  @stop :"$end_of_table"
  @walks %{
    walk: {:first, :next},
    walk_back: {:last, :prev},
    walk_lookup: {:first_lookup, :next_lookup},
    walk_lookup_back: {:last_lookup, :prev_lookup}
  }

  # As which function a command counts, by its name and number of arguments.
  @counted %{
    {:walk, 1} => {:next, 2},
    {:walk_back, 1} => {:prev, 2},
    {:walk_lookup, 1} => {:next_lookup, 2},
    {:walk_lookup_back, 1} => {:prev_lookup, 2},
    {:slots, 1} => {:slot, 2},
    {:drain, 4} => {:select, 1},
    {:repaired_drain, 4} => {:repair_continuation, 2},
    {:run_compiled, 2} => {:match_spec_run, 2},
    {:is_compiled, 1} => {:is_compiled_ms, 1},
    {:show, 0} => {:i, 0},
    {:show, 1} => {:i, 1},
    {:show, 2} => {:i, 2},
    {:show, 3} => {:i, 3},
    {:dump_to_dets, 3} => {:to_dets, 2},
    {:fill_from_dets, 3} => {:from_dets, 2},
    {:query, 1} => {:table, 1},
    {:query, 2} => {:table, 2},
    {:query_key, 3} => {:table, 2}
  }

  @doc "Whether this is a command made of several calls."
  def knows?(function, arity), do: is_map_key(@counted, {function, arity})

  @doc "As which function it counts."
  def counted_as(function, arity), do: Map.get(@counted, {function, arity})

  @doc "Runs it on one side."
  @spec run(Sides.side(), atom, [term]) :: term
  def run(side, walk, [table]) when is_map_key(@walks, walk) do
    {first, next} = @walks[walk]
    walk(side, next, table, Sides.call(side, first, [table]))
  end

  def run(side, :slots, [table]), do: slots(side, table, 0)

  def run(side, :drain, [function | arguments]) do
    drain(side, function, Sides.call(side, function, arguments))
  end

  def run(side, :repaired_drain, [function, table, spec, limit]) do
    repaired(side, function, spec, Sides.call(side, function, [table, spec, limit]))
  end

  def run(side, :run_compiled, [objects, spec]) do
    Sides.call(side, :match_spec_run, [objects, Sides.call(side, :match_spec_compile, [spec])])
  end

  def run(side, :is_compiled, [spec]) do
    Sides.call(side, :is_compiled_ms, [Sides.call(side, :match_spec_compile, [spec])])
  end

  def run(side, :show, arguments) do
    {:ok, terminal} = StringIO.open("q\nq\n")
    leader = Process.group_leader()
    Process.group_leader(self(), terminal)

    try do
      {Sides.call(side, :i, arguments), terminal |> StringIO.contents() |> elem(1)}
    after
      Process.group_leader(self(), leader)
      StringIO.close(terminal)
    end
  end

  def run(side, :dump_to_dets, [file, options, table]) do
    with_dets(side, file, options, fn dets ->
      result = Sides.call(side, :to_dets, [table, dets])
      {result, dets |> :dets.match_object(:_) |> Enum.sort()}
    end)
  end

  def run(side, :fill_from_dets, [file, objects, table]) do
    with_dets(side, file, [type: :duplicate_bag], fn dets ->
      :ok = :dets.insert(dets, Enum.filter(objects, &(is_tuple(&1) and tuple_size(&1) > 0)))
      Sides.call(side, :from_dets, [table, dets])
    end)
  end

  def run(side, :query, arguments) do
    side |> Sides.call(:table, arguments) |> :qlc.e()
  end

  def run(side, :query_key, [table, position, key]) do
    handle = Sides.call(side, :table, [table, []])
    query = ~c"[X || X <- T, element(P, X) =:= K]."
    bindings = [{:T, handle}, {:P, position}, {:K, key}]
    query |> :qlc.string_to_handle([], bindings) |> :qlc.e()
  end

  defp walk(_side, _next, _table, @stop), do: []

  defp walk(side, next, table, {key, objects}) when next in [:next_lookup, :prev_lookup] do
    [{key, objects} | walk(side, next, table, Sides.call(side, next, [table, key]))]
  end

  defp walk(side, next, table, key) do
    [key | walk(side, next, table, Sides.call(side, next, [table, key]))]
  end

  defp slots(side, table, index) do
    case Sides.call(side, :slot, [table, index]) do
      @stop -> []
      objects -> objects ++ slots(side, table, index + 1)
    end
  end

  defp drain(_side, _function, @stop), do: []
  defp drain(_side, _function, {objects, @stop}), do: [objects]

  defp drain(side, function, {objects, continuation}) do
    [objects | drain(side, function, Sides.call(side, function, [continuation]))]
  end

  defp repaired(_side, _function, _spec, @stop), do: []
  defp repaired(_side, _function, _spec, {objects, @stop}), do: [objects]

  defp repaired(side, function, spec, {objects, continuation}) do
    stored = continuation |> :erlang.term_to_binary() |> :erlang.binary_to_term()
    continuation = Sides.call(side, :repair_continuation, [stored, spec])
    [objects | repaired(side, function, spec, Sides.call(side, function, [continuation]))]
  end

  defp with_dets(_side, file, options, function) do
    {:ok, dets} = :dets.open_file(:model_dets, [file: file, ram_file: true] ++ options)

    try do
      function.(dets)
    after
      :dets.close(dets)
      File.rm(file)
    end
  end
end
