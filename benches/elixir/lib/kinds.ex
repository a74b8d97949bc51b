defmodule Bench.Kinds do
  @moduledoc """
  Kinds of calls and of values that the matrix does not cross: several changes in one call, values
  of many parts, replaced objects of a process with a large heap, deletes by pattern inside one
  key of a bag, single steps of a walk.

  The tables are small enough for the caches. "One key" means that every call is about the same key.
  """

  alias Bench.{Attempt, Pairs, Plan, Progress, Row, Searches, Values}

  @calls 10_000
  @middle 20_000

  @doc "All rows."
  def run(both, limits) do
    updates(both, limits) ++
      values(both, limits) ++
      replaced(both, limits) ++
      bag_keys(both, limits) ++ steps(both, limits) ++ searches(both, limits)
  end

  # Several counters or elements of one object in one call.
  defp updates(both, limits) do
    for type <- [:set, :ordered_set],
        {keys, count} <- [integer: 1, tuple: 1, tuple: @middle],
        {name, loop, change} <- changes() do
      label = "#{name}; #{type}, #{keys_of(keys, count)}"

      row(label, fn ->
        objects = for n <- 1..count, do: {key(keys, n), 0, 0, 0, 0}
        lists = {calls(objects, &change.(&1)), calls(objects, &change.(&1 + 7))}
        run = fn {side, table}, n -> apply(side, loop, [table, elem(lists, rem(n, 2))]) end
        measured(both, [type], objects, @calls, run, limits)
      end)
    end
  end

  defp changes do
    [
      {"update_counter, list of 2", :counters, fn _ -> [{2, 1}, {3, 1}] end},
      {"update_counter, list of 4, default", :counters_or,
       &[{2, 1}, {3, 1}, {4, 0}, {5, 1, 0, &1}]},
      {"update_element, 2 integers", :elements, &[{2, &1}, {3, &1}]},
      {"update_element, float and tuple", :elements, &[{2, &1 / 1}, {4, {:seen, &1}}]}
    ]
  end

  # As many calls as are measured, each with its key and what to change.
  defp calls(objects, change) do
    objects
    |> Stream.cycle()
    |> Stream.with_index(1)
    |> Enum.take(@calls)
    |> Enum.map(fn {object, n} -> {elem(object, 0), change.(n)} end)
  end

  # Values of many parts, and of kinds that need more than a copy.
  defp values(both, limits) do
    for kind <- Values.kinds(), operation <- [:insert, :lookup, :lookup_hot] do
      label = "#{operation_of(operation)}; #{Values.label(kind)}; set"

      row(label, fn ->
        objects = for n <- 1..Values.count(kind), do: {n, Values.value(kind, n)}
        {objects, loop} = used(operation, objects)
        run = fn {side, table}, _ -> apply(side, loop, [table, objects]) end
        measured(both, [:set], Enum.uniq(objects), length(objects), run, limits)
      end)
    end
  end

  defp operation_of(:insert), do: "insert, same key"
  defp operation_of(:lookup), do: "lookup"
  defp operation_of(:lookup_hot), do: "lookup, one key"

  defp used(:lookup_hot, [object | _] = objects) do
    {List.duplicate(object, length(objects)), :lookup}
  end

  defp used(operation, objects), do: {objects, operation}

  # By a process that holds a list of a million elements.
  defp replaced(both, limits) do
    for type <- [:set, :bag, :duplicate_bag],
        keys <- [:integer, :tuple, :binary],
        values <- [:integer, :binary24, :binary500, :nested],
        type == :set or keys == :integer do
      label = "object replaced, large heap; #{keys} keys, #{Bench.Shapes.label(values)}; #{type}"

      row(label, fn ->
        heap = Enum.to_list(1..1_000_000)
        objects = for n <- 1..@middle, do: Bench.Shapes.object(keys, values, n)
        result = measured(both, [type], objects, @middle, replace(type, objects), limits)
        ^heap = Enum.to_list(1..1_000_000)
        result
      end)
    end ++ [maps_listed(both, limits)]
  end

  defp replace(:duplicate_bag, objects) do
    fn {side, table}, _ ->
      side.remove(table, objects)
      side.insert(table, objects)
    end
  end

  defp replace(_type, objects), do: fn {side, table}, _ -> side.insert(table, objects) end

  defp maps_listed(both, limits) do
    row("tab2list of maps of 10; duplicate_bag", fn ->
      objects = for n <- 1..@middle, do: Bench.Shapes.object(:integer, :map, n)
      run = fn {side, table}, _ -> side.tab2list(table) end
      measured(both, [:duplicate_bag], objects, @middle, run, limits)
    end)
  end

  # Deletes by pattern inside one key, which is filled again for each pair.
  defp bag_keys(both, limits) do
    for {type, count} <- [bag: 1_000, duplicate_bag: 1_000, duplicate_bag: 10_000],
        {name, delete} <- deletes() do
      row("#{name} in a key of #{count}; #{type}, each object", fn ->
        objects = for n <- 1..count, do: {:key, {n, 1}}
        run = fn {side, table}, _ -> delete.(side, table) end

        clean = fn {side, table}, _ ->
          side.remove(table, [{:key}])
          side.insert(table, objects)
        end

        measured(both, [type], objects, count, run, limits, clean)
      end)
    end
  end

  defp deletes do
    second = [{{:key, {:"$1", :_}}, [{:==, {:band, :"$1", 1}, 0}], [true]}]
    half = [{{:key, {:"$1", :_}}, [{:>, :"$1", 500}], [true]}]

    [
      {"match_delete of all", & &1.match_delete(&2, {:key, :_})},
      {"select_delete of each second", & &1.select_delete(&2, second)},
      {"select_delete of the later", & &1.select_delete(&2, half)}
    ]
  end

  # Single steps of a walk, and objects taken out.
  defp steps(both, limits) do
    for type <- [:set, :ordered_set, :bag],
        keys <- [:integer, :tuple],
        operation <- [:next, :take] do
      row("#{operation}; #{type}, #{keys_of(keys, @middle)}", fn ->
        objects = Enum.shuffle(for n <- 1..@middle, do: {key(keys, n), n})
        run = fn {side, table}, _ -> apply(side, operation, [table, objects]) end

        clean = fn {side, table}, _ ->
          if operation == :take, do: side.insert(table, objects)
        end

        measured(both, [type], objects, @middle, run, limits, clean)
      end)
    end ++ counted(both, limits)
  end

  defp counted(both, limits) do
    for type <- [:set, :ordered_set, :duplicate_bag], {name, spec} <- counts() do
      row("select_count, #{name}; #{type}, each object", fn ->
        objects = for n <- 1..@middle, do: {n, rem(n, 10), {:a, n}}
        run = fn {side, table}, _ -> side.select_count(table, spec) end
        measured(both, [type], objects, @middle, run, limits)
      end)
    end
  end

  defp counts do
    [
      {"a constant", [{{:_, 3, :_}, [], [true]}]},
      {"a nested constant", [{{:_, :_, {:a, 3}}, [], [true]}]},
      {"a bound", [{{:_, :"$1", :_}, [{:<, :"$1", 5}], [true]}]}
    ]
  end

  # Searches whose guards or bodies compute, in a table that the caches hold.
  defp searches(both, limits) do
    for {name, spec} <- Searches.all() do
      row("select, #{name}; set, each object", fn ->
        objects = for n <- 1..2_000, do: Searches.object(n)
        run = fn {side, table}, _ -> side.select(table, spec) end
        measured(both, [:set], objects, 2_000, run, limits)
      end)
    end
  end

  defp key(:integer, n), do: n
  defp key(keys, n), do: Bench.Shapes.key(keys, n)

  defp keys_of(keys, 1), do: "one #{keys} key"
  defp keys_of(keys, count), do: "#{count} #{keys} keys"

  defp measured(
         {first, second},
         options,
         objects,
         count,
         run,
         limits,
         clean \\ fn _, _ -> :ok end
       ) do
    [a, b] =
      for side <- [first, second] do
        table = side.new(options ++ Plan.options(:plain))
        side.insert(table, objects)
        run.({side, table}, 0)
        clean.({side, table}, 0)
        {side, table}
      end

    result = Pairs.within(limits, a, b, count, run, clean)
    for {side, table} <- [a, b], do: side.delete(table)
    result
  end

  defp row(label, fun) do
    Progress.show(label)
    Row.new(:kinds, label, Attempt.run(fun))
  end
end
