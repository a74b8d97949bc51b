defmodule Etsunami.Parity.BadInputTest do
  # Every function with every kind of wrong argument: both modules answer the same or fail in the
  # same way with the same explanation, and what fails has changed nothing.
  use Etsunami.EtsCase, async: false

  alias Etsunami.{ErrorInfo, Newest}

  @moduletag :library
  @types [:set, :ordered_set, :bag, :duplicate_bag]

  @missing_name :no_table_has_this_name

  defp terms do
    [
      0,
      1,
      2,
      3,
      -1,
      2 ** 31,
      2 ** 32 + 1,
      2 ** 59 - 1,
      2 ** 59,
      2 ** 64,
      -(2 ** 64),
      1.0,
      0.0,
      :a,
      :"$end_of_table",
      :_,
      :"$1",
      nil,
      true,
      "",
      "binary",
      <<1::3>>,
      [],
      [1],
      [1, 2 | 3],
      [:a | :b],
      {},
      {1},
      {1, 2},
      {:a, 2, 3},
      {2, 1, 0, 0},
      [{1, 2}],
      [{1, 2}, {2, 3}],
      [{3, 4}, {4, 5} | :tail],
      [{5, 6} | {6, 7}],
      [{7, 8}, {}],
      [{7, 8}, 1],
      [[{7, 8}]],
      [{}],
      %{},
      %{a: 1},
      {{1, 2}, [3]},
      self(),
      fn -> :ok end,
      List.to_tuple(Enum.to_list(1..300)),
      String.duplicate("long", 20)
    ]
  end

  @keys [1, :a, 1.0, :missing, {1}]
  @positions [1, 2, 3, 4]

  defp operations do
    counters = for position <- [0 | @positions], increment <- [0, -5], do: {position, increment}

    counters ++
      terms() ++
      [
        {2, 2 ** 70},
        {2, 1, 10, 0},
        {2, -1, -10, 0},
        {2, 1, 1.0, 0},
        {2, 1, 1, :a},
        {2, 1, 1},
        {2, 1, 1, 1, 1},
        {2, 1.0},
        {2.0, 1},
        {-1, 1},
        {2 ** 70, 1},
        [{2, 1}, {2, 1}],
        [{2, 1}, {3, 1}],
        [{2, 1}, {1, 1}],
        [{2, 1}, :a],
        [{2, 1}, 1],
        [{2, 1} | {2, 1}],
        [[{2, 1}]]
      ]
  end

  defp defaults, do: [{:x, 1}, {:x, :y}, {:x}, {}, {:x, 1, 2, 3, 4}, :x, [:x, 1], nil]

  defp specs do
    terms() ++
      [
        [{:_, [], [:"$_"]}],
        [{:"$1", [], [:"$1"]}],
        [{{:"$1", :"$2", :_}, [], [:"$$"]}],
        [{{:"$1", :"$2", :_}, [{:>, :"$2", 5}], [true]}],
        [{{:"$1", :"$2", :_}, [{:>, :"$3", 5}], [true]}],
        [{{:"$1", :"$2", :_}, [{:unknown, :"$2", 5}], [true]}],
        [{{:"$1", :"$2", :_}, [{:<, {:+, :"$2", :"$1"}, 5}], [{{:"$2", {:+, :"$1", :a}}}]}],
        [{{1, :_, :_}, [], [true]}],
        [{{:_, 10, :_}, [], [true]}],
        [{{:a, :_, :_}, [], [:"$_"]}, {{1, :_, :_}, [], [true]}],
        [{{:"$1", :"$2"}, [], [{{:"$1", :"$2", :new}}]}],
        [{{:"$1", :"$2"}, [], [{{:"$2", :"$1"}}]}],
        [{{:"$1", :"$2", :_}, [], [{{:"$1", :"$2", {:const, 7}}}]}],
        [{{:"$1", :_}, [], [{{:x, :"$1"}}]}],
        [{{:"$1", :_}, [], [:"$_"]}],
        [{{:"$1", :_}, [], []}],
        [{{:"$1", :_}, [], [1, 2, :"$1"]}],
        [{{:"$1", :_}, [], [:"$2"]}],
        [{{:"$1", :_}, [true, false], [:"$1"]}],
        [{{:"$1", :_}, :guard, [:"$1"]}],
        [{{:"$1", :_}, [], :body}],
        [{{:"$1", :_}, []}],
        [{[:"$1"], [], [true]}],
        [{:_, [], [true]}],
        [{:_, [], [true]} | :tail],
        [{:_, [], [true]}, :no_clause],
        [{:"$01", [], [true]}],
        [{{:_}, [{:andalso}], [true]}],
        [{:_, [], [{:element, 1, :"$_"}]}],
        [{:_, [], [%{key: :"$_"}]}],
        [{{:_, %{a: :"$1"}}, [], [:"$1"]}]
      ]
  end

  defp matching do
    by_spec =
      for function <- [:select, :select_reverse, :select_count, :select_delete, :select_replace],
          spec <- specs(),
          do: {function, [spec]}

    by_pattern =
      for function <- [:match, :match_object, :match_delete],
          pattern <- terms() ++ [{:"$1", :"$2"}, {:_, 10, :"$1"}, {:"$2", :"$1"}, :"$2", :"$$"],
          do: {function, [pattern]}

    spec = [{{:"$1", :_}, [], [:"$1"]}]
    limits = [4, 1000 | terms()]

    chunks =
      for function <- [:select, :select_reverse], spec <- [spec, :bad, []], limit <- limits do
        {function, [spec, limit]}
      end

    patterns =
      for function <- [:match, :match_object], pattern <- [{:"$1", :_}, 1], limit <- limits do
        {function, [pattern, limit]}
      end

    by_spec ++ by_pattern ++ chunks ++ patterns
  end

  # The calls for a table that can be used, without the table as their first argument.
  defp calls(type) do
    one_term =
      for function <- [
            :insert,
            :insert_new,
            :delete_object,
            :lookup,
            :member,
            :take,
            :delete,
            :next,
            :prev,
            :next_lookup,
            :prev_lookup,
            :safe_fixtable,
            :setopts,
            :info,
            :slot,
            :rename
          ],
          term <- terms(),
          function != :slot or type == :ordered_set or not small?(term),
          do: {function, [term]}

    elements =
      for key <- @keys, position <- terms() ++ @positions, default <- [[], [:default]] do
        {:lookup_element, [key, position] ++ default}
      end

    updates =
      for function <- [:update_counter, :update_element],
          key <- [1, 1.0, :missing],
          operation <- operations(),
          default <- [[] | Enum.map(defaults(), &[&1])],
          do: {function, [key, operation] ++ default}

    gifts = for pid <- terms(), do: {:give_away, [pid, :gift]}
    one_term ++ elements ++ updates ++ gifts ++ matching() ++ unary()
  end

  # How many slots there are is known for an ordered_set alone.
  defp small?(term), do: is_integer(term) and term in 0..1000

  defp unary do
    for function <- [
          :first,
          :last,
          :first_lookup,
          :last_lookup,
          :tab2list,
          :delete_all_objects,
          :info,
          :delete
        ],
        do: {function, []}
  end

  # One good call and one or more bad ones of each function, for tables that cannot be used.
  defp samples do
    unary() ++
      [
        insert: [{1, 2}],
        insert: [[{1, 2}, {2, 3}]],
        insert: [[]],
        insert: [:no_object],
        insert: [[{1} | :tail]],
        insert_new: [{1, 2}],
        insert_new: [[]],
        insert_new: [[{1, 2}, {2, 3}]],
        insert_new: [:no_object],
        lookup: [1],
        lookup_element: [1, 2],
        lookup_element: [1, 0],
        lookup_element: [1, :a],
        lookup_element: [1, 2, :default],
        lookup_element: [1, 0, :default],
        member: [1],
        take: [1],
        delete: [1],
        delete_object: [{1, 2}],
        delete_object: [:no_object],
        update_counter: [1, 1],
        update_counter: [1, {2, 1}],
        update_counter: [1, :a],
        update_counter: [1, {2, 1}, {1, 1}],
        update_counter: [1, {2, 1}, :a],
        update_element: [1, {2, 1}],
        update_element: [1, :a],
        update_element: [1, {2, 1}, {1, 1}],
        update_element: [1, {2, 1}, :a],
        next: [1],
        prev: [1],
        next: [:missing],
        next_lookup: [1],
        prev_lookup: [1],
        slot: [0],
        slot: [-1],
        safe_fixtable: [true],
        safe_fixtable: [:a],
        rename: [:another_name],
        rename: ["no atom"],
        give_away: [self(), :gift],
        give_away: [:no_pid, :gift],
        select: [[{:_, [], [:"$_"]}]],
        select: [:no_spec],
        select: [[{:_, [], [:"$_"]}], 1],
        select: [[{:_, [], [:"$_"]}], 0],
        select_reverse: [[{:_, [], [:"$_"]}]],
        select_reverse: [:no_spec, :no_limit],
        select_count: [[{:_, [], [true]}]],
        select_delete: [[{:_, [], [true]}]],
        select_delete: [[{{1, :_}, [], [true]}]],
        select_delete: [:no_spec],
        select_replace: [[{:_, [], [:"$_"]}]],
        select_replace: [[{:_, [], [:new]}]],
        match: [{1, :_}],
        match: [:no_pattern],
        match: [{1, :_}, 1],
        match: [{1, :_}, -1],
        match_object: [{1, :_}],
        match_object: [{1, :_}, 1],
        match_delete: [{1, :_}],
        match_delete: [:_],
        setopts: [[]],
        setopts: [{:heir, :none}],
        setopts: [:a],
        info: [:size],
        info: [:unknown]
      ]
  end

  for type <- @types, keypos <- [1, 2] do
    test "arguments of all kinds (#{type}, keypos #{keypos})" do
      options = [unquote(type), :public, keypos: unquote(keypos)]
      tables = for ets <- [:ets, Etsunami], do: {ets, filled(ets, options)}
      calls = calls(unquote(type))
      {tables, differences} = Enum.reduce(calls, {tables, []}, &compare(&1, &2, options))
      for {ets, table} <- tables, do: ets.delete(table)

      # Many of them together tell more than the first one.
      shown = differences |> Enum.reverse() |> Enum.take(50) |> Enum.join("\n\n")
      assert differences == [], "#{length(differences)} differences\n\n#{shown}"
    end
  end

  for type <- @types do
    test "a deleted table (#{type})" do
      for {function, arguments} <- samples() do
        [expected, actual] =
          for ets <- [:ets, Etsunami] do
            table = ets.new(:table, [unquote(type), :public])
            ets.insert(table, {1, 2})
            ets.delete(table)
            outcome(ets, function, [table | arguments])
          end

        assert_same(expected, actual, {function, arguments})
      end
    end

    test "a deleted named table (#{type})" do
      for {function, arguments} <- samples() do
        [expected, actual] =
          for ets <- [:ets, Etsunami] do
            ets.new(@missing_name, [unquote(type), :public, :named_table])
            ets.delete(@missing_name)
            outcome(ets, function, [@missing_name | arguments])
          end

        assert_same(expected, actual, {function, arguments})
      end
    end

    for access <- [:protected, :private] do
      test "a #{access} table of another process (#{type})" do
        for {function, arguments} <- samples() do
          [expected, actual] =
            for ets <- [:ets, Etsunami] do
              foreign(ets, [unquote(type), unquote(access)], function, arguments)
            end

          assert_same(expected, actual, {function, arguments})
        end
      end
    end
  end

  test "no table at all" do
    no_tables = [
      @missing_name,
      make_ref(),
      1,
      0,
      -1,
      1.0,
      "table",
      [],
      [:table],
      {},
      {:table},
      %{},
      self(),
      fn -> 1 end,
      2 ** 70,
      nil,
      :undefined,
      :"$end_of_table"
    ]

    for {function, arguments} <- samples(), table <- no_tables do
      [expected, actual] =
        for ets <- [:ets, Etsunami], do: outcome(ets, function, [table | arguments])

      assert_same(expected, actual, {function, [table | arguments]})
    end

    for fold <- [:foldl, :foldr], table <- no_tables do
      [expected, actual] =
        for ets <- [:ets, Etsunami], do: outcome(ets, fold, [fn _, _ -> 1 end, 1, table])

      assert_same(reason(expected), reason(actual), {fold, table})
    end
  end

  test "a table of the other module" do
    table = :ets.new(:table, [:public])
    assert_badarg Etsunami.lookup(table, 1)
    assert_badarg Etsunami.info(table)
    :ets.delete(table)

    table = Etsunami.new(:table, [:public])
    assert_badarg :ets.lookup(table, 1)
    assert_badarg :ets.info(table)
    Etsunami.delete(table)
  end

  test "names and options for new/2" do
    for name <- terms(), options <- [[], [:set], [:unknown], :set] do
      compare_new(name, options)
    end

    for options <- terms(), do: compare_new(:table, options)
  end

  test "names for whereis/1" do
    for name <- terms() do
      [expected, actual] = for ets <- [:ets, Etsunami], do: outcome(ets, :whereis, [name])
      assert_same(expected, actual, {:whereis, name})
    end
  end

  test "continuations" do
    for function <- [:select, :select_reverse, :match, :match_object], term <- terms() do
      [expected, actual] = for ets <- [:ets, Etsunami], do: outcome(ets, function, [term])
      assert_same(expected, actual, {function, term})
    end
  end

  test "specifications that are compiled, and lists for them" do
    for spec <- specs() do
      [expected, actual] =
        for ets <- [:ets, Etsunami], do: outcome(ets, :match_spec_compile, [spec])

      [expected, actual] =
        for outcome <- [expected, actual] do
          with {:ok, reference} when is_reference(reference) <- outcome, do: :compiled
        end

      assert_same(expected, actual, {:match_spec_compile, spec})
    end

    for spec <- [[{{:"$1", :_}, [], [:"$1"]}], [{:"$1", [], [:"$1"]}]], list <- terms() do
      [expected, actual] =
        for ets <- [:ets, Etsunami] do
          outcome(ets, :match_spec_run, [list, ets.match_spec_compile(spec)])
        end

      assert_same(reason(expected), reason(actual), {:match_spec_run, list})
    end

    for term <- terms() do
      assert Etsunami.is_compiled_ms(term) == :ets.is_compiled_ms(term)

      [expected, actual] =
        for ets <- [:ets, Etsunami], do: reason(outcome(ets, :match_spec_run, [[], term]))

      assert_same(expected, actual, {:match_spec_run, term})
    end
  end

  test "functions for folding" do
    for fold <- [:foldl, :foldr], function <- terms() ++ [fn _ -> 1 end, &{&1, &2, &3}] do
      [expected, actual] =
        for ets <- [:ets, Etsunami] do
          table = ets.new(:table, [])
          empty = outcome(ets, fold, [function, :acc, table])
          ets.insert(table, {1})
          full = outcome(ets, fold, [function, :acc, table])
          assert ets.info(table, :safe_fixed) == false
          ets.delete(table)
          {reason(empty), reason(full)}
        end

      assert_same(expected, actual, {fold, function})
    end
  end

  test "the explanation names the function and its arguments" do
    table = Etsunami.new(:table, [])

    for {function, arguments} <- [
          insert: [table, :no_object],
          new: ["name", []],
          setopts: [table, :wrong],
          foldl: [&[&1 | &2], [], @missing_name],
          foldr: [&[&1 | &2], [], @missing_name],
          tab2list: [@missing_name],
          delete_all_objects: [@missing_name],
          info: [table, :unknown],
          info: ["table", :stats],
          delete: ["table"],
          delete: ["table", 1]
        ] do
      {:raised, :error, :badarg, [{module, name, passed, info} | _callers]} =
        attempt(Etsunami, function, arguments)

      assert {module, name, passed} == {Etsunami, function, arguments}
      assert info[:error_info].module == ErrorInfo
      assert map_size(ErrorInfo.format_error(:badarg, [{module, name, passed, info}])) > 0
    end

    Etsunami.delete(table)
  end

  # The same call for a table of each module. A table that has been changed is not used again.

  defp compare({function, arguments} = call, {tables, differences}, options) do
    [expected, actual] =
      for {ets, table} <- tables do
        before = state(ets, table)
        result = outcome(ets, function, [table | arguments])
        later = state(ets, table)

        if match?({:raised, _kind, _reason, _explanation}, result) do
          assert later == before,
                 "#{inspect(ets)}.#{inspect(call)} has failed and changed the table"
        end

        result = normalize(result, table, options, function, arguments)
        {result, later, {ets, if(later == before, do: table, else: renewed(ets, table, options))}}
      end

    found =
      difference(elem(expected, 0), elem(actual, 0), call) ++
        difference(elem(expected, 1), elem(actual, 1), {:"the table after", call})

    {[elem(expected, 2), elem(actual, 2)], found ++ differences}
  end

  defp renewed(ets, table, options) do
    if ets.info(table) != :undefined, do: ets.delete(table)
    filled(ets, options)
  end

  defp filled(ets, options) do
    table = ets.new(:table, options)

    for object <- [{1, 10, 100}, {:a, 20, :b}, {:b, 30}, {10, 1, 5}, {:c, :a, 7}] do
      ets.insert(table, object)
    end

    table
  end

  defp state(ets, table) do
    if ets.info(table) == :undefined do
      :undefined
    else
      items = [:size, :owner, :heir, :name, :protection, :keypos, :type, :safe_fixed]
      {contents(ets, table), for(item <- items, do: time_out(ets.info(table, item)))}
    end
  end

  defp time_out({_time, fixations}) when is_list(fixations), do: fixations
  defp time_out(other), do: other

  defp compare_new(name, options) do
    [expected, actual] =
      for ets <- [:ets, Etsunami] do
        case outcome(ets, :new, [name, options]) do
          {:ok, table} ->
            ets.delete(table)
            :ok

          error ->
            error
        end
      end

    assert_same(expected, actual, {:new, [name, options]})
  end

  # The table belongs to another process, which looks after it that nothing changes.
  defp foreign(ets, options, function, arguments) do
    helper = start_helper()

    table = ask(helper, fn -> filled(ets, options) end)

    look = fn -> state(ets, table) end
    before = ask(helper, look)
    result = outcome(ets, function, [table | arguments])
    if match?({:raised, _, _, _}, result), do: assert(ask(helper, look) == before)
    stop(helper)
    normalize(result, table, options, function, arguments)
  end

  # What came of a call

  defp outcome(ets, function, arguments) do
    case attempt(ets, function, arguments) do
      {:ok, result} ->
        {:ok, result}

      {:raised, kind, reason, stack} ->
        {:raised, kind, reason, explanation({function, length(arguments)}, stack)}
    end
  end

  defp attempt(ets, function, arguments) do
    {:ok,
     if(ets == :ets, do: Newest.call(function, arguments), else: apply(ets, function, arguments))}
  catch
    kind, reason -> {:raised, kind, reason, __STACKTRACE__}
  end

  # What a fold, or a function that stands in for a new one, calls within is not explained alike.
  defp explanation({function, arity}, [{:ets, function, arguments, _info} | _callers] = stack)
       when length(arguments) == arity do
    :erl_stdlib_errors.format_error(:badarg, stack)
  rescue
    # It trips over an improper list of operations.
    FunctionClauseError -> %{}
  end

  defp explanation({function, arity}, [{Etsunami, function, arguments, _info} | _] = stack)
       when length(arguments) == arity do
    ErrorInfo.format_error(:badarg, stack)
  end

  defp explanation(_call, _stack), do: :unknown

  defp assert_same(expected, actual, call) do
    assert difference(expected, actual, call) == []
  end

  defp difference(expected, actual, call) do
    case comparable(expected, actual) do
      {same, same} ->
        []

      {expected, actual} ->
        call = inspect(call, limit: 20)
        ["#{call} answers #{inspect(actual)} instead of #{inspect(expected)}"]
    end
  end

  # Where there is no explanation to compare with, the reason is all.
  defp comparable({:raised, _, _, :unknown} = expected, actual) do
    {reason(expected), reason(actual)}
  end

  defp comparable(expected, actual), do: {expected, actual}

  defp reason({:raised, kind, reason, _explanation}), do: {:raised, kind, reason}
  defp reason(other), do: other

  # The identifier of a table, and what lies in its hashed order, differ by nature.
  defp normalize({:ok, table}, table, _options, _function, _arguments), do: {:ok, :table}

  defp normalize({:ok, info}, _table, _options, :info, []) when is_list(info) do
    {:ok, Keyword.drop(info, [:id, :memory, :owner])}
  end

  # Where the objects have no order, a chunk has some of them.
  defp normalize({:ok, {list, next}}, _table, [type | _], _function, [_spec, _limit])
       when is_list(list) do
    next = if next == :"$end_of_table", do: next, else: :continuation
    {:ok, if(type == :ordered_set, do: {list, next}, else: {:chunk, length(list)})}
  end

  defp normalize({:ok, list}, _table, [type | _], function, [_spec])
       when type != :ordered_set and function in [:select, :select_reverse, :match, :match_object] do
    {:ok, Enum.sort(list)}
  end

  defp normalize({:ok, objects}, _table, _options, :tab2list, []), do: {:ok, Enum.sort(objects)}

  defp normalize({:ok, _found}, _table, [type | _], function, _arguments)
       when type != :ordered_set and
              function in [
                :first,
                :last,
                :next,
                :prev,
                :first_lookup,
                :last_lookup,
                :next_lookup,
                :prev_lookup,
                :slot
              ] do
    {:ok, :some_key_or_slot}
  end

  defp normalize(result, _table, _options, _function, _arguments), do: result
end
