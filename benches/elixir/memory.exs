# Resident memory against :ets: `make bench-memory`, or
#
#     MIX_ENV=prod mix run benches/elixir/memory.exs [--module MODULE] [--runs N] [--count N]
#
# Each number is the median of some runs, each in a virtual machine of its own.

for name <- ~w(machine pairs progress attempt shapes memory),
    do: Code.require_file("lib/#{name}.ex", __DIR__)

{options, [], []} =
  OptionParser.parse(System.argv(), strict: [module: :string, runs: :integer, count: :integer])

alias Bench.{Machine, Memory, Progress}

module = Machine.module(Keyword.get(options, :module, "Etsunami"))
runs = Keyword.get(options, :runs, 3)
count = Keyword.get(options, :count, 1_000_000)
rows = Memory.run(module, Memory.shapes(), runs, count)
Progress.done()

text = [
  "# Resident memory against `:ets`\n\n",
  Enum.map(Machine.lines(), &[&1, "\n"]),
  "- #{count} objects; growth of the resident memory in bytes per object, medians of ",
  "#{runs} runs in fresh virtual machines; left: two seconds after `delete/1`\n\n",
  Memory.table(inspect(module), rows)
]

IO.puts(text)
if module != :ets, do: File.write!(Machine.result_file("memory"), text)
