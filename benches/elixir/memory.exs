# Resident memory against :ets: `make bench-memory`, or
#
#     MIX_ENV=prod mix run benches/elixir/memory.exs [--module MODULE] [--runs N] [--count N]
#
# Each number is the median of some runs, each in a virtual machine of its own. What an allocator
# keeps or loses is part of it, as it is for a user.

for name <- ~w(machine pairs progress), do: Code.require_file("lib/#{name}.ex", __DIR__)

defmodule Bench.Memory do
  alias Bench.{Machine, Pairs, Progress}

  @shapes [{"integer", "`{integer, integer}`"}, {"map", "`{integer, map of 10 atom keys}`"}]

  def run(module, runs, count) do
    rows =
      for {shape, label} <- @shapes do
        pairs =
          for run <- 1..runs do
            Progress.show("#{shape}, run #{run} of #{runs}")
            {child("ets", shape, count), child(module, shape, count)}
          end

        row(label, Enum.unzip(pairs), count)
      end

    Progress.done()
    write(module, rows, runs, count)
  end

  defp child(module, shape, count) do
    script = Path.join(__DIR__, "memory_child.exs")
    paths = Enum.flat_map(:code.get_path(), &["-pa", to_string(&1)])
    arguments = paths ++ [script, module, shape, "#{count}"]
    {output, 0} = System.cmd(System.find_executable("elixir"), arguments)
    [grown, left] = output |> String.split() |> Enum.map(&String.to_integer/1)
    {grown, left}
  end

  defp row(label, {first, second}, count) do
    [{ets, ets_left}, {other, other_left}] =
      for side <- [first, second] do
        {grown, left} = Enum.unzip(side)
        {Pairs.median(grown) / count, Pairs.median(left) / count}
      end

    cells = [ets, other, ets_left, other_left] |> Enum.map_join(" | ", &decimals(&1, 0))
    "| #{label} | #{cells} | #{decimals(other / ets, 2)} |\n"
  end

  defp write(module, rows, runs, count) do
    text = [
      "# Resident memory against `:ets`\n\n",
      Enum.map(Machine.lines(), &[&1, "\n"]),
      "- #{count} objects; growth of the resident memory in bytes per object, medians of ",
      "#{runs} runs in fresh virtual machines; left: two seconds after `delete/1`\n\n",
      "| objects | :ets | #{module} | :ets left | #{module} left | quotient |\n",
      "| --- | ---: | ---: | ---: | ---: | ---: |\n",
      rows
    ]

    IO.puts(text)
    if module != "ets", do: File.write!(Machine.result_file("memory"), text)
  end

  defp decimals(number, digits), do: :erlang.float_to_binary(number / 1, decimals: digits)
end

{options, [], []} =
  OptionParser.parse(System.argv(), strict: [module: :string, runs: :integer, count: :integer])

Bench.Memory.run(
  Keyword.get(options, :module, "Etsunami"),
  Keyword.get(options, :runs, 3),
  Keyword.get(options, :count, 1_000_000)
)
