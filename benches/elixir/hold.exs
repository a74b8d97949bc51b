# How long long calls hold a scheduler, against :ets: `make bench-hold`, or
#
#     MIX_ENV=prod mix run benches/elixir/hold.exs [--module MODULE] [--runs N] [--count N]
#
# Meant for a quiet machine: a stay that the operating system interrupts looks long on either side.

for name <- ~w(machine progress hold), do: Code.require_file("lib/#{name}.ex", __DIR__)

defmodule Bench.HoldAll do
  alias Bench.{Hold, Machine, Progress}

  @listed 100_000
  @words 1_000_000
  @group 100_000

  def run(module, runs, count) do
    {:ok, watch} = watch()

    # Filling the bag takes :ets, which compares with all objects of the key, minutes: once is enough.
    cases = for(case <- cases(count), do: {case, runs}) ++ for(case <- of_key(), do: {case, 1})

    rows =
      for {{{label, prepare, fun}, runs}, index} <- Enum.with_index(cases, 1) do
        Progress.show("#{index} of #{length(cases)}: #{label}")
        {label, for(side <- [:ets, module], do: measure(side, prepare, fun, runs, watch))}
      end

    Progress.done()
    write(module, rows, runs, count)
  end

  defp measure(side, prepare, fun, runs, watch) do
    Agent.update(watch, fn _ -> [] end)

    stays =
      for _ <- 1..runs, stay <- Hold.stays(fn -> prepare.(side) end, &fun.(side, &1)), do: stay

    {Enum.sort(stays), Agent.get(watch, & &1)}
  end

  # The emulator's own watch, over all processes; {long_schedule, Milliseconds} is at least 1.
  defp watch do
    {:ok, agent} = Agent.start_link(fn -> [] end)
    spawn_link(fn -> watched(agent) end)
    {:ok, agent}
  end

  defp watched(agent) do
    :erlang.system_monitor(self(), [{:long_schedule, 1}])
    report(agent)
  end

  defp report(agent) do
    receive do
      {:monitor, _pid, :long_schedule, info} ->
        Agent.update(agent, &[Keyword.fetch!(info, :timeout) | &1])
        report(agent)
    end
  end

  defp cases(count) do
    for type <- [:set, :ordered_set], {label, prepare, fun} <- of_table(type, count) do
      {"#{type}: #{label}", prepare, fun}
    end ++ of_object()
  end

  defp of_table(type, count) do
    full = &filled(&1, type, count)
    empty = &new(&1, type)
    third = [{{:"$1", :"$2"}, [{:"=:=", {:rem, :"$2", 3}, 0}], [:"$_"]}]
    drop = [{{:"$1", :"$2"}, [{:"=:=", {:rem, :"$2", 3}, 0}], [true]}]

    [
      {"select, a third of the objects", full, & &1.select(&2, third)},
      {"select_count", full, & &1.select_count(&2, drop)},
      {"select_delete, a third of the objects", full, & &1.select_delete(&2, drop)},
      {"tab2list", full, & &1.tab2list(&2)},
      {"foldl", full, fn side, table -> side.foldl(fn _, sum -> sum + 1 end, 0, table) end},
      {"insert of #{@listed} objects", fn side -> {empty.(side), pairs(@listed)} end,
       fn side, {table, objects} -> side.insert(table, objects) end},
      {"insert_new of #{@listed} objects", fn side -> {full.(side), pairs(@listed, count)} end,
       fn side, {table, objects} -> side.insert_new(table, objects) end},
      {"tab2file", full, fn side, table -> :ok = side.tab2file(table, file()) end},
      {"delete_all_objects", full, & &1.delete_all_objects(&2)},
      {"delete", full, & &1.delete(&2)}
    ]
  end

  defp of_object do
    object = {1, Enum.to_list(1..div(@words, 2))}
    empty = &new(&1, :set)

    full = fn side ->
      table = new(side, :set)
      side.insert(table, object)
      table
    end

    [
      {"one object of #{@words} words: insert", empty, & &1.insert(&2, object)},
      {"one object of #{@words} words: lookup", full, & &1.lookup(&2, 1)},
      {"one object of #{@words} words: delete", full, & &1.delete(&2, 1)}
    ]
  end

  defp of_key do
    full = fn side ->
      table = new(side, :bag)
      for number <- 1..@group, do: side.insert(table, {1, number})
      table
    end

    for {label, fun} <- [
          {"insert", & &1.insert(&2, {1, :new})},
          {"lookup", & &1.lookup(&2, 1)},
          {"lookup_element", & &1.lookup_element(&2, 1, 2)},
          {"delete_object", & &1.delete_object(&2, {1, div(@group, 2)})},
          {"match_object", & &1.match_object(&2, {1, :_})},
          {"take", & &1.take(&2, 1)},
          {"delete of the key", & &1.delete(&2, 1)}
        ] do
      {"bag key of #{@group} objects: #{label}", full, fun}
    end
  end

  defp new(side, type), do: side.new(:bench_hold, [:public, type])

  # In lists of a moderate size: making the table is not what is measured.
  defp filled(side, type, count) do
    table = new(side, type)

    for from <- 1..count//10_000,
        do: side.insert(table, pairs(min(10_000, count - from + 1), from - 1))

    table
  end

  defp pairs(count, after_ \\ 0),
    do: for(number <- (after_ + 1)..(after_ + count), do: {number, number})

  defp file, do: String.to_charlist(Path.join(System.tmp_dir!(), "etsunami_bench_hold"))

  defp write(module, rows, runs, count) do
    text = [
      "# How long a call holds a scheduler, against `:ets`\n\n",
      Enum.map(Machine.lines(), &[&1, "\n"]),
      "- tables of #{count} objects `{integer, integer}`; #{runs} runs each (of a bag key: one)\n",
      "- microseconds of the stays on a normal scheduler, without garbage collections; long: how ",
      "many stays the emulator's `long_schedule` watch reported (1 ms and more, with garbage ",
      "collections, of all processes), and the longest of them in milliseconds\n\n",
      "| call | side | stays | p50 | p99 | max | long |\n",
      "| --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
      for {label, sides} <- rows, {side, result} <- Enum.zip([":ets", inspect(module)], sides) do
        row(label, side, result)
      end
    ]

    IO.puts(text)
    File.rm(file())
    if module != :ets, do: File.write!(Machine.result_file("hold"), text)
  end

  defp row(label, side, {stays, long}) do
    cells = [length(stays), at(stays, 0.5), at(stays, 0.99), at(stays, 1.0), long(long)]
    "| #{label} | #{side} | #{Enum.join(cells, " | ")} |\n"
  end

  defp at([], _share), do: "-"

  defp at(sorted, share) do
    index = min(trunc(length(sorted) * share), length(sorted) - 1)
    sorted |> Enum.at(index) |> round()
  end

  defp long([]), do: "0"
  defp long(times), do: "#{length(times)} (#{Enum.max(times)})"
end

{options, [], []} =
  OptionParser.parse(System.argv(), strict: [module: :string, runs: :integer, count: :integer])

module =
  case Keyword.get(options, :module, "Etsunami") do
    "ets" -> :ets
    name -> Module.concat([name])
  end

Bench.HoldAll.run(
  module,
  Keyword.get(options, :runs, 3),
  Keyword.get(options, :count, 1_000_000)
)
