defmodule Etsunami.Dets do
  @moduledoc false

  # Copies between a table and a `:dets` table. `:dets` has functions for that, but they know the
  # tables of `:ets` alone.

  @all [{:_, [], [:"$_"]}]
  @chunk 100

  @doc """
  Replaces what is in a `:dets` table by the objects of a table of the module `ets`.

  The process of the `:dets` table fetches the objects, chunk by chunk.
  """
  @spec write(module, :ets.table(), :dets.tab_name()) :: :ok | {:error, term}
  def write(ets, table, dets) do
    reasons(fn ->
      :dets.init_table(dets, source(ets, ets.select(table, @all, @chunk)))
    end)
  end

  defp source(ets, chunk) do
    fn
      :close -> :ok
      :read -> read(ets, chunk)
    end
  end

  defp read(_ets, :"$end_of_table"), do: :end_of_input

  defp read(ets, {objects, continuation}) do
    {objects, source(ets, ets.select(continuation))}
  end

  @doc """
  Inserts the objects of a `:dets` table into a table of the module `ets`.
  """
  @spec read(module, :ets.table(), :dets.tab_name()) :: :ok | {:error, term}
  def read(ets, table, dets) do
    reasons(fn ->
      # A table that is not there is an error even if there is nothing to be inserted.
      if ets.info(table, :protection) == :undefined, do: :erlang.error(:badarg)

      case :dets.foldl(fn object, true -> ets.insert(table, object) end, true, dets) do
        true -> :ok
        other -> other
      end
    end)
  end

  # What went wrong, without where, since the functions of `Etsunami` raise it themselves. What
  # happens in the process of the `:dets` table is thrown here, or comes as an answer.
  defp reasons(function) do
    case caught(function) do
      :ok -> :ok
      {:error, reason} -> {:error, reason}
      {:EXIT, {reason, _stack}} -> {:error, reason}
      {:EXIT, reason} -> {:error, reason}
      unexpected -> {:error, unexpected}
    end
  end

  defp caught(function) do
    function.()
  catch
    :throw, thrown -> thrown
    :exit, reason -> {:EXIT, reason}
    :error, reason -> {:error, reason}
  end
end
