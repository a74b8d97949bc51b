defmodule Bench.Matrix do
  @moduledoc """
  Measures the cells of a plan in one process: both sides keep their table through all operations.

  Before the times of a cell are taken, both sides run once, which warms them up, and must have
  answered alike. After a cell that broke, the tables are made anew.
  """

  alias Bench.{Attempt, Cell, Data, Operations, Pairs, Plan, Progress, Shapes}

  @doc "The cells of the plan, `{table, operations}` each."
  def run(plan, both, limits) do
    Progress.expect(
      :matrix,
      plan |> Enum.map(fn {_, operations} -> length(operations) end) |> Enum.sum()
    )

    plan
    |> Enum.chunk_by(fn {table, _} -> {table.keys, table.values, table.size} end)
    |> Enum.flat_map(&of_shape(&1, both, limits))
  end

  defp of_shape([{first, _} | _] = plan, both, limits) do
    case Attempt.run(fn -> Data.prepare(first.keys, first.values, first.size) end) do
      {:ok, _} -> Enum.flat_map(plan, &of_table(&1, both, limits))
      broken -> for {table, operations} <- plan, name <- operations, do: cell(table, name, broken)
    end
  end

  defp of_table({table, operations}, both, limits) do
    {cells, sides} =
      Enum.map_reduce(operations, nil, fn name, sides ->
        Progress.step(:matrix, "#{Operations.label(name)}; #{label(table)}")
        sides = sides || filled(both, table)
        result = of_cell(sides, name, table, limits)
        {cell(table, name, result), kept(sides, result)}
      end)

    drop(sides)
    cells
  end

  defp of_cell({:broken, _} = broken, _name, _table, _limits), do: broken

  defp of_cell({:ok, sides}, name, table, limits) do
    Attempt.run(fn -> measure(Operations.of(name, table), sides, limits) end)
  end

  defp measure(operation, {first, second} = sides, limits) do
    answers = for side <- Tuple.to_list(sides), do: warm_up(operation, side)
    true = alike(answers)
    run = operation.run
    Pairs.within(limits, first, second, operation.count, run, operation.clean)
  end

  defp warm_up(operation, side) do
    operation.prepare.(side)
    answer = digest(operation.run.(side, 0))
    sample = sample(side)
    operation.clean.(side, 0)
    {answer, sample}
  end

  # Lists may come in any order.
  defp digest(list) when is_list(list) do
    {length(list), list |> Enum.map(&:erlang.phash2/1) |> Enum.sum()}
  end

  defp digest(other), do: other

  defp sample({module, table}) do
    objects = Enum.take(Data.slice(0), 100) ++ Enum.take(Data.added(), 100)
    {module.size(table), for({key, _} <- objects, do: module.find(table, key))}
  end

  defp alike([answer, answer]), do: true
  defp alike(_answers), do: raise("the answers of both sides differ")

  defp filled({first, second}, table) do
    options = [table.type | Plan.options(table.options)]
    sides = for side <- [first, second], do: {side, side.new(options)}

    with {:ok, _} <- Attempt.run(fn -> Enum.each(sides, &fill/1) end),
         do: {:ok, List.to_tuple(sides)}
  rescue
    error -> {:broken, "new: " <> Exception.message(error)}
  end

  defp fill({side, table}), do: for(slice <- Data.slices(), do: side.insert(table, slice))

  # A table that may be in the middle of something is not used further.
  defp kept(sides, {:ok, _}), do: sides

  defp kept(sides, {:broken, _}) do
    drop(sides)
    nil
  end

  defp drop({:ok, sides}) do
    for {side, table} <- Tuple.to_list(sides), do: Attempt.run(fn -> side.delete(table) end)
  end

  defp drop(_none), do: :ok

  defp cell(table, name, result) do
    %Cell{
      group: group(name),
      table: table,
      operation: name,
      label: Operations.label(name),
      result: result
    }
  end

  defp group(name) do
    cond do
      name in Operations.reads() -> :read
      name in Operations.writes() -> :write
      name in [:select_guard, :select_count, :match_partly] -> :search
      true -> :other
    end
  end

  defp label(table) do
    "#{table.type}, #{table.options}, #{Shapes.label(table.keys)} to #{Shapes.label(table.values)}"
  end
end
