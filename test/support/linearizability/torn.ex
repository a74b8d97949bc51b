defmodule Linearizability.Torn do
  @moduledoc """
  The interface of `:ets` without its atomicity: what the check must find.

  A list is inserted object by object, and a counter is read and then written.
  """

  def insert(table, objects) when is_list(objects) do
    Enum.each(objects, &:ets.insert(table, &1))
    true
  end

  def insert(table, object), do: :ets.insert(table, object)

  def update_counter(table, key, increment) do
    [{^key, number}] = :ets.lookup(table, key)
    :erlang.yield()
    :ets.insert(table, {key, number + increment})
    number + increment
  rescue
    MatchError -> reraise ArgumentError, __STACKTRACE__
  end

  def update_counter(table, key, increment, default) do
    :ets.insert_new(table, default)
    update_counter(table, key, increment)
  end

  defdelegate new(name, options), to: :ets
  defdelegate lookup(table, key), to: :ets
  defdelegate member(table, key), to: :ets
  defdelegate insert_new(table, objects), to: :ets
  defdelegate delete(table), to: :ets
  defdelegate delete(table, key), to: :ets
  defdelegate take(table, key), to: :ets
  defdelegate delete_object(table, object), to: :ets
  defdelegate select_delete(table, spec), to: :ets
  defdelegate select_replace(table, spec), to: :ets
  defdelegate first(table), to: :ets
  defdelegate next(table, key), to: :ets
  defdelegate delete_all_objects(table), to: :ets
end
