defmodule Etsunami.Soak.Load do
  @moduledoc """
  The processes of a soak: users of tables that stay, and owners whose tables die with them.

  Each table that stays has objects `{{:stay, n}, n, 0}` that nobody deletes, a number of keys that
  come and go, and pairs of keys that are only ever written together, by lists. So each reader can
  tell whether what it sees is whole.
  """

  @stay 2_000
  @moving 20_000

  @forms [
    set: [:set, write_concurrency: true],
    ordered_set: [:ordered_set, write_concurrency: true],
    skip_list: [:ordered_set, engine: :skip_list],
    bag: [:bag],
    duplicate_bag: [:duplicate_bag]
  ]

  @doc "The tables that stay, by name, filled."
  def tables do
    for {name, form} <- @forms do
      table = Etsunami.new(name, [:public | form])
      Etsunami.insert(table, for(n <- 1..@stay, do: {{:stay, n}, n, 0}))
      {name, table}
    end
  end

  @doc "Uses the tables, for ever. `counts` has the number of operations at `place`."
  def use_tables(tables, counts, place, seed) do
    :rand.seed(:exsss, {seed, place, 0})
    forever(fn -> operate(Enum.random(tables), counts, place) end)
  end

  @doc "Makes owners of tables and kills them, for ever; some of the tables are inherited."
  def own_tables(heir, counts, place, seed) do
    :rand.seed(:exsss, {seed, place, 1})

    forever(fn ->
      {pid, monitor} = spawn_monitor(fn -> own(heir) end)
      Process.sleep(:rand.uniform(5))
      Process.exit(pid, :kill)
      receive do: ({:DOWN, ^monitor, :process, ^pid, _reason} -> :ok)
      :counters.add(counts, place, 1)
    end)
  end

  @doc "Inherits tables, looks at them and deletes them, for ever."
  def inherit do
    receive do
      {:"ETS-TRANSFER", table, _from, size} ->
        ^size = Etsunami.info(table, :size)
        Etsunami.delete(table)
    end

    inherit()
  end

  defp forever(function) do
    function.()
    forever(function)
  end

  defp operate({name, table}, counts, place) do
    step(:rand.uniform(100), name, table)
    :counters.add(counts, place, 1)
  end

  defp key, do: {:move, :rand.uniform(@moving)}

  defp step(n, _name, table) when n <= 35, do: Etsunami.lookup(table, key())
  defp step(n, _name, table) when n <= 45, do: staying(table)
  defp step(n, _name, table) when n <= 60, do: Etsunami.insert(table, {key(), value(), n})
  defp step(n, _name, table) when n <= 70, do: Etsunami.delete(table, key())
  defp step(n, _name, table) when n <= 75, do: Etsunami.take(table, key())
  defp step(n, name, table) when n <= 82, do: count(name, table)
  defp step(n, name, table) when n <= 88, do: pair(name, table)
  defp step(n, _name, table) when n <= 91, do: some(table)
  defp step(n, _name, table) when n <= 93, do: part(table)
  defp step(94, _name, table), do: sweep(table)
  defp step(95, name, table), do: replace(name, table)
  defp step(96, _name, table), do: fixed(table)
  defp step(97, _name, table), do: whole(table)
  defp step(_rest, _name, table), do: Etsunami.insert(table, list())

  defp value do
    case :rand.uniform(8) do
      1 -> make_ref()
      2 -> :binary.copy("large", 4_000)
      3 -> %{a: self(), b: [1.5, 2 ** 70]}
      4 -> fn -> :ok end
      _ -> :rand.uniform(1000)
    end
  end

  defp list, do: for(_ <- 1..:rand.uniform(200), do: {key(), :listed, 1})

  # What stays is always there.
  defp staying(table) do
    n = :rand.uniform(@stay)
    [{{:stay, ^n}, ^n, _}] = Etsunami.lookup(table, {:stay, n})
  end

  defp count(name, _table) when name in [:bag, :duplicate_bag], do: :ok

  defp count(_name, table) do
    Etsunami.update_counter(table, {:stay, :rand.uniform(@stay)}, {3, 1})
  end

  # Two keys are only ever written by one list, with a number that no other list has. If the first
  # has not changed while the second was read, they have the same number.
  defp pair(name, _table) when name in [:bag, :duplicate_bag], do: :ok

  defp pair(_name, table) do
    n = :rand.uniform(20)

    if :rand.uniform(2) == 1 do
      stamp = System.unique_integer()
      Etsunami.insert(table, [{{:first, n}, stamp, 0}, {{:second, n}, stamp, 0}])
    else
      [before, second, behind] =
        for which <- [:first, :second, :first], do: stamp(table, {which, n})

      if before == behind and second != before, do: raise("half of a list in #{inspect(table)}")
    end
  end

  defp stamp(table, key), do: Etsunami.lookup_element(table, key, 2, :none)

  defp some(table), do: Etsunami.select(table, [{{{:move, :_}, :"$1", :_}, [], [:"$1"]}], 50)

  defp part(table) do
    from = :rand.uniform(@moving)
    guards = [{:>, :"$1", from}, {:<, :"$1", from + 100}]
    Etsunami.select_delete(table, [{{{:move, :"$1"}, :_, :_}, guards, [true]}])
  end

  defp sweep(table), do: Etsunami.match_delete(table, {{:move, :_}, :listed, :_})

  defp replace(:bag, _table), do: :ok

  defp replace(_name, table) do
    body = [{{{{:move, :"$1"}}, :"$2", 7}}]
    Etsunami.select_replace(table, [{{{:move, :"$1"}, :"$2", 1}, [], body}])
  end

  # A traversal by keys meets what stays once.
  defp fixed(table) do
    Etsunami.safe_fixtable(table, true)
    stay = walk(table, Etsunami.first(table), 0)
    Etsunami.safe_fixtable(table, false)
    unless stay == @stay, do: raise("#{stay} of #{@stay} met in #{inspect(table)}")
  end

  defp walk(_table, :"$end_of_table", stay), do: stay

  defp walk(table, key, stay) do
    walk(table, Etsunami.next(table, key), if(match?({:stay, _}, key), do: stay + 1, else: stay))
  end

  # And so does a search.
  defp whole(table) do
    numbers = Etsunami.select(table, [{{{:stay, :"$1"}, :_, :_}, [], [:"$1"]}])

    unless Enum.sort(numbers) == Enum.to_list(1..@stay),
      do: raise("#{length(numbers)} of #{@stay} found in #{inspect(table)}")
  end

  defp own(heir) do
    type = Enum.random([:set, :ordered_set, :bag, :duplicate_bag])
    size = :rand.uniform(500)
    own_until_killed(type, size, heir)
  end

  defp own_until_killed(type, size, heir) do
    table = Etsunami.new(:soak, [type, :public])
    Etsunami.insert(table, for(n <- 1..size, do: {n, make_ref(), fn -> n end}))
    if :rand.uniform(3) == 1, do: Etsunami.setopts(table, {:heir, heir, size})
    if :rand.uniform(3) == 1, do: Etsunami.delete(table)
    own_until_killed(type, size, heir)
  end
end
