defmodule Etsunami.LinearizabilityTest do
  use ExUnit.Case, async: true

  alias Linearizability.{Checker, Event, Names, Program, Recorder, Torn}

  # Of each kind of table; `make stress` takes more.
  @histories String.to_integer(System.get_env("HISTORIES", "100"))
  @moduletag timeout: max(60_000, 100 * @histories)
  @kinds [
    set: [:set],
    "set, write_concurrency": [:set, write_concurrency: true],
    ordered_set: [:ordered_set],
    "ordered_set, write_concurrency": [:ordered_set, write_concurrency: true],
    bag: [:bag],
    "duplicate_bag, write_concurrency": [:duplicate_bag, write_concurrency: true]
  ]

  @engines [
    "ordered_set, skip list": [:ordered_set, engine: :skip_list],
    "ordered_set, skip list, write_concurrency": [
      :ordered_set,
      engine: :skip_list,
      write_concurrency: true
    ]
  ]

  for {module, kinds} <- [{:ets, @kinds}, {Etsunami, @kinds ++ @engines}],
      {kind, options} <- kinds do
    @tag subject: module
    test "#{inspect(module)}, #{kind}: every history is linearizable" do
      overlaps = checked(unquote(module), unquote(options))
      tell_overlaps(unquote(inspect(module) <> ", " <> to_string(kind)), overlaps)
    end
  end

  for module <- [:ets, Etsunami], type <- [:set, :ordered_set] do
    @tag subject: module
    test "#{inspect(module)}, #{type}: names, rights and owners change at one moment" do
      model = {Names, Names.new(unquote(type))}

      for round <- 1..(5 * @histories) do
        program = Names.random(1_000_000 * ExUnit.configuration()[:seed] + round)
        history = Recorder.record(unquote(module), nil, program, [unquote(type)])
        # Owners have ended, but that may not have reached all of their tables.
        for name <- Names.names(), do: wait_until_free(unquote(module), name)
        assert_linearizable(history, model)
      end
    end
  end

  test "histories of a table without atomicity are found out" do
    assert found?(Torn, [:set, write_concurrency: true], 5_000)
  end

  # With `WEAKEN=BatchCommit ci/faults.sh`.
  @tag :broken_commit
  test "histories of a library that shows parts of a list insert are found out" do
    for [_type | _] = options <- [[:set], [:ordered_set], [:ordered_set, engine: :skip_list]] do
      assert found?(Etsunami, options, 5_000)
    end
  end

  # Events of a history by hand: {process, operation, result, invoked..responded}.

  describe "accepts" do
    test "one process after the other" do
      assert legal?([
               {:a, {:insert, [{1, 10}]}, true, 1..2},
               {:b, {:lookup, 1}, [{1, 10}], 3..4},
               {:a, {:take, 1}, [{1, 10}], 5..6},
               {:b, {:update_counter, 1, 5}, :badarg, 7..8}
             ])
    end

    test "a read that overlaps an insert, whatever it sees" do
      for seen <- [[], [{1, 10}]] do
        assert legal?([
                 {:a, {:insert, [{1, 10}]}, true, 1..9},
                 {:b, {:lookup, 1}, seen, 2..3}
               ])
      end
    end

    test "an order that only the results tell" do
      assert legal?([
               {:a, {:update_counter, 1, 1, 0}, 3, 1..9},
               {:b, {:update_counter, 1, 2, 0}, 2, 2..8},
               {:c, {:lookup, 1}, [{1, 3}], 9..10}
             ])
    end

    test "events that share a stamp in either order" do
      assert legal?([
               {:a, {:insert, [{1, 10}]}, true, 1..2},
               {:b, {:lookup, 1}, [], 2..3}
             ])
    end
  end

  describe "rejects" do
    test "a value that nobody wrote" do
      assert illegal?([
               {:a, {:insert, [{1, 10}]}, true, 1..4},
               {:b, {:lookup, 1}, [{1, 11}], 2..3}
             ])
    end

    test "a stale read after an insert" do
      assert illegal?([
               {:a, {:insert, [{1, 10}]}, true, 1..2},
               {:b, {:lookup, 1}, [], 3..4}
             ])
    end

    test "two readers that see an insert come and go" do
      assert illegal?([
               {:a, {:insert, [{1, 10}]}, true, 1..9},
               {:b, {:lookup, 1}, [{1, 10}], 2..3},
               {:c, {:lookup, 1}, [], 4..5}
             ])
    end

    test "a list of which one half is seen" do
      assert illegal?([
               {:a, {:insert, [{1, 10}, {2, 10}]}, true, 1..9},
               {:b, {:lookup, 1}, [{1, 10}], 2..3},
               {:b, {:lookup, 2}, [], 4..5}
             ])
    end

    test "two lists that two readers see in opposite orders" do
      assert illegal?([
               {:a, {:insert, [{1, 10}, {2, 10}]}, true, 1..20},
               {:b, {:insert, [{1, 20}, {2, 20}]}, true, 1..20},
               {:c, {:lookup, 1}, [{1, 10}], 21..22},
               {:c, {:lookup, 2}, [{2, 20}], 23..24}
             ])
    end

    test "a lost increment" do
      assert illegal?([
               {:a, {:insert, [{1, 0}]}, true, 1..2},
               {:a, {:update_counter, 1, 1}, 1, 3..6},
               {:b, {:update_counter, 1, 1}, 1, 4..5}
             ])
    end

    test "an object that two processes take" do
      assert illegal?([
               {:a, {:insert, [{1, 10}]}, true, 1..2},
               {:a, {:take, 1}, [{1, 10}], 3..6},
               {:b, {:take, 1}, [{1, 10}], 4..5}
             ])
    end

    test "two processes that both insert a new key" do
      assert illegal?([
               {:a, {:insert_new, [{1, 10}]}, true, 1..4},
               {:b, {:insert_new, [{1, 20}, {2, 20}]}, true, 2..3}
             ])
    end

    test "an insert_new that fails and leaves a part of its list" do
      assert illegal?([
               {:a, {:insert, [{1, 10}]}, true, 1..2},
               {:b, {:insert_new, [{2, 20}, {1, 20}]}, false, 3..6},
               {:c, {:lookup, 2}, [{2, 20}], 4..5}
             ])
    end

    test "an object that outlives delete_all_objects" do
      assert illegal?([
               {:a, {:insert, [{1, 10}, {2, 10}]}, true, 1..2},
               {:b, {:delete_all_objects}, true, 3..8},
               {:c, {:lookup, 1}, [], 4..5},
               {:c, {:lookup, 2}, [{2, 10}], 6..7}
             ])
    end

    test "a deleted key that comes back" do
      assert illegal?([
               {:a, {:insert, [{1, 10}]}, true, 1..2},
               {:b, {:delete, 1}, true, 3..9},
               {:c, {:member, 1}, false, 4..5},
               {:c, {:update_counter, 1, 1}, 11, 6..7}
             ])
    end

    test "an insert by a name that the table has no more" do
      assert {:illegal, _} =
               check(
                 [
                   {:a, {:by, 1, :a, {:new}}, :a, 1..2},
                   {:a, {:by, 1, :a, {:rename, :b}}, :b, 3..6},
                   {:b, {:by, 2, :a, {:insert, [{1, 10}]}}, true, 4..12},
                   {:c, {:by, 3, :b, {:lookup, 1}}, [], 7..8},
                   {:c, {:by, 3, :b, {:lookup, 1}}, [{1, 10}], 13..14}
                 ],
                 {Names, Names.new(:set)}
               )
    end

    test "an insert into a table that is protected by then" do
      assert {:illegal, _} =
               check(
                 [
                   {:a, {:by, 1, :a, {:new}}, :a, 1..2},
                   {:a, {:by, 1, :a, {:protect, :protected}}, true, 3..6},
                   {:b, {:by, 2, :a, {:insert, [{1, 10}]}}, true, 7..8}
                 ],
                 {Names, Names.new(:set)}
               )
    end

    test "a default that replaces a counter" do
      assert illegal?([
               {:a, {:update_counter, 1, 1, 0}, 1, 1..6},
               {:b, {:update_counter, 1, 1, 100}, 101, 2..5},
               {:c, {:lookup, 1}, [{1, 102}], 7..8}
             ])
    end
  end

  # The programs follow from ExUnit's seed; what the schedulers make of them does not.
  defp history(module, [type | _] = options, round) do
    table = module.new(:history, [:public | options])
    program = Program.random(1_000_000 * ExUnit.configuration()[:seed] + round, type)
    history = Recorder.record(module, table, program)
    module.delete(table)
    history
  end

  defp wait_until_free(module, name) do
    if module.whereis(name) != :undefined, do: wait_until_free(module, name)
  end

  # Checks histories one after the other; how many of their events overlap, and how many they have.
  defp checked(module, [type | _] = options) do
    for round <- 1..@histories, reduce: {0, 0} do
      {overlapping, events} ->
        history = history(module, options, round)
        assert_linearizable(history, type)
        {overlapping + Event.overlapping(history), events + length(history)}
    end
  end

  # Of long runs it is told how much of them was concurrent: with few cores that are busy, little.
  defp tell_overlaps(kind, {overlapping, events}) do
    if @histories > 100 do
      share = round(100 * overlapping / events)
      IO.puts("#{kind}: #{@histories} histories, #{events} events, #{share} % overlap")
    end
  end

  # Whether one of so many histories is illegal.
  defp found?(module, [type | _] = options, histories) do
    Enum.any?(1..histories, fn round ->
      match?({:illegal, _}, Checker.check(history(module, options, round), type))
    end)
  end

  defp assert_linearizable(history, model) do
    case Checker.check(history, model) do
      {:ok, _order} ->
        :ok

      {:illegal, longest} ->
        flunk("""
        this history is not linearizable:
        #{lines(Enum.sort_by(history, & &1.invoked), history)}
        the longest beginning that can be explained:
        #{lines(longest, history)}
        """)
    end
  end

  defp lines(events, history) do
    start = history |> Enum.map(& &1.invoked) |> Enum.min()

    Enum.map_join(events, "\n", fn event ->
      "  #{event.invoked - start}..#{event.responded - start}  process #{event.process}: " <>
        "#{inspect(event.operation)} -> #{inspect(event.result)}"
    end)
  end

  defp legal?(events), do: match?({:ok, _}, check(events))
  defp illegal?(events), do: match?({:illegal, _}, check(events))

  defp check(events, model \\ :set) do
    events
    |> Enum.map(fn {process, operation, result, invoked..responded//_} ->
      %Event{
        process: process,
        operation: operation,
        result: result,
        invoked: invoked,
        responded: responded
      }
    end)
    |> Checker.check(model)
  end
end
