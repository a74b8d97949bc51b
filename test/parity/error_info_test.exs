defmodule Etsunami.Parity.ErrorInfoTest do
  # Every exported function, with good and wrong arguments, for tables in every condition: both
  # modules succeed, or fail alike: with the same reason, cause and words.
  use Etsunami.EtsCase, async: false

  alias Etsunami.{Newest, WrongCalls}

  @moduletag :library
  @types [:set, :ordered_set, :bag, :duplicate_bag]
  @conditions [
    :mine,
    :deleted,
    :deleted_name,
    :no_name,
    :no_table,
    :no_term,
    :private,
    :protected
  ]

  setup do
    owners = for ets <- [:ets, Etsunami], into: %{}, do: {ets, start_helper()}

    for {ets, owner} <- owners,
        do: ask(owner, fn -> ets.new(:a_name_that_is_taken, [:named_table]) end)

    on_exit(fn -> for {_ets, owner} <- owners, do: stop(owner) end)
    %{owners: owners}
  end

  test "no function is forgotten" do
    assert WrongCalls.forgotten(:ets) == []
    ours = [explain: 2, info: 0, __info__: 1, "MACRO-fun2ms": 2]
    assert WrongCalls.forgotten(Etsunami) -- ours == []
  end

  for type <- @types, condition <- @conditions do
    test "functions of tables (#{type}, #{condition})", %{owners: owners} do
      failing =
        for {function, roles} <- WrongCalls.table_functions(),
            arguments <- WrongCalls.arguments(roles) do
          compare(function, fn ets ->
            table = table(ets, unquote(condition), unquote(type), owners[ets])
            {table, Enum.map(arguments, &if(&1 == :table, do: table, else: &1))}
          end)
        end

      assert_none(failing)
    end
  end

  test "functions without a table" do
    failing =
      for {function, roles} <- WrongCalls.other_functions(),
          arguments <- WrongCalls.arguments(roles) do
        compare(function, fn _ets -> {nil, arguments} end)
      end

    assert_none(failing)
  end

  defp assert_none(failing) do
    {failing, count} = {List.flatten(failing), length(failing)}
    shown = failing |> Enum.take(30) |> Enum.join("\n\n")
    assert failing == [], "#{length(failing)} of #{count} calls differ\n\n#{shown}"
  end

  # The table of a call

  defp table(ets, :mine, type, _owner), do: filled(ets, [type])
  defp table(_ets, :no_name, _type, _owner), do: :no_table_has_this_name
  defp table(_ets, :no_table, _type, _owner), do: make_ref()
  defp table(_ets, :no_term, _type, _owner), do: {:no, "table"}
  defp table(ets, access, type, owner), do: ask(owner, fn -> foreign(ets, access, type) end)

  defp foreign(ets, :deleted, type) do
    table = filled(ets, [type])
    ets.delete(table)
    table
  end

  defp foreign(ets, :deleted_name, type) do
    ets.delete(filled(ets, [type, :named_table]))
    :the_table
  end

  defp foreign(ets, access, type), do: filled(ets, [type, access])

  defp filled(ets, options) do
    table = ets.new(:the_table, options)
    ets.insert(table, {1, 2})
    table
  end

  # One call of each module

  defp compare(function, prepare) do
    [expected, actual] =
      for ets <- [:ets, Etsunami] do
        {table, arguments} = prepare.(ets)
        outcome = outcome(ets, function, arguments)
        clean_up(ets, table, outcome)
        {without(outcome, table), arguments}
      end

    difference(function, expected, actual)
  end

  defp clean_up(ets, table, outcome) do
    for made <- [table, created(outcome)], made != nil, mine?(ets, made), do: ets.delete(made)
  end

  defp created({:ok, result}) when is_reference(result) or is_atom(result), do: result
  defp created(_outcome), do: nil

  defp mine?(ets, table) do
    ets.info(table, :owner) == self()
  rescue
    ArgumentError -> false
  end

  defp difference(_function, {same, _}, {same, _}), do: []

  # What runs inside the function of `:ets` has its own explanation, or none.
  defp difference(_function, {{:raised, class, reason, :inner}, _}, {{_, class, reason, _}, _}),
    do: []

  defp difference(function, {expected, _}, {actual, arguments}) do
    call = "#{function}(#{Enum.map_join(arguments, ", ", &inspect/1)})"
    ["#{call}\n  :ets     #{inspect(expected)}\n  Etsunami #{inspect(actual)}"]
  end

  defp outcome(ets, function, arguments) do
    {:ok, call(ets, function, arguments)}
  catch
    class, reason ->
      {:raised, class, bare(reason),
       explanation(ets, function, arguments, reason, __STACKTRACE__)}
  end

  defp call(:ets, function, arguments), do: Newest.call(function, arguments)
  defp call(ets, function, arguments), do: apply(ets, function, arguments)

  # Without the stack that an exit may carry.
  defp bare({reason, [{module, _, _, _} | _callers]}) when is_atom(module), do: reason
  defp bare(reason), do: reason

  # Cause and words: those of the function that was called, not of one inside.
  defp explanation(ets, function, arguments, reason, [{ets, name, arguments, info} | _] = stack)
       when name == function and reason in [:badarg, :system_limit] do
    message = Exception.message(Exception.normalize(:error, reason, stack))
    {blamed, _stack} = Exception.blame(:error, reason, stack)
    erlang = :erl_error.format_exception(:error, reason, Enum.take(stack, 1))
    lines = Regex.scan(~r/\*\*\* argument.*/, IO.iodata_to_binary(erlang))
    {cause(info), message, Exception.message(blamed), lines}
  end

  defp explanation(_ets, _function, _arguments, _reason, _stack), do: :inner

  defp cause(info), do: info |> Keyword.get(:error_info, %{}) |> Map.get(:cause)

  # What a table or a query handle is, is different by nature.
  defp without({:ok, result}, _table), do: {:ok, if(plain?(result), do: result, else: :something)}
  defp without(raised, _table), do: raised

  defp plain?(result), do: is_boolean(result) or result in [:"$end_of_table", :undefined]
end
