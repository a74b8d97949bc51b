defmodule Bench.Report do
  @moduledoc "The result of a run in Markdown: what is broken or lost first."

  alias Bench.{Budgets, Cell, Memory, Pairs, Shapes}

  @doc """
  The whole text.

  `run` has `module`, `head` (lines), `cells`, `rows`, `latency`, `memory`, `hold` and `charts`
  (names of files beside the text).
  """
  def markdown(run) do
    name = inspect(run.module)

    [
      "# Speed against `:ets`\n\n",
      Enum.map(run.head, &[&1, "\n"]),
      "\nAbove 1, #{name} is faster. [ ] holds the quartiles of the pairs' quotients.\n\n",
      broken(run),
      losing(name, run),
      section("Families", Budgets.table(Budgets.families(run.cells)), run.cells),
      rows("Kinds of calls and values", name, run.rows, :kinds),
      mean(run.rows, :kinds),
      rows("What ETS is known to be bad at", name, run.rows, :weak),
      rows("The life of tables", name, run.rows, :lifecycle),
      latency(name, run.latency),
      hold(name, run.hold),
      memory(name, run.memory),
      for({title, file} <- run.charts, do: "## #{title}\n\n![#{title}](#{file})\n\n"),
      others(name, run.cells)
    ]
  end

  defp section(_title, _table, []), do: []
  defp section(title, table, _contents), do: ["## #{title}\n\n", table, "\n"]

  defp broken(run) do
    cells = for cell <- Cell.broken(run.cells), do: {Enum.join(where(cell), ", "), cell.result}
    rows = for row <- run.rows, do: {row.label, row.result}
    latency = for row <- run.latency, do: {"latency, #{row.type}, #{row.options}", row.result}
    others = for row <- run.memory ++ run.hold, do: {row.label, row.result}

    for {label, {:broken, text}} <- cells ++ rows ++ latency ++ others do
      "- **broken**: #{label}: #{text}\n"
    end
    |> with_title("Broken")
  end

  defp with_title([], _title), do: []
  defp with_title(lines, title), do: ["## #{title}\n\n", lines, "\n"]

  defp losing(name, run) do
    losing = for cell <- Cell.measured(run.cells), Cell.quotient(cell) < 1, do: cell
    rows = for %{result: {:ok, pair}} = row <- run.rows, pair.quotient < 1, do: row

    [
      "## Cells below 1: #{length(losing)} of #{length(Cell.measured(run.cells))}\n\n",
      if(losing == [], do: "None.\n", else: cells(name, losing)),
      if(rows == [], do: [], else: ["\n", table_of_rows(name, rows)]),
      "\n"
    ]
  end

  defp others(_name, []), do: []

  defp others(name, all) do
    winning = for cell <- Cell.measured(all), Cell.quotient(cell) >= 1, do: cell
    ["## All other cells\n\n", cells(name, winning)]
  end

  defp cells(name, cells) do
    [
      "| type | options | keys | values | objects | processes | operation | :ets ns | #{name} ns | quotient |\n",
      "| --- | --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: |\n",
      cells |> Enum.sort_by(&Cell.quotient/1) |> Enum.map(&cell/1)
    ]
  end

  defp cell(%{result: {:ok, pair}} = cell) do
    times = [decimals(pair.first, 1), decimals(pair.second, 1)]
    "| #{Enum.join(where(cell) ++ times ++ [quotient(pair)], " | ")} |\n"
  end

  defp where(%{table: table} = cell) do
    shape = [Shapes.label(table.keys), Shapes.label(table.values), table.size]
    [table.type, table.options] ++ shape ++ [cell.processes, cell.label]
  end

  defp quotient(pair) do
    "**#{decimals(pair.quotient, 2)}** [#{decimals(pair.low, 2)}, #{decimals(pair.high, 2)}]"
  end

  defp rows(title, name, rows, section) do
    rows = Enum.filter(rows, &(&1.section == section))
    section(title, table_of_rows(name, rows), rows)
  end

  defp mean(rows, section) do
    quotients = for %{section: ^section, result: {:ok, pair}} <- rows, do: pair.quotient

    if quotients == [],
      do: [],
      else: "Geometric mean: **#{decimals(Pairs.mean(quotients), 2)}**\n\n"
  end

  defp table_of_rows(name, rows) do
    [
      "| what | :ets | #{name} | quotient |\n| --- | ---: | ---: | ---: |\n",
      for(
        %{result: {:ok, pair}} = row <- rows,
        do: "| #{row.label} | #{time(pair.first)} | #{time(pair.second)} | #{quotient(pair)} |\n"
      )
    ]
  end

  defp latency(_name, []), do: []

  defp latency(name, rows) do
    [
      "## Latency of single operations\n\n",
      "Nanoseconds, 90 % lookups and 10 % inserts, one process on each scheduler; two readings of ",
      "the clock are part of each number.\n\n",
      "| type | options | operation | percentile | :ets | #{name} | quotient |\n",
      "| --- | --- | --- | --- | ---: | ---: | ---: |\n",
      for %{result: {:ok, percentiles}} = row <- rows, {operation, share, a, b} <- percentiles do
        "| #{row.type} | #{row.options} | #{operation} | #{share} | #{a} | #{b} | #{decimals(a / b, 2)} |\n"
      end,
      "\n"
    ]
  end

  defp hold(_name, []), do: []

  defp hold(name, rows) do
    [
      "## How long a call holds a scheduler\n\n",
      "Microseconds of the stays on a normal scheduler without garbage collections; 0 where the ",
      "whole call ran on a dirty one.\n\n",
      "| call | :ets p99 | :ets longest | #{name} p99 | #{name} longest |\n",
      "| --- | ---: | ---: | ---: | ---: |\n",
      for %{result: {:ok, {{a, b}, {c, d}}}} = row <- rows do
        "| #{row.label} | #{Enum.map_join([a, b, c, d], " | ", &round/1)} |\n"
      end,
      "\n"
    ]
  end

  defp memory(_name, []), do: []

  defp memory(name, rows) do
    [
      "## Resident memory\n\n",
      "Growth in bytes per object, 300,000 objects in fresh virtual machines; left: two seconds after `delete/1`; ",
      "goals: 0.8 for integers, 0.6 for maps.\n\n",
      Memory.table(name, for(%{result: {:ok, _}} = row <- rows, do: row)),
      "\n"
    ]
  end

  defp time(nanoseconds) do
    {unit, size} =
      Enum.find([{"s", 1.0e9}, {"ms", 1.0e6}, {"µs", 1.0e3}], {"ns", 1.0}, fn {_, size} ->
        nanoseconds >= size
      end)

    "#{decimals(nanoseconds / size, 1)} #{unit}"
  end

  defp decimals(number, digits), do: :erlang.float_to_binary(number / 1, decimals: digits)
end
