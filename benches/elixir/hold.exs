# How long long calls hold a scheduler, against :ets: `make bench-hold`, or
#
#     MIX_ENV=prod mix run benches/elixir/hold.exs [--module MODULE] [--runs N] [--count N]
#
# Meant for a quiet machine: a stay that the operating system interrupts looks long on either side.

for name <- ~w(machine progress hold hold_cases), do: Code.require_file("lib/#{name}.ex", __DIR__)

defmodule Bench.HoldAll do
  alias Bench.{Hold, HoldCases, Machine, Progress}

  def run(module, runs, count) do
    {:ok, watch} = watch()

    # Filling the bag takes :ets, which compares with all objects of the key, minutes: once is enough.
    cases =
      for(case <- HoldCases.of_table(count, 100_000), do: {case, runs}) ++
        for(case <- HoldCases.of_object(1_000_000), do: {case, runs}) ++
        for(case <- HoldCases.of_key(100_000), do: {case, 1})

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
    HoldCases.remove_file()
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
