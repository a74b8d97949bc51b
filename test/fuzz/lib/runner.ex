defmodule Etsunami.Fuzz.Runner do
  @moduledoc """
  Runs programs until the time is up or one fails.

  A failure may need the schedulers to do what they did: the same bytes are the same calls, but
  not the same interleaving of the two processes.
  """

  alias Etsunami.Fuzz.Program

  @artifacts "fuzz/artifacts"

  @doc "Reads the settings from the environment, runs, and ends the virtual machine if it fails."
  def main(environment) do
    :logger.set_primary_config(:level, :none)
    Code.ensure_loaded!(Etsunami.Native)
    scratch = Path.join(System.tmp_dir!(), "etsunami-fuzz-#{System.pid()}")
    System.at_exit(fn _status -> File.rm_rf!(scratch) end)
    scratch = String.to_charlist(scratch)

    case environment["FILE"] do
      nil -> run(number(environment["SEED"]), number(environment["SECONDS_EACH"]) || 60, scratch)
      file -> IO.inspect(judge(File.read!(file), scratch))
    end
  end

  defp number(text) when text in [nil, ""], do: nil
  defp number(text), do: String.to_integer(text)

  defp run(seed, seconds, scratch) do
    seed = seed || :rand.uniform(1_000_000)
    IO.puts("Hostile calls with SEED=#{seed}")
    stop = System.monotonic_time(:millisecond) + 1000 * seconds
    {programs, calls} = programs(seed, 1, stop, scratch, 0)
    IO.puts("#{programs} programs, #{calls} calls, nothing found. SEED=#{seed}")
  end

  defp programs(seed, n, stop, scratch, calls) do
    :rand.seed(:exsss, {seed, n, 0})
    bytes = :rand.bytes(200 + :rand.uniform(4000))
    {:ok, more} = judge(bytes, scratch)

    if System.monotonic_time(:millisecond) < stop,
      do: programs(seed, n + 1, stop, scratch, calls + more),
      else: {n, calls + more}
  end

  defp judge(bytes, scratch) do
    File.mkdir_p!(@artifacts)
    # Before it runs: nobody writes it when the virtual machine has ended.
    File.write!(Path.join(@artifacts, "api.bin"), bytes)

    with {:error, what} <- Program.run(bytes, scratch) do
      kept = Path.join(@artifacts, "api-#{:erlang.phash2(bytes)}.bin")
      File.write!(kept, bytes)
      IO.inspect(what, limit: 200, printable_limit: 300)
      IO.puts("Failed. Again: FILE=#{kept} mix run --no-start test/fuzz/api_fuzz.exs")
      System.halt(1)
    end
  end
end
