defmodule Etsunami.Concurrency.ChurnTest do
  # Tables that come and go in great numbers, and what they leave behind.
  use ExUnit.Case, async: false
  @moduletag :library

  @tables 200_000

  defp resident do
    [_, kilobytes] = Regex.run(~r/VmRSS:\s+(\d+)/, File.read!("/proc/self/status"))
    String.to_integer(kilobytes)
  end

  defp known_resident, do: if(File.exists?("/proc/self/status"), do: resident(), else: 0)

  # What was freed is given back some milliseconds later, in the background.
  defp settled do
    Process.sleep(100)
    for pid <- Process.list(), do: :erlang.garbage_collect(pid)
    Process.sleep(100)
    resident()
  end

  defp fill(table), do: Etsunami.insert(table, [{1, :one}, {2, [1, 2, 3]}, {"three", %{a: 1}}])

  defp in_parallel(count, fun) do
    1..2
    |> Enum.map(fn _ -> Task.async(fn -> Enum.each(1..div(count, 2), fn _ -> fun.() end) end) end)
    |> Task.await_many(60_000)
  end

  defp assert_flat(count, fun) do
    in_parallel(count, fun)
    first = settled()
    in_parallel(count, fun)
    second = settled()
    assert second < first * 1.05, "#{first} kB, then #{second} kB"
  end

  if File.exists?("/proc/self/status") do
    @tag timeout: 120_000
    test "deleted tables leave nothing behind" do
      assert_flat(@tables, fn ->
        table = Etsunami.new(:churn, [:public])
        fill(table)
        Etsunami.delete(table)
      end)
    end

    @tag timeout: 120_000
    test "tables of dead owners leave nothing behind" do
      # As many tables, by fewer owners: each has ten.
      assert_flat(div(@tables, 10), fn ->
        {pid, monitor} =
          spawn_monitor(fn ->
            for _ <- 1..10, do: fill(Etsunami.new(:churn, [:public]))
          end)

        receive do: ({:DOWN, ^monitor, :process, ^pid, _reason} -> :ok)
      end)
    end
  end

  @many 100_000

  # What they take beyond their contents is small, and comes back.
  test "a hundred thousand tables live at once" do
    before = known_resident()

    tables =
      for n <- 1..@many do
        table = Etsunami.new(:many, [])
        Etsunami.insert(table, {n})
        table
      end

    most = known_resident()
    assert most - before < 4 * @many, "#{most - before} kB for all"
    assert length(Etsunami.all()) >= @many
    assert tables |> Enum.with_index(1) |> Enum.all?(fn {t, n} -> Etsunami.member(t, n) end)
    Enum.each(tables, &Etsunami.delete/1)
    assert Enum.all?(tables, &(Etsunami.info(&1) == :undefined))
  end

  # Between two chunks of a traversal nothing is held: only a call that runs holds back freeing.
  test "a process that is suspended in a traversal holds back no memory" do
    table = Etsunami.new(:suspended, [:public])
    value = Enum.to_list(1..100)
    for n <- 1..1_000, do: Etsunami.insert(table, {n, value})

    reader =
      spawn(fn ->
        Etsunami.safe_fixtable(table, true)
        {_, _continuation} = Etsunami.select(table, [{:_, [], [:"$_"]}], 10)
        Etsunami.foldl(fn _, _ -> Process.sleep(1) end, 0, table)
      end)

    Process.sleep(5)
    :erlang.suspend_process(reader)
    # 160 MB in all.
    for round <- 1..200, n <- 1..1_000, do: Etsunami.insert(table, {n, [round | value]})
    assert eventually?(fn -> Etsunami.info(table, :stats)[:pending_bytes] < 4_000_000 end)
    Process.exit(reader, :kill)
  end

  defp eventually?(condition, attempts \\ 400) do
    condition.() or
      (attempts > 0 and
         (
           Process.sleep(10)
           eventually?(condition, attempts - 1)
         ))
  end

  test "named tables are made anew under load" do
    name = :churned_name
    stop = :atomics.new(1, [])

    users =
      for _ <- 1..3 do
        Task.async(fn -> use_until(stop, name) end)
      end

    for n <- 1..2_000 do
      {pid, monitor} =
        spawn_monitor(fn ->
          ^name =
            Etsunami.new(name, [
              :named_table,
              :public,
              if(rem(n, 2) == 0, do: :set, else: :ordered_set)
            ])

          Etsunami.insert(name, [{:n, n}, {:count, 0}])
          if rem(n, 3) == 0, do: Etsunami.delete(name)
        end)

      receive do: ({:DOWN, ^monitor, :process, ^pid, reason} -> assert(reason == :normal))
    end

    :atomics.put(stop, 1, 1)
    Task.await_many(users)
    assert Etsunami.whereis(name) == :undefined
  end

  test "the name of a dead owner's table is free as soon as the death is known" do
    Process.flag(:trap_exit, true)

    for n <- 1..2_000 do
      # Exit signals of links leave before the library itself hears of the death.
      pid = spawn_link(fn -> Etsunami.new(:mortal, [:named_table]) end)
      receive do: ({:EXIT, ^pid, reason} -> assert(reason == :normal))
      assert Etsunami.new(:mortal, [:named_table]) == :mortal
      other = Etsunami.new(:other, [:named_table])
      pid = spawn_link(fn -> Etsunami.new(:renamed, [:named_table]) end)
      receive do: ({:EXIT, ^pid, reason} -> assert(reason == :normal))
      assert Etsunami.rename(other, :renamed) == :renamed
      Etsunami.insert(:mortal, {n})
      Etsunami.delete(:mortal)
      Etsunami.delete(:renamed)
    end
  end

  defp use_until(stop, name) do
    if :atomics.get(stop, 1) == 0 do
      try do
        case Etsunami.lookup(name, :n) do
          [{:n, n}] -> true = is_integer(n)
          [] -> true
        end

        Etsunami.update_counter(name, :count, 1)
        Etsunami.insert(name, for(n <- 1..300, do: {n}))
      rescue
        ArgumentError -> :gone
      end

      use_until(stop, name)
    end
  end
end
