defmodule Etsunami.Concurrency.GarbageTest do
  # What was replaced, taken or deleted is given back in time, large binaries included.
  use ExUnit.Case, async: false
  @moduletag :library

  @size 1_000_000
  # Of the binaries of the whole node, beside those that are in use.
  @most 64 * 1024 * 1024

  @writes [
    insert: &__MODULE__.again/1,
    insert_list: &__MODULE__.again_in_a_list/1,
    take: &__MODULE__.take/1,
    delete: &__MODULE__.delete/1,
    delete_object: &__MODULE__.delete_object/1,
    update_element: &__MODULE__.update_element/1,
    match_delete: &__MODULE__.match_delete/1,
    select_replace: &__MODULE__.select_replace/1,
    delete_all_objects: &__MODULE__.clear/1,
    delete_table: &__MODULE__.delete_table/1
  ]

  def again(table), do: Etsunami.insert(table, {1, 0})
  def again_in_a_list(table), do: Etsunami.insert(table, [{1, 0}, {2, 0}])
  def take(table), do: Etsunami.take(table, 1)
  def delete(table), do: Etsunami.delete(table, 1)
  def delete_object(table), do: Etsunami.delete_object(table, hd(Etsunami.lookup(table, 1)))
  def update_element(table), do: Etsunami.update_element(table, 1, {2, nil})
  def match_delete(table), do: Etsunami.match_delete(table, {1, :_})

  def select_replace(table),
    do: Etsunami.select_replace(table, [{{:"$1", :_}, [], [{{:"$1", 0}}]}])

  def clear(table), do: Etsunami.delete_all_objects(table)

  def delete_table(table) do
    Etsunami.delete(table)
    :gone
  end

  # The most that the binaries of the node take while `writers` processes insert and write.
  defp highest(type, write, writers, size, times) do
    before = :erlang.memory(:binary)

    tasks =
      for _ <- 1..writers do
        Task.async(fn -> writer(type, write, size, times) end)
      end

    highest = watch(tasks, 0)
    highest - before
  end

  defp writer(type, write, size, times) do
    Enum.reduce(1..times, Etsunami.new(:table, [type, :public]), fn i, table ->
      # As a reader of sockets or files makes them: not on the process's heap.
      Etsunami.insert(table, {1, :binary.copy(<<i>>, size)})
      if rem(i, 16) == 0, do: :erlang.garbage_collect()
      if write.(table) == :gone, do: Etsunami.new(:table, [type, :public]), else: table
    end)
  end

  defp watch([], highest), do: highest

  defp watch(tasks, highest) do
    highest = max(highest, :erlang.memory(:binary))
    watch(for(task <- tasks, Task.yield(task, 1) == nil, do: task), highest)
  end

  for {name, write} <- @writes,
      type <- [:set, :ordered_set, :bag],
      type != :bag or name not in [:insert, :insert_list, :update_element, :select_replace] do
    test "large binaries do not pile up: #{type}, #{name}" do
      highest = highest(unquote(type), unquote(write), 1, @size, 120)
      assert highest < @most, "#{div(highest, 1_000_000)} MB"
    end
  end

  test "nor do those of several writers" do
    highest = highest(:set, &__MODULE__.again/1, 16, 4_000_000, 20)
    # Each writer has up to 16 of its own until it collects its garbage, and one in its table.
    assert highest < 16 * 17 * 4_000_000 + @most, "#{div(highest, 1_000_000)} MB"
  end

  test "what waits is told" do
    table = Etsunami.new(:table, [:public])
    for i <- 1..20, do: Etsunami.insert(table, {1, :binary.copy(<<i>>, @size)})
    stats = Etsunami.info(table, :stats)
    assert stats[:pending_bytes] >= 0 and stats[:pending_items] >= 0
    assert %{tables: tables, pending_age_us: age} = Etsunami.info()
    assert tables >= 1 and age >= 0
    refute Etsunami.info().reclamation_stalled
  end
end
