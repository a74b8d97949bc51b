# select with a range in its guards over an ordered_set, against :ets: `make bench-range`, or
#
#     MIX_ENV=prod mix run benches/elixir/range.exs [--module MODULE] [--pairs N]

for name <- ~w(machine pairs progress), do: Code.require_file("lib/#{name}.ex", __DIR__)

defmodule Bench.Range do
  alias Bench.{Machine, Pairs, Progress}

  @sizes [100_000, 1_000_000]
  @results [10, 1_000, 100_000]

  def run(module, pairs) do
    rows = for size <- @sizes, row <- of_size(module, size, pairs), do: row
    Progress.done()

    text = [
      "# `select` with a range in its guards over an `ordered_set`, against `:ets`\n\n",
      Enum.map(Machine.lines(), &[&1, "\n"]),
      "- objects `{integer, integer}`; guards `{:>=, :\"$1\", a}, {:<, :\"$1\", b}` from the middle ",
      "of the table; microseconds of a call, medians of #{pairs} pairs; quotient: median of the ",
      "pairs' quotients\n\n",
      "| objects in the table | objects in the result | :ets | #{inspect(module)} | quotient |\n",
      "| ---: | ---: | ---: | ---: | ---: |\n",
      rows
    ]

    IO.puts(text)
    if module != :ets, do: File.write!(Machine.result_file("range"), text)
  end

  defp of_size(module, size, pairs) do
    objects = for number <- 1..size, do: {number, number}
    sides = for side <- [:ets, module], do: {side, filled(side, objects)}
    rows = for results <- @results, results <= size, do: row(sides, size, results, pairs)
    for {side, table} <- sides, do: side.delete(table)
    rows
  end

  defp filled(side, objects) do
    table = side.new(:bench_range, [:ordered_set, :public])
    for chunk <- Enum.chunk_every(objects, 10_000), do: side.insert(table, chunk)
    table
  end

  defp row([first, second], size, results, pairs) do
    Progress.show("#{size} objects, #{results} in the result")
    from = div(size - results, 2) + 1
    spec = [{{:"$1", :_}, [{:>=, :"$1", from}, {:<, :"$1", from + results}], [:"$_"]}]

    select = fn {side, table} -> ^results = length(side.select(table, spec)) end
    pair = Pairs.measure(first, second, 1000, pairs, select, fn _ -> :ok end)
    [a, b, quotient] = for n <- [pair.first, pair.second, pair.quotient], do: decimals(n)
    "| #{size} | #{results} | #{a} | #{b} | #{quotient} |\n"
  end

  defp decimals(number), do: :erlang.float_to_binary(number / 1, decimals: 1)
end

{options, [], []} = OptionParser.parse(System.argv(), strict: [module: :string, pairs: :integer])

module =
  case Keyword.get(options, :module, "Etsunami") do
    "ets" -> :ets
    name -> Module.concat([name])
  end

Bench.Range.run(
  module,
  Keyword.get(options, :pairs, 11)
)
