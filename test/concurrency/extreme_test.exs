defmodule Etsunami.Concurrency.ExtremeTest do
  # Terms of extreme size and shape wherever they can be passed, and keys that are chosen to gather.
  use ExUnit.Case, async: false
  @moduletag :library

  alias Etsunami.{Native, WrongCalls}

  # Nested a million deep, through all that nests.
  defp deep do
    Enum.reduce(1..1_000_000, :inside, fn
      n, inner when rem(n, 3) == 0 -> [inner]
      n, inner when rem(n, 3) == 1 -> {inner, n}
      n, inner -> [n | inner]
    end)
  end

  # Every call with the term in place of one argument, the others being good ones.
  defp calls(functions, term) do
    for {name, roles} <- functions, position <- 0..(length(roles) - 1) do
      good = roles |> WrongCalls.arguments() |> hd()
      {name, List.replace_at(good, position, term)}
    end
  end

  # What it comes to: anything but a panic.
  defp outcome(name, arguments) do
    apply(Etsunami, name, arguments)
    :answer
  rescue
    error in [ArgumentError, SystemLimitError, FunctionClauseError, BadFunctionError] ->
      error.__struct__

    # Errors of files and of functions that are given.
    error in ErlangError ->
      assert error.original != :nif_panicked
      :erlang
  catch
    kind, _reason -> kind
  end

  defp survive(term) do
    functions = WrongCalls.table_functions() ++ WrongCalls.other_functions()

    for {name, arguments} <- calls(functions, term), name not in [:tab2file, :table] do
      table = Etsunami.new(:extreme, [:public])
      Etsunami.insert(table, [{1, 2}, {2, 3}])
      arguments = Enum.map(arguments, &if(&1 == :table, do: table, else: &1))
      outcome = outcome(name, arguments)

      if Etsunami.info(table) != :undefined and Etsunami.info(table, :owner) == self() do
        assert length(Etsunami.tab2list(table)) == Etsunami.info(table, :size)
        Etsunami.delete(table)
      end

      outcome
    end
  after
    for table <- Etsunami.all(),
        Etsunami.info(table, :owner) == self(),
        do: Etsunami.delete(table)
  end

  @tag timeout: 120_000
  test "a term nested a million deep in each position of each function" do
    outcomes = survive(deep())
    assert :answer in outcomes and ArgumentError in outcomes
  end

  @tag timeout: 120_000
  test "a binary of 100 MB in each position of each function" do
    outcomes = survive(:binary.copy(<<"0123456789">>, 10_000_000))
    assert :answer in outcomes and ArgumentError in outcomes
  end

  # A term that would unfold to 2^40 words. It is refused after a gigabyte.
  @tag :heavy
  @tag timeout: 120_000
  test "a term that shares its parts without end is a system_limit" do
    table = Etsunami.new(:extreme, [:public])
    shared = Enum.reduce(1..40, [], fn _, part -> {part, part} end)

    for call <- [
          fn -> Etsunami.insert(table, {1, shared}) end,
          fn -> Etsunami.insert(table, [{2, :b}, {1, shared}]) end,
          fn -> Etsunami.lookup(table, shared) end
        ] do
      assert_raise SystemLimitError, call
      assert Etsunami.tab2list(table) == []
    end

    assert Etsunami.insert(table, {1, 2})
  end

  test "a term that shares its parts 2^16 times is stored and comes back equal" do
    table = Etsunami.new(:extreme, [:public])
    shared = Enum.reduce(1..16, [], fn _, part -> {part, part} end)
    Etsunami.insert(table, {shared, shared})
    assert Etsunami.lookup(table, shared) == [{shared, shared}]
    assert Etsunami.info(table, :memory) * 8 < 16 * 2 ** 20
  end

  # Chosen among many so that their hashes agree in a hash function that an attacker can compute.
  defp chosen(count, agrees?) do
    1 |> Stream.iterate(&(&1 + 1)) |> Stream.filter(agrees?) |> Enum.take(count)
  end

  # How uneven a table of these keys is: overflow lines, and segments in use.
  defp unevenness(keys) do
    table = Etsunami.new(:flooded, [:public])
    for key <- keys, do: Etsunami.insert(table, {key})
    stats = Etsunami.info(table, :stats)
    assert Enum.all?(keys, &Etsunami.member(table, &1))
    Etsunami.delete(table)
    {stats[:overflow_lines], stats[:segments]}
  end

  for {name, agrees?} <- [
        {"phash2", quote(do: fn key -> :erlang.phash2(key, 64) == 0 end)},
        {"the hash of another seed",
         quote(do: fn key -> Native.codec_hash(key, 0) |> elem(0) |> Bitwise.bsr(58) == 5 end)}
      ] do
    test "keys that agree in #{name} do not gather" do
      count = 10_000
      {overflow, segments} = unevenness(chosen(count, unquote(agrees?)))
      {usual_overflow, usual_segments} = unevenness(Enum.to_list(1..count))
      # Gathered, they would be in one of 64 parts: 64 times as many in each of its buckets.
      assert overflow < 4 * usual_overflow + 100
      assert segments <= 4 * usual_segments
    end
  end

  test "keys that gather under a known seed do so: what the seed is good for" do
    positions = for key <- 1..10_000, do: position(key, 0)
    gathered = chosen(1_000, &(position(&1, 0) == 5))
    assert Enum.all?(gathered, &(position(&1, 0) == 5))
    # The same keys under another seed are spread as any.
    assert gathered |> Enum.map(&position(&1, 1)) |> Enum.uniq() |> length() > 50
    assert positions |> Enum.uniq() |> length() == 64
  end

  defp position(key, seed), do: key |> Native.codec_hash(seed) |> elem(0) |> Bitwise.bsr(58)
end
