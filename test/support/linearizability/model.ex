defmodule Linearizability.Model do
  @moduledoc """
  What a set table does when nobody else uses it: the sequential specification.

  The state is a map from key to object `{key, number}`. A call that raises `ArgumentError` has
  the result `:badarg` and changes nothing.
  """

  @type state :: %{optional(term) => tuple}

  @doc "The table before the first operation."
  @spec new() :: state
  def new, do: %{}

  @doc "The result of an operation and the state after it."
  @spec apply(state, Linearizability.Event.operation()) :: {term, state}
  def apply(state, {:lookup, key}), do: {objects(state, key), state}
  def apply(state, {:member, key}), do: {is_map_key(state, key), state}
  def apply(state, {:insert, objects}), do: {true, put(state, objects)}
  def apply(state, {:delete, key}), do: {true, Map.delete(state, key)}
  def apply(state, {:take, key}), do: {objects(state, key), Map.delete(state, key)}
  def apply(_state, {:delete_all_objects}), do: {true, new()}

  def apply(state, {:insert_new, objects}) do
    if Enum.any?(objects, fn {key, _} -> is_map_key(state, key) end) do
      {false, state}
    else
      {true, put(state, objects)}
    end
  end

  def apply(state, {:update_counter, key, increment}) do
    case state do
      %{^key => {^key, number}} ->
        {number + increment, %{state | key => {key, number + increment}}}

      %{} ->
        {:badarg, state}
    end
  end

  def apply(state, {:update_counter, key, increment, default}) do
    __MODULE__.apply(Map.put_new(state, key, {key, default}), {:update_counter, key, increment})
  end

  defp objects(state, key), do: for({:ok, object} <- [Map.fetch(state, key)], do: object)

  defp put(state, objects), do: Enum.into(objects, state, fn {key, _} = o -> {key, o} end)
end
