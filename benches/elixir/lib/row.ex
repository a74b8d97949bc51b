defmodule Bench.Row do
  @moduledoc """
  One measured comparison with a name of its own, beside the matrix.

  `result` is `{:ok, pairs}` of `Bench.Pairs`, or `{:broken, text}`; its times are nanoseconds.
  """

  @enforce_keys [:section, :label, :result]
  defstruct @enforce_keys

  @doc "A row of that section."
  def new(section, label, result) do
    %__MODULE__{section: section, label: label, result: result}
  end
end
