defmodule Bench.Operations do
  @moduledoc """
  The operations of the matrix on one table each: what is run, how often, what puts the table back.
  """

  alias Bench.{Data, Shapes}

  @enforce_keys [:count, :run]
  defstruct count: 1, run: nil, clean: &__MODULE__.nothing/2, prepare: &__MODULE__.nothing/1

  @reads [:lookup, :lookup_miss, :member, :lookup_element]
  @writes [:insert_new, :replace, :update_counter, :delete, :take]
  @others [:match_bound, :insert_list, :insert_second, :update_element]
  @scans [:match_partly, :select_guard, :select_count, :tab2list, :foldl, :walk]

  # How many objects a short measurement visits at least.
  @visits 20_000

  @doc "Reads of one object."
  def reads, do: @reads

  @doc "Writes of one object, those that the budget of writes is about."
  def writes, do: @writes

  @doc "All operations, those that leave other values in the table last."
  def all, do: @reads ++ @scans ++ changing()

  @doc "The operations with one key or object at a time, in the same order."
  def keyed, do: @reads ++ changing()

  @doc "Whether the operation has a meaning for such a table."
  def fits?(operation, table) do
    bag? = table.type in [:bag, :duplicate_bag]

    case operation do
      :insert_second -> bag?
      :replace -> table.type != :duplicate_bag
      update when update in [:update_counter, :update_element] -> not bag?
      :match_partly -> table.keys == :tuple
      scan when scan in [:select_guard, :select_count] -> table.values == :integer
      _ -> true
    end
  end

  @doc "What an operation is called in results."
  def label(operation) do
    labels = %{
      lookup: "lookup, hit",
      lookup_miss: "lookup, miss",
      insert_new: "insert, new key",
      replace: "insert, same key",
      insert_list: "insert, list of 100",
      insert_second: "insert, second of a key",
      match_bound: "match_object, key bound",
      match_partly: "match_object, key partly bound",
      select_guard: "select, guard, 1 %",
      walk: "first and next, all keys"
    }

    Map.get(labels, operation, to_string(operation))
  end

  @doc "The operation on that table; the data of its shape have been prepared."
  def of(operation, table) when operation in @scans, do: scan(operation, table)
  def of(operation, table), do: keyed(operation, table)

  @doc "Does nothing."
  def nothing(_side), do: :ok

  @doc "Does nothing."
  def nothing(_side, _number), do: :ok

  defp changing do
    (@writes -- [:update_counter]) ++ @others ++ [:update_counter]
  end

  defp keyed(:lookup_miss, _table) do
    run = fn {side, tab}, number -> side.lookup(tab, Data.added(number)) end
    %__MODULE__{count: length(Data.added()), run: run}
  end

  defp keyed(:insert_new, _table) do
    %__MODULE__{
      count: length(Data.added()),
      run: fn {side, tab}, number -> side.insert(tab, Data.added(number)) end,
      clean: fn {side, tab}, number -> side.remove(tab, Data.added(number)) end
    }
  end

  defp keyed(:insert_list, _table) do
    added = Data.added()
    lists = Enum.chunk_every(added, 100)

    %__MODULE__{
      count: length(added),
      run: fn {side, tab}, _ -> side.insert(tab, lists) end,
      clean: fn {side, tab}, _ -> side.remove(tab, added) end
    }
  end

  defp keyed(:insert_second, _table) do
    second = for slice <- Data.slices(), do: for({key, _} <- slice, do: {key, :second})
    second = List.to_tuple(second)
    of_pair = &elem(second, rem(&1, tuple_size(second)))

    %__MODULE__{
      count: per_slice(),
      run: fn {side, tab}, number -> side.insert(tab, of_pair.(number)) end,
      clean: fn {side, tab}, number -> side.delete_object(tab, of_pair.(number)) end
    }
  end

  defp keyed(:match_bound, _table) do
    patterns = for {key, _} <- Data.slice(0), do: {key, :_}

    %__MODULE__{
      count: per_slice(),
      run: fn {side, tab}, _ -> side.match_object(tab, patterns) end
    }
  end

  defp keyed(removal, _table) when removal in [:delete, :take] do
    loop = if removal == :delete, do: :remove, else: :take

    %__MODULE__{
      count: per_slice(),
      run: fn {side, tab}, number -> apply(side, loop, [tab, Data.slice(number)]) end,
      clean: fn {side, tab}, number -> side.insert(tab, Data.slice(number)) end
    }
  end

  # A value that is no number gets a counter beside it.
  defp keyed(:update_counter, table) do
    if table.values == :integer do
      repeated(table, fn {side, tab}, slice -> side.update_counter(tab, slice, 1) end)
    else
      counted = fn {side, tab} ->
        for slice <- Data.slices(), do: side.insert(tab, with_counter(slice))
      end

      run = fn {side, tab}, slice -> side.update_counter(tab, slice, {3, 1}) end
      %{repeated(table, run) | prepare: counted}
    end
  end

  defp keyed(:update_element, table) do
    value = Shapes.value(table.values, 1)
    repeated(table, fn {side, tab}, slice -> side.update_element(tab, slice, {2, value}) end)
  end

  defp keyed(:replace, table) do
    repeated(table, fn {side, tab}, slice -> side.insert(tab, slice) end)
  end

  defp keyed(read, table) when read in [:lookup, :member, :lookup_element] do
    repeated(table, fn {side, tab}, slice -> apply(side, read, [tab, slice]) end)
  end

  defp with_counter(slice), do: for({key, value} <- slice, do: {key, value, 0})

  # What can be done again at once: in a small table several times, so that there is something to
  # measure.
  defp repeated(table, run) do
    rounds = rounds(table)

    %__MODULE__{
      count: rounds * per_slice(),
      run: fn side, number -> times(rounds, fn -> run.(side, Data.slice(number)) end) end
    }
  end

  defp scan(:match_partly, table) do
    calls = if table.type == :ordered_set, do: 2000, else: 2
    patterns = for {{group, _}, _} <- Enum.take(Data.slice(0), calls), do: {{group, :_}, :_}

    %__MODULE__{
      count: calls,
      run: fn {side, tab}, _ -> side.match_object(tab, patterns) end
    }
  end

  defp scan(operation, table) do
    rounds = rounds(table)

    %__MODULE__{
      count: rounds * table.size,
      run: fn side, _ -> times(rounds, fn -> whole(operation, side, table) end) end
    }
  end

  defp whole(:select_guard, {side, tab}, table) do
    spec = [{{:_, :"$1"}, [{:<, :"$1", div(table.size, 100)}], [:"$_"]}]
    side.select(tab, spec)
  end

  defp whole(:select_count, {side, tab}, table) do
    spec = [{{:_, :"$1"}, [{:<, :"$1", div(table.size, 2)}], [true]}]
    side.select_count(tab, spec)
  end

  defp whole(operation, {side, tab}, _table), do: apply(side, operation, [tab])

  defp per_slice, do: length(Data.slice(0))

  defp rounds(table), do: max(1, div(@visits, table.size))

  defp times(1, fun), do: fun.()

  defp times(count, fun) do
    fun.()
    times(count - 1, fun)
  end
end
