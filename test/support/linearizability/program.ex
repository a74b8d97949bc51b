defmodule Linearizability.Program do
  @moduledoc """
  Random operations on few keys, for several processes: what a seed gives is always the same.
  """

  # Together at least 16 operations.
  @processes 2..4
  @operations 8..24
  @most_keys 4

  # How often an operation is drawn. Readers of several keys see what is torn; a counter that is
  # lost shows in the results of the others.
  @common [
    lookup: 12,
    member: 2,
    insert: 6,
    insert_list: 8,
    insert_new: 4,
    insert_new_list: 4,
    delete: 4,
    take: 6,
    delete_all_objects: 2,
    delete_object: 2,
    select_delete: 3,
    first: 2,
    next: 2
  ]
  @unique @common ++ [update_counter: 6, update_counter_default: 4, select_replace: 4]

  names = fn weights ->
    Enum.flat_map(weights, fn {name, weight} -> List.duplicate(name, weight) end)
  end

  @names %{
    set: names.(@unique),
    ordered_set: names.(@unique),
    bag: names.(@common),
    duplicate_bag: names.(@common)
  }

  @doc "A list of operations for each process, on a table of this type."
  @spec random(integer, atom) :: [[Linearizability.Event.operation()]]
  def random(seed, type) do
    :rand.seed(:exsss, seed)
    keys = Enum.to_list(1..:rand.uniform(@most_keys))
    names = @names[type]

    # Numbers of unique objects seldom repeat, to tell which insert a reader saw; those of bags do.
    most = if type in [:bag, :duplicate_bag], do: 5, else: 1_000_000

    for _ <- 1..Enum.random(@processes) do
      for _ <- 1..Enum.random(@operations), do: draw(Enum.random(names), keys, most)
    end
  end

  defp draw(:insert, keys, most), do: {:insert, [object(Enum.random(keys), most)]}
  defp draw(:insert_list, keys, most), do: {:insert, objects(keys, most)}
  defp draw(:insert_new, keys, most), do: {:insert_new, [object(Enum.random(keys), most)]}
  defp draw(:insert_new_list, keys, most), do: {:insert_new, objects(keys, most)}
  defp draw(:delete_object, keys, most), do: {:delete_object, object(Enum.random(keys), most)}
  defp draw(:select_delete, keys, most), do: {:select_delete, Enum.random(keys), div(most, 2)}
  defp draw(:select_replace, keys, _most), do: {:select_replace, Enum.random(keys), increment()}
  defp draw(:update_counter, keys, _most), do: {:update_counter, Enum.random(keys), increment()}

  defp draw(:update_counter_default, keys, _most) do
    {:update_counter, Enum.random(keys), increment(), 1000 * :rand.uniform(9)}
  end

  defp draw(:delete_all_objects, _keys, _most), do: {:delete_all_objects}
  # Lookups, deletes, takes, and steps of a walk, all by a key (which `first` does not need).
  defp draw(name, keys, _most), do: {name, Enum.random(keys)}

  defp objects(keys, most), do: keys |> Enum.shuffle() |> Enum.map(&object(&1, most))
  defp object(key, most), do: {key, :rand.uniform(most)}
  defp increment, do: :rand.uniform(9)
end
