defmodule Etsunami.TermsTest do
  # Any term is a key and a value, and comes back as it was.
  use Etsunami.EtsCase, async: false

  alias Etsunami.Terms

  @compile {:no_warn_undefined, :counters}

  describe "a round trip" do
    table_test "returns any value", %{ets: ets, table: table} do
      for {kind, terms} <- Terms.by_kind(), {term, n} <- Enum.with_index(terms) do
        ets.insert(table, {{kind, n}, term, [term], {n, term}})
        [{_key, alone, listed, paired}] = ets.lookup(table, {kind, n})
        assert_same {alone, listed, paired}, {term, [term], {n, term}}, "one of the #{kind}: #{n}"
      end
    end

    table_test "returns any key", %{ets: ets, table: table} do
      for {kind, terms} <- Terms.by_kind(), {term, n} <- Enum.with_index(terms) do
        ets.insert(table, {term, n})
        assert {key, ^n} = ets.lookup(table, term) |> List.last()
        assert_same key, term, "one of the #{kind}: #{n}"
        assert ets.member(table, term)
        ets.delete(table, term)
        refute ets.member(table, term)
      end

      assert ets.info(table, :size) == 0
    end

    # As a native function answers its errors.
    table_test "returns what looks like an error", %{ets: ets, table: table} do
      terms = for reason <- [:badarg, :answer], do: {:etsunami_error, reason, :none, [reason]}
      for term <- terms, do: ets.insert(table, {term, term})
      empty = Etsunami.new(:empty, [])

      for term <- terms do
        assert List.wrap(ets.lookup_element(table, term, 1)) == [term]
        assert List.wrap(ets.lookup_element(table, term, 2)) == [term]
        assert ets.lookup(table, term) == [{term, term}]
        assert Etsunami.lookup_element(empty, :key, 2, term) == term
      end

      Etsunami.delete(empty)

      for {first, onward} <- [{ets.first(table), &ets.next/2}, {ets.last(table), &ets.prev/2}] do
        second = onward.(table, first)
        assert Enum.sort([first, second]) == Enum.sort(terms)
        assert onward.(table, second) == :"$end_of_table"
      end

      for term <- terms, do: assert(ets.take(table, term) == [{term, term}])
    end

    table_test "keeps all keys apart", %{ets: ets, table: table} do
      terms = Terms.all() |> Enum.uniq()
      for {term, n} <- Enum.with_index(terms), do: ets.insert(table, {term, n})

      for {term, n} <- Enum.with_index(terms) do
        assert Enum.any?(ets.lookup(table, term), &match?({_key, ^n}, &1)) or
                 ets.info(table, :type) == :ordered_set
      end
    end

    table_test "keeps the sign of zero", %{ets: ets, table: table} do
      ets.insert(table, {:key, -0.0, 0.0, [-0.0]})
      [{:key, minus, plus, [listed]}] = ets.lookup(table, :key)
      assert {<<minus::float>>, <<plus::float>>} == {<<-0.0::float>>, <<0.0::float>>}
      assert <<listed::float>> == <<-0.0::float>>
    end

    table_test "keeps functions callable", %{ets: ets, table: table} do
      bound = %{bound: [1, 2]}
      ets.insert(table, {:key, fn x -> {x, bound} end, &String.upcase/1})
      [{:key, local, external}] = ets.lookup(table, :key)
      assert local.(1) == {1, bound}
      assert external.("a") == "A"
    end

    table_test "copies a part of a large binary", %{ets: ets, table: table} do
      large = :binary.copy("0123456789", 10_000)
      for n <- 0..200, do: ets.insert(table, {n, binary_part(large, n, n)})

      for n <- 0..200 do
        assert ets.lookup(table, n) == [{n, binary_part(large, n, n)}]
      end
    end
  end

  describe "huge terms" do
    @depth 1_000_000
    @variants [[], [:public, write_concurrency: true], [:compressed]]

    for {name, nest} <- [
          lists: quote(do: &[&1]),
          tails: quote(do: &[0 | &1]),
          tuples: quote(do: &{&1}),
          maps: quote(do: &%{a: &1}),
          pairs: quote(do: &{[&1], 1})
        ] do
      table_test "may be nested deeply (#{name})",
                 [types: [:set, :ordered_set, :bag], variants: @variants],
                 %{
                   ets: ets,
                   type: type,
                   table: table
                 } do
        deep = Enum.reduce(1..@depth, [], fn _level, term -> unquote(nest).(term) end)
        ets.insert(table, {:key, deep})
        found = ets.lookup_element(table, :key, 2)
        assert_same found, if(type == :bag, do: [deep], else: deep)
      end
    end

    table_test "may be keys", [types: [:set, :ordered_set], variants: @variants], %{
      ets: ets,
      table: table
    } do
      deep = fn bottom -> Enum.reduce(1..100_000, bottom, fn _level, term -> [term] end) end
      ets.insert(table, {deep.(1), :one})
      ets.insert(table, {deep.(2), :two})
      assert ets.lookup_element(table, deep.(1), 2) == :one
      assert ets.lookup_element(table, deep.(2), 2) == :two
      assert ets.lookup(table, deep.(3)) == []
      assert ets.member(table, deep.(1.0)) == (ets.info(table, :type) == :ordered_set)
    end

    table_test "may be large maps", [types: [:set, :ordered_set], variants: @variants], %{
      ets: ets,
      table: table
    } do
      map = Map.new(1..100_000, &{&1, {&1, "value"}})
      ets.insert(table, {:key, map})
      assert_same ets.lookup_element(table, :key, 2), map
      ets.insert(table, {map, :key})
      assert ets.lookup_element(table, map, 2) == :key
      refute ets.member(table, Map.delete(map, 1))
    end

    table_test "may be large tuples", [types: [:set, :ordered_set], variants: @variants], %{
      ets: ets,
      table: table
    } do
      object = List.to_tuple([:key | Enum.to_list(1..300_000)])
      ets.insert(table, object)
      assert_same ets.lookup(table, :key), [object]
    end

    table_test "may be large binaries and integers",
               [types: [:set, :ordered_set], variants: @variants],
               %{
                 ets: ets,
                 table: table
               } do
      binary = :binary.copy("0123456789", 500_000)
      integer = 2 ** 100_000 + 1
      ets.insert(table, [{binary, integer}, {integer, binary}])
      assert_same ets.lookup_element(table, binary, 2), integer
      assert_same ets.lookup_element(table, integer, 2), binary
      refute ets.member(table, binary <> "0")
      refute ets.member(table, integer + 1)
    end
  end

  # The rules of the running release, whatever they are for -0.0.
  describe "equality and order of keys" do
    for type <- [:set, :ordered_set, :bag] do
      @tag :library
      test "are those of :ets (#{type})" do
        terms = Terms.neighbours()

        for term <- terms do
          [expected, actual] =
            for ets <- [:ets, Etsunami] do
              table = ets.new(:table, [unquote(type)])
              ets.insert(table, {term})
              found = for other <- terms, do: ets.member(table, other)

              new =
                for other <- terms,
                    do: ets.insert_new(table, {other}) and ets.delete(table, other)

              ets.delete(table)
              {found, new}
            end

          assert actual == expected, "keys beside #{inspect(term, limit: 5)}"
        end
      end
    end

    @tag :library
    test "are those of :ets for whole objects of a bag" do
      terms = Terms.neighbours()

      for term <- terms do
        [expected, actual] =
          for ets <- [:ets, Etsunami] do
            table = ets.new(:table, [:bag])
            ets.insert(table, {1, term})

            sizes =
              for other <- terms do
                ets.insert(table, {1, other})
                ets.info(table, :size)
              end

            ets.delete_object(table, {1, term})
            result = {sizes, ets.info(table, :size)}
            ets.delete(table)
            result
          end

        assert actual == expected, "objects beside #{inspect(term, limit: 5)}"
      end
    end

    @tag :library
    test "sort as :ets sorts" do
      terms = Terms.neighbours() ++ Terms.all()

      for keys <- [terms, Enum.reverse(terms), Enum.shuffle(terms)] do
        [expected, actual] =
          for ets <- [:ets, Etsunami] do
            table = ets.new(:table, [:ordered_set])
            for {key, n} <- Enum.with_index(keys), do: ets.insert(table, {key, n})
            order = for {_key, n} <- ets.tab2list(table), do: n
            ets.delete(table)
            order
          end

        assert actual == expected
      end
    end

    @tag :library
    test "find the same neighbours as in :ets" do
      terms = Terms.neighbours()
      tables = for ets <- [:ets, Etsunami], do: {ets, ets.new(:table, [:ordered_set])}
      for {ets, table} <- tables, term <- Enum.take_every(terms, 3), do: ets.insert(table, {term})

      for term <- terms do
        [expected, actual] =
          for {ets, table} <- tables, do: {ets.next(table, term), ets.prev(table, term)}

        assert actual === expected, "beside #{inspect(term, limit: 5)}"
      end

      for {ets, table} <- tables, do: ets.delete(table)
    end

    table_test "take equal closures of two processes as one", [types: [:set, :ordered_set]], %{
      ets: ets,
      table: table
    } do
      [one, two] = for _process <- 1..2, do: in_process(fn -> closure({:bound, [1]}) end)
      ets.insert(table, {one, 1})
      assert ets.lookup_element(table, two, 2) == 1
      ets.insert(table, {two, 2})
      assert ets.info(table, :size) == 1
      refute ets.member(table, closure({:bound, [2]}))
    end
  end

  describe "what a term keeps alive" do
    table_test "stays alive in the table", [types: [:set, :ordered_set]], %{
      ets: ets,
      options: options,
      table: table
    } do
      # The maker hands the reference over to the table alone, and ends.
      helper = start_helper()

      if :public in options do
        ask(helper, fn ->
          counter = :counters.new(1, [])
          :counters.put(counter, 1, 42)
          atomic = :atomics.new(1, [])
          :atomics.put(atomic, 1, 43)
          ets.insert(table, [{:counter, [counter]}, {:atomic, %{atomic: atomic}}])
          ets.insert(table, {:closure, fn -> :counters.get(counter, 1) end})
        end)

        stop(helper, :kill)
        :erlang.garbage_collect()
        [counter] = ets.lookup_element(table, :counter, 2)
        assert :counters.get(counter, 1) == 42
        assert :atomics.get(ets.lookup_element(table, :atomic, 2).atomic, 1) == 43
        assert ets.lookup_element(table, :closure, 2).() == 42
      else
        stop(helper)
      end
    end

    table_test "is let go by the process that has read it", [types: [:set, :ordered_set]], %{
      ets: ets,
      table: table
    } do
      ets.insert(table, for(n <- 1..50, do: {n, :binary.copy(<<n>>, 1000)}))

      left =
        in_process_of(table, ets, fn ->
          for n <- 1..50, do: 1000 = byte_size(ets.lookup_element(table, n, 2))
          :erlang.garbage_collect()
          {:binary, binaries} = Process.info(self(), :binary)
          length(binaries)
        end)

      assert left == 0
    end
  end

  # Terms made by a node without a name are the same when it has got one.
  @script """
  reference = make_ref()
  counter = :counters.new(1, [])
  pid = self()
  function = fn -> {reference, pid} end

  tables =
    for type <- [:set, :ordered_set, :bag, :duplicate_bag] do
      table = SUBJECT.new(:table, [type])

      for key <- [reference, counter, pid, function, {:in, [reference, pid]}] do
        SUBJECT.insert(table, {key, reference, function, pid, counter})
      end

      table
    end

  {:ok, _pid} = :net_kernel.start(:"etsunami_#{System.pid()}@localhost", %{name_domain: :longnames, dist_listen: false})
  true = Node.alive?()

  for table <- tables, key <- [reference, counter, pid, function, {:in, [reference, pid]}] do
    [{^key, ^reference, ^function, ^pid, ^counter}] = SUBJECT.lookup(table, key)
    true = SUBJECT.member(table, key)
    :counters.add(elem(hd(SUBJECT.lookup(table, key)), 4), 1, 1)
  end

  20 = :counters.get(counter, 1)
  IO.puts("unchanged")
  """

  for ets <- [:ets, Etsunami] do
    @tag subject: ets
    test "terms are the same after the node has got a name (#{inspect(ets)})" do
      script = String.replace(@script, "SUBJECT", unquote(inspect(ets)))
      path = Path.dirname(:code.which(Etsunami))
      {output, status} = System.cmd("elixir", ["-pa", path, "-e", script], stderr_to_stdout: true)
      assert {status, output} == {0, "unchanged\n"}
    end
  end

  # Deep and large terms are not what a failed assertion should print.
  defp assert_same(actual, expected, which \\ "the term") do
    if actual !== expected, do: flunk("#{which} comes back as another one")
  end

  defp closure(bound), do: fn -> bound end

  # A private table is read by its owner.
  defp in_process_of(table, ets, function) do
    if ets.info(table, :protection) == :private, do: 0, else: in_process(function)
  end
end
