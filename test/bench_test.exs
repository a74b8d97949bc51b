Code.require_file("../benches/elixir/lib/all.exs", __DIR__)

defmodule Etsunami.BenchTest.Faulty do
  @moduledoc "As `:ets`, but `take` raises, `foldl` exits, and `tab2list` loses objects."

  defdelegate new(name, options), to: :ets
  defdelegate lookup(table, key), to: :ets
  defdelegate member(table, key), to: :ets
  defdelegate insert(table, object), to: :ets
  defdelegate delete(table, key), to: :ets
  defdelegate delete(table), to: :ets
  defdelegate info(table, item), to: :ets

  def take(_table, _key), do: raise("take is broken")
  def foldl(_fun, _acc, _table), do: exit(:broken)
  def tab2list(table), do: table |> :ets.tab2list() |> tl()
end

defmodule Etsunami.BenchTest do
  use ExUnit.Case, async: false
  import ExUnit.CaptureIO

  alias Bench.{Attempt, Budgets, Cell, Contender, Data, Matrix, Operations, Pairs, Plan, Report}

  @limits %{pairs: 1, least: 1, milliseconds: 0}

  setup do
    Data.put(:seed, 1)
    :ok
  end

  test "every operation of the plan runs on both sides with the same answers" do
    plan =
      for {%{options: :plain, keys: keys} = table, operations} <- Plan.full(), keys != :binary do
        {%{table | size: 100}, operations}
      end

    plan = Enum.uniq(plan)
    cells = run(plan, Etsunami)
    assert Cell.broken(cells) == []
    assert length(cells) == plan |> Enum.map(fn {_, names} -> length(names) end) |> Enum.sum()
  end

  test "what fails or answers otherwise is reported, and the rest is measured" do
    operations = [:lookup, :take, :member, :foldl, :tab2list, :delete]
    table = %{type: :set, options: :plain, keys: :integer, values: :integer, size: 100}
    cells = run([{table, operations}], __MODULE__.Faulty)

    broken = Map.new(Cell.broken(cells), &{&1.operation, elem(&1.result, 1)})
    assert Enum.sort(Map.keys(broken)) == [:foldl, :tab2list, :take]
    assert broken.take == "take is broken"
    assert broken.foldl =~ "broken"
    assert broken.tab2list =~ "differ"
    assert Enum.map(Cell.measured(cells), & &1.operation) == [:lookup, :member, :delete]

    text = report(cells)
    assert text =~ "- **broken**: set, plain, integer, integer, 100, 1, take: take is broken"
  end

  test "a part that does not end is ended" do
    assert Attempt.run(fn -> 1 end) == {:ok, 1}
    assert {:broken, text} = Attempt.run(fn -> Process.sleep(:infinity) end, 0)
    assert text =~ "not done"
    assert {:broken, "exit: :killed"} = Attempt.run(fn -> Process.exit(self(), :kill) end)
  end

  test "quotients are those of pairs, in the order of the sides" do
    times = [{10, 5}, {10, 2}, {30, 10}]
    pair = Pairs.summary(times, 10)
    assert {pair.first, pair.second, pair.quotient} == {1.0, 0.5, 3.0}
    assert {pair.low, pair.high, pair.pairs} == {2.0, 5.0, 3}
  end

  test "losing cells come first, and families have their mean and minimum" do
    cells = for {operation, quotient} <- [lookup: 4.0, member: 0.5], do: cell(operation, quotient)
    [family | _] = Budgets.families(cells)

    assert IO.iodata_to_binary(Budgets.table([family])) =~
             "| 2 | 1.41 | 1.8 | **no** | 0.50 | 1 |"

    [losing, others] = String.split(report(cells), "## All other cells")
    assert losing =~ "Cells below 1: 1 of 2"
    assert losing =~ "| member |"
    refute losing =~ "| lookup, hit |"
    assert others =~ "| lookup, hit |"
  end

  # Without the line of progress.
  defp run(plan, module) do
    {cells, _shown} =
      with_io(:stderr, fn -> Matrix.run(plan, Contender.both(module), @limits) end)

    cells
  end

  defp cell(operation, quotient) do
    %Cell{
      group: :read,
      table: %{type: :set, options: :plain, keys: :integer, values: :map, size: 100_000},
      operation: operation,
      label: Operations.label(operation),
      result: {:ok, Pairs.summary([{quotient, 1}], 1)}
    }
  end

  defp report(cells) do
    empty = for key <- [:head, :rows, :latency, :memory, :hold, :charts], do: {key, []}

    Map.new(empty)
    |> Map.merge(%{module: Etsunami, cells: cells})
    |> Report.markdown()
    |> IO.iodata_to_binary()
  end
end
