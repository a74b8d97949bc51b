defmodule Etsunami.Fuzz.Program do
  @moduledoc """
  One program: two processes call functions on the same tables, as their bytes say, and then
  everything that is left must be whole.

  A call may return, or raise what ETS raises. The first process owns the tables and looks at them
  when both have come to their end.
  """

  alias Etsunami.Fuzz.{Bytes, Hostile, Pool}
  alias Etsunami.WrongCalls

  @limit 60_000

  @doc "Runs a program: `{:ok, calls}` or what was wrong."
  def run(bytes, file) do
    half = div(byte_size(bytes), 2)
    <<mine::binary-size(half), others::binary>> = bytes
    dead = ended(spawn_monitor(fn -> :ok end))
    partner = spawn_monitor(fn -> serve(others, dead, file) end)

    {owner, monitor} =
      spawn_monitor(fn -> exit({:fuzzed, own(mine, elem(partner, 0), dead, file)}) end)

    outcome =
      receive do
        {:DOWN, ^monitor, :process, ^owner, {:fuzzed, outcome}} -> outcome
        {:DOWN, ^monitor, :process, ^owner, reason} -> {:error, {:owner, reason}}
      after
        @limit -> {:error, {:stuck, Process.info(owner, :current_stacktrace)}}
      end

    Process.exit(owner, :kill)
    Process.exit(elem(partner, 0), :kill)
    ended(partner)
    with {:ok, calls} <- outcome, do: nothing_left(calls)
  end

  defp ended({pid, monitor}), do: receive(do: ({:DOWN, ^monitor, :process, ^pid, _} -> pid))

  defp nothing_left(calls) do
    case Etsunami.all() do
      [] -> {:ok, calls}
      tables -> {:error, {:left_over, Enum.map(tables, &Etsunami.info/1)}}
    end
  end

  defp own(bytes, partner, dead, file) do
    tables = Pool.new_tables()
    send(partner, {:tables, self(), tables})
    Pool.load(tables, partner, dead, file)
    Bytes.load(bytes)
    mine = calls([])

    receive do
      {:finished, {:ok, others}} -> check(mine, others)
      {:finished, error} -> error
    end
  catch
    kind, reason -> {:error, {kind, reason, __STACKTRACE__}}
  end

  # The other process gives tables back that it was given only by its end.
  defp serve(bytes, dead, file) do
    receive do
      {:tables, owner, tables} ->
        Pool.load(tables, owner, dead, file)
        Bytes.load(bytes)
        send(owner, {:finished, finish()})
        Process.sleep(:infinity)
    end
  end

  defp finish do
    calls([])
  catch
    kind, reason -> {:error, {kind, reason, __STACKTRACE__}}
  end

  defp check({:ok, mine}, others) do
    case Enum.flat_map(Etsunami.all(), &faults/1) do
      [] -> {:ok, mine + others}
      faults -> {:error, {:faults, faults}}
    end
  end

  defp check(error, _others), do: error

  # Calls

  defp calls(last) do
    if Bytes.left?() do
      {function, roles} = function()
      arguments = Enum.map(roles, &Hostile.argument/1)
      outcome = call(function, arguments)
      Pool.keep(outcome)
      last = Enum.take([{function, arguments} | last], 5)

      case outcome do
        {:unexpected, what} -> {:error, {what, last}}
        _fine -> count(calls(last))
      end
    else
      {:ok, 0}
    end
  end

  defp count({:ok, calls}), do: {:ok, calls + 1}
  defp count(error), do: error

  # Tables are seldom deleted, or nothing would be left to call for.
  defp function do
    case Bytes.pick(WrongCalls.table_functions() ++ WrongCalls.other_functions()) do
      {:delete, [:table]} ->
        Bytes.pick(List.duplicate({:first, [:table]}, 9) ++ [{:delete, [:table]}])

      function ->
        function
    end
  end

  defp call(function, arguments) do
    {:ok, apply(Etsunami, function, arguments)}
  rescue
    error -> raised(error, function)
  catch
    :throw, :fuzz -> :thrown
    :exit, _reason when function == :init_table -> :exited
    kind, reason -> {:unexpected, {kind, reason}}
  end

  # A function among the arguments may be none, or one of another arity; folds find out in `:lists`.
  @calling [:foldl, :foldr, :init_table, :table]

  defp raised(%ArgumentError{}, _function), do: :raised
  defp raised(%SystemLimitError{}, _function), do: :raised

  defp raised(%kind{}, f)
       when kind in [BadFunctionError, BadArityError, BadMapError] and f in @calling,
       do: :raised

  defp raised(%FunctionClauseError{module: Etsunami, function: f}, f), do: :raised
  defp raised(%FunctionClauseError{module: :lists, function: f}, f), do: :raised
  defp raised(%FunctionClauseError{module: Etsunami.TabFile.Writer}, :tab2file), do: :raised
  defp raised(error, _function), do: {:unexpected, error}

  # What must hold of each table when nobody uses it

  defp faults(table) do
    objects = Etsunami.tab2list(table)
    type = Etsunami.info(table, :type)
    keypos = Etsunami.info(table, :keypos)
    keys = objects |> Enum.map(&elem(&1, keypos - 1)) |> Enum.uniq()

    for {false, fault} <- [
          {Etsunami.info(table, :size) == length(objects), :size},
          {type != :ordered_set or sorted?(keys), :order},
          {type not in [:set, :ordered_set] or length(keys) == length(objects), :unique},
          {Enum.all?(keys, &Etsunami.member(table, &1)), :member},
          {Enum.sum(Enum.map(keys, &length(Etsunami.lookup(table, &1)))) == length(objects),
           :lookup},
          # This atom may be a key, at which a walk seems to be over.
          {:"$end_of_table" in keys or walk(table, Etsunami.first(table), 0) == length(keys),
           :walk}
        ],
        do: {fault, Etsunami.info(table)}
  rescue
    # Tables that the other process was given may be private.
    ArgumentError -> []
  end

  defp sorted?(keys),
    do: keys |> Enum.zip(Enum.drop(keys, 1)) |> Enum.all?(fn {a, b} -> a < b end)

  defp walk(_table, :"$end_of_table", count), do: count
  defp walk(table, key, count), do: walk(table, Etsunami.next(table, key), count + 1)
end
