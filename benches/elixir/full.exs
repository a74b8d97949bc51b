# Everything against :ets, a quarter of an hour: `make bench`, or
#
#     MIX_ENV=prod mix run benches/elixir/full.exs [--module MODULE] [--pairs N] [--seed N]
#         [--milliseconds N] [--large N] [--sections matrix,load,...] [--name NAME] [--short]
#
# Writes Markdown and charts into benches/results; with --short, or against :ets itself, it only
# prints.

Code.require_file("lib/all.exs", __DIR__)

alias Bench.{Machine, Report, Run}

{options, [], []} =
  OptionParser.parse(System.argv(),
    strict: [
      module: :string,
      pairs: :integer,
      seed: :integer,
      milliseconds: :integer,
      large: :integer,
      sections: :string,
      name: :string,
      short: :boolean
    ]
  )

module = Machine.module(Keyword.get(options, :module, "Etsunami"))

sections =
  case Keyword.fetch(options, :sections) do
    {:ok, names} -> for name <- String.split(names, ","), do: String.to_existing_atom(name)
    :error -> Run.sections()
  end

if options[:short] || (module == :ets && !options[:name]) do
  IO.puts(Report.markdown(Run.short(module, options)))
else
  run = Run.full(module, Keyword.put(options, :sections, sections))
  file = Run.write(run, Keyword.get(options, :name, "bench-otp#{System.otp_release()}"))
  IO.puts(file |> File.read!() |> String.split("\n## All other cells") |> hd())
  IO.puts("Written to #{file}")
end
