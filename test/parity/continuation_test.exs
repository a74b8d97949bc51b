defmodule Etsunami.Parity.ContinuationTest do
  # Continuations are terms: they may be kept, used twice, sent, and changed by anybody.
  use Etsunami.EtsCase, async: false

  @moduletag :library
  @stop :"$end_of_table"
  @hashed [:set, :bag, :duplicate_bag]
  @all [{{:"$1", :_}, [], [:"$1"]}]

  defp fill(ets, table, n \\ 100), do: ets.insert(table, for(i <- 1..n, do: {i, i}))

  defp rest(_ets, @stop), do: []
  defp rest(ets, {list, next}), do: list ++ rest(ets, ets.select(next))

  table_test "can be used again", %{ets: ets, table: table} do
    fill(ets, table)
    {first, next} = ets.select(table, @all, 10)
    once = rest(ets, ets.select(next))
    assert Enum.sort(first ++ once) == Enum.to_list(1..100)
    assert rest(ets, ets.select(next)) == once
    assert rest(ets, ets.match(next)) == once
    assert rest(ets, ets.match_object(next)) == once
    assert rest(ets, ets.select_reverse(next)) == once
  end

  table_test "need the right of reading", [variants: [[], [:public], [:private]]], context do
    %{ets: ets, table: table, options: options} = context
    fill(ets, table)
    {first, next} = ets.select(table, @all, 10)

    result =
      in_process(fn ->
        try do
          rest(ets, ets.select(next))
        rescue
          ArgumentError -> :refused
        end
      end)

    if :private in options do
      assert result == :refused
    else
      assert Enum.sort(first ++ result) == Enum.to_list(1..100)
    end
  end

  table_test "survive a new name", [types: @hashed, variants: [[:named_table]]], context do
    survive_renaming(context)
  end

  table_test "survive a new name (ordered)",
             [types: [:ordered_set], variants: [[:named_table]], differs: :continuation_by_name],
             context do
    survive_renaming(context)
  end

  defp survive_renaming(%{ets: ets, table: table} = context) do
    fill(ets, table)
    {first, next} = ets.select(table, @all, 10)
    name = unique_name()
    ets.rename(table, name)
    other = ets.new(table, context.options)
    ets.insert(other, {:of_the_other_table, 1})
    assert Enum.sort(first ++ rest(ets, ets.select(next))) == Enum.to_list(1..100)
    ets.delete(name)
    assert_badarg ets.select(next)
  end

  table_test "end with the table", %{ets: ets, table: table} do
    fill(ets, table)
    {_first, next} = ets.select(table, @all, 10)
    ets.delete(table)
    assert_badarg ets.select(next)
  end

  table_test "end with the table and not with its name",
             [types: @hashed, variants: [[:named_table]]],
             context do
    end_with_the_table(context)
  end

  table_test "end with the table and not with its name (ordered)",
             [types: [:ordered_set], variants: [[:named_table]], differs: :continuation_by_name],
             context do
    end_with_the_table(context)
  end

  defp end_with_the_table(%{ets: ets, table: table} = context) do
    fill(ets, table)
    {_first, next} = ets.select(table, @all, 10)
    ets.delete(table)
    ets.new(table, context.options)
    fill(ets, table)
    assert_badarg ets.select(next)
  end

  table_test "fix nothing", %{ets: ets, table: table} do
    fill(ets, table, 2000)
    {_first, _next} = ets.select(table, @all, 10)
    assert length(ets.select(table, @all)) == 2000
    assert ets.info(table, :safe_fixed) == false
    assert ets.info(table, :fixed) == false
  end

  table_test "go on in an emptied table", %{ets: ets, table: table} do
    fill(ets, table)
    {_first, next} = ets.select(table, @all, 10)
    ets.delete_all_objects(table)
    assert ets.select(next) == @stop
  end

  # :ets asks for a fixed table here; that of Etsunami needs none.
  for change <- [:grow, :shrink] do
    table_test "meet what stays once while the table has to #{change}", context do
      %{ets: ets, table: table} = context
      n = unquote(if change == :grow, do: 300, else: 6000)
      ets.insert(table, for(i <- 1..n, do: {i, :stays}))
      for i <- 1..n, rem(i, 20) != 0, unquote(change == :shrink), do: ets.delete(table, i)
      stay = if unquote(change == :grow), do: Enum.to_list(1..n), else: Enum.to_list(20..n//20)
      if ets == :ets, do: ets.safe_fixtable(table, true)
      {first, next} = ets.select(table, [{{:"$1", :stays}, [], [:"$1"]}], 17)

      found =
        first ++
          Enum.concat(
            Stream.unfold({next, n}, fn
              {@stop, _} ->
                nil

              {next, last} ->
                added = for i <- 1..300, unquote(change == :grow), do: {last + i, :new}
                ets.insert(table, added)

                case ets.select(next) do
                  {list, next} -> {list, {next, last + 300}}
                  @stop -> {[], {@stop, last}}
                end
            end)
          )

      assert Enum.sort(found) == stay
      if ets == :ets, do: ets.safe_fixtable(table, false)
    end
  end

  table_test "go on behind a key that has gone", [types: [:ordered_set]], context do
    %{ets: ets, table: table} = context
    fill(ets, table)
    {[1, 2, 3, 4, 5], up} = ets.select(table, @all, 5)
    {[100, 99, 98], down} = ets.select_reverse(table, @all, 3)
    for n <- 3..8, do: ets.delete(table, n)
    for n <- 95..99, do: ets.delete(table, n)
    ets.insert(table, {5.5, 1})
    assert {[5.5, 9, 10, 11, 12], _next} = ets.select(up)
    assert {[94, 93, 92], _next} = ets.select(down)
  end

  table_test "stop inside a key of a bag", [types: [:bag, :duplicate_bag]], context do
    %{ets: ets, table: table} = context
    for n <- 1..100, do: ets.insert(table, {:key, n})
    spec = [{{:key, :"$1"}, [], [:"$1"]}]
    {first, next} = ets.select(table, spec, 30)
    assert length(first) == 30
    assert Enum.sort(first ++ rest(ets, ets.select(next))) == Enum.to_list(1..100)
  end

  # The shapes are those of the emulator, as far as repair_continuation/2 looks at them.

  table_test "have the emulator's shape", [types: @hashed], %{ets: ets, table: table} do
    fill(ets, table)

    assert {_first, {_table, position, 10, compiled, list, got}} = ets.select(table, @all, 10)
    assert is_integer(position) and is_list(list) and is_integer(got)
    assert ets.is_compiled_ms(compiled)
  end

  table_test "have the emulator's shape (ordered)", [types: [:ordered_set]], context do
    %{ets: ets, table: table} = context
    fill(ets, table)

    assert {_first, {_table, 10, _end, 10, compiled, [], reverse, 0}} =
             ets.select(table, @all, 10)

    assert is_integer(reverse)
    assert ets.is_compiled_ms(compiled)
  end

  defp compiled_at(continuation), do: if(tuple_size(continuation) == 6, do: 3, else: 4)

  table_test "are repaired", %{ets: ets, table: table} do
    fill(ets, table)
    {_first, next} = ets.select(table, @all, 10)
    expected = ets.select(next)

    for lost <- ["", make_ref(), :gone, @all] do
      broken = put_elem(next, compiled_at(next), lost)
      assert ets.is_compiled_ms(lost) == false
      assert_badarg ets.select(broken)
      repaired = ets.repair_continuation(broken, @all)
      assert without_compiled(ets.select(repaired)) == without_compiled(expected)
    end

    assert ets.repair_continuation(next, @all) == next
    assert ets.repair_continuation(next, :not_looked_at) == next
    assert ets.repair_continuation(@stop, @all) == @stop
    broken = put_elem(next, compiled_at(next), "")
    assert_badarg ets.repair_continuation(broken, :no_spec)

    for wrong <- [1, {}, {table, 1}, put_elem(next, tuple_size(next) - 1, :no_number), nil] do
      assert_raise FunctionClauseError, fn -> ets.repair_continuation(wrong, @all) end
    end
  end

  defp without_compiled({list, next}), do: {list, put_elem(next, compiled_at(next), nil)}

  # What follows is for Etsunami alone: :ets trusts its continuations more than is good for it.

  @strange [
    0,
    -1,
    1,
    2,
    7,
    2 ** 31,
    2 ** 32,
    2 ** 33 + 1,
    2 ** 58,
    2 ** 59 - 1,
    2 ** 59,
    2 ** 63,
    2 ** 64 - 1,
    2 ** 64,
    -(2 ** 70),
    1.5,
    :atom,
    @stop,
    "",
    "binary",
    [],
    [1],
    [1 | 2],
    [{:key, 1}],
    [{:key, 2 ** 63} | 3],
    [{1, 2 ** 64}],
    [{[], -1}],
    {},
    {1, 2},
    %{}
  ]

  for type <- [:set, :ordered_set, :bag, :duplicate_bag] do
    test "changed at will are refused or answered (#{type})" do
      table = Etsunami.new(:table, [unquote(type)])
      fill(Etsunami, table)
      for n <- 1..20, do: Etsunami.insert(table, {:key, n})
      other = Etsunami.new(:table, [:set])
      ordered = Etsunami.new(:table, [:ordered_set])
      for t <- [other, ordered], do: fill(Etsunami, t)

      for spec <- [@all, [{{:key, :"$1"}, [], [:"$1"]}], [{{1, :_}, [], [1]}, {{2, :_}, [], [2]}]] do
        {_first, next} = start(table, spec)
        compiled = Etsunami.match_spec_compile([{:"$1", [], [{:element, 3, :"$1"}]}])
        strange = [table, other, ordered, compiled, self(), make_ref(), fn -> 1 end | @strange]

        for index <- 0..(tuple_size(next) - 1), one <- strange do
          try_out(put_elem(next, index, one))

          for second <- 0..(tuple_size(next) - 1),
              another <- [0, 1, 2 ** 59 - 1, [{:key, 5}], []] do
            next |> put_elem(index, one) |> put_elem(second, another) |> try_out()
          end
        end

        for size <- 0..(tuple_size(next) + 3), size != tuple_size(next) do
          wrong = (Tuple.to_list(next) ++ [1, 2, 3]) |> Enum.take(size) |> List.to_tuple()
          assert_badarg Etsunami.select(wrong)
        end
      end

      for t <- [table, other, ordered], do: Etsunami.delete(t)
    end
  end

  # A continuation in any case.
  defp start(table, spec) do
    case Etsunami.select(table, spec, 1) do
      {list, @stop} -> {list, elem(Etsunami.select(table, @all, 1), 1)}
      answer -> answer
    end
  end

  defp try_out(continuation) do
    case Etsunami.select(continuation) do
      {list, next} when is_list(list) -> assert next == @stop or is_tuple(next)
      answer -> assert is_list(answer) or answer == @stop
    end
  rescue
    ArgumentError -> :ok
  end

  test "go from node to node by repair" do
    table = Etsunami.new(:table, [:ordered_set])
    fill(Etsunami, table)
    {[1, 2], next} = Etsunami.select(table, @all, 2)
    written = next |> put_elem(4, "") |> :erlang.term_to_binary() |> :erlang.binary_to_term()
    assert {[3, 4], _next} = Etsunami.select(Etsunami.repair_continuation(written, @all))
    Etsunami.delete(table)
  end

  test "of an orphaned table are refused" do
    next =
      in_process(fn ->
        table = Etsunami.new(:table, [:ordered_set, :public])
        fill(Etsunami, table)
        elem(Etsunami.select(table, @all, 2), 1)
      end)

    assert_badarg Etsunami.select(next)
  end
end
