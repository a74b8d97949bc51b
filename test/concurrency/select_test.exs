defmodule Etsunami.Concurrency.SelectTest do
  # Searches beside writers: each object that stays is met once. And searches that are long: they
  # let others run.
  use ExUnit.Case, async: false
  @moduletag :library

  @types [:set, :ordered_set, :bag, :duplicate_bag]
  @stop :"$end_of_table"

  # Changes all but the keys {:stays, N}, until told to stop.
  defp restless(table, seed) do
    Task.async(fn ->
      :rand.seed(:exsss, seed)
      change(table)
    end)
  end

  defp change(table) do
    n = :rand.uniform(3000)

    case :rand.uniform(8) do
      1 -> Etsunami.insert(table, for(i <- n..(n + 200), do: {{:comes, i}, i}))
      2 -> for(i <- n..(n + 500), do: Etsunami.delete(table, {:comes, i}))
      3 -> Etsunami.select_delete(table, [{{{:comes, :"$1"}, :_}, [{:<, :"$1", n}], [true]}])
      4 -> for(i <- n..(n + 300), do: Etsunami.insert(table, {{:comes, i}, i}))
      5 -> replace(table, n)
      6 -> Etsunami.match_delete(table, {{:comes, n}, :_})
      _ -> for(i <- n..(n + 50), do: Etsunami.insert(table, {{:between, i}, i}))
    end

    receive do
      :stop -> :ok
    after
      0 -> change(table)
    end
  end

  defp replace(table, n) do
    if Etsunami.info(table, :type) != :bag do
      spec = [{{{:comes, :"$1"}, :_}, [{:>, :"$1", n}], [{{{{:comes, :"$1"}}, n}}]}]
      Etsunami.select_replace(table, spec)
    end
  end

  defp stop(tasks) do
    for task <- tasks, do: send(task.pid, :stop)
    Task.await_many(tasks)
  end

  defp enough? do
    receive do
      :enough ->
        send(self(), :enough)
        true
    after
      0 -> false
    end
  end

  defp chunks(@stop), do: []
  defp chunks({list, next}), do: list ++ chunks(Etsunami.select(next))

  for type <- @types do
    test "what stays is met once, whatever changes (#{type})" do
      table = Etsunami.new(:table, [unquote(type), :public, write_concurrency: true])
      stay = Enum.to_list(1..1000)
      # A duplicate bag would grow without end.
      Process.send_after(self(), :enough, 1_500)
      for n <- stay, do: Etsunami.insert(table, {{:stays, n}, n})
      tasks = for seed <- 1..2, do: restless(table, seed)
      spec = [{{{:stays, :"$1"}, :_}, [], [:"$1"]}]
      everything = [{{:"$1", :_}, [], [:"$1"]}]
      true_of_stays = [{{{:stays, :_}, :_}, [], [true]}]

      for limit <- [1, 3, 50, 400, 5000, 1, 10, 100], not enough?() do
        assert Enum.sort(Etsunami.select(table, spec)) == stay
        assert Enum.sort(chunks(Etsunami.select(table, spec, limit))) == stay
        assert Enum.sort(chunks(Etsunami.select_reverse(table, spec, limit))) == stay
        assert Etsunami.select_count(table, true_of_stays) == 1000
        found = for {:stays, n} <- chunks(Etsunami.select(table, everything, limit)), do: n
        assert Enum.sort(found) == stay
      end

      stop(tasks)
      Etsunami.delete(table)
    end
  end

  # Adding one to each of many objects by select_replace, several at a time, loses nothing and
  # counts nothing twice.
  for type <- @types -- [:bag] do
    test "objects are replaced one by one, each atomically (#{type})" do
      table = Etsunami.new(:table, [unquote(type), :public])
      for n <- 1..2000, do: Etsunami.insert(table, {n, 0})
      for n <- 1..300, do: Etsunami.insert(table, {:key, n, 0})
      add = [{{:"$1", :"$2"}, [], [{{:"$1", {:+, :"$2", 1}}}]}]
      add_in_key = [{{:key, :"$1", :"$2"}, [], [{{:key, :"$1", {:+, :"$2", 1}}}]}]

      adders =
        for _ <- 1..4 do
          Task.async(fn ->
            for _ <- 1..5 do
              assert Etsunami.select_replace(table, add) in 2000..2001
              Etsunami.select_replace(table, add_in_key)
            end
          end)
        end

      # Lists that are inserted meanwhile are in the way of the others' changes now and then.
      for _ <- 1..20, do: Etsunami.insert(table, for(n <- 5001..5400, do: {n, 0, 0}))
      Task.await_many(adders)
      sums = Etsunami.select(table, [{{:"$1", :"$2"}, [], [:"$2"]}])
      assert Enum.uniq(sums) == [20]

      if unquote(type) == :duplicate_bag do
        expected = for n <- 1..300, do: {:key, n}
        values = Etsunami.lookup(table, :key)
        assert for({:key, n, _} <- values, do: {:key, n}) == expected
      else
        assert [{:key, 300, 20}] = Etsunami.lookup(table, :key)
      end

      Etsunami.delete(table)
    end
  end

  for type <- @types do
    test "select_delete of several processes deletes each object once (#{type})" do
      for _ <- 1..5 do
        table = Etsunami.new(:table, [unquote(type), :public])
        Etsunami.insert(table, for(n <- 1..5000, do: {n, rem(n, 3)}))
        spec = [{{:_, 1}, [], [true]}]

        deleted =
          for(_ <- 1..4, do: Task.async(fn -> Etsunami.select_delete(table, spec) end))
          |> Task.await_many()
          |> Enum.sum()

        assert deleted == div(5000 + 2, 3)
        assert Etsunami.info(table, :size) == 5000 - deleted
        Etsunami.delete(table)
      end
    end
  end

  # Each object that was inserted is deleted by exactly one of those who delete from its key at the
  # same time, or is still there.
  for type <- [:bag, :duplicate_bag] do
    test "objects of one key are deleted once, whoever deletes them (#{type})" do
      for round <- 1..20 do
        table = Etsunami.new(:table, [unquote(type), :public])
        Etsunami.insert(table, for(n <- 1..1_000, do: {:key, -n}))

        sweep = fn spec -> for _ <- 1..20, do: Etsunami.select_delete(table, spec) end
        all = [{{:key, :_}, [], [true]}]
        even = [{{:key, :"$1"}, [{:==, {:rem, :"$1", 2}, 0}], [true]}]

        insert = fn first ->
          for n <- first..(first + 999), do: Etsunami.insert(table, {:key, n})
          [0]
        end

        list = fn first ->
          for n <- first..(first + 999)//50 do
            Etsunami.insert(table, for(m <- n..(n + 49), do: {:key, m}))
          end

          [0]
        end

        take = fn -> for _ <- 1..5, do: length(Etsunami.take(table, :key)) end
        takes = if rem(round, 2) == 0, do: [take], else: []

        deleted =
          [fn -> sweep.(all) end, fn -> sweep.(even) end] ++
            takes ++ [fn -> insert.(1) end, fn -> list.(10_000) end]

        deleted =
          deleted |> Enum.map(&Task.async/1) |> Task.await_many() |> List.flatten() |> Enum.sum()

        left = Etsunami.lookup(table, :key)
        assert deleted + length(left) == 3_000
        assert Etsunami.info(table, :size) == length(left)
        assert length(Enum.uniq(left)) == length(left)
        Etsunami.delete(table)
      end
    end
  end

  # Runs a function in a process and kills it some microseconds later.
  defp kill_in_the_middle(function, longest) do
    {pid, monitor} = spawn_monitor(function)
    spin(System.monotonic_time(:microsecond) + :rand.uniform(longest))
    Process.exit(pid, :kill)
    receive do: ({:DOWN, ^monitor, :process, ^pid, _reason} -> :ok)
  end

  defp spin(until), do: if(System.monotonic_time(:microsecond) < until, do: spin(until))

  for type <- @types do
    test "a search whose process is killed leaves nothing (#{type})" do
      table = Etsunami.new(:table, [unquote(type), :public])
      objects = for n <- 1..20_000, do: {n, n}
      Etsunami.insert(table, objects)
      add = [{{:"$1", :"$2"}, [], [{{:"$1", {:+, :"$2", 1}}}]}]

      for _ <- 1..15 do
        kill_in_the_middle(fn -> Etsunami.select(table, [{:_, [], [:"$_"]}]) end, 3_000)
        kill_in_the_middle(fn -> chunks(Etsunami.match(table, {:_, :"$1"}, 100)) end, 3_000)

        if unquote(type) != :bag do
          kill_in_the_middle(fn -> Etsunami.select_replace(table, add) end, 3_000)
        end

        kill_in_the_middle(fn -> Etsunami.match_delete(table, {:_, -1}) end, 3_000)
        spec = [{{:"$1", :_}, [{:is_integer, :"$1"}], [:"$1"]}]
        compiled = Etsunami.match_spec_compile(spec)
        kill_in_the_middle(fn -> Etsunami.match_spec_run(objects, compiled) end, 3_000)
      end

      assert Etsunami.info(table, :safe_fixed) == false
      assert Etsunami.info(table, :size) == 20_000
      found = Etsunami.select(table, [{{:"$1", :_}, [], [:"$1"]}])
      assert Enum.sort(found) == Enum.to_list(1..20_000)
      assert Etsunami.select_delete(table, [{:_, [], [true]}]) == 20_000
      Etsunami.delete(table)
    end
  end

  describe "long searches" do
    # How often a process has left a scheduler while it ran a function. (How long it stayed on one
    # cannot be told where the machine has other work.)
    defp switches(function) do
      pid = spawn(fn -> receive do: (:go -> function.()) end)
      :erlang.trace(pid, true, [:running])
      monitor = Process.monitor(pid)
      send(pid, :go)
      receive do: ({:DOWN, ^monitor, :process, ^pid, _reason} -> :ok)
      outs(pid, 0)
    end

    defp outs(pid, count) do
      receive do
        {:trace, ^pid, :out, _} -> outs(pid, count + 1)
        {:trace, ^pid, _event, _} -> outs(pid, count)
      after
        20 -> count
      end
    end

    for type <- @types do
      test "let others run (#{type})" do
        table = Etsunami.new(:table, [unquote(type), :public])
        Etsunami.insert(table, for(n <- 1..200_000, do: {n, rem(n, 100), {n, "text"}}))
        assert switches(fn -> Etsunami.select(table, [{:_, [], [:"$_"]}]) end) > 10
        assert switches(fn -> Etsunami.select(table, [{{:_, 7, :_}, [], [:"$_"]}]) end) > 1
        assert switches(fn -> Etsunami.select_count(table, [{{:_, 7, :_}, [], [true]}]) end) > 1
        assert switches(fn -> Etsunami.select(table, [{{:_, :nothing, :_}, [], [1]}], 10) end) > 1
        assert switches(fn -> Etsunami.select_delete(table, [{{:_, 7, :_}, [], [true]}]) end) > 1
        Etsunami.delete(table)
      end
    end

    test "let others run where a single object takes long" do
      table = Etsunami.new(:table, [:public])
      long = Enum.to_list(1..1_000_000)
      for n <- 1..4, do: Etsunami.insert(table, {n, long})
      for n <- 5..500, do: Etsunami.insert(table, {n, Enum.take(long, 2_000)})
      spec = [{{:"$1", :"$2"}, [{:>, {:length, :"$2"}, 2_000}], [:"$1"]}]
      true_of_long = [{{:_, :"$1"}, [{:>, {:length, :"$1"}, 2_000}], [true]}]
      assert switches(fn -> Etsunami.select(table, spec) end) > 1
      assert switches(fn -> Etsunami.select_count(table, true_of_long) end) > 1
      assert switches(fn -> Etsunami.select(table, [{{1, :"$1"}, [], [:"$1"]}]) end) > 1
      assert Enum.sort(Etsunami.select(table, spec)) == [1, 2, 3, 4]
      assert Etsunami.select_count(table, true_of_long) == 4
      assert [^long] = Etsunami.select(table, [{{1, :"$1"}, [], [:"$1"]}])
      same = [{{:"$1", :"$2"}, [{:>, {:length, :"$2"}, 2_000}], [{{:"$1", {:tl, :"$2"}}}]}]
      assert Etsunami.select_replace(table, same) == 4
      assert Etsunami.select_delete(table, true_of_long) == 4
      assert Etsunami.info(table, :size) == 496
      Etsunami.delete(table)
    end

    test "let others run with a specification that is huge" do
      table = Etsunami.new(:table, [:public])
      Etsunami.insert(table, for(n <- 1..20, do: {n, n}))
      guard = Enum.reduce(1..80_000, true, fn n, inner -> {:orelse, {:==, :"$1", -n}, inner} end)
      deep = [{{:"$1", :_}, [guard], [:"$1"]}]
      long = for n <- 1..20_000, do: {{n, :_}, [], [{{n, {:const, {n}}}}]}
      assert switches(fn -> Etsunami.match_spec_compile(deep) end) > 1
      assert switches(fn -> Etsunami.select(table, deep) end) > 1
      assert switches(fn -> Etsunami.select(table, long) end) > 1
      assert Enum.sort(Etsunami.select(table, deep)) == Enum.to_list(1..20)
      assert Enum.sort(Etsunami.select(table, long)) == for(n <- 1..20, do: {n, {n}})
      compiled = Etsunami.match_spec_compile(deep)
      assert Etsunami.match_spec_run([{1, 1}, {:a}, {2, 2}], compiled) == [1, 2]
      assert {first, next} = Etsunami.select(table, deep, 5)
      assert Enum.sort(first ++ chunks(Etsunami.select(next))) == Enum.to_list(1..20)
      Etsunami.delete(table)
    end

    test "a short search stays where it is" do
      table = Etsunami.new(:table, [:public])
      Etsunami.insert(table, for(n <- 1..50, do: {n, n}))

      switches =
        switches(fn -> for _ <- 1..20, do: Etsunami.select(table, [{:_, [], [:"$_"]}]) end)

      assert switches < 3
      Etsunami.delete(table)
    end
  end
end
