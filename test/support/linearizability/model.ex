defmodule Linearizability.Model do
  @moduledoc """
  What a table does when nobody else uses it: the sequential specification.

  The state is a map from key to its objects `{key, number}`, in the order of their insertion. A
  call that raises `ArgumentError` has the result `:badarg` and changes nothing.

  `first` and `next` promise no more than that the key which they give is there (keys that pad a
  list are not looked at), and that `next` knows where to go on from.
  """

  @typedoc "The type of the table, and what it holds. A key that holds nothing is not there."
  @type state :: {:set | :ordered_set | :bag | :duplicate_bag, %{optional(term) => [tuple]}}

  @doc "The table before the first operation."
  @spec new(atom) :: state
  def new(type), do: {type, %{}}

  @doc "The state after an operation that had this result; `:impossible` if it cannot have it."
  @spec step(state, Linearizability.Event.operation(), result :: term) ::
          {:ok, state} | :impossible
  def step({_type, keys} = state, {name, _key} = operation, result)
      when name in [:first, :next] do
    if walked?(state, operation, result, keys), do: {:ok, state}, else: :impossible
  end

  def step({type, keys}, operation, result) do
    case run(type, keys, operation) do
      {^result, keys} -> {:ok, {type, keys}}
      {_other, _keys} -> :impossible
    end
  end

  defp walked?({type, _}, {:next, key}, :badarg, keys) do
    type != :ordered_set and not is_map_key(keys, key)
  end

  defp walked?(_state, _operation, :"$end_of_table", _keys), do: true
  defp walked?(_state, _operation, padding, _keys) when is_float(padding), do: true

  defp walked?({:ordered_set, _}, {:next, key}, found, keys) do
    found > key and is_map_key(keys, found)
  end

  defp walked?(_state, _operation, found, keys), do: is_map_key(keys, found)

  defp run(_type, keys, {:lookup, key}), do: {Map.get(keys, key, []), keys}
  defp run(_type, keys, {:member, key}), do: {is_map_key(keys, key), keys}

  defp run(type, keys, {:insert, objects}),
    do: {true, Enum.reduce(objects, keys, &put(type, &2, &1))}

  defp run(_type, keys, {:delete, key}), do: {true, Map.delete(keys, key)}
  defp run(_type, keys, {:take, key}), do: {Map.get(keys, key, []), Map.delete(keys, key)}
  defp run(_type, _keys, {:delete_all_objects}), do: {true, %{}}

  defp run(type, keys, {:insert_new, objects}) do
    if Enum.any?(objects, fn {key, _} -> is_map_key(keys, key) end) do
      {false, keys}
    else
      run(type, keys, {:insert, objects})
    end
  end

  defp run(_type, keys, {:delete_object, {key, _} = object}) do
    {true, keep(keys, key, &(&1 != object))}
  end

  # Searches for one key, which are one step as they change one object.

  defp run(_type, keys, {:select_delete, key, bound}) do
    rest = keep(keys, key, fn {_, number} -> number >= bound end)
    {count(keys, key) - count(rest, key), rest}
  end

  defp run(_type, keys, {:select_replace, key, increment}) do
    objects = for {_, number} <- Map.get(keys, key, []), do: {key, number + increment}
    {length(objects), if(objects == [], do: keys, else: %{keys | key => objects})}
  end

  defp run(_type, keys, {:update_counter, key, increment}) do
    case keys do
      %{^key => [{_, number}]} ->
        {number + increment, %{keys | key => [{key, number + increment}]}}

      %{} ->
        {:badarg, keys}
    end
  end

  defp run(type, keys, {:update_counter, key, increment, default}) do
    run(type, Map.put_new(keys, key, [{key, default}]), {:update_counter, key, increment})
  end

  defp count(keys, key), do: keys |> Map.get(key, []) |> length()

  defp keep(keys, key, fun) do
    case keys |> Map.get(key, []) |> Enum.filter(fun) do
      [] -> Map.delete(keys, key)
      objects -> %{keys | key => objects}
    end
  end

  defp put(:duplicate_bag, keys, {key, _} = object), do: append(keys, key, object)

  defp put(:bag, keys, {key, _} = object) do
    if object in Map.get(keys, key, []), do: keys, else: append(keys, key, object)
  end

  defp put(_unique, keys, {key, _} = object), do: Map.put(keys, key, [object])

  defp append(keys, key, object), do: Map.update(keys, key, [object], &(&1 ++ [object]))
end
