defmodule Bench.Stall do
  @moduledoc """
  How long a reader waits while another process does something long with the whole table.

  The readers, one on each scheduler but the first, look keys up without a pause and note their
  longest call; the long call runs on the first scheduler.
  """

  alias Bench.{Attempt, Data, Pairs, Progress, Row}

  @size 1_000_000
  @listed 100_000
  @pairs 5
  # Before and after the long call the readers run so long alone.
  @milliseconds 10

  @doc "Rows of the longest call of a reader, and of the long call itself."
  def run(both) do
    {:ok, _} =
      Attempt.run(fn -> Data.put(:listed, for(n <- 1..@listed, do: {2 * @size + n, n})) end)

    for type <- [:set, :ordered_set],
        {label, long} <- [
          {"delete_all_objects of #{@size} objects", &clear/2},
          {"insert of a list of #{@listed}", &insert/2}
        ],
        row <- rows(both, type, label, long) do
      row
    end
  end

  defp rows(both, type, label, long) do
    Progress.show("#{label} while readers run, #{type}")

    {stalls, calls} =
      case Attempt.run(fn -> measure(both, type, long) end, 240) do
        {:ok, times} ->
          {for({{a, _}, {b, _}} <- times, do: {a, b}), for({{_, a}, {_, b}} <- times, do: {a, b})}

        broken ->
          {broken, broken}
      end

    name = "#{label}, #{type}, read_concurrency"
    [row("longest read during #{name}", stalls), row("#{name}, while readers run", calls)]
  end

  defp row(label, {:broken, _} = broken), do: Row.new(:weak, label, broken)
  defp row(label, times), do: Row.new(:weak, label, {:ok, Pairs.summary(times, 1)})

  defp measure({first, second}, type, long) do
    options = [type, read_concurrency: true]
    for _ <- 1..@pairs, do: {once(first, options, long), once(second, options, long)}
  end

  defp once(side, options, long) do
    table = side.new(options)
    side.fill(table, @size, 6_700_417)
    :erlang.garbage_collect()
    flag = :atomics.new(1, [])
    readers = max(1, System.schedulers_online() - 1)
    longest = Task.async(fn -> longest(side, table, flag, readers) end)
    Process.sleep(@milliseconds)
    time = on_first_scheduler(fn -> long.(side, table) end)
    Process.sleep(@milliseconds)
    :atomics.put(flag, 1, 1)
    stall = Task.await(longest, :infinity)
    side.delete(table)
    {stall, time}
  end

  defp longest(side, table, flag, readers) do
    keys = for n <- 1..1000, do: 2 * div(n * @size, 1001)

    reading = fn ->
      {longest, _count} = side.stalled(table, keys, flag)
      longest
    end

    for number <- 1..readers do
      spawned(number, reading)
    end
    |> Enum.map(&awaited/1)
    |> Enum.max()
  end

  defp on_first_scheduler(long) do
    awaited(
      spawned(0, fn ->
        start = System.monotonic_time(:nanosecond)
        long.()
        System.monotonic_time(:nanosecond) - start
      end)
    )
  end

  defp spawned(number, fun) do
    caller = self()
    scheduler = rem(number, System.schedulers_online()) + 1
    body = fn -> send(caller, {self(), fun.()}) end
    :erlang.spawn_opt(body, [:link, {:scheduler, scheduler}, {:min_heap_size, 1_000_000}])
  end

  defp awaited(pid), do: receive(do: ({^pid, result} -> result))

  defp clear(side, table), do: side.delete_all_objects(table)
  defp insert(side, table), do: side.insert(table, [Data.get(:listed)])
end
