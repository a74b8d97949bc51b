defmodule Bench.Weak do
  @moduledoc """
  What ETS is known to be bad at, each with a row of its own.
  """

  alias Bench.{Attempt, Data, Load, Pairs, Plan, Progress, Row, Stall}

  @group 100_000
  @size 100_000

  @doc "All rows."
  def run(both, limits) do
    {:ok, _} = Attempt.run(&prepare/0)

    hot_counter(both, limits) ++
      bag_key(both) ++ trickle(both, limits) ++ sizes(both, limits) ++ Stall.run(both)
  end

  defp prepare do
    Data.prepare(:integer, :integer, @size)
    for percent <- [1, 0.1], do: Data.put({:trickle, percent}, Load.mixture(@size, percent))
  end

  # One counter and all schedulers, with four processes on each as well.
  defp hot_counter(both, limits) do
    schedulers = System.schedulers_online()

    for name <- [:plain, :auto], count <- [schedulers, 4 * schedulers] do
      row("one counter, #{count} processes, set, #{name}; update_counter", fn ->
        work = fn {side, table}, _ -> side.hammer(table, 0, 20_000) end
        at_once(both, [:set | Plan.options(name)], count, 20_000, work, limits)
      end)
    end
  end

  defp trickle(both, limits) do
    for percent <- [1, 0.1], name <- [:read_concurrency, :auto] do
      row("reads with #{percent} % of writes, all schedulers, set, #{name}", fn ->
        parts = Data.get({:trickle, percent})

        work = fn {side, table}, number ->
          for round <- 0..7, do: side.mixed(table, elem(parts, rem(number * 8 + round, 32)))
        end

        at_once(
          both,
          [:set | Plan.options(name)],
          System.schedulers_online(),
          40_000,
          work,
          limits
        )
      end)
    end
  end

  defp sizes(both, limits) do
    for type <- [:set, :ordered_set], state <- [:idle, :written] do
      row("info(size), decentralized counters, #{state}, #{type}", fn ->
        size(both, [type, write_concurrency: true, decentralized_counters: true], state, limits)
      end)
    end
  end

  defp size({first, second}, options, state, limits) do
    sides = for side <- [first, second], do: {side, filled(side, options)}
    run = fn side, _ -> size_of(side, state) end
    [a, b] = sides
    Pairs.within(limits, a, b, 100, run, fn _, _ -> :ok end)
  end

  defp size_of({side, table}, :idle), do: side.sizes(table, 100)

  # One process asks, one writes meanwhile, on another scheduler where there is one.
  defp size_of({side, table}, :written) do
    flag = :atomics.new(1, [])

    Load.at_once(2, fn
      0 ->
        side.sizes(table, 100)
        :atomics.put(flag, 1, 1)

      1 ->
        write(side, table, flag)
    end)
  end

  defp write(side, table, flag) do
    side.insert(table, [{-1, 0}])
    side.remove(table, [{-1, 0}])
    if :atomics.get(flag, 1) == 0, do: write(side, table, flag)
  end

  # Filling this takes ETS, which compares each new object with all of the key, long: once.
  defp bag_key({first, second}) do
    Progress.show("bag key of #{@group} objects")
    {:ok, _} = Attempt.run(fn -> Data.put(:group, for(n <- 1..@group, do: {1, n})) end)
    sides = for side <- [first, second], do: {side, side.new([:bag])}
    label = "bag key of #{@group} objects; "

    fills =
      for {side, table} <- sides do
        Attempt.run(fn -> nanoseconds(fn -> side.insert(table, Data.get(:group)) end) end, 240)
      end

    filled =
      row(label <> "insert of each", fn ->
        [{:ok, a}, {:ok, b}] = fills
        Pairs.summary([{a, b}], @group)
      end)

    rows = if Enum.all?(fills, &match?({:ok, _}, &1)), do: of_key(sides, label), else: []
    for {side, table} <- sides, do: side.delete(table)
    [filled | rows]
  end

  # Each pair works on other objects: one that has just been put back stands, in a key of ETS,
  # where it is found first.
  defp of_key([first, second], label) do
    new = for n <- 1..20, do: {1, -n}
    nothing = fn _, _ -> :ok end
    remove = fn {side, table}, _ -> side.delete_object(table, new) end

    cases = [
      {"insert of an object that is there", &insert(&1, present(&2)), nothing},
      {"insert of a new object", fn side, _ -> insert(side, new) end, remove},
      {"delete_object", fn {side, table}, n -> side.delete_object(table, present(n)) end,
       &insert(&1, present(&2))},
      {"member", fn {side, table}, n -> side.member(table, present(n)) end, nothing},
      {"match_object of a whole object",
       fn {side, table}, n -> side.match_object(table, present(n)) end, nothing}
    ]

    limits = %{pairs: 11, least: 3, milliseconds: 2000}

    for {name, run, clean} <- cases do
      row(label <> name, fn -> Pairs.within(limits, first, second, 20, run, clean) end)
    end
  end

  defp present(number) do
    distance = div(@group, 20)
    for n <- 0..19, do: {1, n * distance + rem(number * 401, distance) + 1}
  end

  defp insert({side, table}, objects), do: side.insert(table, objects)

  defp at_once({first, second}, options, count, each, work, limits) do
    sides = for side <- [first, second], do: {side, filled(side, options)}
    run = fn side, _ -> Load.at_once(count, &work.(side, &1)) end
    [a, b] = sides
    for side <- sides, do: run.(side, 0)
    Pairs.within(limits, a, b, count * each, run, fn _, _ -> :ok end)
  end

  defp filled(side, options) do
    table = side.new(options)
    for slice <- Data.slices(), do: side.insert(table, slice)
    side.insert(table, [{0, 0}])
    table
  end

  defp nanoseconds(fun) do
    start = System.monotonic_time(:nanosecond)
    fun.()
    System.monotonic_time(:nanosecond) - start
  end

  defp row(label, fun) do
    Progress.show(label)
    Row.new(:weak, label, Attempt.run(fun, 120))
  end
end
