defmodule Bench.Charts do
  @moduledoc "The pictures of a run, as files beside its text."

  alias Bench.{Cell, Operations, Pairs, Plan, Shapes}
  alias Bench.Chart.{Dumbbells, Heat, Lines}

  @types [:set, :ordered_set, :bag, :duplicate_bag]

  @doc "Pictures of that run: `{title, suffix, contents}`, those without contents left out."
  def all(run) do
    cells = Cell.measured(run.cells)
    name = inspect(run.module)
    single = for cell <- cells, cell.group != :load, do: cell
    load = for cell <- cells, cell.group == :load, do: cell

    [
      {"Operations: quotients over options", "operations", single != [] && operations(single)},
      {"Shapes: quotients over keys and values", "shapes", single != [] && shapes(single)},
      {"Throughput over processes", "throughput", load != [] && throughput(name, load)},
      {"Latency of single operations", "latency", run.latency != [] && latency(name, run.latency)}
    ]
    |> Enum.filter(&elem(&1, 2))
  end

  # Rows are operations, columns types and options, for integers.
  defp operations(cells) do
    cells = for cell <- cells, cell.table.size == 100_000, cell.table.values == :integer, do: cell

    by = Enum.group_by(cells, &{&1.operation, &1.table.type, &1.table.options, &1.table.keys})

    value = fn operation, {type, options} ->
      keys = if operation == :match_partly, do: :tuple, else: :integer
      mean(Map.get(by, {operation, type, options, keys}, []))
    end

    columns =
      for type <- @types, name <- Keyword.keys(Plan.options()) do
        {{type, name}, "#{type}", String.replace("#{name}", "_concurrency", "_c")}
      end

    rows = for operation <- Operations.all(), do: {operation, Operations.label(operation)}
    title = ":ets time / our time, integer keys and values, 10⁵ objects, one process"
    Heat.picture(title, rows, columns, value)
  end

  # Rows are keys and values, columns types, options, and reads or writes.
  defp shapes(cells) do
    cells = for cell <- cells, cell.table.size == 100_000, cell.group in [:read, :write], do: cell

    by =
      Enum.group_by(
        cells,
        &{&1.table.keys, &1.table.values, &1.table.type, &1.table.options, &1.group}
      )

    value = fn {keys, values}, {type, options, group} ->
      mean(Map.get(by, {keys, values, type, options, group}, []))
    end

    columns =
      for type <- [:set, :ordered_set], options <- [:plain, :auto], group <- [:read, :write] do
        {{type, options, group}, "#{type}, #{options}", "#{group}s"}
      end

    rows =
      for keys <- Shapes.keys(), values <- Shapes.values() do
        {{keys, values}, "#{Shapes.label(keys)} → #{Shapes.label(values)}"}
      end

    title = ":ets time / our time, geometric means of reads and writes, 10⁵ objects, one process"
    Heat.picture(title, rows, columns, value)
  end

  defp throughput(name, cells) do
    panels =
      for {{type, label}, panel} <- groups(cells, &{&1.table.type, &1.label}) do
        lines =
          for {options, line} <- groups(panel, & &1.table.options), side <- [0, 1] do
            {options, side, for(cell <- line, do: {cell.processes, millions(cell, side)})}
          end

        {"#{type}: #{label}", lines}
      end

    title = "Million operations per second over processes, 10⁵ objects"
    Lines.picture(title, name, panels, 4)
  end

  defp millions(%{result: {:ok, pair}}, side),
    do: 1000 / if(side == 0, do: pair.first, else: pair.second)

  defp latency(name, rows) do
    rows =
      for %{result: {:ok, percentiles}} = row <- rows, {operation, share, a, b} <- percentiles do
        {"#{row.type}, #{row.options}: #{operation} #{share}", a, b}
      end

    title = "Latency of single operations, 90 % reads, a process on each scheduler"
    Dumbbells.picture(title, name, rows)
  end

  # Like Enum.group_by, in the order of first appearance.
  defp groups(list, key) do
    by = Enum.group_by(list, key)
    for name <- list |> Enum.map(key) |> Enum.uniq(), do: {name, by[name]}
  end

  defp mean([]), do: nil
  defp mean(cells), do: cells |> Enum.map(&Cell.quotient/1) |> Pairs.mean()
end
