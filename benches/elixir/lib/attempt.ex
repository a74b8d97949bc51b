defmodule Bench.Attempt do
  @moduledoc """
  Runs a part of a measurement so that its failure is a result, not the end of the run.

  Each part has a process of its own: an exception, an exit and an endless call are all reported as
  `{:broken, text}`, and the garbage of one part does not cost the next one time.
  """

  @seconds 120

  @doc "The value of `fun` as `{:ok, value}`, or `{:broken, text}`; after `seconds` it is killed."
  def run(fun, seconds \\ @seconds) do
    caller = self()
    tag = make_ref()
    {pid, monitor} = spawn_monitor(fn -> send(caller, {tag, result(fun)}) end)

    receive do
      {^tag, result} ->
        Process.demonitor(monitor, [:flush])
        result

      {:DOWN, ^monitor, :process, ^pid, reason} ->
        {:broken, "exit: #{short(reason)}"}
    after
      seconds * 1000 -> kill(pid, monitor, tag, seconds)
    end
  end

  defp result(fun) do
    {:ok, fun.()}
  rescue
    error -> {:broken, error |> Exception.message() |> one_line()}
  catch
    kind, reason -> {:broken, "#{kind}: #{short(reason)}"}
  end

  defp kill(pid, monitor, tag, seconds) do
    Process.exit(pid, :kill)

    receive do
      {:DOWN, ^monitor, :process, ^pid, _reason} -> :ok
    end

    receive do
      {^tag, result} -> result
    after
      0 -> {:broken, "not done after #{seconds} seconds"}
    end
  end

  defp short(reason), do: reason |> inspect(limit: 20, printable_limit: 200) |> one_line()

  defp one_line(text), do: text |> String.replace(~r/\s+/, " ") |> String.slice(0, 200)
end
