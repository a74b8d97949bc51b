defmodule Etsunami.Parity.InfoTest do
  use Etsunami.EtsCase, async: false

  @keys [
    :id,
    :decentralized_counters,
    :read_concurrency,
    :write_concurrency,
    :compressed,
    :memory,
    :owner,
    :heir,
    :name,
    :size,
    :node,
    :named_table,
    :type,
    :keypos,
    :protection
  ]

  @bags [:bag, :duplicate_bag]

  describe "info/1" do
    table_test "tells the same in the same order", %{ets: ets, table: table} do
      assert Keyword.keys(ets.info(table)) == @keys
    end

    table_test "tells what info/2 tells", %{ets: ets, table: table} do
      ets.insert(table, [{1}, {2}])
      for {item, value} <- ets.info(table), do: assert(ets.info(table, item) == value)
    end

    table_test "tells about the table", %{ets: ets, type: type, options: options, table: table} do
      info = ets.info(table)
      assert info[:type] == type
      assert info[:owner] == self()
      assert info[:heir] == :none
      assert info[:node] == node()
      assert info[:size] == 0
      assert info[:keypos] == 1
      assert info[:named_table] == :named_table in options
      assert info[:compressed] == :compressed in options
      assert info[:name] == if(info[:named_table], do: table, else: info[:name])
      assert info[:protection] in (options ++ [:protected])
      assert is_reference(info[:id])
      assert is_integer(info[:memory]) and info[:memory] > 0
    end
  end

  describe "info/1 and info/2" do
    table_test "know no other table", %{ets: ets} do
      assert ets.info(:no_such_table) == :undefined
      assert ets.info(:no_such_table, :size) == :undefined
      assert ets.info(:no_such_table, :safe_fixed) == :undefined

      for term <- ["table", 1, [], {}, self(), make_ref(), 1.0] do
        assert_badarg ets.info(term)
        assert_badarg ets.info(term, :size)
      end
    end

    table_test "know no other item", %{ets: ets, table: table} do
      for item <- [:unknown, "size", 1, [], [:size], {:size}, nil] do
        assert_badarg ets.info(table, item)
      end
    end

    table_test "may be asked by anybody", %{ets: ets, table: table} do
      mine = ets.info(table)
      assert in_process(fn -> ets.info(table) end) == mine
      assert in_process(fn -> ets.info(table, :size) end) == 0
      assert in_process(fn -> ets.info(table, :safe_fixed) end) == false
    end
  end

  describe "size" do
    table_test "counts objects", %{ets: ets, table: table} do
      for n <- 1..300 do
        ets.insert(table, {n})
        assert ets.info(table, :size) == n
      end

      for n <- 1..100 do
        ets.delete(table, n)
        assert ets.info(table, :size) == 300 - n
      end

      ets.insert(table, for(n <- 1..150, do: {n}))
      assert ets.info(table, :size) == if(duplicates?(table, ets), do: 350, else: 300)
      ets.delete_all_objects(table)
      assert ets.info(table, :size) == 0
    end

    table_test "counts the objects of one key", [types: @bags], %{ets: ets, table: table} do
      for n <- 1..50, do: ets.insert(table, {:key, n})
      assert ets.info(table, :size) == 50
      ets.delete_object(table, {:key, 1})
      assert ets.info(table, :size) == 49
      ets.delete(table, :key)
      assert ets.info(table, :size) == 0
    end

    table_test "does not shrink while others insert", %{ets: ets, options: options} = context do
      if :private not in options do
        table = context.table
        reader = start_helper()

        for round <- 1..20 do
          before = ets.info(table, :size)
          ets.insert(table, for(n <- 1..50, do: {{round, n}}))
          assert ask(reader, fn -> ets.info(table, :size) end) == before + 50
        end

        stop(reader)
      end
    end
  end

  describe "memory" do
    table_test "grows and shrinks with the contents", %{ets: ets, table: table} do
      empty = ets.info(table, :memory)
      ets.insert(table, for(n <- 1..2000, do: {n, {:value, n, [n]}}))
      full = ets.info(table, :memory)
      assert full > empty + 2000 * 4
      ets.insert(table, {:large, Enum.to_list(1..10_000)})
      assert ets.info(table, :memory) > full + 5_000
      ets.delete(table, :large)
      for n <- 1..2000, do: ets.delete(table, n)
      assert ets.info(table, :memory) < full
    end

    for type <- [:set, :ordered_set, :bag, :duplicate_bag] do
      @tag subject: Etsunami
      test "is a function of the contents (Etsunami, #{type})" do
        [one, two] = for _table <- 1..2, do: Etsunami.new(:table, [unquote(type)])
        empty = Etsunami.info(one, :memory)
        assert Etsunami.info(two, :memory) == empty
        objects = for n <- 1..2000, do: {n, {:value, n}, "binary #{n}", %{n: n}}

        Etsunami.insert(one, objects)
        for object <- Enum.shuffle(objects), do: Etsunami.insert(two, object)
        assert Etsunami.info(one, :memory) == Etsunami.info(two, :memory)

        for {n, _, _, _} <- Enum.shuffle(objects), do: Etsunami.delete(one, n)
        Etsunami.delete_all_objects(two)
        assert Etsunami.info(one, :memory) == empty
        assert Etsunami.info(two, :memory) == empty
        Etsunami.delete(one)
        Etsunami.delete(two)
      end
    end
  end

  describe "all/0" do
    table_test "lists the tables", %{ets: ets, table: table} = context do
      assert table in ets.all()
      assert Enum.count(ets.all(), &(&1 == table)) == 1
      other = new_table(context)
      assert [table, other] -- ets.all() == []
      ets.delete(other)
      refute other in ets.all()
    end

    table_test "lists the tables of all processes", %{ets: ets, options: options} do
      helper = start_helper()
      table = ask(helper, fn -> ets.new(unique_name(), options) end)
      assert table in ets.all()
      stop(helper)
      refute table in ets.all()
    end
  end

  describe "stats" do
    @tag subject: Etsunami
    test "are there for each engine" do
      for {options, engine} <- [
            {[:set], :hash_table},
            {[:bag], :hash_table},
            {[:duplicate_bag], :hash_table},
            {[:ordered_set, engine: :ca_tree], :ca_tree},
            {[:ordered_set, engine: :skip_list], :skip_list}
          ] do
        table = Etsunami.new(:table, options)
        assert Etsunami.info(table, :engine) == engine
        Etsunami.insert(table, for(n <- 1..1000, do: {n}))
        assert Etsunami.info(table, :stats) not in [nil, :undefined]
        Etsunami.delete(table)
        assert Etsunami.info(table, :stats) == :undefined
      end

      assert Etsunami.info(:no_such_table, :stats) == :undefined
      assert_badarg Etsunami.info("table", :stats)
    end
  end

  defp duplicates?(table, ets), do: ets.info(table, :type) == :duplicate_bag
end
