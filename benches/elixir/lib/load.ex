defmodule Bench.Load do
  @moduledoc """
  Throughput of several processes on one table.

  Each process belongs to one scheduler, so that where they run is no accident; all begin at one
  message, and the time is that until the last one is done.
  """

  alias Bench.{Attempt, Cell, Data, Pairs, Plan, Progress}

  @size 100_000
  # Operations of one measurement on each scheduler that takes part.
  @operations 60_000
  # The mixtures are lists of so many operations.
  @part 5_000
  @parts 32
  @mixes [read_only: 0, mixed_90_10: 10, mixed_50_50: 50, hot_counter: :counter]
  @types [:set, :ordered_set]

  @doc "Names of the mixes with the share of writes in percent."
  def mixes, do: @mixes

  @doc "What a mix is called in results."
  def label(:read_only), do: "read only"
  def label(:mixed_90_10), do: "90 % reads, 10 % writes"
  def label(:mixed_50_50), do: "50 % reads, 50 % writes"
  def label(:hot_counter), do: "one hot counter"

  @doc "The numbers of processes that are tried: 1, 2, 8, and up to the number of schedulers."
  def processes do
    schedulers = System.schedulers_online()
    powers = for power <- 2..10, 2 ** power < schedulers, do: 2 ** power
    Enum.sort(Enum.uniq([1, 2, 8, schedulers] ++ powers))
  end

  @doc "The cells of all mixes, for the named sets of options."
  def run(both, limits, options \\ Keyword.keys(Plan.options()), processes \\ processes()) do
    Progress.expect(:load, 2 * length(options) * length(@mixes) * length(processes))
    {:ok, _} = Attempt.run(&prepare/0)

    for type <- @types, name <- options, {mix, _} <- @mixes, count <- processes do
      table = %{type: type, options: name, keys: :integer, values: :integer, size: @size}
      Progress.step(:load, "#{label(mix)}, #{type}, #{name}, #{count} processes")
      result = Attempt.run(fn -> measure(both, table, mix, count, limits) end)

      %Cell{
        group: :load,
        table: table,
        operation: mix,
        label: label(mix),
        processes: count,
        result: result
      }
    end
  end

  @doc """
  Runs `work` in `count` processes, which get their number from 0, all at once.

  Returns the nanoseconds and the results of `work`. If one of them fails, so does the caller.
  """
  def at_once(count, work, options \\ []) do
    caller = self()

    workers =
      for number <- 0..(count - 1) do
        scheduler = rem(number, System.schedulers_online()) + 1
        body = fn -> worker(caller, fn -> work.(number) end) end
        :erlang.spawn_opt(body, [:link, {:scheduler, scheduler} | options])
      end

    for pid <- workers, do: receive(do: ({^pid, :ready} -> :ok))
    start = System.monotonic_time(:nanosecond)
    for pid <- workers, do: send(pid, :go)
    results = for pid <- workers, do: receive(do: ({^pid, :done, result} -> result))
    {System.monotonic_time(:nanosecond) - start, results}
  end

  @doc "Keys to be looked up and objects to be inserted, `writes` percent of them, in parts."
  def mixture(size, writes) do
    for _ <- 1..@parts do
      for _ <- 1..@part do
        key = :rand.uniform(size)
        if :rand.uniform() * 100 < writes, do: {key, :rand.uniform(size)}, else: key
      end
    end
    |> List.to_tuple()
  end

  defp worker(caller, work) do
    send(caller, {self(), :ready})
    receive(do: (:go -> :ok))
    send(caller, {self(), :done, work.()})
  end

  defp prepare do
    Data.prepare(:integer, :integer, @size)

    for {mix, writes} <- @mixes, writes != :counter do
      Data.put({:mix, mix}, mixture(@size, writes))
    end
  end

  defp measure({first, second}, table, mix, count, limits) do
    each =
      max(1, div(@operations * min(count, System.schedulers_online()), count * @part)) * @part

    options = [table.type | Plan.options(table.options)]
    sides = for side <- [first, second], do: {side, filled(side, options)}
    run = fn side, _ -> at_once(count, work(mix, side, each)) end
    [a, b] = sides
    run.(a, 0)
    run.(b, 0)
    pair = Pairs.within(limits, a, b, count * each, run, fn _, _ -> :ok end)
    for {side, table} <- sides, do: side.delete(table)
    pair
  end

  defp filled(side, options) do
    table = side.new(options)
    for slice <- Data.slices(), do: side.insert(table, slice)
    side.insert(table, [{0, 0}])
    table
  end

  defp work(:hot_counter, {side, table}, each), do: fn _ -> side.hammer(table, 0, each) end

  defp work(mix, {side, table}, each) do
    rounds = div(each, @part)

    fn number ->
      parts = Data.get({:mix, mix})

      for round <- 1..rounds do
        side.mixed(table, elem(parts, rem(number * rounds + round, tuple_size(parts))))
      end
    end
  end
end
