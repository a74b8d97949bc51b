defmodule Etsunami.Parity.ListInsertTest do
  # A list is inserted as a whole, whoever looks at the table meanwhile, and whatever happens to
  # it or to the inserting process.
  use Etsunami.EtsCase, async: false

  @keys 1..2_000
  @size Enum.count(@keys)

  table_test "is seen as a whole by size and contents", [types: [:set, :ordered_set]], %{
    ets: ets,
    options: options,
    table: table
  } do
    if :private not in options do
      list = fn round -> for(key <- @keys, do: {key, round}) end
      ets.insert(table, list.(0))
      me = self()

      reader =
        spawn_link(fn ->
          send(me, {:seen, read_pairs(ets, table, [])})
        end)

      for round <- 1..20, do: ets.insert(table, list.(round))
      send(reader, :stop)
      assert_receive {:seen, pairs}, 10_000
      for {first, last} <- pairs, do: assert(last >= first)
      assert contents(ets, table) == list.(20)
    end
  end

  table_test "is either there or not", %{ets: ets, options: options, table: table} do
    if :private not in options do
      me = self()
      reader = spawn_link(fn -> send(me, {:seen, read_sizes(ets, table, MapSet.new())}) end)

      for round <- 1..10 do
        ets.insert(table, for(key <- @keys, do: {{round, key}}))
      end

      send(reader, :stop)
      assert_receive {:seen, sizes}, 10_000
      for size <- sizes, do: assert(rem(size, @size) == 0)
      assert ets.info(table, :size) == 10 * @size
    end
  end

  table_test "by insert_new/2 has one winner", %{ets: ets, options: options} = context do
    if :public in options do
      table = context.table

      for round <- 1..3 do
        ets.delete_all_objects(table)

        results =
          for writer <- 1..4 do
            keys = Enum.shuffle(@keys)

            Task.async(fn ->
              ets.insert_new(table, for(key <- keys, do: {key, {round, writer}}))
            end)
          end
          |> Task.await_many(30_000)

        assert Enum.count(results, & &1) == 1
        winner = Enum.find_index(results, & &1) + 1
        assert contents(ets, table) == for(key <- @keys, do: {key, {round, winner}})
      end
    end
  end

  table_test "by several processes ends with the list of one",
             [types: [:set, :ordered_set]],
             %{ets: ets, options: options, table: table} do
    if :public in options do
      for writer <- 1..4 do
        Task.async(fn ->
          for _round <- 1..3, do: ets.insert(table, for(key <- @keys, do: {key, writer}))
        end)
      end
      |> Task.await_many(30_000)

      assert [_writer] = table |> ets.tab2list() |> Enum.map(&elem(&1, 1)) |> Enum.uniq()
      assert ets.info(table, :size) == @size
    end
  end

  table_test "fails when the table is deleted meanwhile",
             %{ets: ets, options: options} = context do
    if :public in options do
      for delay <- 0..4 do
        table = new_table(context)
        list = for key <- 1..20_000, do: {key, key}

        inserter =
          Task.async(fn ->
            try do
              ets.insert(table, list)
            rescue
              error in [ArgumentError] -> error.__struct__
            end
          end)

        spin(delay * 200)
        ets.delete(table)
        assert Task.await(inserter, 30_000) in [true, ArgumentError]
        assert ets.info(table) == :undefined
      end
    end
  end

  table_test "of a killed process is there or not", %{ets: ets, options: options} = context do
    if :public in options do
      for delay <- 0..4 do
        table = new_table(context)
        list = for key <- 1..20_000, do: {key, key}
        inserter = spawn(fn -> ets.insert(table, list) end)
        monitor = Process.monitor(inserter)
        spin(delay * 400)
        Process.exit(inserter, :kill)
        assert_receive {:DOWN, ^monitor, :process, ^inserter, _reason}, 10_000
        assert ets.info(table, :size) in [0, 20_000]
        assert length(ets.tab2list(table)) == ets.info(table, :size)

        # Nothing is left that would stand in the way of the next one.
        assert ets.insert(table, list)
        ets.delete(table)
      end
    end
  end

  table_test "does not stop other inserts", %{ets: ets, options: options, table: table} do
    if :public in options do
      tasks =
        for writer <- 1..4 do
          Task.async(fn ->
            for n <- 1..200 do
              ets.insert(table, {{writer, n}})
              if rem(n, 50) == 0, do: ets.insert(table, for(m <- 1..500, do: {{writer, n, m}}))
            end
          end)
        end

      Task.await_many(tasks, 30_000)
      assert ets.info(table, :size) == 4 * (200 + 4 * 500)
      assert length(ets.tab2list(table)) == 4 * (200 + 4 * 500)
    end
  end

  # The first key is read before the last, so that the last is never older.
  defp read_pairs(ets, table, pairs) do
    first = ets.lookup_element(table, @keys.first, 2)
    last = ets.lookup_element(table, @keys.last, 2)
    pairs = [{first, last} | pairs]

    receive do
      :stop -> pairs
    after
      0 -> read_pairs(ets, table, pairs)
    end
  end

  defp read_sizes(ets, table, sizes) do
    sizes = MapSet.put(sizes, ets.info(table, :size))

    receive do
      :stop -> sizes
    after
      0 -> read_sizes(ets, table, sizes)
    end
  end

  defp spin(0), do: :ok
  defp spin(n), do: :erlang.yield() && spin(n - 1)
end
