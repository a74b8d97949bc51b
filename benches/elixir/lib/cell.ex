defmodule Bench.Cell do
  @moduledoc """
  One measured comparison.

  `group` is the family of operations that it counts for, `table` what both sides have (type,
  options, keys, values, size), `processes` how many ran at once. `result` is `{:ok, pairs}` of
  `Bench.Pairs`, or `{:broken, text}`.
  """

  @enforce_keys [:group, :table, :operation, :label, :result]
  defstruct [:group, :table, :operation, :label, :result, processes: 1]

  @doc "Those that have been measured."
  def measured(cells), do: for(%{result: {:ok, _}} = cell <- cells, do: cell)

  @doc "Those that could not be measured."
  def broken(cells), do: for(%{result: {:broken, _}} = cell <- cells, do: cell)

  @doc "How much faster the second side is."
  def quotient(%__MODULE__{result: {:ok, pair}}), do: pair.quotient
end
