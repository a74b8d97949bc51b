defmodule Bench.Progress do
  @moduledoc """
  One line on standard error that tells where a long measurement is.

  Parts with many steps say beforehand how many there will be; then the line tells how long they
  will take.
  """

  @doc "Shows `text` in place of what was shown before; on no terminal, as a line of its own."
  def show(text) do
    if terminal?(), do: IO.write(:stderr, "\r\e[K  #{text}"), else: IO.puts(:stderr, "  #{text}")
  end

  @doc "The next steps of that name will be `count`."
  def expect(name, count), do: Process.put({__MODULE__, name}, {0, count, now()})

  @doc """
  Shows the next step of that name. Where there is no terminal, only every fiftieth is a line.
  """
  def step(name, text) do
    {done, count, since} = Process.get({__MODULE__, name})
    Process.put({__MODULE__, name}, {done + 1, count, since})

    if terminal?() or rem(done, 50) == 0,
      do: show("#{name} #{done + 1} of #{count}#{left(done, count, since)}: #{text}")
  end

  @doc "Wipes the line."
  def done, do: if(terminal?(), do: IO.write(:stderr, "\r\e[K"))

  defp left(0, _count, _since), do: ""

  defp left(done, count, since) do
    seconds = div((now() - since) * (count - done), done)
    ", #{div(seconds, 60)}:#{String.pad_leading("#{rem(seconds, 60)}", 2, "0")} left"
  end

  defp now, do: System.monotonic_time(:second)

  # The child process has our standard error, so that the shell can look at it for us.
  defp terminal? do
    with nil <- Process.get(__MODULE__) do
      answer = match?({_, 0}, System.cmd("sh", ["-c", "test -t 2"]))
      Process.put(__MODULE__, answer)
      answer
    end
  end
end
