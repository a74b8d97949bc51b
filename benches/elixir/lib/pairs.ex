defmodule Bench.Pairs do
  @moduledoc """
  Measures two sides in turns, A B A B, so that a slow phase of the machine hits both.

  The quotient is the median of the quotients of the pairs; nothing is subtracted. Beside it stand
  the quartiles of these quotients, which tell how far to trust it.
  """

  @enforce_keys [:first, :second, :quotient, :low, :high, :pairs]
  defstruct @enforce_keys

  @doc """
  Runs `run` on both sides `pairs` times, each time followed by `clean`, which is not measured.

  Returns the medians: nanoseconds per operation of either side, and first over second.
  """
  def measure(first, second, operations, pairs, run, clean) do
    limits = %{pairs: pairs, least: pairs, milliseconds: 0}

    within(limits, first, second, operations, fn side, _ -> run.(side) end, fn side, _ ->
      clean.(side)
    end)
  end

  @doc """
  Like `measure/6`, as many pairs as fit into `limits.milliseconds`, but at least `limits.least`
  and at most `limits.pairs`.

  Both functions get the number of the pair besides, from 0, so that each pair may work on other
  objects.
  """
  def within(limits, first, second, operations, run, clean) do
    finish = System.monotonic_time(:millisecond) + limits.milliseconds

    once = fn number ->
      {once(first, number, run, clean), once(second, number, run, clean)}
    end

    0
    |> Stream.iterate(&(&1 + 1))
    |> Stream.map(once)
    |> Enum.reduce_while({[], 0}, fn pair, {pairs, count} ->
      {if(enough?(count + 1, limits, finish), do: :halt, else: :cont),
       {[pair | pairs], count + 1}}
    end)
    |> elem(0)
    |> summary(operations)
  end

  @doc "The medians of a list of pairs of times, each of `operations` operations."
  def summary(times, operations) do
    quotients = for {a, b} <- times, do: a / b

    %__MODULE__{
      first: median(for {a, _} <- times, do: a / operations),
      second: median(for {_, b} <- times, do: b / operations),
      quotient: median(quotients),
      low: quantile(quotients, 0.25),
      high: quantile(quotients, 0.75),
      pairs: length(times)
    }
  end

  @doc "The middle of a list of numbers."
  def median(numbers), do: numbers |> Enum.sort() |> Enum.at(div(length(numbers), 2))

  @doc "The number below which that share of a list of numbers lies."
  def quantile(numbers, share) do
    index = min(trunc(length(numbers) * share), length(numbers) - 1)
    numbers |> Enum.sort() |> Enum.at(index)
  end

  @doc "The geometric mean of a list of numbers."
  def mean(numbers) do
    :math.exp(Enum.sum(Enum.map(numbers, &:math.log/1)) / length(numbers))
  end

  defp enough?(count, limits, finish) do
    count >= limits.pairs or
      (count >= limits.least and System.monotonic_time(:millisecond) >= finish)
  end

  defp once(side, number, run, clean) do
    :erlang.garbage_collect()
    start = System.monotonic_time(:nanosecond)
    run.(side, number)
    time = System.monotonic_time(:nanosecond) - start
    clean.(side, number)
    max(time, 1)
  end
end
