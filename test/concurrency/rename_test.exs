defmodule Etsunami.Concurrency.RenameTest do
  # Names and rights that change while others use them: what was acknowledged stays, and nothing
  # happens any more by a name or a right that is gone.
  use ExUnit.Case, async: true

  @rounds 10_000

  # Calls `fun` again and again until the test is over; gives how often it returned true.
  defp busy(fun) do
    stop = :atomics.new(1, [])
    task = Task.async(fn -> repeat(fun, stop, 0) end)

    fn ->
      :atomics.put(stop, 1, 1)
      Task.await(task, :infinity)
    end
  end

  defp repeat(fun, stop, count) do
    count = if try_call(fun), do: count + 1, else: count
    if :atomics.get(stop, 1) == 0, do: repeat(fun, stop, count), else: count
  end

  defp try_call(fun) do
    fun.() == true
  rescue
    ArgumentError -> false
  end

  for module <- [:ets, Etsunami], type <- [:set, :ordered_set] do
    @tag subject: module
    test "#{inspect(module)}, #{type}: no insert is lost where a full table is renamed away" do
      module = unquote(module)
      new = fn name -> module.new(name, [unquote(type), :named_table, :public]) end
      new.(:double_buffer)
      unique = :atomics.new(1, [])

      stops =
        for kind <- [:object, :list] do
          busy(fn ->
            key = :atomics.add_get(unique, 1, 1)
            objects = if kind == :list, do: [{key, 1}, {-key, 2}], else: {key, 1}
            # Slower than what is drained is counted.
            spin(2_000)
            module.insert(:double_buffer, objects) and kind == :object
          end)
        end

      drain = fn ->
        objects = module.tab2list(:drained)
        module.delete(:drained)
        Enum.count(objects, &match?({_, 1}, &1)) - Enum.count(objects, &match?({_, 2}, &1))
      end

      drained =
        for _ <- 1..@rounds, reduce: 0 do
          sum ->
            new.(:fresh)
            module.rename(:double_buffer, :drained)
            module.rename(:fresh, :double_buffer)
            sum + drain.()
        end

      [acknowledged, 0] = Enum.map(stops, & &1.())
      module.rename(:double_buffer, :drained)
      assert acknowledged == drained + drain.()
    end

    @tag subject: module
    test "#{inspect(module)}, #{type}: a name that is gone reaches nothing" do
      module = unquote(module)
      table = module.new(:old_name, [unquote(type), :named_table, :public])
      module.insert(table, {:key, 0})
      id = module.whereis(table)

      stops = [
        busy(fn -> module.update_counter(:old_name, :key, 1) && true end),
        busy(fn -> module.lookup(:old_name, :only_as_new) != [] end),
        busy(fn -> module.insert(:old_name, [{:key, 0}, {:other, 1}]) end)
      ]

      for _ <- 1..@rounds do
        :new_name = module.rename(:old_name, :new_name)
        before = module.lookup(id, :key)
        module.insert(:new_name, {:only_as_new, 1})
        spin(50)
        assert module.lookup(:new_name, :key) == before
        module.delete(:new_name, :only_as_new)
        :old_name = module.rename(:new_name, :old_name)
      end

      [_counted, seen, _inserted] = Enum.map(stops, & &1.())
      assert seen == 0
      module.delete(:old_name)
    end

    @tag subject: module
    test "#{inspect(module)}, #{type}: a right that is gone changes nothing" do
      module = unquote(module)
      table = module.new(:rights, [unquote(type), :public])
      module.insert(table, {:key, 0})

      stops = [
        busy(fn -> module.update_counter(table, :key, 1) && true end),
        busy(fn -> module.insert(table, [{:key, 0}, {:other, 1}]) end)
      ]

      for _ <- 1..@rounds do
        module.setopts(table, {:protection, :protected})
        before = module.lookup(table, :key)
        spin(50)
        assert module.lookup(table, :key) == before
        module.setopts(table, {:protection, :public})
      end

      Enum.each(stops, & &1.())
    end
  end

  test "a renaming process that is killed leaves a table with one of both names" do
    for _ <- 1..40 do
      table = Etsunami.new(:of_the_killed, [:named_table, :public])
      id = Etsunami.whereis(table)
      stop = busy(fn -> Etsunami.insert(id, {1, 2}) end)

      {renamer, monitor} =
        spawn_monitor(fn ->
          Enum.each(Stream.cycle([1]), fn _ ->
            Etsunami.rename(:of_the_killed, :of_the_killed_2)
            Etsunami.rename(:of_the_killed_2, :of_the_killed)
          end)
        end)

      spin(:rand.uniform(20_000))
      Process.exit(renamer, :kill)
      assert_receive {:DOWN, ^monitor, _, _, _}
      stop.()
      name = name_of(id)
      [free] = [:of_the_killed, :of_the_killed_2] -- [name]
      assert Etsunami.whereis(free) == :undefined
      assert Etsunami.delete(name)
      assert Etsunami.whereis(name) == :undefined
    end
  end

  # A call that was on a dirty scheduler when its process was killed may come to its end later.
  defp name_of(id) do
    name = Etsunami.info(id, :name)
    Process.sleep(30)
    if Etsunami.whereis(name) == id, do: name, else: name_of(id)
  end

  test "a rename waits neither for a search nor for a huge object for ever" do
    table = Etsunami.new(:while_others_work, [:named_table, :public])
    Etsunami.insert(table, for(n <- 1..100_000, do: {n, n}))
    huge = Enum.to_list(1..200_000)

    stops = [
      busy(fn -> Etsunami.select_count(table, [{{:_, :"$1"}, [], [true]}]) == 100_000 end),
      busy(fn -> Etsunami.insert(table, {0, huge}) and Process.sleep(1) == :ok end)
    ]

    Process.sleep(20)

    for _ <- 1..5 do
      assert :renamed == Etsunami.rename(table, :renamed)
      assert table == Etsunami.rename(:renamed, table)
    end

    Enum.each(stops, & &1.())
    Etsunami.delete(table)
  end

  defp spin(0), do: :ok
  defp spin(n), do: spin(n - 1)
end
