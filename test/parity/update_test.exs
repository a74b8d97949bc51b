defmodule Etsunami.Parity.UpdateTest do
  use Etsunami.EtsCase, async: false

  @sets [:set, :ordered_set]
  @bags [:bag, :duplicate_bag]

  # Around the borders of small integers, of words and of what a float can hold.
  @edges for exponent <- [0, 27, 28, 31, 32, 53, 58, 59, 60, 62, 63, 64, 65, 127, 128, 200],
             near <- [-2, -1, 0, 1, 2],
             sign <- [1, -1],
             uniq: true,
             do: sign * (2 ** exponent + near)

  describe "update_counter/3" do
    table_test "adds to the element after the key", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 10, 20})
      assert ets.update_counter(table, :key, 5) == 15
      assert ets.update_counter(table, :key, -20) == -5
      assert ets.update_counter(table, :key, 0) == -5
      assert ets.lookup(table, :key) == [{:key, -5, 20}]
    end

    table_test "adds to an element", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 10, 20, :rest})
      assert ets.update_counter(table, :key, {3, 5}) == 25
      assert ets.update_counter(table, :key, {2, -5}) == 5
      assert ets.lookup(table, :key) == [{:key, 5, 25, :rest}]
    end

    table_test "counts beyond words", [types: @sets], %{ets: ets, table: table} do
      for start <- @edges, increment <- [1, -1, start, -start, 2 ** 63, -(2 ** 59)] do
        ets.insert(table, {:key, start})
        assert ets.update_counter(table, :key, {2, increment}) == start + increment
        assert ets.lookup(table, :key) == [{:key, start + increment}]
      end
    end

    table_test "resets beyond a threshold", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 10})
      assert ets.update_counter(table, :key, {2, 1, 11, 0}) == 11
      assert ets.update_counter(table, :key, {2, 1, 11, 0}) == 0
      assert ets.update_counter(table, :key, {2, -1, -1, 7}) == -1
      assert ets.update_counter(table, :key, {2, -1, -1, 7}) == 7
      assert ets.update_counter(table, :key, {2, 0, 7, 1}) == 7
      assert ets.update_counter(table, :key, {2, 0, 6, 1}) == 1
      assert ets.update_counter(table, :key, {2, 0, 2, 1}) == 1
      assert ets.update_counter(table, :key, {2, 1, -100, 2 ** 80}) == 2 ** 80
      assert ets.update_counter(table, :key, {2, 1, 2 ** 79, -(2 ** 90)}) == -(2 ** 90)
      assert ets.lookup(table, :key) == [{:key, -(2 ** 90)}]
    end

    table_test "does a list in order", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 0, 100, 3})
      operations = [{2, 1}, {3, -1}, {2, 5}, {2, 0}, {4, 1, 3, 0}]
      assert ets.update_counter(table, :key, operations) == [1, 99, 6, 6, 0]
      assert ets.lookup(table, :key) == [{:key, 6, 99, 0}]
      assert ets.update_counter(table, :key, []) == []
      assert ets.update_counter(table, :key, [{3, 1}]) == [100]
    end

    table_test "does lists of any length", [types: @sets], %{ets: ets, table: table} do
      object = List.to_tuple([:key | List.duplicate(0, 40)])

      for count <- [2, 7, 8, 9, 16, 40], order <- [&Function.identity/1, &Enum.reverse/1] do
        ets.insert(table, object)
        positions = order.(Enum.to_list(2..(count + 1)))
        operations = for position <- positions ++ positions, do: {position, position, 70, -1}
        twice = for position <- positions, do: if(2 * position > 70, do: -1, else: 2 * position)
        assert ets.update_counter(table, :key, operations) == positions ++ twice
        by_position = Map.new(Enum.zip(positions, twice))
        expected = for position <- 2..41, do: Map.get(by_position, position, 0)
        assert ets.lookup(table, :key) == [List.to_tuple([:key | expected])]
      end
    end

    table_test "changes some counters and leaves others", [types: @sets], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {{:key, "k"}, 1.5, 1, [:a], 2, 3})
      assert ets.update_counter(table, {:key, "k"}, [{3, 0}, {5, 0}]) == [1, 2]
      assert ets.update_counter(table, {:key, "k"}, [{3, 0}, {5, 1}]) == [1, 3]
      assert ets.update_counter(table, {:key, "k"}, [{6, 1}, {3, 4}]) == [4, 5]
      assert ets.update_counter(table, {:key, "k"}, [{6, 2 ** 60}, {3, 1}]) == [2 ** 60 + 4, 6]
      assert ets.lookup(table, {:key, "k"}) == [{{:key, "k"}, 1.5, 6, [:a], 3, 2 ** 60 + 4}]
      assert ets.update_counter(table, {:key, "k"}, [{6, -(2 ** 60)}, {3, 1}]) == [4, 7]
      assert ets.lookup(table, {:key, "k"}) == [{{:key, "k"}, 1.5, 7, [:a], 3, 4}]
    end

    table_test "does nothing of a list with an error", [types: @sets], %{ets: ets, table: table} do
      object = {:key, 0, :atom, 2.0}
      ets.insert(table, object)

      for wrong <- [{3, 1}, {4, 1}, {1, 1}, {5, 1}, {0, 1}, {2, :a}, {2, 1, 2}, :a, 1, {2, 1.0}] do
        assert_badarg ets.update_counter(table, :key, [{2, 1}, wrong])
        assert_badarg ets.update_counter(table, :key, [wrong, {2, 1}])
        assert ets.lookup(table, :key) == [object]
      end

      assert_badarg ets.update_counter(table, :key, [{2, 1} | :tail])
      assert ets.lookup(table, :key) == [object]
    end

    table_test "does not touch the list of operations", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 0})
      operations = [{2, 2 ** 70}, {2, 1, 2 ** 71, 0}]
      copy = operations |> :erlang.term_to_binary() |> :erlang.binary_to_term()
      ets.update_counter(table, :key, operations)
      assert operations === copy
    end

    table_test "fails without the key", %{ets: ets, table: table} do
      assert_badarg ets.update_counter(table, :key, 1)
      assert_badarg ets.update_counter(table, :key, {2, 1})
      assert ets.tab2list(table) == []
    end

    table_test "fails for bags", [types: @bags], %{ets: ets, table: table} do
      ets.insert(table, {:key, 1})
      assert_badarg ets.update_counter(table, :key, 1)
      assert_badarg ets.update_counter(table, :key, {2, 1}, {:key, 1})
      assert ets.tab2list(table) == [{:key, 1}]
    end

    table_test "finds its counter at keypos", [types: @sets], %{ets: ets} = context do
      table = new_table(context, keypos: 2)
      ets.insert(table, {1, :key, 10})
      assert ets.update_counter(table, :key, 1) == 11
      assert ets.update_counter(table, :key, {1, 1}) == 2
      assert_badarg ets.update_counter(table, :key, {2, 1})
      ets.delete(table)
    end

    table_test "keeps the key as it is", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, {1, 0})
      assert ets.update_counter(table, 1.0, 1) == 1
      assert ets.tab2list(table) === [{1, 1}]
    end

    table_test "counts for many keys", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, for(n <- 1..500, do: {n, 0}))
      for _round <- 1..3, n <- 1..500, do: ets.update_counter(table, n, {2, n})
      assert contents(ets, table) == for(n <- 1..500, do: {n, 3 * n})
    end
  end

  describe "update_counter/4" do
    table_test "starts with the default", [types: @sets], %{ets: ets, table: table} do
      assert ets.update_counter(table, :key, 1, {:default, 10, :rest}) == 11
      assert ets.lookup(table, :key) == [{:key, 11, :rest}]
      assert ets.update_counter(table, :key, {2, 1}, {:default, 10, :rest}) == 12
      assert ets.update_counter(table, :other, [{2, 1}, {3, 1}], {:x, 0, 0}) == [1, 1]
      assert ets.lookup(table, :other) == [{:other, 1, 1}]
      assert ets.update_counter(table, :third, [], {:x, 0}) == []
      assert ets.lookup(table, :third) == [{:third, 0}]
      assert ets.info(table, :size) == 3
    end

    table_test "inserts nothing with an error", [types: @sets], %{ets: ets, table: table} do
      for {operation, default} <- [
            {{2, 1}, {:x, :atom}},
            {{3, 1}, {:x, 1}},
            {{1, 1}, {:x, 1}},
            {{0, 1}, {:x, 1}},
            {{2, 1}, [:x, 1]},
            {{2, 1}, :x},
            {{2, :a}, {:x, 1}},
            {:a, {:x, 1}},
            {[{2, 1}, {3, 1}], {:x, 1}},
            {1, {:x}}
          ] do
        assert_badarg ets.update_counter(table, :key, operation, default)
        assert ets.tab2list(table) == []
      end
    end

    table_test "fails with a default that is no tuple, even with the key", [types: @sets], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {:key, 1})

      for default <- [:x, 1, [], "x"],
          do: assert_badarg(ets.update_counter(table, :key, 1, default))

      assert ets.lookup(table, :key) == [{:key, 1}]
    end

    table_test "fails with a default shorter than keypos",
               [types: @sets, differs: :default_always_checked],
               %{ets: ets} = context do
      table = new_table(context, keypos: 3)
      ets.insert(table, {1, 2, :key})

      for key <- [:key, :other], default <- [{}, {1}, {1, 2}] do
        assert_badarg ets.update_counter(table, key, {1, 1}, default)
      end

      assert ets.tab2list(table) == [{1, 2, :key}]
      ets.delete(table)
    end

    table_test "takes the key that is asked for", [types: [:ordered_set]], %{
      ets: ets,
      table: table
    } do
      assert ets.update_counter(table, 1.0, 1, {1, 0}) == 1
      assert ets.tab2list(table) === [{1.0, 1}]
      assert ets.update_counter(table, 1, 1, {1, 0}) == 2
      assert ets.tab2list(table) === [{1.0, 2}]
    end
  end

  describe "update_element/3" do
    table_test "replaces an element", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 1, 2})
      assert ets.update_element(table, :key, {2, "new"}) == true
      assert ets.update_element(table, :key, {3, %{a: [1]}}) == true
      assert ets.lookup(table, :key) == [{:key, "new", %{a: [1]}}]
      assert ets.info(table, :size) == 1
    end

    table_test "replaces by any term", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 1, 2})
      terms = [nil, 1.5, 2 ** 100, self(), make_ref(), "", String.duplicate("x", 1000), [], {}]

      for term <- terms, position <- [2, 3] do
        assert ets.update_element(table, :key, {position, term})
        assert ets.lookup_element(table, :key, position) === term
      end
    end

    table_test "does a list in order", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 1, 2})
      assert ets.update_element(table, :key, [{2, :a}, {3, :b}, {2, :c}])
      assert ets.lookup(table, :key) == [{:key, :c, :b}]
      assert ets.update_element(table, :key, []) == true
      assert ets.lookup(table, :key) == [{:key, :c, :b}]
    end

    table_test "does lists of terms of all kinds", [types: @sets], %{ets: ets, table: table} do
      terms = [:a, 1.5, "b", String.duplicate("c", 1000), make_ref(), 2 ** 70, {:d, [1]}, %{e: 1}]

      for a <- terms, b <- terms, object <- [{:key, 1, 2, 3}, {:key, "x", b, {1, a}}] do
        ets.insert(table, object)
        assert ets.update_element(table, :key, [{4, a}, {2, b}])
        assert ets.lookup(table, :key) === [{:key, b, elem(object, 2), a}]
        assert ets.update_element(table, :key, [{2, 1}, {4, a}, {3, b}, {4, b}])
        assert ets.lookup(table, :key) === [{:key, 1, b, b}]
      end
    end

    table_test "answers false without the key", [types: @sets], %{ets: ets, table: table} do
      assert ets.update_element(table, :key, {2, 1}) == false
      assert ets.update_element(table, :key, []) == false
      assert ets.update_element(table, :key, {1_000_000, 1}) == false
      assert ets.tab2list(table) == []
    end

    table_test "changes nothing with an error", [types: @sets], %{ets: ets, table: table} do
      ets.insert(table, {:key, 1, 2})

      for wrong <- [{1, :a}, {4, :a}, {0, :a}, {-1, :a}, {2}, {2, 1, 1}, :a, 2, {:b, 1}, {2.0, 1}] do
        assert_badarg ets.update_element(table, :key, wrong)
        assert_badarg ets.update_element(table, :key, [{2, :new}, wrong])
        assert_badarg ets.update_element(table, :key, [wrong, {2, :new}])
        assert ets.lookup(table, :key) == [{:key, 1, 2}]
      end

      assert_badarg ets.update_element(table, :key, [{2, :new} | :tail])
      assert ets.lookup(table, :key) == [{:key, 1, 2}]
    end

    table_test "fails for bags", [types: @bags], %{ets: ets, table: table} do
      ets.insert(table, {:key, 1})
      assert_badarg ets.update_element(table, :key, {2, 1})
      assert_badarg ets.update_element(table, :other, {2, 1})
      assert ets.tab2list(table) == [{:key, 1}]
    end

    table_test "keeps the key as it is", [types: [:ordered_set]], %{ets: ets, table: table} do
      ets.insert(table, {1, 0})
      assert ets.update_element(table, 1.0, {2, :new})
      assert ets.tab2list(table) === [{1, :new}]
    end

    table_test "changes large objects", [types: @sets], %{ets: ets, table: table} do
      object = List.to_tuple([:key | Enum.to_list(2..5000)])
      ets.insert(table, object)
      changes = for position <- 2..5000, do: {position, -position}
      assert ets.update_element(table, :key, changes)
      assert ets.lookup(table, :key) == [List.to_tuple([:key | Enum.map(2..5000, &(-&1))])]
    end
  end

  # Programs of updates with several operations each, on an object that both sides have: results,
  # failures and what is stored afterwards agree. `:ets` of OTP 25 takes the VM down where a list
  # changes one counter several times and some numbers are not small: programs of such numbers
  # change each counter once in a list.
  for type <- @sets, size <- [:small, :any] do
    test "random updates agree (#{type}, #{size} numbers)" do
      :rand.seed(:exsss, {1, 2, 3})

      tables =
        for ets <- [:ets, Etsunami], do: {ets, ets.new(:updates, [unquote(type), keypos: 2])}

      for _round <- 1..3_000 do
        [a, b, c, d, e] = for _ <- 1..5, do: value(unquote(size))
        object = {a, :key, b, c, d, e}
        for {ets, table} <- tables, do: ets.insert(table, object)

        for _step <- 1..4 do
          {function, arguments} = update(unquote(size))

          [expected, ours] =
            for {ets, table} <- tables, do: updated(ets, table, function, arguments)

          assert ours === expected, "#{function} #{inspect(arguments)} of #{inspect(object)}"
        end
      end

      for {ets, table} <- tables, do: ets.delete(table)
    end
  end

  defp updated(ets, table, function, arguments) do
    answer = apply(ets, function, [table | arguments])
    {answer, ets.tab2list(table)}
  rescue
    ArgumentError -> {:badarg, ets.tab2list(table)}
  end

  defp update(size) do
    key = Enum.random([:key, :key, :key, :key, :other])
    count = Enum.random([0, 1, 2, 2, 3, 4, 8, 9, 12])

    case :rand.uniform(2) do
      1 -> {:update_counter, [key, steps(size, count)]}
      2 -> {:update_element, [key, for(_ <- 1..count//1, do: {place(), value(size)})]}
    end
  end

  defp steps(:small, count), do: for(_ <- 1..count//1, do: step(:small))

  defp steps(:any, count) do
    Enum.uniq_by(for(_ <- 1..count//1, do: step(:any)), &elem(&1, 0))
  end

  defp step(size) do
    case :rand.uniform(3) do
      1 -> {place(), number(size), number(size), number(size)}
      _ -> {place(), number(size)}
    end
  end

  # Seldom one that is refused, so that long lists are done now and then.
  defp place,
    do: if(:rand.uniform(40) == 1, do: Enum.random(0..7), else: Enum.random([1, 3, 4, 5]))

  defp number(size) do
    if size == :any and :rand.uniform(12) == 1, do: Enum.random(@edges), else: Enum.random(-3..3)
  end

  defp value(size) do
    case :rand.uniform(40) do
      1 -> Enum.random([:a, 1.5, "binary", {1, 2}, String.duplicate("x", 200)])
      _ -> number(size)
    end
  end

  describe "update_element/4" do
    @needs [{:update_element, 4}]

    table_test "changes the object that is there", [types: @sets, needs: @needs], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, {:key, 1, 2})
      assert ets.update_element(table, :key, {2, :new}, {:x, :y, :z}) == true
      assert ets.lookup(table, :key) == [{:key, :new, 2}]
    end

    table_test "changes the default otherwise", [types: @sets, needs: @needs], %{
      ets: ets,
      table: table
    } do
      assert ets.update_element(table, :key, {2, :new}, {:x, :y, :z}) == true
      assert ets.lookup(table, :key) == [{:key, :new, :z}]
      assert ets.update_element(table, :other, [{2, 1}, {3, 2}, {2, 3}], {:x, :y, :z}) == true
      assert ets.lookup(table, :other) == [{:other, 3, 2}]
      assert ets.update_element(table, :third, [], {:x, :y}) == true
      assert ets.lookup(table, :third) == [{:third, :y}]
    end

    table_test "inserts nothing with an error", [types: @sets, needs: @needs], %{
      ets: ets,
      table: table
    } do
      for {change, default} <- [
            {{1, :new}, {:x, :y}},
            {{3, :new}, {:x, :y}},
            {{0, :new}, {:x, :y}},
            {[{2, :new}, {3, :new}], {:x, :y}},
            {:new, {:x, :y}},
            {{2, :new}, :x},
            {{2, :new}, [:x, :y]}
          ] do
        assert_badarg ets.update_element(table, :key, change, default)
        assert ets.tab2list(table) == []
      end
    end

    table_test "fails with a default shorter than keypos",
               [types: @sets, needs: @needs, differs: :default_always_checked],
               %{ets: ets} = context do
      table = new_table(context, keypos: 3)
      ets.insert(table, {1, 2, :key})

      for key <- [:key, :other], default <- [{}, {1}, {1, 2}] do
        assert_badarg ets.update_element(table, key, {1, 1}, default)
      end

      assert ets.tab2list(table) == [{1, 2, :key}]
      ets.delete(table)
    end

    table_test "fails for bags", [types: @bags, needs: @needs], %{ets: ets, table: table} do
      assert_badarg ets.update_element(table, :key, {2, 1}, {:x, :y})
      assert ets.tab2list(table) == []
    end
  end
end
