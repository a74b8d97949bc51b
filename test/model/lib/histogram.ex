defmodule Etsunami.Model.Histogram do
  @moduledoc """
  Counts commands by function, keyed calls by whether the key was there, and what ran in parallel.
  """

  alias Etsunami.Model.Commands

  @least_share 0.003
  @least_present 0.40
  @least_parallel 0.10

  @doc "A histogram, shared by all processes."
  def new do
    functions = functions()
    names = functions ++ [:event, :present, :absent, :parallel]
    places = names |> Enum.with_index(1) |> Map.new()
    %{functions: functions, places: places, counts: :counters.new(length(names), [])}
  end

  @doc "The functions that must be called: the exports of the subject, but those excused."
  def functions do
    exported = Etsunami.__info__(:functions) ++ Etsunami.__info__(:macros)
    Enum.sort(exported -- Map.keys(excused()))
  end

  @doc "The functions that no program calls, each with the reason."
  def excused do
    %{
      {:fun2ms, 1} =>
        "a macro that has done its work when a program runs; it has tests of its own",
      {:explain, 2} => "has no counterpart in :ets",
      {:info, 0} => "has no counterpart in :ets"
    }
  end

  @doc "Counts a command of a sequential program."
  def count(histogram, {_actor, {function, arguments}}, step) do
    add(histogram, Commands.counted_as(function, length(arguments)))
    if step[:keyed] in [:present, :absent], do: add(histogram, step.keyed)
  end

  @doc "Counts a command of a parallel part."
  def count_parallel(histogram, function, arity, keyed) do
    add(histogram, {function, arity})
    add(histogram, :parallel)
    if keyed in [:present, :absent], do: add(histogram, keyed)
  end

  defp add(histogram, name), do: :counters.add(histogram.counts, histogram.places[name], 1)

  @doc "How many commands there were."
  def total(histogram) do
    Enum.sum(for name <- [:event | histogram.functions], do: get(histogram, name))
  end

  defp get(histogram, name), do: :counters.get(histogram.counts, histogram.places[name])

  @doc "Prints the histogram, and returns what does not suffice."
  def report(histogram) do
    total = max(total(histogram), 1)
    shares = for f <- histogram.functions, do: {f, get(histogram, f), get(histogram, f) / total}

    IO.puts("Commands by function (#{total}):")
    shares |> Enum.map(&line/1) |> columns() |> IO.puts()
    keyed = max(get(histogram, :present) + get(histogram, :absent), 1)
    present = get(histogram, :present) / keyed
    parallel = get(histogram, :parallel) / total
    IO.puts("Keyed calls on present keys: #{percent(present)} of #{keyed}")
    IO.puts("Commands in parallel parts: #{percent(parallel)}")

    for(
      {{name, arity}, _count, share} <- shares,
      share < @least_share,
      do: "#{name}/#{arity} has less than #{percent(@least_share)}"
    ) ++
      if(present < @least_present, do: ["too few calls on present keys"], else: []) ++
      if(parallel < @least_parallel, do: ["too few commands in parallel parts"], else: [])
  end

  defp line({{name, arity}, count, share}) do
    String.pad_trailing("#{name}/#{arity}", 24) <>
      String.pad_leading("#{count}", 8) <>
      String.pad_leading(percent(share), 8)
  end

  defp columns(lines),
    do: lines |> Enum.chunk_every(2) |> Enum.map_join("\n", &Enum.join(&1, "    "))

  defp percent(share), do: :erlang.float_to_binary(100.0 * share, decimals: 2) <> " %"
end
