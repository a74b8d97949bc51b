defmodule Linearizability.Names do
  @moduledoc """
  Tables that are called by names, with owners and rights: the sequential specification, and random
  programs of it.

  An operation is `{:by, process, name, operation}`: what `process` calls on the table with this
  name. Besides the operations of `Linearizability.Model` it may be

    * `{:new, name}`: makes a public table with the name
    * `{:delete_table}`, `{:rename, new}`, `{:whereis}`
    * `{:protect, access}`: `setopts/2` of the protection
    * `{:give, process}`: `give_away/3`
  """

  alias Linearizability.Model

  @names [:history_a, :history_b, :history_c]
  @keys [1, 2]

  @weights [
    lookup: 8,
    member: 2,
    insert: 6,
    insert_list: 6,
    update_counter_default: 8,
    take: 3,
    delete_all_objects: 1,
    rename: 10,
    protect: 5,
    give: 2,
    new: 3,
    delete_table: 1,
    whereis: 2
  ]
  @draws Enum.flat_map(@weights, fn {name, weight} -> List.duplicate(name, weight) end)

  @typep table :: %{state: Model.state(), access: atom, owner: pos_integer}
  @type state :: %{type: atom, tables: %{optional(atom) => table}}

  @doc "The names that programs use."
  @spec names() :: [atom]
  def names, do: @names

  @doc "A list of operations for each process; the first one makes a table before anything else."
  @spec random(integer) :: [[tuple]]
  def random(seed) do
    :rand.seed(:exsss, seed)
    processes = Enum.random(2..4)

    for process <- 1..processes do
      operations =
        for _ <- 1..Enum.random(8..16) do
          {:by, process, Enum.random(@names), draw(Enum.random(@draws), processes)}
        end

      if process == 1, do: [{:by, 1, hd(@names), {:new}} | operations], else: operations
    end
  end

  defp draw(:lookup, _processes), do: {:lookup, Enum.random(@keys)}
  defp draw(:member, _processes), do: {:member, Enum.random(@keys)}
  defp draw(:take, _processes), do: {:take, Enum.random(@keys)}
  defp draw(:insert, _processes), do: {:insert, [object(Enum.random(@keys))]}
  defp draw(:insert_list, _processes), do: {:insert, Enum.map(@keys, &object/1)}
  defp draw(:update_counter_default, _processes), do: {:update_counter, Enum.random(@keys), 1, 0}
  defp draw(:rename, _processes), do: {:rename, Enum.random(@names)}
  defp draw(:protect, _processes), do: {:protect, Enum.random([:public, :protected, :private])}
  defp draw(:give, processes), do: {:give, Enum.random(1..processes)}
  defp draw(name, _processes), do: {name}

  defp object(key), do: {key, :rand.uniform(1_000_000)}

  @doc "No tables; each that is made has this type."
  @spec new(atom) :: state
  def new(type), do: %{type: type, tables: %{}}

  @doc "The state after an operation that had this result; `:impossible` if it cannot have it."
  @spec step(state, tuple, result :: term) :: {:ok, state} | :impossible
  def step(state, {:by, process, name, operation}, result) do
    case run(operation, process, name, state.tables[name], state, result) do
      {^result, tables} -> {:ok, %{state | tables: tables}}
      _other -> :impossible
    end
  end

  # The result, and the tables after it. Where the model of a table has to tell whether the result is
  # possible, it is given.
  defp run({:new}, process, name, nil, %{tables: tables, type: type}, _result) do
    table = %{state: Model.new(type), access: :public, owner: process}
    {name, Map.put(tables, name, table)}
  end

  defp run({:new}, _process, _name, _table, state, _result), do: {:badarg, state.tables}
  defp run({:whereis}, _process, _name, nil, state, _result), do: {:undefined, state.tables}
  defp run({:whereis}, _process, _name, _table, state, _result), do: {:table, state.tables}
  defp run(_operation, _process, _name, nil, state, _result), do: {:badarg, state.tables}

  defp run(operation, process, name, table, %{tables: tables}, result) do
    if table.owner == process or table.access in rights(operation),
      do: change(operation, process, name, table, tables, result),
      else: {:badarg, tables}
  end

  # Which accesses let others than the owner do this.
  defp rights({reading, _key}) when reading in [:lookup, :member], do: [:public, :protected]
  defp rights(_operation), do: [:public]

  defp change({:delete_table}, _process, name, _table, tables, _result) do
    {true, Map.delete(tables, name)}
  end

  defp change({:rename, new}, _process, name, table, tables, _result) do
    if is_map_key(tables, new),
      do: {:badarg, tables},
      else: {new, tables |> Map.delete(name) |> Map.put(new, table)}
  end

  defp change({:protect, access}, process, name, table, tables, _result) do
    if table.owner == process,
      do: {true, %{tables | name => %{table | access: access}}},
      else: {:badarg, tables}
  end

  defp change({:give, to}, process, name, table, tables, _result) do
    if table.owner == process and to != process,
      do: {true, %{tables | name => %{table | owner: to}}},
      else: {:badarg, tables}
  end

  defp change(operation, _process, name, table, tables, result) do
    case Model.step(table.state, operation, result) do
      {:ok, state} -> {result, %{tables | name => %{table | state: state}}}
      :impossible -> :impossible
    end
  end
end
