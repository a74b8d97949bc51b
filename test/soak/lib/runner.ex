defmodule Etsunami.Soak.Runner do
  @moduledoc """
  Runs the load, takes a sample every few seconds, and judges in the end.

  A sample has the operations since the last one, resident memory, what the VM has for itself, the
  objects of the tables that stay, and latencies of a lookup and an insert of the sampling process,
  which includes what it waits for a scheduler. What fails in a process of the load fails the soak.
  """

  alias Etsunami.Soak.{Chart, Load}

  @users 32
  @owners 8
  # Before that many minutes caches may still be growing.
  @judged_from 5
  # Calls of each kind on each table for a sample.
  @probes 400

  @doc "Reads the settings from the environment, runs, writes the files, and ends the VM if it fails."
  def main(environment) do
    Code.ensure_loaded!(Etsunami.Native)
    minutes = String.to_float(decimal(environment["MINUTES"] || "30"))
    seed = String.to_integer(environment["SEED"] || "#{:rand.uniform(1_000_000)}")
    name = environment["NAME"] || "soak-#{Date.utc_today()}"
    IO.puts("A mixed load for #{minutes} minutes, SEED=#{seed}")
    samples = run(minutes, seed)
    write(name, samples, minutes, seed)
    if minutes >= @judged_from, do: judge(samples)
  end

  defp decimal(text), do: if(String.contains?(text, "."), do: text, else: text <> ".0")

  defp run(minutes, seed) do
    Process.flag(:trap_exit, true)
    # So that samples are taken in time.
    Process.flag(:priority, :high)
    tables = Load.tables()
    counts = :counters.new(@users + @owners, [:write_concurrency])
    heir = spawn_link(&Load.inherit/0)
    for n <- 1..@users, do: spawn_link(fn -> Load.use_tables(tables, counts, n, seed) end)

    for n <- (@users + 1)..(@users + @owners),
        do: spawn_link(fn -> Load.own_tables(heir, counts, n, seed) end)

    every = max(1_000, round(minutes * 60_000 / 300))
    start = System.monotonic_time(:millisecond)
    sample(tables, counts, %{start: start, last: start, total: 0, every: every}, minutes, [])
  end

  defp sample(tables, counts, clock, minutes, samples) do
    receive do
      {:EXIT, pid, reason} -> fail("#{inspect(pid)} of the load has ended: #{inspect(reason)}")
    after
      clock.every -> :ok
    end

    now = System.monotonic_time(:millisecond)
    total = Enum.sum(for n <- 1..(@users + @owners), do: :counters.get(counts, n))
    rate = round((total - clock.total) * 1000 / (now - clock.last))
    samples = [look(tables, (now - clock.start) / 1000, rate) | samples]

    if now - clock.start < minutes * 60_000,
      do: sample(tables, counts, %{clock | last: now, total: total}, minutes, samples),
      else: Enum.reverse(samples)
  end

  defp look(tables, seconds, rate) do
    tables = Keyword.values(tables)
    reads = latencies(tables, fn table, n -> Etsunami.lookup(table, {:stay, n}) end)
    writes = latencies(tables, fn table, n -> Etsunami.insert(table, {{:probe, n}, n, 0}) end)
    for table <- tables, n <- 1..@probes, do: Etsunami.delete(table, {:probe, n})

    %{
      seconds: Float.round(seconds, 1),
      operations_per_second: rate,
      resident_mib: Float.round(resident() / 1024, 1),
      vm_mib: Float.round(:erlang.memory(:total) / 1_048_576, 1),
      objects: tables |> Enum.map(&Etsunami.info(&1, :size)) |> Enum.sum(),
      tables: length(Etsunami.all()),
      read_p50_us: at(reads, 500),
      read_p99_us: at(reads, 990),
      read_max_us: at(reads, 1000),
      write_p50_us: at(writes, 500),
      write_p99_us: at(writes, 990),
      write_max_us: at(writes, 1000)
    }
  end

  defp latencies(tables, call) do
    times =
      for table <- tables, n <- 1..@probes do
        begun = System.monotonic_time(:nanosecond)
        call.(table, n)
        System.monotonic_time(:nanosecond) - begun
      end

    Enum.sort(times)
  end

  defp at(sorted, part), do: Enum.at(sorted, div((length(sorted) - 1) * part, 1000)) / 1000

  defp resident do
    [_, kilobytes] = Regex.run(~r/VmRSS:\s+(\d+)/, File.read!("/proc/self/status"))
    String.to_integer(kilobytes)
  end

  @columns [:seconds, :operations_per_second, :resident_mib, :vm_mib, :objects, :tables] ++
             [
               :read_p50_us,
               :read_p99_us,
               :read_max_us,
               :write_p50_us,
               :write_p99_us,
               :write_max_us
             ]

  defp write(name, samples, minutes, seed) do
    rows = [@columns | Enum.map(samples, fn sample -> Enum.map(@columns, &sample[&1]) end)]
    base = Path.join("benches/results", name)
    File.write!(base <> ".csv", Enum.map(rows, &[Enum.join(&1, ","), "\n"]))
    rates = Enum.map(samples, & &1.operations_per_second)

    title =
      "#{minutes} minutes, #{@users} users and #{@owners} owners, " <>
        "#{div(Enum.sum(rates), length(rates))} operations/s, OTP #{:erlang.system_info(:otp_release)}, " <>
        "#{:erlang.system_info(:schedulers_online)} schedulers, seed #{seed}"

    File.write!(base <> ".svg", Chart.draw(title, samples))
    IO.puts("#{title}\nwritten: #{base}.csv, #{base}.svg")
  end

  # Memory is flat if the last quarter has no more than the second, some noise aside: the first
  # one fills the tables and the caches.
  defp judge(samples) do
    quarter = div(length(samples), 4)
    mean = fn from -> samples |> Enum.slice(from, quarter) |> mean() end
    {early, late} = {mean.(quarter), mean.(length(samples) - quarter)}
    IO.puts("resident: #{round(early)} MiB in the second quarter, #{round(late)} MiB in the last")
    if late > early * 1.15 + 8, do: fail("memory has grown")
  end

  defp mean(samples), do: Enum.sum(Enum.map(samples, & &1.resident_mib)) / max(length(samples), 1)

  defp fail(message) do
    IO.puts(:stderr, message)
    System.halt(1)
  end
end
