defmodule Etsunami.Concurrency.KillTest do
  # Processes that die at any moment: what they leave is whole, and nobody waits for them.
  use ExUnit.Case, async: false
  @moduletag :library

  @types [:set, :ordered_set, :bag, :duplicate_bag]

  defp for_a_while(milliseconds, fun) do
    stop = System.monotonic_time(:millisecond) + milliseconds
    repeat_until(stop, fun)
  end

  defp repeat_until(stop, fun) do
    if System.monotonic_time(:millisecond) < stop do
      fun.()
      repeat_until(stop, fun)
    end
  end

  # Runs a function in a process and kills it some microseconds later.
  defp kill_in_the_middle(fun, longest) do
    {pid, monitor} = spawn_monitor(fun)
    spin(System.monotonic_time(:microsecond) + :rand.uniform(longest))
    Process.exit(pid, :kill)
    receive do: ({:DOWN, ^monitor, :process, ^pid, _reason} -> :ok)
  end

  defp spin(until), do: if(System.monotonic_time(:microsecond) < until, do: spin(until))

  # The number of a round's objects, when it has stopped to change: a walk through the table is not
  # one step, and the insert may take effect during it.
  defp eventually_still(table, round, last \\ nil) do
    count = Enum.count(Etsunami.tab2list(table), &match?({_, ^round}, &1))
    if count == last, do: count, else: eventually_still(table, round, count)
  end

  for type <- @types do
    test "a list insert whose process is killed is whole or not there (#{type})" do
      table = Etsunami.new(:killed, [unquote(type), :public])
      size = 3_000

      for round <- 1..60 do
        list = for n <- 1..size, do: {n, round}
        kill_in_the_middle(fn -> Etsunami.insert(table, list) end, 4_000)
        # A writer to the same keys is not held up for long.
        assert Etsunami.insert(table, {0, round})
        assert eventually_still(table, round) in [1, size + 1]
        if rem(round, 7) == 0, do: Etsunami.delete_all_objects(table)
      end

      assert length(Etsunami.tab2list(table)) == Etsunami.info(table, :size)
      Etsunami.delete(table)
    end

    test "readers and deleters are killed, the table stays whole (#{type})" do
      table = Etsunami.new(:killed, [unquote(type), :public])
      objects = for n <- 1..2_000, do: {n, {n}}
      Etsunami.insert(table, objects)

      for _ <- 1..40 do
        kill_in_the_middle(fn -> Etsunami.tab2list(table) end, 1_000)

        kill_in_the_middle(
          fn ->
            Etsunami.safe_fixtable(table, true)
            walk(table)
          end,
          500
        )

        kill_in_the_middle(
          fn ->
            for n <- 2_001..4_000, do: Etsunami.insert(table, {n, n}) && Etsunami.delete(table, n)
          end,
          500
        )
      end

      assert Etsunami.info(table, :safe_fixed) == false
      for n <- 2_001..4_000, do: Etsunami.delete(table, n)
      assert Enum.sort(Etsunami.tab2list(table)) == objects
      assert Etsunami.info(table, :size) == 2_000
      Etsunami.delete(table)
    end

    test "tables are deleted while others use them (#{type})" do
      for round <- 1..40 do
        table = Etsunami.new(:deleted, [unquote(type), :public, write_concurrency: true])
        users = for n <- 1..8, do: Task.async(fn -> use_until_gone(table, n) end)
        spin(System.monotonic_time(:microsecond) + :rand.uniform(3_000))
        if rem(round, 2) == 0, do: Etsunami.delete_all_objects(table)
        Etsunami.delete(table)
        assert Etsunami.info(table) == :undefined
        assert Enum.uniq(Task.await_many(users)) == [:gone]
      end
    end
  end

  defp walk(table), do: walk(table, Etsunami.first(table))
  defp walk(_table, :"$end_of_table"), do: :ok

  defp walk(table, key) do
    next = Etsunami.next(table, key)
    walk(table, next)
  end

  defp use_until_gone(table, n) do
    case rem(n, 8) do
      0 -> Etsunami.insert(table, for(k <- 1..400, do: {k, n}))
      1 -> Etsunami.insert_new(table, for(k <- 300..700, do: {k, n}))
      2 -> Etsunami.tab2list(table)
      3 -> for k <- 1..50, do: Etsunami.delete(table, k)
      4 -> for k <- 1..50, do: Etsunami.lookup(table, k)
      5 -> for k <- 1..50, do: Etsunami.take(table, k)
      6 -> Etsunami.foldl(fn _, count -> count + 1 end, 0, table)
      7 -> Etsunami.delete_all_objects(table)
    end

    use_until_gone(table, n)
  rescue
    error in ArgumentError ->
      if Etsunami.info(table) == :undefined, do: :gone, else: reraise(error, __STACKTRACE__)
  end

  test "owners, heirs and receivers die at the same time" do
    for_a_while(1_500, fn ->
      [heir, receiver] = for _ <- 1..2, do: spawn(fn -> Process.sleep(:infinity) end)
      parent = self()

      {owner, monitor} =
        spawn_monitor(fn ->
          tables =
            for n <- 1..5 do
              table = Etsunami.new(:inherited, [:public, {:heir, heir, n}])
              Etsunami.insert(table, {n})
              table
            end

          send(parent, {:tables, tables})

          for table <- tables do
            try do
              Etsunami.give_away(table, receiver, :gift)
            rescue
              ArgumentError -> :receiver_is_dead
            end
          end
        end)

      tables = receive do: ({:tables, tables} -> tables)

      killers =
        for pid <- Enum.shuffle([owner, heir, receiver]),
            do: spawn_monitor(fn -> Process.exit(pid, :kill) end)

      readers =
        for _ <- 1..2 do
          spawn_monitor(fn -> for table <- tables, do: Etsunami.info(table, :owner) end)
        end

      receive do: ({:DOWN, ^monitor, :process, ^owner, _} -> :ok)

      for {pid, monitor} <- killers ++ readers do
        receive do: ({:DOWN, ^monitor, :process, ^pid, reason} -> assert(reason == :normal))
      end

      for pid <- [heir, receiver] do
        monitor = Process.monitor(pid)
        receive do: ({:DOWN, ^monitor, :process, ^pid, _} -> :ok)
      end

      for table <- tables do
        assert Etsunami.info(table) == :undefined
        refute table in Etsunami.all()
      end
    end)
  end

  test "a heir gets each table of an owner that is killed, once" do
    for _ <- 1..100 do
      parent = self()

      {owner, monitor} =
        spawn_monitor(fn ->
          for n <- 1..5, do: Etsunami.new(:inherited, [:public, {:heir, parent, n}])
          Process.sleep(:infinity)
        end)

      spin(System.monotonic_time(:microsecond) + :rand.uniform(50))
      Process.exit(owner, :kill)
      receive do: ({:DOWN, ^monitor, :process, ^owner, _} -> :ok)
      mine = for table <- Etsunami.all(), Etsunami.info(table, :owner) == self(), do: table
      told = transfers(owner, length(mine))
      assert Enum.sort(Enum.map(told, &elem(&1, 0))) == Enum.sort(mine)
      assert Enum.uniq(told) == told
      Enum.each(mine, &Etsunami.delete/1)
    end
  end

  defp transfers(owner, count) do
    for _ <- 1..count//1 do
      receive do
        {:"ETS-TRANSFER", table, ^owner, n} -> {table, n}
      after
        1_000 -> flunk("no message")
      end
    end
  end

  test "everything is cleared under readers and list inserts" do
    for type <- @types do
      table = Etsunami.new(:cleared, [type, :public])
      list = for n <- 1..500, do: {n, 1}
      inserter = Task.async(fn -> for _ <- 1..60, do: Etsunami.insert(table, list) end)

      reader =
        Task.async(fn ->
          for _ <- 1..300 do
            # Whole lists only: those of keys 1 and 500 come and go together.
            before = Etsunami.lookup(table, 1)
            other = Etsunami.lookup(table, 500)
            later = Etsunami.lookup(table, 1)
            if type != :duplicate_bag and before == later, do: {before, other}
            size = Etsunami.info(table, :size)
            true = size >= 0 and size <= 500 * 61
          end
        end)

      fixer =
        Task.async(fn ->
          Etsunami.safe_fixtable(table, true)
          for _ <- 1..30, do: walk(table)
          Etsunami.safe_fixtable(table, false)
        end)

      for _ <- 1..100 do
        Etsunami.delete_all_objects(table)
        Process.sleep(1)
      end

      Task.await_many([inserter, reader, fixer])
      Etsunami.delete_all_objects(table)
      assert {Etsunami.info(table, :size), Etsunami.tab2list(table)} == {0, []}
      Etsunami.delete(table)
    end
  end

  test "a counters reference whose only holder is the table outlives its maker" do
    table = Etsunami.new(:keeper, [:public])

    for n <- 1..50 do
      {pid, monitor} =
        spawn_monitor(fn ->
          counters = :counters.new(2, [])
          :counters.add(counters, 1, n)
          Etsunami.insert(table, [{n, counters}, {{:nested, n}, [%{counters => counters}]}])
        end)

      receive do: ({:DOWN, ^monitor, :process, ^pid, :normal} -> :ok)
    end

    for pid <- Process.list(), do: :erlang.garbage_collect(pid)

    for n <- 1..50 do
      [{_, counters}] = Etsunami.lookup(table, n)
      assert :counters.get(counters, 1) == n
      assert [{_, [%{^counters => ^counters}]}] = Etsunami.lookup(table, {:nested, n})
    end
  end

  test "values of a million words" do
    table = Etsunami.new(:large, [:public])
    list = Enum.to_list(1..1_000_000)
    tuple = List.to_tuple(list)
    Etsunami.insert(table, {:list, list})
    Etsunami.insert(table, [{:tuple, tuple}, {:nested, [tuple]}])

    readers =
      for _ <- 1..2, do: Task.async(fn -> Etsunami.lookup(table, :list) == [{:list, list}] end)

    assert Etsunami.lookup_element(table, :tuple, 2) == tuple
    assert Etsunami.take(table, :nested) == [{:nested, [tuple]}]
    assert Task.await_many(readers) == [true, true]

    for _ <- 1..5 do
      kill_in_the_middle(fn -> Etsunami.insert(table, {:list, list}) end, 20_000)
      kill_in_the_middle(fn -> Etsunami.lookup(table, :list) end, 20_000)
    end

    assert Etsunami.lookup(table, :list) == [{:list, list}]
  end
end
