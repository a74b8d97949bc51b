defmodule Etsunami.Model.RegressionsTest do
  @moduledoc """
  What random programs (`ci/model.sh`) have found, each as small as it can be.
  """

  use Etsunami.EtsCase, async: false

  @sets [:set, :ordered_set]
  @hashed [:set, :bag, :duplicate_bag]

  table_test "an heir that has died is still told", %{ets: ets, options: options} do
    heir = start_helper()
    table = ets.new(unique_name(), options ++ [{:heir, heir, :data}])
    stop(heir, :kill)
    assert ets.info(table, :heir) == heir
    ets.delete(table)
  end

  table_test "a deleted key is unknown when the table is released, however many there are",
             [types: @hashed],
             %{ets: ets, table: table} do
    ets.insert(table, for(n <- 0..600, do: {n}))
    ets.safe_fixtable(table, true)
    for n <- 0..600, do: ets.delete(table, n)
    assert ets.next(table, 0) == :"$end_of_table"
    ets.safe_fixtable(table, false)
    for n <- 0..600, do: assert_badarg(ets.next(table, n))
  end

  table_test "an object that looks like an exception is verified as any other",
             [variants: [[]]],
             %{ets: ets, table: table} do
    file = Etsunami.Files.path()
    ets.insert(table, [{:EXIT, 1}, {1, :EXIT}])
    :ok = ets.tab2file(table, file, extended_info: [:md5sum])
    assert {:ok, copy} = Etsunami.file2tab(file, verify: true)
    assert Enum.sort(Etsunami.tab2list(copy)) == [{1, :EXIT}, {:EXIT, 1}]
    # The accepted difference is still one.
    assert {:error, :checksum_error} = :ets.file2tab(file, verify: true)
    Etsunami.delete(copy)
  end

  table_test "nothing matches a specification without clauses", %{ets: ets, table: table} do
    ets.insert(table, {1})
    assert ets.select(table, []) == []
    assert ets.select(table, [], 1) == :"$end_of_table"
    assert ets.select_reverse(table, []) == []
    assert ets.select_count(table, []) == 0
    assert ets.select_delete(table, []) == 0
  end

  # Before OTP 27 the virtual machine may die of this with :ets.
  @tag subject: Etsunami
  test "a map with constant values and computed keys is made" do
    table = Etsunami.new(:table, [])
    object = {1, [2], %{3 => 4}}
    Etsunami.insert(table, object)
    assert Etsunami.select(table, [{:"$1", [], [%{"$1": 8}]}]) == [%{object => 8}]
    spec = [{{:"$1", :"$2", :_}, [], [%{{{:"$2"}} => :ok, :"$$" => 8}]}]
    assert Etsunami.select(table, spec) == [%{[1, [2]] => 8, {[2]} => :ok}]
  end

  table_test "a specification without clauses replaces nothing",
             [types: [:duplicate_bag | @sets]],
             %{ets: ets, table: table} do
    ets.insert(table, {1})
    assert ets.select_replace(table, []) == 0
  end

  table_test "the node of a local process is known to a specification", %{
    ets: ets,
    table: table
  } do
    ets.insert(table, {1, self()})
    assert ets.select(table, [{{1, :"$1"}, [], [{:node, :"$1"}]}]) == [node()]
    assert ets.select(table, [{{1, :_}, [], [{:node, {:self}}]}]) == [node()]
  end

  @tag subject: Etsunami
  test "a reader does not find less in a table that is being deleted" do
    for _round <- 1..2000 do
      table = Etsunami.new(:table, [:public])
      Etsunami.insert(table, {1})
      parent = self()

      reader =
        :erlang.spawn_opt(fn -> send(parent, {self(), read(table)}) end, [
          {:scheduler, :erlang.system_info(:schedulers_online)}
        ])

      Etsunami.delete(table)
      assert_receive {^reader, seen}
      assert Enum.all?(seen, &(&1 in [[{1}], :badarg]))
    end
  end

  defp read(table) do
    for _time <- 1..20, do: lookup(table)
  end

  defp lookup(table) do
    Etsunami.lookup(table, 1)
  rescue
    ArgumentError -> :badarg
  end

  table_test "a table is not given to what is no process, and that is the first complaint",
             [variants: [[:public]]],
             %{ets: ets, table: table} do
    {dead, monitor} = spawn_monitor(fn -> :ok end)
    assert_receive {:DOWN, ^monitor, :process, ^dead, _reason}

    for {process, complaint} <- [{17, "not a pid"}, {dead, "terminated process"}] do
      message = in_process(fn -> message(fn -> ets.give_away(table, process, :gift) end) end)
      assert message =~ complaint
    end
  end

  table_test "a name that is taken is what is wrong with it", [variants: [[:named_table]]], %{
    ets: ets,
    table: table
  } do
    other = ets.new(unique_name(), [:named_table])
    assert message(fn -> ets.rename(table, other) end) =~ "table name already exists"
    ets.delete(other)
  end

  table_test "a private table of many chunks goes to no dets table",
             [variants: [[:private]]],
             %{ets: ets, table: table} do
    ets.insert(table, for(n <- 1..300, do: {n}))
    file = Path.join(System.tmp_dir!(), "etsunami-#{System.unique_integer([:positive])}")

    {:ok, dets} = :dets.open_file(:"dets #{file}", file: String.to_charlist(file), ram_file: true)

    try do
      assert_badarg ets.to_dets(table, dets)
    after
      :dets.close(dets)
      File.rm(file)
    end
  end

  # The exception's words about its arguments.
  defp message(function) do
    function.()
  rescue
    error in ArgumentError ->
      Exception.message(Exception.normalize(:error, error, __STACKTRACE__))
  end
end
