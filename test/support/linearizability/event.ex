defmodule Linearizability.Event do
  @moduledoc """
  One operation of a history: who called what, with which result, from when until when.

  The times are stamps of one monotonic clock, taken just before the call and just after it.
  """

  @enforce_keys [:process, :operation, :result, :invoked, :responded]
  defstruct @enforce_keys

  @type operation :: tuple
  @type t :: %__MODULE__{
          process: term,
          operation: operation,
          result: term,
          invoked: integer,
          responded: integer
        }

  @doc """
  How many events of a history overlap with one of another process.
  """
  @spec overlapping([t]) :: non_neg_integer
  def overlapping(history) do
    Enum.count(history, fn event ->
      Enum.any?(history, fn other ->
        other.process != event.process and not precedes?(event, other) and
          not precedes?(other, event)
      end)
    end)
  end

  @doc """
  Whether `a` had responded before `b` was invoked.

  Equal stamps decide nothing, so that two events that share one count as concurrent: a legal
  history is never rejected because the clock is coarse.
  """
  @spec precedes?(t, t) :: boolean
  def precedes?(%__MODULE__{responded: responded}, %__MODULE__{invoked: invoked}) do
    responded < invoked
  end
end
