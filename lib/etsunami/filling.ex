defmodule Etsunami.Filling do
  @moduledoc false

  # Fills a table from a function that brings the objects, as `:ets.init_table/2` does it.

  @doc """
  Replaces what is in a table of the module `ets` by the objects that a function brings.
  """
  @spec replace(module, :ets.table(), (:read | :close -> term)) :: true
  def replace(ets, table, function) do
    ets.delete_all_objects(table)
    continue(function.(:read), ets, table, function)
  end

  defp continue(:end_of_input, _ets, _table, _function), do: true

  defp continue({objects, function}, ets, table, _previous)
       when is_list(objects) and is_function(function) do
    insert(objects, ets, table, function)
    continue(function.(:read), ets, table, function)
  end

  defp continue(error, _ets, _table, _function), do: exit(error)

  # Whoever brings the objects is told to close when one of them is refused, and what goes wrong
  # then does not hide the reason.
  defp insert(objects, ets, table, function) do
    each(objects, ets, table)
  catch
    :error, reason ->
      close(function)
      exit({reason, __STACKTRACE__})
  end

  defp each([], _ets, _table), do: :ok

  defp each([object | rest], ets, table) do
    ets.insert(table, object)
    each(rest, ets, table)
  end

  defp close(function) do
    function.(:close)
  catch
    _kind, _reason -> :ok
  end
end
