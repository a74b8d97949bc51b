defmodule Etsunami.Parity.FixationTest do
  use Etsunami.EtsCase, async: false

  @stop :"$end_of_table"

  table_test "answers true", %{ets: ets, table: table} do
    assert ets.safe_fixtable(table, true) == true
    assert ets.safe_fixtable(table, true) == true
    for _time <- 1..4, do: assert(ets.safe_fixtable(table, false) == true)
  end

  table_test "is told by info/2", %{ets: ets, table: table} do
    me = self()
    assert fixations(ets, table) == {false, false, false}

    before = {:erlang.timestamp(), :erlang.monotonic_time()}
    ets.safe_fixtable(table, true)
    {timestamp, time} = {:erlang.timestamp(), :erlang.monotonic_time()}

    assert {true, {fixed_at, [{^me, 1}]}, {fixed_time, [{^me, 1}]}} = fixations(ets, table)
    assert fixed_at >= elem(before, 0) and fixed_at <= timestamp
    assert fixed_time >= elem(before, 1) and fixed_time <= time

    # The time is that of the first fixation.
    ets.safe_fixtable(table, true)
    assert {true, {^fixed_at, [{^me, 2}]}, {^fixed_time, [{^me, 2}]}} = fixations(ets, table)
    ets.safe_fixtable(table, false)
    assert {true, {^fixed_at, [{^me, 1}]}, {^fixed_time, [{^me, 1}]}} = fixations(ets, table)
    ets.safe_fixtable(table, false)
    assert fixations(ets, table) == {false, false, false}
  end

  table_test "takes a boolean only", %{ets: ets, table: table} do
    for term <- [nil, 1, 0, "true", [], :yes], do: assert_badarg(ets.safe_fixtable(table, term))
    assert fixations(ets, table) == {false, false, false}
  end

  table_test "lets a traversal go on from a deleted key", %{ets: ets, table: table} do
    ets.insert(table, for(n <- 1..500, do: {n}))
    ets.safe_fixtable(table, true)

    visited =
      ets.first(table)
      |> Stream.iterate(fn key ->
        ets.delete(table, key)
        ets.next(table, key)
      end)
      |> Enum.take_while(&(&1 != @stop))

    assert Enum.sort(visited) == Enum.to_list(1..500)
    assert ets.info(table, :size) == 0
    assert ets.first(table) == @stop
    ets.safe_fixtable(table, false)
    assert ets.tab2list(table) == []
  end

  table_test "forgets deleted keys when it ends, however many",
             [types: [:set, :bag, :duplicate_bag]],
             %{ets: ets, table: table} do
    ets.insert(table, for(n <- 1..2000, do: {n}))
    ets.safe_fixtable(table, true)
    for n <- 1..2000, do: ets.delete(table, n)
    for n <- 1..2000, do: assert(ets.next(table, n) == @stop)
    ets.safe_fixtable(table, false)
    for n <- 1..2000, do: assert_badarg(ets.next(table, n))
  end

  table_test "remembers what was inserted and deleted since", %{ets: ets, table: table} do
    ets.insert(table, for(n <- 1..10, do: {n}))
    ets.safe_fixtable(table, true)

    for n <- 11..20 do
      ets.insert(table, {n})
      ets.delete(table, n)
      assert ets.next(table, n) in [@stop | Enum.to_list(1..10)]
    end

    ets.safe_fixtable(table, false)
  end

  table_test "hides deleted objects", %{ets: ets, table: table} do
    ets.insert(table, for(n <- 1..10, do: {n, n}))
    ets.safe_fixtable(table, true)
    for n <- 1..10//2, do: ets.delete(table, n)
    for n <- 2..10//4, do: ets.delete_object(table, {n, n})
    assert contents(ets, table) == [{4, 4}, {8, 8}]
    assert ets.info(table, :size) == 2
    refute ets.member(table, 1)
    assert ets.lookup(table, 2) == []
    assert ets.take(table, 2) == []
    assert Enum.sort(ets.foldl(&[&1 | &2], [], table)) == [{4, 4}, {8, 8}]
    assert ets.insert_new(table, {1, :new})
    assert ets.lookup(table, 1) == [{1, :new}]
    ets.safe_fixtable(table, false)
    assert contents(ets, table) == [{1, :new}, {4, 4}, {8, 8}]
  end

  table_test "goes to the end after delete_all_objects/1", %{ets: ets, table: table} do
    ets.insert(table, for(n <- 1..100, do: {n}))
    ets.safe_fixtable(table, true)
    key = ets.first(table)
    ets.delete_all_objects(table)
    assert ets.next(table, key) == @stop
    assert ets.first(table) == @stop
    assert ets.info(table, :size) == 0
    ets.insert(table, {:new})
    assert ets.tab2list(table) == [{:new}]
    ets.safe_fixtable(table, false)
  end

  table_test "keeps the keys of a traversal while others are inserted",
             %{ets: ets, table: table} do
    ets.insert(table, for(n <- 1..100, do: {n}))
    ets.safe_fixtable(table, true)

    visited =
      ets.first(table)
      |> Stream.iterate(fn key ->
        if is_integer(key), do: for(n <- 1..20, do: ets.insert(table, {{key, n}}))
        ets.next(table, key)
      end)
      |> Stream.take_while(&(&1 != @stop))
      |> Enum.filter(&is_integer/1)

    assert Enum.sort(visited) == Enum.to_list(1..100)
    ets.safe_fixtable(table, false)
    assert ets.info(table, :size) == 2100
  end

  describe "by several processes" do
    table_test "is counted for each", %{ets: ets} = context do
      if :private not in context.options do
        table = context.table
        helper = start_helper()
        ask(helper, fn -> ets.safe_fixtable(table, true) end)
        ask(helper, fn -> ets.safe_fixtable(table, true) end)
        ets.safe_fixtable(table, true)
        assert {_time, counts} = ets.info(table, :safe_fixed)
        assert Enum.sort(counts) == Enum.sort([{self(), 1}, {helper, 2}])

        # Nobody can release what another process has fixed.
        for _time <- 1..3, do: ets.safe_fixtable(table, false)
        assert {_time, [{^helper, 2}]} = ets.info(table, :safe_fixed)
        stop(helper)
        assert fixations(ets, table) == {false, false, false}
      end
    end

    table_test "ends with a process that is killed", %{ets: ets} = context do
      if :private not in context.options do
        table = context.table
        ets.insert(table, for(n <- 1..100, do: {n}))
        helper = start_helper()
        ask(helper, fn -> ets.safe_fixtable(table, true) end)
        for n <- 1..100, do: ets.delete(table, n)
        stop(helper, :kill)
        assert fixations(ets, table) == {false, false, false}
        assert ets.tab2list(table) == []
      end
    end

    # Whoever has seen the end of a process finds nothing fixed by it.
    table_test "is over at the end of a process", %{ets: ets} = context do
      if :private not in context.options do
        table = context.table
        ets.insert(table, for(n <- 1..100, do: {n}))

        for look <- [:fixed, :safe_fixed, :next], _time <- 1..3 do
          fixer = spawn_fixer(ets, table)
          ets.delete(table, 50)
          exit_and_see(fixer)

          case look do
            :next when context.type == :ordered_set -> assert ets.next(table, 50) == 51
            :next -> assert_badarg(ets.next(table, 50))
            item -> assert ets.info(table, item) == false
          end

          assert fixations(ets, table) == {false, false, false}
          ets.insert(table, {50})
        end
      end
    end

    # A process that takes its time to end: exit signals for its many links go out first, in the
    # order of the pids.
    defp spawn_fixer(ets, table) do
      parent = self()

      fixer =
        spawn_link(fn ->
          for _link <- 1..300, do: spawn_link(fn -> Process.sleep(:infinity) end)
          ets.safe_fixtable(table, true)
          send(parent, {self(), :fixed})
          receive do: (:stop -> exit(:shutdown))
        end)

      receive do: ({^fixer, :fixed} -> fixer)
    end

    defp exit_and_see(fixer) do
      trap = Process.flag(:trap_exit, true)
      send(fixer, :stop)
      receive do: ({:EXIT, ^fixer, :shutdown} -> :ok)
      Process.flag(:trap_exit, trap)
    end

    table_test "does not keep a table from being deleted", %{ets: ets} = context do
      if :private not in context.options do
        table = new_table(context)
        helper = start_helper()
        ask(helper, fn -> ets.safe_fixtable(table, true) end)
        assert ets.delete(table)
        assert ets.info(table) == :undefined
        ask(helper, fn -> assert_badarg ets.safe_fixtable(table, false) end)
        stop(helper)
      end
    end
  end

  table_test "stays when the table changes hands", %{ets: ets} = context do
    if :private not in context.options do
      table = new_table(context)
      helper = start_helper()
      ets.safe_fixtable(table, true)
      ets.give_away(table, helper, :gift)
      assert {_time, [{pid, 1}]} = ets.info(table, :safe_fixed)
      assert pid == self()
      ets.safe_fixtable(table, false)
      assert ets.info(table, :safe_fixed) == false
      stop(helper)
    end
  end

  defp fixations(ets, table) do
    {ets.info(table, :fixed), ets.info(table, :safe_fixed),
     ets.info(table, :safe_fixed_monotonic_time)}
  end
end
