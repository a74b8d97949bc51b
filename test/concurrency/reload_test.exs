defmodule Etsunami.Concurrency.ReloadTest do
  # The rule: a version of `Etsunami` is taken over like any module; one of `Etsunami.Native` is
  # refused, and the old one goes on, with its library and all tables.
  use ExUnit.Case, async: false
  @moduletag :library

  # Writes and reads until it is told to stop; how often.
  defp load(table, stop, count \\ 0) do
    if :atomics.get(stop, 1) == 1 do
      count
    else
      true = Etsunami.insert(table, for(n <- 1..300, do: {n, count}))
      [{7, ^count}] = Etsunami.lookup(table, 7)
      300 = Etsunami.select_count(table, [{{:_, count}, [], [true]}])
      load(table, stop, count + 1)
    end
  end

  defp under_load(function) do
    table = Etsunami.new(:reloaded, [:public, :named_table])
    stop = :atomics.new(1, [])
    task = Task.async(fn -> load(table, stop) end)
    function.()
    :atomics.put(stop, 1, 1)
    assert Task.await(task) > 0
    assert Etsunami.info(table, :size) == 300
    Etsunami.delete(table)
  end

  test "another version of the Elixir module is taken over under load" do
    {:module, _} = :code.ensure_loaded(Etsunami)

    under_load(fn ->
      for _ <- 1..5 do
        assert {:module, Etsunami} = :code.load_file(Etsunami)
        Process.sleep(20)
        # Nobody is left in the old code: each call of the load goes through the module's name.
        assert :code.soft_purge(Etsunami)
      end
    end)
  end

  test "another version of the native module is refused, and the old one goes on" do
    under_load(fn ->
      for _ <- 1..3 do
        assert {:error, :on_load_failure} = quietly(fn -> :code.load_file(Etsunami.Native) end)
        refute :code.purge(Etsunami.Native)
        assert :code.is_loaded(Etsunami.Native)
      end
    end)
  end

  # The VM warns of the refusal.
  defp quietly(function) do
    %{level: level} = :logger.get_primary_config()
    :logger.set_primary_config(:level, :none)
    result = function.()
    :logger.set_primary_config(:level, level)
    result
  end

  test "a continuation of before a reload goes on after it" do
    table = Etsunami.new(:reloaded, [])
    Etsunami.insert(table, for(n <- 1..100, do: {n}))
    {first, continuation} = Etsunami.select(table, [{{:"$1"}, [], [:"$1"]}], 40)
    assert {:module, Etsunami} = :code.load_file(Etsunami)
    {second, continuation} = Etsunami.select(continuation)
    :code.soft_purge(Etsunami)
    {third, :"$end_of_table"} = Etsunami.select(continuation)
    assert Enum.sort(first ++ second ++ third) == Enum.to_list(1..100)
  end
end
