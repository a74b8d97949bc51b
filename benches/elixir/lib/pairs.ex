defmodule Bench.Pairs do
  @moduledoc """
  Measures two sides in turns, A B A B, so that a slow phase of the machine hits both.

  The quotient is the median of the quotients of the pairs; nothing is subtracted.
  """

  @enforce_keys [:first, :second, :quotient]
  defstruct @enforce_keys

  @doc """
  Runs `run` on both sides `pairs` times, each time followed by `clean`, which is not measured.

  Returns the medians: nanoseconds per operation of either side, and first over second.
  """
  def measure(first, second, operations, pairs, run, clean) do
    times =
      for _ <- 1..pairs do
        {once(first, run, clean), once(second, run, clean)}
      end

    %__MODULE__{
      first: median(for {a, _} <- times, do: a / operations),
      second: median(for {_, b} <- times, do: b / operations),
      quotient: median(for {a, b} <- times, do: a / b)
    }
  end

  @doc "The middle of a list of numbers."
  def median(numbers), do: numbers |> Enum.sort() |> Enum.at(div(length(numbers), 2))

  @doc "The geometric mean of a list of numbers."
  def mean(numbers) do
    :math.exp(Enum.sum(Enum.map(numbers, &:math.log/1)) / length(numbers))
  end

  defp once(side, run, clean) do
    :erlang.garbage_collect()
    start = System.monotonic_time(:nanosecond)
    run.(side)
    time = System.monotonic_time(:nanosecond) - start
    clean.(side)
    time
  end
end
