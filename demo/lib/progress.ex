defmodule Demo.Progress do
  @moduledoc """
  One line on standard error that counts up while `fun` runs.

  On a terminal the line is redrawn ten times a second; elsewhere (a log, a pipe) only its last
  state is printed.
  """

  @redraw_ms 100

  @doc "Runs `fun` with a counter that any process may raise by `step/2`."
  def during(label, total, fun) do
    counter = :counters.new(1, [:write_concurrency])
    painter = spawn_link(fn -> paint(label, total, counter, terminal?()) end)
    result = fun.(counter)
    reference = Process.monitor(painter)
    send(painter, :done)

    receive do
      {:DOWN, ^reference, _, _, _} -> result
    end
  end

  @doc "Counts `n` more items as done."
  def step(counter, n), do: :counters.add(counter, 1, n)

  defp paint(label, total, counter, terminal?) do
    receive do
      :done ->
        if terminal?, do: IO.write(:stderr, "\r\e[K")
        IO.puts(:stderr, line(label, total, counter))
    after
      @redraw_ms ->
        if terminal?, do: IO.write(:stderr, ["\r\e[K", line(label, total, counter)])
        paint(label, total, counter, terminal?)
    end
  end

  defp line(label, nil, counter), do: "  #{label}: #{:counters.get(counter, 1)}"

  defp line(label, total, counter) do
    done = :counters.get(counter, 1)
    "  #{label}: #{done} of #{total} (#{div(100 * done, max(total, 1))} %)"
  end

  # The child process has our standard error, so that the shell can look at it for us.
  defp terminal?, do: match?({_, 0}, System.cmd("sh", ["-c", "test -t 2"]))
end
