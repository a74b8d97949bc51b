defmodule Etsunami.Parity.BadFileInputTest do
  # The functions for files, dets and queries with every kind of wrong argument: both modules
  # answer the same or fail in the same way, with the same explanation.
  use Etsunami.EtsCase, async: false

  alias Etsunami.Files

  @moduletag :library

  @terms [
    0,
    1,
    -1,
    1.0,
    :a,
    nil,
    true,
    :"$end_of_table",
    "",
    "binary",
    <<1::3>>,
    [],
    [1],
    [:a | :b],
    ~c"a",
    {},
    {:a},
    {:a, :b},
    [{:a, :b}],
    [{:verify, :maybe}],
    [{:sync, 1}],
    [sync: true, sync: false],
    [{:extended_info, {}}],
    [{:extended_info, [:md5sum, 1]}],
    [{:n_objects, 0}],
    [{:traverse, {:select, :none}}],
    [{:traverse, :select}, {:lookup_fun, 1}],
    [verify: true, verify: false],
    %{},
    %{a: 1}
  ]

  test "wrong tables" do
    file = Files.path()
    reference = make_ref()

    for table <- [reference | @terms],
        {function, arguments} <- [
          tab2file: [table, file],
          tab2file: [table, file, [sync: true]],
          tab2file: [table, file, [:unknown]],
          init_table: [table, fn :read -> :end_of_input end],
          to_dets: [table, :no_dets],
          from_dets: [table, :no_dets],
          table: [table, [n_objects: 0]],
          i: [table, 1, 1]
        ] do
      same(function, arguments, & &1)
      refute File.exists?(file)
    end

    # A query handle has functions in it.
    for table <- [reference | @terms], do: same(:table, [table], &is_tuple/1)
  end

  test "wrong names of files" do
    # Those of the terms that are no names. Numbers and atoms in a list are one.
    names = for term <- @terms, not is_atom(term), term not in [[1], [:a | :b], ~c"a"], do: term

    for name <- names do
      with_tables(fn table -> {:tab2file, [table, name]} end, &file_alone/1)
      same(:file2tab, [name], & &1)
      same(:tabfile_info, [name], & &1)
    end

    for name <- [:"", :no_such_file, ~c"no such file", ~c""] do
      same(:file2tab, [name], & &1)
      same(:tabfile_info, [name], & &1)
    end
  end

  test "wrong options" do
    file = Files.path()

    for options <- @terms do
      with_tables(fn table -> {:tab2file, [table, file, options]} end, & &1)
      with_tables(fn table -> {:table, [table, options]} end, &is_tuple/1)
    end

    table = :ets.new(:written, [])
    :ets.insert(table, for(n <- 1..10, do: {n}))
    :ok = :ets.tab2file(table, file)
    for options <- @terms, do: same(:file2tab, [file, options], &made(&1))

    # A table that is none is deleted like one that could not be filled.
    for target <- [1, "binary", :no_such_table, make_ref()] do
      same(:file2tab, [file, [table: target]], & &1)
    end
  end

  test "wrong functions" do
    for function <- @terms, function != [] do
      with_tables(fn table -> {:init_table, [table, function]} end, & &1)
    end

    for answer <- @terms do
      with_tables(fn table -> {:init_table, [table, fn :read -> answer end]} end, & &1)
    end

    last = fn :read -> :end_of_input end

    for objects <- @terms do
      call = fn table -> {:init_table, [table, fn :read -> {objects, last} end]} end
      with_tables(call, & &1)
    end
  end

  # A new table is not the same in both.
  defp made({:ok, _table}), do: :ok
  defp made(answer), do: answer

  defp with_tables(call, view) do
    [theirs, ours] =
      for ets <- [:ets, Etsunami] do
        table = ets.new(:table, [:public])
        {function, arguments} = call.(table)
        outcome = outcome(ets, function, arguments, view)
        if ets.info(table) != :undefined, do: ets.delete(table)
        {outcome, function, arguments}
      end

    assert elem(ours, 0) == elem(theirs, 0), inspect(ours)
  end

  defp same(function, arguments, view) do
    ours = outcome(Etsunami, function, arguments, view)
    assert {arguments, ours} == {arguments, outcome(:ets, function, arguments, view)}
  end

  # The difference `:log_is_truncated`: one option more.
  defp file_alone({:error, {:badarg, [{:file, _} = file | _options]}}), do: {:error, file}
  defp file_alone(other), do: other

  # The result, or what was raised with its explanation.
  defp outcome(ets, function, arguments, view) do
    {:ok, view.(apply(ets, function, arguments))}
  catch
    :error, reason ->
      {error, _stack} = Exception.blame(:error, reason, __STACKTRACE__)
      {:error, reason(reason), explanation(error)}

    :exit, reason ->
      {:exit, reason(reason)}
  end

  # An exit may have a stack in it.
  defp reason({reason, [{_module, _function, _arity, _info} | _callers]}), do: reason
  defp reason(reason), do: reason

  defp explanation(%ArgumentError{message: message}), do: message
  defp explanation(error), do: error.__struct__
end
