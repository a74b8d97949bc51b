defmodule Bench.Budgets do
  @moduledoc """
  The families of cells for which the project has set itself a goal: geometric mean and minimum.
  """

  alias Bench.{Cell, Operations, Pairs}

  @enforce_keys [:label, :goal, :cells]
  defstruct @enforce_keys

  @doc "The families with their cells and goals, those without a measured cell left out."
  def families(cells) do
    measured = Cell.measured(cells)

    for {label, goal, member?} <- list(),
        family = Enum.filter(measured, member?),
        family != [] do
      %__MODULE__{label: label, goal: goal, cells: family}
    end
  end

  @doc "The table of the families in Markdown."
  def table(families) do
    [
      "| family | cells | geometric mean | goal | met | minimum | below 1 |\n",
      "| --- | ---: | ---: | ---: | --- | ---: | ---: |\n",
      Enum.map(families, &row/1)
    ]
  end

  defp row(family) do
    quotients = Enum.map(family.cells, &Cell.quotient/1)
    mean = Pairs.mean(quotients)
    {goal, met} = against(family.goal, mean)
    below = Enum.count(quotients, &(&1 < 1))
    numbers = "#{decimals(mean)} | #{goal} | #{met} | #{decimals(Enum.min(quotients))}"
    "| #{family.label} | #{length(quotients)} | #{numbers} | #{below} |\n"
  end

  defp against(nil, _mean), do: {"", ""}
  defp against(goal, mean), do: {"#{goal}", if(mean >= goal, do: "yes", else: "**no**")}

  defp list do
    goals() ++ searches() ++ breakdown()
  end

  defp goals do
    [
      {"10⁵ objects, plain, reads", 1.8, &(middle?(&1, :read) and plain?(&1))},
      {"10⁵ objects, plain, writes", 1.2, &(middle?(&1, :write) and plain?(&1))},
      {"10⁵ objects, concurrency options, reads", 3, &(middle?(&1, :read) and not plain?(&1))},
      {"10⁵ objects, concurrency options, writes", 2, &(middle?(&1, :write) and not plain?(&1))},
      {"10⁷ objects", 1.3, &(&1.group == :large)},
      {"two and more processes", 3, &(&1.group == :load and &1.processes > 1)}
    ]
  end

  defp searches do
    [
      {"10⁵ objects, select and match with a guard or a partly bound key", 2,
       &middle?(&1, :search)},
      {"10⁵ objects, other operations", nil, &middle?(&1, :other)},
      {"10³ objects", nil, &(&1.group != :load and &1.table.size == 1000)},
      {"one process, mixes", nil, &(&1.group == :load and &1.processes == 1)}
    ]
  end

  # Where in the families it comes from.
  defp breakdown do
    for type <- [:set, :ordered_set, :bag, :duplicate_bag],
        {what, operations} <- [reads: Operations.reads(), writes: Operations.writes()],
        {label, plain?} <- [{"plain", true}, {"concurrency options", false}] do
      member? = fn cell ->
        cell.group in [:read, :write] and cell.operation in operations and
          cell.table.type == type and cell.table.size == 100_000 and plain?(cell) == plain?
      end

      {"— of these #{type}, #{label}, #{what}", nil, member?}
    end
  end

  defp middle?(cell, group), do: cell.group == group and cell.table.size == 100_000

  defp plain?(cell), do: cell.table.options == :plain

  defp decimals(number), do: :erlang.float_to_binary(number / 1, decimals: 2)
end
