defmodule Bench.Progress do
  @moduledoc "One line on standard error that tells where a long measurement is."

  @doc "Shows `text` in place of what was shown before; on no terminal, as a line of its own."
  def show(text) do
    if terminal?(), do: IO.write(:stderr, "\r\e[K  #{text}"), else: IO.puts(:stderr, "  #{text}")
  end

  @doc "Wipes the line."
  def done, do: if(terminal?(), do: IO.write(:stderr, "\r\e[K"))

  # The child process has our standard error, so that the shell can look at it for us.
  defp terminal? do
    with nil <- Process.get(__MODULE__) do
      answer = match?({_, 0}, System.cmd("sh", ["-c", "test -t 2"]))
      Process.put(__MODULE__, answer)
      answer
    end
  end
end
