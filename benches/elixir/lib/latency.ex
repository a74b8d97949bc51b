defmodule Bench.Latency do
  @moduledoc """
  Times of single operations while all schedulers work on the table, one process on each.

  Two readings of the clock belong to each time, on both sides alike. The processes have heaps that
  hold all their garbage, and no scheduler has two of them, so that what is in the tail is not the
  virtual machine's turn-taking.
  """

  alias Bench.{Attempt, Data, Load, Plan, Progress}

  @size 100_000
  @each 40_000
  @runs 5
  @shares [p50: 0.5, p99: 0.99, "p99.9": 0.999]
  @heap 2_000_000

  @doc """
  Rows of `type`, `options` and `result`: `{:ok, percentiles}` or `{:broken, text}`.

  Percentiles are `{operation, share, first, second}` in nanoseconds.
  """
  def run(both, options \\ [:plain, :auto]) do
    {:ok, _} = Attempt.run(&prepare/0)

    for type <- [:set, :ordered_set], name <- options do
      Progress.show("latency of single operations, #{type}, #{name}")
      %{type: type, options: name, result: Attempt.run(fn -> measure(both, type, name) end)}
    end
  end

  defp prepare do
    Data.prepare(:integer, :integer, @size)

    list = fn ->
      for _ <- 1..@each do
        key = :rand.uniform(@size)
        if :rand.uniform(10) == 1, do: {key, key}, else: key
      end
    end

    Data.put(:latency, List.to_tuple(for _ <- 1..System.schedulers_online(), do: list.()))
  end

  defp measure({first, second}, type, name) do
    options = [type | Plan.options(name)]
    sides = for side <- [first, second], do: {side, filled(side, options)}
    runs = for _ <- 0..@runs, do: for(side <- sides, do: times(side))
    # The first run warms up.
    [ets, other] = runs |> tl() |> Enum.zip_with(&Enum.concat/1)

    for {operation, sign} <- [lookup: 1, insert: -1],
        row <- percentiles(operation, sign, ets, other) do
      row
    end
  end

  defp percentiles(operation, sign, ets, other) do
    [a, b] =
      for times <- [ets, other] do
        List.to_tuple(Enum.sort(for time <- times, time * sign > 0, do: time * sign))
      end

    for {share, number} <- @shares, do: {operation, share, at(a, number), at(b, number)}
  end

  defp at(sorted, share), do: elem(sorted, trunc(tuple_size(sorted) * share))

  defp filled(side, options) do
    table = side.new(options)
    for slice <- Data.slices(), do: side.insert(table, slice)
    table
  end

  defp times({side, table}) do
    count = System.schedulers_online()
    arrays = for _ <- 1..count, do: :atomics.new(@each, signed: true)
    arrays = List.to_tuple(arrays)

    work = fn number ->
      side.timed(table, elem(Data.get(:latency), number), elem(arrays, number))
    end

    Load.at_once(count, work, min_heap_size: @heap)
    for array <- Tuple.to_list(arrays), index <- 1..@each, do: :atomics.get(array, index)
  end
end
