defmodule Linearizability.Program do
  @moduledoc """
  Random operations on few keys, for several processes: what a seed gives is always the same.
  """

  @processes 3
  @operations 40
  @most_keys 3

  # How often an operation is drawn. Readers of several keys see what is torn; a counter that is
  # lost shows in the results of the others.
  @weights [
    lookup: 6,
    member: 1,
    insert: 3,
    insert_list: 4,
    insert_new: 2,
    insert_new_list: 2,
    delete: 2,
    take: 3,
    update_counter: 3,
    update_counter_default: 2,
    delete_all_objects: 1
  ]
  @names Enum.flat_map(@weights, fn {name, weight} -> List.duplicate(name, weight) end)

  @doc "A list of operations for each process."
  @spec random(integer) :: [[Linearizability.Event.operation()]]
  def random(seed) do
    :rand.seed(:exsss, seed)
    keys = Enum.to_list(1..:rand.uniform(@most_keys))
    for _ <- 1..@processes, do: for(_ <- 1..@operations, do: draw(Enum.random(@names), keys))
  end

  defp draw(:lookup, keys), do: {:lookup, Enum.random(keys)}
  defp draw(:member, keys), do: {:member, Enum.random(keys)}
  defp draw(:insert, keys), do: {:insert, [object(Enum.random(keys))]}
  defp draw(:insert_list, keys), do: {:insert, objects(keys)}
  defp draw(:insert_new, keys), do: {:insert_new, [object(Enum.random(keys))]}
  defp draw(:insert_new_list, keys), do: {:insert_new, objects(keys)}
  defp draw(:delete, keys), do: {:delete, Enum.random(keys)}
  defp draw(:take, keys), do: {:take, Enum.random(keys)}
  defp draw(:update_counter, keys), do: {:update_counter, Enum.random(keys), increment()}

  defp draw(:update_counter_default, keys) do
    {:update_counter, Enum.random(keys), increment(), 1000 * :rand.uniform(9)}
  end

  defp draw(:delete_all_objects, _keys), do: {:delete_all_objects}

  defp objects(keys), do: keys |> Enum.shuffle() |> Enum.map(&object/1)

  # Numbers that seldom repeat tell which insert a reader saw.
  defp object(key), do: {key, :rand.uniform(1_000_000)}
  defp increment, do: :rand.uniform(9)
end
