defmodule Bench.Memory do
  @moduledoc """
  Growth of the resident memory by the objects of a table, each number from a virtual machine of
  its own. What an allocator keeps or loses is part of it, as it is for a user.
  """

  alias Bench.{Attempt, Pairs, Progress, Shapes}

  @doc "The shapes of the full run."
  def shapes do
    for(values <- Shapes.values(), do: {:set, :integer, values}) ++
      [{:set, :binary, :integer}, {:set, :tuple, :integer}] ++
      [{:ordered_set, :integer, :integer}, {:ordered_set, :binary, :map}]
  end

  @doc "The two shapes that have a budget."
  def budgeted, do: [{:set, :integer, :integer}, {:set, :integer, :map}]

  @doc """
  Rows of `shape`, `label` and `result`: `{:ok, bytes}` or `{:broken, text}`.

  The bytes are those for each object: `{ets, other}` full, and what is left of them two seconds
  after `delete/1`; medians of so many runs.
  """
  def run(module, shapes, runs, count) do
    for shape <- shapes do
      Progress.show("memory of #{label(shape)}")
      result = Attempt.run(fn -> measure(module, shape, runs, count) end, 600)
      %{shape: shape, label: label(shape), result: result}
    end
  end

  @doc "The table of the rows in Markdown."
  def table(module, rows) do
    [
      "| objects | :ets | #{module} | :ets left | #{module} left | share of :ets |\n",
      "| --- | ---: | ---: | ---: | ---: | ---: |\n",
      for(row <- rows, do: "| #{row.label} | #{cells(row.result)} |\n")
    ]
  end

  defp cells({:broken, text}), do: "broken: #{text} | | | |"

  defp cells({:ok, %{full: {a, b}, left: {c, d}}}) do
    "#{round(a)} | #{round(b)} | #{round(c)} | #{round(d)} | #{Float.round(b / a, 2)}"
  end

  defp label({type, keys, values}) do
    "#{type}, `{#{Shapes.label(keys)}, #{Shapes.label(values)}}`"
  end

  defp measure(module, shape, runs, count) do
    pairs = for _ <- 1..runs, do: {child(:ets, shape, count), child(module, shape, count)}
    {ets, other} = Enum.unzip(pairs)
    {full, left} = Enum.unzip(for side <- [ets, other], do: medians(side, count))
    %{full: List.to_tuple(full), left: List.to_tuple(left)}
  end

  defp medians(runs, count) do
    {grown, left} = Enum.unzip(runs)
    {Pairs.median(grown) / count, Pairs.median(left) / count}
  end

  defp child(module, {type, keys, values}, count) do
    script = Path.expand("../memory_child.exs", __DIR__)
    paths = Enum.flat_map(:code.get_path(), &["-pa", to_string(&1)])
    arguments = for argument <- [module, type, keys, values, count], do: to_string(argument)
    program = System.find_executable("elixir")

    case System.cmd(program, paths ++ [script | arguments], stderr_to_stdout: true) do
      {output, 0} ->
        [grown, left] = output |> String.split() |> Enum.map(&String.to_integer/1)
        {grown, left}

      {output, _status} ->
        raise output
    end
  end
end
