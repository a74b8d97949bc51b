defmodule Etsunami.Parity.QlcTest do
  # Tables in queries: the answers, and the plans that `:qlc` makes for them.
  use Etsunami.EtsCase, async: false

  @queries [
    "[X || X <- H].",
    "[X || {X, _} <- H].",
    "[{X, Y} || {X, Y} <- H, X =:= 3].",
    "[{X, Y} || {X, Y} <- H, X == 3].",
    "[{X, Y} || {X, Y} <- H, X =:= 3.0].",
    "[{X, Y} || {X, Y} <- H, X == 3.0].",
    "[Y || {X, Y} <- H, X =:= 3 orelse X =:= 4 orelse X =:= missing].",
    "[Y || {X, Y} <- H, (X == 3) or (X == 4)].",
    "[X || {X, Y} <- H, Y > 15].",
    "[X || {X, Y} <- H, X > 15, Y rem 2 =:= 0].",
    "[{X, Y, Z} || {X, Y} <- H, {X2, Z} <- H, X =:= X2].",
    "[{X, Y, Z} || {X, Y} <- H, {X2, Z} <- H, X == X2].",
    "[X || {X, Y} <- H, lists:member(X, [1, 2])].",
    "[X || {three, X} <- H].",
    "[{X, Y} || {{_, X}, Y} <- H]."
  ]

  @options [
    [],
    [n_objects: 3],
    [traverse: :first_next],
    {:traverse, :last_prev},
    [traverse: {:select, [{{:"$1", :"$2"}, [{:>, :"$1", 3}], [:"$_"]}]}],
    [traverse: {:select, [{{:"$1", :"$2"}, [{:<, :"$1", 9}], [{{:"$2", :"$1"}}]}]}]
  ]

  table_test "queries have the same answers and plans", [variants: [[:named_table]]], context do
    %{ets: ets, table: table} = context
    fill(ets, table)
    reference = :ets.new(unique_name(), List.keydelete(context.options, :engine, 0))
    fill(:ets, reference)

    for options <- @options, query <- @queries do
      ours = handle(query, ets.table(table, options))
      theirs = handle(query, :ets.table(reference, options))
      assert {query, answers(ours)} == {query, answers(theirs)}
      assert {query, plan(ours, ets, table)} == {query, plan(theirs, :ets, reference)}
    end

    assert ets.info(table, :fixed) == false
    :ets.delete(reference)
  end

  table_test "an ordered_set is read in order",
             [types: [:ordered_set], variants: [[]]],
             context do
    %{ets: ets, table: table} = context
    fill(ets, table)
    objects = ets.tab2list(table)

    for options <- [[], [n_objects: 1], {:n_objects, :default}, [traverse: :first_next]] do
      assert :qlc.e(ets.table(table, options)) == objects
    end

    assert :qlc.e(ets.table(table, traverse: :last_prev)) == Enum.reverse(objects)
    assert table |> ets.table() |> then(&:qlc.keysort(1, &1)) |> :qlc.e() == objects
  end

  table_test "objects are made unique where they are not", [variants: [[]]], context do
    %{ets: ets, table: table} = context
    ets.insert(table, [{1, 1}, {2, 2}])
    ets.insert(table, {1, 1})
    handle = ets.table(table)
    assert Enum.sort(:qlc.e(handle, [:unique_all])) == [{1, 1}, {2, 2}]
    assert length(:qlc.e(handle)) == ets.info(table, :size)
  end

  table_test "a key is looked up and not searched", context do
    %{ets: ets, table: table} = context
    fill(ets, table)

    for {query, lookup?} <- [
          {"[Y || {X, Y} <- H, X =:= 3].", true},
          {"[Y || {X, Y} <- H, X == three].", true},
          {"[Y || {X, Y} <- H, X == 3].", context.type == :ordered_set},
          {"[X || {X, Y} <- H, Y =:= 3].", false}
        ] do
      plan = query |> handle(ets.table(table)) |> :qlc.info() |> List.to_string()
      assert plan =~ "lookup(" == lookup?, plan
      assert lookup? or plan =~ "traverse"
    end
  end

  table_test "the table is fixed while a query runs", [variants: [[]]], context do
    %{ets: ets, table: table} = context
    fill(ets, table)

    for options <- [[n_objects: 2], [traverse: :first_next]] do
      cursor = :qlc.cursor(ets.table(table, options))
      assert [_, _, _] = :qlc.next_answers(cursor, 3)
      assert ets.info(table, :fixed)
      assert {_time, [{pid, 1}]} = ets.info(table, :safe_fixed)
      assert pid != self()
      :ok = :qlc.delete_cursor(cursor)
      refute ets.info(table, :fixed)
    end
  end

  table_test "refuses options", [variants: [[]]], %{ets: ets, table: table} do
    for options <- [
          [n_objects: 0],
          [n_objects: :all],
          {:n_objects, 1.0},
          [traverse: :backwards],
          [traverse: {:select}]
        ] do
      assert raised(fn -> ets.table(table, options) end) == {ets, :table, [table, options]}
    end

    for options <- [:select, 1, [:select], [other: 1], [n_objects: 1, n_objects: 2]] do
      assert {:qlc, :table, [_traverse, _options]} = raised(fn -> ets.table(table, options) end)
    end
  end

  table_test "wants a table that can be read", [variants: [[]]], %{ets: ets, type: type} do
    handle = ets.table(:no_such_table)
    assert {^ets, :safe_fixtable, [:no_such_table, true]} = raised(fn -> :qlc.e(handle) end)
    assert {^ets, :info, [1, :type]} = raised(fn -> ets.table(1) end)
    helper = start_helper()
    private = ask(helper, fn -> ets.new(:table, [type, :private]) end)
    handle = ets.table(private)
    assert {^ets, :safe_fixtable, [^private, true]} = raised(fn -> :qlc.e(handle) end)
    stop(helper)
  end

  defp raised(function) do
    function.()
    flunk("did not fail")
  catch
    :error, :badarg ->
      [{module, function, arguments, _info} | _callers] = __STACKTRACE__
      {module, function, arguments}
  end

  defp fill(ets, table) do
    ets.insert(table, for(n <- 1..20, do: {n, n}))
    ets.insert(table, for(n <- 1..9, do: {n, n + 1}))
    ets.insert(table, [{:three, 3}, {3.5, 1}, {{:a, 1}, 2}, {"text", 3}])
    ets.insert(table, {:three, 4})
  end

  defp handle(query, table) do
    bindings = :erl_eval.add_binding(:H, table, :erl_eval.new_bindings())
    :qlc.string_to_handle(String.to_charlist(query), [], bindings)
  end

  # Joining what comes from the last key to the first is too much for `:qlc` itself.
  defp answers(handle) do
    Enum.sort(:qlc.e(handle))
  rescue
    error in ErlangError -> error.original
  end

  # The plan without the names of the module and the table.
  defp plan(handle, ets, table) do
    shown = List.to_string(:io_lib.format("~w", [table]))
    module = List.to_string(:io_lib.format("~w", [ets]))

    handle
    |> :qlc.info()
    |> List.to_string()
    |> String.replace("#{module}:table", "MODULE:table")
    |> String.replace("#{module}:lookup", "MODULE:lookup")
    |> String.replace(shown, "TABLE")
    |> String.replace(~r/\s+/, "")
  end
end
