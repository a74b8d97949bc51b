defmodule Etsunami.Faults do
  @moduledoc """
  Plants faults in the calls of the native library: see `native/etsunami_nif/src/faults.rs`.

  It needs a library that was built with the cargo feature `faults` (`ci/faults.sh`).
  """

  alias Etsunami.Native

  @type place ::
          {:entry | :exit, name :: atom, arity}
          | {:core, point :: atom}
          | {:allocation, bytes :: pos_integer}

  @doc """
  Whether the library that is loaded can do it.
  """
  @spec available? :: boolean
  def available? do
    is_list(Native.fault_points())
  rescue
    ErlangError -> false
  end

  @doc """
  All NIFs that the library has registered.
  """
  @spec nifs :: [{atom, arity}]
  def nifs do
    Enum.sort(Native.module_info(:nifs)) -- [fault_points: 0, plant_fault: 2, pull_fault: 0]
  end

  @doc """
  Runs a function with a fault planted, which strikes when the calling process has passed the place
  so often. Gives whether it struck, and how the function ended.
  """
  @spec with_fault(place, non_neg_integer, (() -> result)) ::
          {struck? :: boolean, {:ok, result} | {:error | :exit | :throw, term}}
        when result: term
  def with_fault(place, passages, function) do
    Native.plant_fault(place, passages)

    ended =
      try do
        {:ok, function.()}
      catch
        kind, reason -> {kind, reason}
      end

    {not Native.pull_fault(), ended}
  end

  @doc """
  Fails unless a table works for other processes: its size is right, each key can be read and
  written (so no lock is held), a new one comes and goes.
  """
  @spec assert_whole(Etsunami.table()) :: :ok
  def assert_whole(table) do
    task = Task.async(fn -> use_all(table) end)

    case Task.yield(task, 10_000) || Task.shutdown(task, :brutal_kill) do
      {:ok, :whole} -> :ok
      {:ok, wrong} -> raise "the table is not whole: #{inspect(wrong)}"
      nil -> raise "the table does not answer: a lock is held"
    end
  end

  defp use_all(table) do
    objects = Etsunami.tab2list(table)

    for {object, times} <- Enum.frequencies(objects) do
      true = object in Etsunami.lookup(table, elem(object, 0))
      Etsunami.delete_object(table, object)
      for _ <- 1..times, do: Etsunami.insert(table, object)
    end

    Etsunami.insert(table, {:new_key, 0})
    [{:new_key, 0}] = Etsunami.lookup(table, :new_key)
    Etsunami.delete(table, :new_key)
    same? = Enum.sort(Etsunami.tab2list(table)) == Enum.sort(objects)
    size = Etsunami.info(table, :size)
    if same? and size == length(objects), do: :whole, else: {size, objects}
  end
end
