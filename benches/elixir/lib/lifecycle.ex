defmodule Bench.Lifecycle do
  @moduledoc """
  The life of whole tables: making and dropping small ones, building one from a list, and a table
  of ten million objects from its first insert to `delete/1`, with reads and writes in between,
  which then miss all caches.
  """

  alias Bench.{Attempt, Cell, Data, Operations, Pairs, Plan, Progress, Row}

  @seconds 300
  # Has no divisor in common with a power of ten.
  @step 6_700_417

  @doc "Rows of small tables and of building tables from lists."
  def small(both, limits) do
    drops =
      for type <- [:set, :ordered_set, :bag], name <- [:plain, :auto] do
        Progress.show("new, insert, delete of #{type}, #{name}")
        options = [type | Plan.options(name)]
        run = fn side, _ -> side.create_and_drop(options, 500) end
        row("new, insert, delete; #{type}, #{name}", fn -> pairs(limits, both, 500, run) end)
      end

    drops ++ for(size <- [1000, 1_000_000], row <- builds(size, both, limits), do: row)
  end

  defp builds(size, both, limits) do
    {:ok, _} = Attempt.run(fn -> Data.put(:list, for(n <- shuffled(size), do: {n, n})) end)

    for type <- [:set, :ordered_set, :duplicate_bag], name <- [:plain, :auto] do
      Progress.show("build of #{type}, #{name} from a list of #{size}")
      label = "build from a list of #{size}; #{type}, #{name}, each object"
      row(label, fn -> build([type | Plan.options(name)], size, both, limits) end)
    end
  end

  defp shuffled(size) do
    Data.seed()
    Enum.shuffle(1..size)
  end

  defp build(options, size, {first, second}, limits) do
    objects = Data.get(:list)

    run = fn side, _ ->
      table = side.new(options)
      side.insert(table, [objects])
      Process.put(:built, table)
    end

    clean = fn side, _ -> side.delete(Process.get(:built)) end
    for side <- [first, second], do: {run.(side, 0), clean.(side, 0)}
    Pairs.within(%{limits | least: 3}, first, second, size, run, clean)
  end

  @doc "Cells of operations on large tables, and rows of how they were made and dropped."
  def large(size, both, limits) do
    case Attempt.run(fn -> Data.prepare_sampled(size) end) do
      {:ok, _} ->
        results = for plan <- Plan.large(size), do: of_large(plan, both, limits)
        {Enum.flat_map(results, &elem(&1, 0)), Enum.flat_map(results, &elem(&1, 1))}

      {:broken, text} ->
        {[], [row("objects of the large tables", fn -> raise text end)]}
    end
  end

  # Each side has its own attempt at making the table; they take turns, one pair.
  defp of_large({table, operations}, {first, second}, limits) do
    name = "#{table.size} objects; #{table.type}, #{table.options}"
    Progress.show("insert #{name}")

    sides =
      for side <- [first, second],
          do: {side, side.new([table.type | Plan.options(table.options)])}

    fills =
      for side <- sides,
          do: Attempt.run(fn -> timed(fn -> fill(side, table.size) end) end, @seconds)

    built = row("insert of #{name}, each", fn -> once(fills, table.size) end)
    cells = cells(table, operations, sides, ok?(fills), limits)

    Progress.show("delete #{name}")
    drops = for {side, tab} <- sides, do: Attempt.run(fn -> timed(fn -> side.delete(tab) end) end)
    # What is freed in the background shall not slow the next measurement.
    Process.sleep(3000)
    {cells, [built, row("delete/1 of #{name}", fn -> once(drops, 1) end)]}
  end

  defp cells(table, operations, [first, second], filled?, limits) do
    for name <- operations do
      Progress.show("#{table.size} objects, #{table.type}, #{table.options}: #{name}")

      result =
        Attempt.run(fn ->
          filled? || raise "the table could not be filled"
          operation = Operations.of(name, table)
          Pairs.within(limits, first, second, operation.count, operation.run, operation.clean)
        end)

      %Cell{
        group: :large,
        table: table,
        operation: name,
        label: Operations.label(name),
        result: result
      }
    end
  end

  defp fill({side, table}, size), do: side.fill(table, size, @step)

  defp once(results, operations) do
    [a, b] = Enum.map(results, &time/1)
    Pairs.summary([{a, b}], operations)
  end

  defp time({:ok, time}), do: time
  defp time({:broken, text}), do: raise(text)

  defp ok?(results), do: Enum.all?(results, &match?({:ok, _}, &1))

  defp timed(fun) do
    start = System.monotonic_time(:nanosecond)
    fun.()
    max(System.monotonic_time(:nanosecond) - start, 1)
  end

  defp pairs(limits, {first, second}, operations, run) do
    for side <- [first, second], do: run.(side, 0)
    Pairs.within(limits, first, second, operations, run, fn _, _ -> :ok end)
  end

  defp row(label, fun), do: Row.new(:lifecycle, label, Attempt.run(fun, @seconds))
end
