# Loads a package database into the tables of Etsunami and of :ets, asks both the same questions
# and compares answers and times. The exit status is 1 if any answer differs.
#
#     mix run demo/demo.exs [--module MODULE] [--rounds N] [--processes N] [--sample]

for name <- ~w(progress version stanza relation source tables crew questions report compare) do
  Code.require_file("lib/#{name}.ex", __DIR__)
end

{options, [], []} =
  OptionParser.parse(System.argv(),
    strict: [module: :string, rounds: :integer, processes: :integer, sample: :boolean]
  )

module =
  case Keyword.get(options, :module, "Etsunami") do
    "ets" -> :ets
    name -> Module.concat([name])
  end

settings = [
  rounds: Keyword.get(options, :rounds, 5),
  processes: Keyword.get(options, :processes, max(4, System.schedulers_online()))
]

packages = Demo.Source.packages(sample: Keyword.get(options, :sample, false))

case Demo.Compare.run(module, packages, settings) do
  :equal -> :ok
  :different -> System.halt(1)
end
