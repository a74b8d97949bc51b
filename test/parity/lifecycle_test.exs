defmodule Etsunami.Parity.LifecycleTest do
  use Etsunami.EtsCase, async: false

  describe "new/2" do
    table_test "returns an identifier or the name", %{ets: ets, options: options, table: table} do
      if :named_table in options do
        assert is_atom(table)
        assert is_reference(ets.whereis(table))
      else
        assert is_reference(table)
        assert ets.info(table, :id) == table
      end
    end

    table_test "makes different tables of one name", %{ets: ets, options: options} do
      if :named_table not in options do
        tables = for _time <- 1..10, do: ets.new(:name, options)
        assert tables |> Enum.uniq() |> length() == 10
        for {table, n} <- Enum.with_index(tables), do: ets.insert(table, {n})
        for {table, n} <- Enum.with_index(tables), do: assert(ets.tab2list(table) == [{n}])
        Enum.each(tables, &ets.delete/1)
      end
    end

    table_test "fails for a name in use", %{ets: ets} do
      name = unique_name()
      assert ets.new(name, [:named_table]) == name
      assert_badarg ets.new(name, [:named_table])
      assert_badarg ets.new(name, [:named_table, :ordered_set, :public])
      table = ets.new(name, [])
      ets.delete(name)
      assert ets.new(name, [:named_table]) == name
      ets.delete(name)
      ets.delete(table)
    end

    table_test "names the same for both modules", %{ets: ets} do
      name = unique_name()
      table = :ets.new(name, [:named_table])
      if ets != :ets, do: assert(ets.whereis(name) == :undefined)
      :ets.delete(table)
    end

    table_test "makes many tables", %{ets: ets, options: options} do
      tables =
        for n <- 1..500 do
          table = ets.new(unique_name(), options)
          ets.insert(table, {n})
          table
        end

      for {table, n} <- Enum.zip(tables, 1..500), do: assert(ets.tab2list(table) == [{n}])
      assert tables -- ets.all() == []
      for table <- tables, do: assert(ets.delete(table))
      assert tables -- tables -- ets.all() == []
    end
  end

  # Both modules decide the same on any list of options, and report the same.
  describe "the options of new/2" do
    @options [
      :set,
      :ordered_set,
      :bag,
      :duplicate_bag,
      :public,
      :protected,
      :private,
      :compressed,
      {:keypos, 1},
      {:keypos, 2},
      {:keypos, 1000},
      {:heir, :none},
      {:read_concurrency, true},
      {:read_concurrency, false},
      {:write_concurrency, true},
      {:write_concurrency, false},
      {:write_concurrency, :auto},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, 1}},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, 127}},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, 128}},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, 32_768}},
      {:decentralized_counters, true},
      {:decentralized_counters, false}
    ]

    @wrong [
      :unknown,
      "set",
      1,
      nil,
      true,
      [],
      {},
      {:set},
      {:set, true},
      {:named_table, true},
      {:compressed, true},
      {:keypos, 0},
      {:keypos, -1},
      {:keypos, 1.0},
      {:keypos, :a},
      {:keypos, 2 ** 59},
      {:keypos, 2 ** 70},
      {:keypos, 1, 1},
      {:heir, nil},
      {:heir, :nobody},
      {:heir, :none, :data},
      {:heir, :name, :data},
      {:heir},
      {:read_concurrency, :auto},
      {:read_concurrency, 1},
      {:write_concurrency, nil},
      {:write_concurrency, "auto"},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, 0}},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, -1}},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, 32_769}},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, 2 ** 70}},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks, :a}},
      {:write_concurrency, {:debug_hash_fixed_number_of_locks}},
      {:write_concurrency, {:other, 1}},
      {:decentralized_counters, :auto},
      {:decentralized_counters, nil},
      {:type, :set}
    ]

    @items [
      :type,
      :protection,
      :keypos,
      :heir,
      :named_table,
      :compressed,
      :read_concurrency,
      :write_concurrency,
      :decentralized_counters
    ]

    @tag :library
    test "are understood alike, one by one and in pairs" do
      for first <- @options, second <- @options, do: assert_alike([first, second])
      for option <- @options, do: assert_alike([option])
    end

    @tag :library
    test "are understood alike in longer lists" do
      for _time <- 1..2000 do
        assert_alike(for _option <- 1..:rand.uniform(6), do: Enum.random(@options))
      end
    end

    @tag :library
    test "are refused alike" do
      for wrong <- @wrong, option <- @options do
        assert_alike([wrong])
        assert_alike([option, wrong])
        assert_alike([wrong, option])
      end

      for improper <- [:set, {:keypos, 1}, "", 1, %{}] do
        assert_alike(improper)
        assert_alike([:set | improper])
      end
    end

    for ets <- [:ets, Etsunami] do
      @tag subject: ets
      test "may name the heir (#{inspect(ets)})" do
        ets = unquote(ets)
        table = ets.new(:table, heir: {:bad}, heir: :none) |> catch_error()
        assert table == :badarg

        table = ets.new(:table, [{:heir, self(), :data}])
        assert ets.info(table, :heir) == self()
        ets.delete(table)

        table = ets.new(:table, [{:heir, self(), :data}, {:heir, :none}])
        assert ets.info(table, :heir) == :none
        ets.delete(table)
      end
    end

    @tag subject: Etsunami
    test "may name the heir without data" do
      table = Etsunami.new(:table, heir: self())
      assert Etsunami.info(table, :heir) == self()
      Etsunami.delete(table)
    end

    @tag subject: Etsunami
    test "may choose the engine of an ordered_set" do
      for {options, engine} <- [
            {[:ordered_set, engine: :ca_tree], :ca_tree},
            {[:ordered_set, engine: :skip_list], :skip_list},
            {[{:engine, :skip_list}, :ordered_set], :skip_list},
            {[:bag, {:engine, :ca_tree}, :ordered_set, :public], :ca_tree},
            {[:ordered_set, engine: :skip_list, engine: :ca_tree], :ca_tree}
          ] do
        table = Etsunami.new(:table, options)
        assert Etsunami.info(table, :type) == :ordered_set
        assert Etsunami.info(table, :engine) == engine
        refute List.keymember?(Etsunami.info(table), :engine, 0)
        Etsunami.delete(table)
      end

      for options <- [
            [engine: :ca_tree],
            [:bag, engine: :ca_tree],
            [engine: :skip_list],
            [:duplicate_bag, engine: :skip_list],
            [:ordered_set, {:engine, :skip_list}, :set, :bag],
            [:ordered_set, engine: :default],
            [:ordered_set, engine: :other],
            [:ordered_set, engine: nil],
            [:ordered_set, :engine],
            [:ordered_set, {:engine, :ca_tree, 1}]
          ] do
        assert_badarg Etsunami.new(:table, options)
      end
    end

    @tag subject: Etsunami
    test "may set the key far behind" do
      for keypos <- [2 ** 31, 2 ** 32, 2 ** 59 - 1] do
        table = Etsunami.new(:table, keypos: keypos)
        assert Etsunami.info(table, :keypos) == keypos
        assert_badarg Etsunami.insert(table, {1, 2, 3})
        Etsunami.delete(table)
      end
    end

    defp assert_alike(options) do
      expected = outcome(:ets, options)
      actual = outcome(Etsunami, options)

      assert actual == expected,
             "with #{inspect(options)}: #{inspect(actual)} instead of #{inspect(expected)}"
    end

    defp outcome(ets, options) do
      table = ets.new(:table, options)
      info = for item <- @items, do: {item, ets.info(table, item)}
      ets.delete(table)
      info
    rescue
      error in [ArgumentError] -> Exception.message(error)
    end
  end

  describe "delete/1" do
    table_test "ends a table", %{ets: ets} = context do
      table = new_table(context)
      ets.insert(table, for(n <- 1..100, do: {n}))
      assert ets.delete(table) == true
      assert ets.info(table) == :undefined
      assert ets.info(table, :size) == :undefined
      refute table in ets.all()
      assert_badarg ets.delete(table)
      assert_badarg ets.lookup(table, 1)
      assert_badarg ets.insert(table, {1})
      assert_badarg ets.first(table)
    end

    table_test "frees the name for another table", %{ets: ets, type: type} do
      name = unique_name()
      ets.new(name, [:named_table, type])
      identifier = ets.whereis(name)
      ets.insert(name, {:old})
      ets.delete(name)
      assert ets.whereis(name) == :undefined

      ets.new(name, [:named_table, type])
      assert ets.tab2list(name) == []
      assert ets.whereis(name) != identifier
      assert ets.info(identifier) == :undefined
      assert_badarg ets.lookup(identifier, :old)
      ets.delete(name)
    end

    table_test "accepts the identifier of a named table", %{ets: ets, type: type} do
      name = unique_name()
      ets.new(name, [:named_table, type])
      assert ets.delete(ets.whereis(name))
      assert ets.info(name) == :undefined
      assert ets.whereis(name) == :undefined
    end

    table_test "is open to others in a public table only",
               %{ets: ets, options: options} = context do
      table = new_table(context)

      result =
        in_process(fn -> try(do: ets.delete(table), rescue: (_e in ArgumentError -> :no)) end)

      if :public in options do
        assert result == true
        assert ets.info(table) == :undefined
      else
        assert result == :no
        assert ets.delete(table)
      end
    end

    table_test "leaves the other tables alone", %{ets: ets, table: table} = context do
      other = new_table(context)
      ets.insert(table, {:kept})
      ets.insert(other, {:lost})
      ets.delete(other)
      assert ets.tab2list(table) == [{:kept}]
    end
  end

  describe "rename/2" do
    table_test "renames a table", %{ets: ets, options: options} = context do
      old = new_table(context)
      ets.insert(old, {:object})
      name = unique_name()
      table = ets.rename(old, name)

      if :named_table in options do
        assert table == name
        assert ets.whereis(old) == :undefined
        assert_badarg ets.lookup(old, :object)
        assert name in ets.all()
        refute old in ets.all()
      else
        assert table == old
        assert ets.whereis(name) == :undefined
      end

      assert ets.info(table, :name) == name
      assert ets.lookup(table, :object) == [{:object}]
      ets.delete(table)
    end

    table_test "renames by identifier", %{ets: ets, type: type} do
      [old, new] = [unique_name(), unique_name()]
      ets.new(old, [:named_table, type])
      identifier = ets.whereis(old)
      assert ets.rename(identifier, new) == new
      assert ets.whereis(new) == identifier
      assert ets.whereis(old) == :undefined
      ets.delete(identifier)
    end

    table_test "fails for a name in use", %{ets: ets, type: type} do
      [one, two] = [unique_name(), unique_name()]
      ets.new(one, [:named_table, type])
      ets.new(two, [:named_table, type])
      assert_badarg ets.rename(one, two)
      assert_badarg ets.rename(one, one)
      assert ets.info(one, :name) == one
      assert ets.info(two, :name) == two
      ets.delete(one)
      ets.delete(two)
    end

    table_test "fails for a name that is no atom", %{ets: ets, table: table} do
      for name <- ["name", 1, [:name], {}, self()] do
        assert_badarg ets.rename(table, name)
      end
    end
  end

  describe "whereis/1" do
    table_test "finds named tables", %{ets: ets, options: options, table: table} do
      if :named_table in options do
        identifier = ets.whereis(table)
        ets.insert(table, {:object})
        assert ets.lookup(identifier, :object) == [{:object}]
        assert ets.info(identifier, :id) == identifier
        assert ets.info(table, :id) == identifier
      else
        assert ets.whereis(ets.info(table, :name)) == :undefined
      end
    end

    table_test "takes atoms only", %{ets: ets, options: options, table: table} do
      for term <- ["name", 1, [], make_ref(), self()], do: assert_badarg(ets.whereis(term))
      if :named_table not in options, do: assert_badarg(ets.whereis(table))
    end
  end
end
