defmodule Etsunami.Parity.OwnerTest do
  use Etsunami.EtsCase, async: false

  describe "the end of the owner" do
    table_test "is the end of its tables", %{ets: ets, options: options} do
      for how <- [:normal, :kill, :shutdown] do
        helper = start_helper()
        table = ask(helper, fn -> new_with_objects(ets, options) end)
        identifier = ets.info(table, :id)
        assert ets.info(table, :owner) == helper
        stop(helper, how)

        assert ets.info(table) == :undefined
        assert ets.info(identifier) == :undefined
        assert_badarg ets.lookup(table, 1)
        assert_badarg ets.insert(identifier, {1})
        refute table in ets.all()
        if is_atom(table), do: assert(ets.whereis(table) == :undefined)
      end
    end

    table_test "has come to pass for all who see it", %{ets: ets, options: options} do
      # By a monitor and by a link, from several processes at once.
      for _round <- 1..5 do
        helper = start_helper()
        table = ask(helper, fn -> new_with_objects(ets, options) end)

        watchers =
          for kind <- [:monitor, :link, :monitor, :link] do
            watcher = start_helper()
            ask(watcher, fn -> watch(kind, helper) end)
            watcher
          end

        Process.exit(helper, :kill)

        for watcher <- watchers do
          assert ask(watcher, fn ->
                   receive do
                     {:DOWN, _reference, :process, ^helper, _reason} -> ets.info(table)
                     {:EXIT, ^helper, _reason} -> ets.info(table)
                   end
                 end) == :undefined

          stop(watcher)
        end
      end
    end

    table_test "frees the name at once", %{ets: ets, type: type} do
      name = unique_name()

      for n <- 1..20 do
        helper = start_helper()
        ask(helper, fn -> ets.new(name, [:named_table, type]) end)
        stop(helper, :kill)
        assert ets.new(name, [:named_table, type]) == name
        assert ets.info(name, :owner) == self()
        ets.insert(name, {n})
        assert ets.tab2list(name) == [{n}]
        ets.delete(name)
      end
    end

    table_test "ends all of them", %{ets: ets, options: options} do
      helper = start_helper()

      tables = ask(helper, fn -> for _table <- 1..100, do: new_with_objects(ets, options) end)

      stop(helper, :kill)
      for table <- tables, do: assert(ets.info(table, :owner) == :undefined)
      assert tables -- tables -- ets.all() == []
    end
  end

  describe "an heir" do
    table_test "gets the table and a message", %{ets: ets, options: options} do
      for how <- [:normal, :kill] do
        helper = start_helper()
        me = self()
        data = %{some: [:data, 1.5, "binary"]}
        heir = [{:heir, me, data}]
        table = ask(helper, fn -> new_with_objects(ets, options ++ heir) end)
        assert ets.info(table, :heir) == me
        stop(helper, how)

        assert_receive {:"ETS-TRANSFER", ^table, ^helper, ^data}
        assert ets.info(table, :owner) == me
        assert ets.info(table, :heir) == me
        assert ets.info(table, :size) == 100
        assert ets.lookup(table, 1) == [{1}]
        assert ets.insert(table, {:new})
        assert ets.delete(table)
      end
    end

    table_test "owns the table as soon as the end is seen", %{ets: ets, options: options} do
      heir = start_helper()
      owner = start_helper()
      table = ask(owner, fn -> new_with_objects(ets, options ++ [{:heir, heir, :data}]) end)
      stop(owner, :kill)
      assert ets.info(table, :owner) == heir
      assert table in ets.all()

      assert ask(heir, fn ->
               receive do
                 {:"ETS-TRANSFER", ^table, ^owner, :data} -> ets.lookup(table, 1)
               end
             end) == [{1}]

      stop(heir)
      assert ets.info(table) == :undefined
    end

    table_test "gets no message without data",
               [differs: :heir_without_data],
               %{ets: ets, options: options} do
      helper = start_helper()
      me = self()
      table = ask(helper, fn -> new_with_objects(ets, options ++ [heir: me]) end)
      assert ets.info(table, :heir) == me
      stop(helper, :kill)
      assert ets.info(table, :owner) == me
      refute_receive {:"ETS-TRANSFER", _table, _pid, _data}, 20
      assert ets.delete(table)
    end

    table_test "that has ended inherits nothing", %{ets: ets, options: options} do
      heir = start_helper()
      owner = start_helper()
      table = ask(owner, fn -> new_with_objects(ets, options ++ [{:heir, heir, :data}]) end)
      stop(heir, :kill)
      stop(owner, :kill)
      assert ets.info(table) == :undefined
    end

    table_test "may have ended before", %{ets: ets, options: options} do
      heir = start_helper()
      stop(heir)
      table = ets.new(unique_name(), options ++ [{:heir, heir, :data}])
      assert ets.info(table, :heir) in [:none, heir]
      ets.delete(table)
    end

    table_test "may be the owner itself", %{ets: ets, options: options} do
      owner = start_helper()

      table = ask(owner, fn -> new_with_objects(ets, options ++ [{:heir, self(), :data}]) end)

      assert ets.info(table, :heir) == owner
      stop(owner)
      assert ets.info(table) == :undefined
    end

    table_test "is not asked when the table is deleted", %{ets: ets, options: options} do
      table = ets.new(unique_name(), options ++ [{:heir, self(), :data}])
      ets.delete(table)
      refute_receive {:"ETS-TRANSFER", _table, _pid, _data}, 5
    end

    table_test "of many tables gets all of them", %{ets: ets, options: options} do
      owner = start_helper()
      me = self()

      tables =
        ask(owner, fn ->
          for n <- 1..50, do: new_with_objects(ets, options ++ [{:heir, me, n}])
        end)

      stop(owner, :kill)

      for {table, n} <- Enum.with_index(tables, 1) do
        assert_receive {:"ETS-TRANSFER", ^table, ^owner, ^n}
        assert ets.info(table, :owner) == me
        ets.delete(table)
      end
    end
  end

  describe "give_away/3" do
    table_test "makes another process the owner", %{ets: ets, options: options} = context do
      table = new_table(context)
      ets.insert(table, {:object})
      me = self()
      helper = start_helper()
      gift = {:gift, [make_ref()], "data"}
      assert ets.give_away(table, helper, gift) == true
      assert ets.info(table, :owner) == helper

      assert ask(helper, fn ->
               receive do
                 {:"ETS-TRANSFER", ^table, ^me, ^gift} -> ets.lookup(table, :object)
               end
             end) == [{:object}]

      if :private in options, do: assert_badarg(ets.lookup(table, :object))
      if :public not in options, do: assert_badarg(ets.insert(table, {:other}))
      assert ask(helper, fn -> ets.insert(table, {:other}) end)
      assert_badarg ets.give_away(table, me, gift)
      stop(helper)
      assert ets.info(table) == :undefined
    end

    table_test "lets the giver end", %{ets: ets, options: options} do
      me = self()
      helper = start_helper()

      table =
        ask(helper, fn ->
          table = new_with_objects(ets, options)
          ets.give_away(table, me, :gift)
          table
        end)

      stop(helper, :kill)
      assert_receive {:"ETS-TRANSFER", ^table, ^helper, :gift}
      assert ets.lookup(table, 1) == [{1}]
      ets.delete(table)
    end

    table_test "keeps the heir", %{ets: ets, options: options} do
      helper = start_helper()
      table = ets.new(unique_name(), options ++ [{:heir, self(), :data}])
      ets.give_away(table, helper, :gift)
      assert ets.info(table, :heir) == self()
      stop(helper)
      assert_receive {:"ETS-TRANSFER", ^table, ^helper, :data}
      ets.delete(table)
    end

    table_test "fails for wrong processes", %{ets: ets, table: table} do
      ended = start_helper()
      stop(ended)

      for pid <- [self(), ended, :name, nil, make_ref(), 1, "pid"] do
        assert_badarg ets.give_away(table, pid, :gift)
      end

      assert ets.info(table, :owner) == self()
    end
  end

  describe "setopts/2" do
    table_test "changes the heir", %{ets: ets, options: options} do
      me = self()
      helper = start_helper()
      table = ask(helper, fn -> new_with_objects(ets, options) end)

      for options <- [{:heir, me, :one}, [{:heir, me, :two}], [{:heir, :none}], {:heir, me, 3}] do
        assert ask(helper, fn -> ets.setopts(table, options) end) == true
      end

      assert ets.info(table, :heir) == me
      stop(helper)
      assert_receive {:"ETS-TRANSFER", ^table, ^helper, 3}
      assert ets.setopts(table, {:heir, :none}) == true
      assert ets.info(table, :heir) == :none
      ets.delete(table)
    end

    table_test "changes the access", %{ets: ets} = context do
      table = new_table(context)

      for access <- [:private, :public, :protected] do
        assert ets.setopts(table, {:protection, access})
        assert ets.info(table, :protection) == access
      end

      assert ets.setopts(table, [{:protection, :private}, {:heir, self(), 1}])
      assert ets.info(table, :protection) == :private
      assert_badarg in_process(fn -> ets.lookup(table, 1) end)
      assert ets.setopts(table, [{:heir, :none}, {:protection, :public}])
      assert in_process(fn -> ets.lookup(table, 1) end) == []
      ets.delete(table)
    end

    table_test "needs nothing to change", %{ets: ets, table: table} do
      assert ets.setopts(table, []) == true
    end

    table_test "fails with wrong options", %{ets: ets, table: table} do
      me = self()

      for options <- [
            :heir,
            {:heir},
            {:heir, :name},
            {:heir, :none, 1},
            {:heir, :name, 1},
            {:heir, 1, 1},
            {:heir, me, 1, 1},
            [{:heir, :none}, {:heir, :none}],
            [{:heir, :none}, {:heir, me, 1}],
            {:protection, :open},
            {:protection, :public, 1},
            [{:protection, :public}, {:protection, :public}],
            {:keypos, 2},
            [:public],
            [{:heir, :none} | :tail],
            [{:heir, :none}, :unknown],
            "",
            1
          ] do
        assert_badarg ets.setopts(table, options)
      end

      assert ets.info(table, :heir) == :none
    end

    table_test "is for the owner alone", %{ets: ets, options: options, table: table} do
      protection = ets.info(table, :protection)
      me = self()

      for change <- [{:heir, me, 1}, {:heir, :none}, {:protection, :public}, []] do
        assert_badarg in_process(fn -> ets.setopts(table, change) end)
      end

      assert ets.info(table, :heir) == :none
      assert ets.info(table, :protection) == protection
      assert protection in options or protection == :protected
    end
  end

  describe "the access of others" do
    table_test "is what the option says", %{ets: ets, options: options, table: table} do
      ets.insert(table, {:key, 1})

      reads = [
        fn -> ets.lookup(table, :key) end,
        fn -> ets.member(table, :key) end,
        fn -> ets.lookup_element(table, :key, 2) end,
        fn -> ets.first(table) end,
        fn -> ets.last(table) end,
        fn -> ets.next(table, :key) end,
        fn -> ets.prev(table, :key) end,
        fn -> ets.tab2list(table) end,
        fn -> ets.foldl(fn _, acc -> acc end, 1, table) end,
        fn -> ets.foldr(fn _, acc -> acc end, 1, table) end,
        fn -> ets.slot(table, 0) end,
        fn -> ets.safe_fixtable(table, true) end
      ]

      writes = [
        fn -> ets.insert(table, {:key, 2}) end,
        fn -> ets.insert(table, [{:key, 2}, {:key, 3}]) end,
        fn -> ets.insert(table, []) end,
        fn -> ets.insert_new(table, {:new, 2}) end,
        fn -> ets.insert_new(table, []) end,
        fn -> ets.take(table, :never) end,
        fn -> ets.delete(table, :never) end,
        fn -> ets.delete_object(table, {:never}) end,
        fn -> ets.delete_all_objects(table) end
      ]

      # A private table is closed to others, a protected one to their writing.
      for {calls, allowed?} <- [
            {reads, :private not in options},
            {writes, :public in options}
          ],
          call <- calls do
        assert allowed?(call) == allowed?
      end

      unless :public in options, do: assert(ets.tab2list(table) == [{:key, 1}])
      assert ets.info(table, :safe_fixed) == false
    end

    table_test "to counters is what the option says", [types: [:set, :ordered_set]], %{
      ets: ets,
      options: options,
      table: table
    } do
      ets.insert(table, {:key, 1})

      for call <- [
            fn -> ets.update_counter(table, :key, 1) end,
            fn -> ets.update_counter(table, :key, 1, {:key, 1}) end,
            fn -> ets.update_element(table, :key, {2, 1}) end
          ] do
        assert allowed?(call) == :public in options
      end

      assert_badarg in_process(fn -> ets.rename(table, "no atom") end)
    end
  end

  defp allowed?(call) do
    in_process(fn ->
      call.()
      true
    end)
  rescue
    ArgumentError -> false
  end

  defp new_with_objects(ets, options) do
    table = ets.new(unique_name(), options)
    ets.insert(table, for(n <- 1..100, do: {n}))
    table
  end

  defp watch(:monitor, pid), do: Process.monitor(pid)

  defp watch(:link, pid) do
    Process.flag(:trap_exit, true)
    Process.link(pid)
  end
end
