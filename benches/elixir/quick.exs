# Speed against :ets in one process: `make bench-quick`, or
#
#     MIX_ENV=prod mix run benches/elixir/quick.exs [--module MODULE] [--pairs N] [--seed N]
#
# Prints Markdown, worst cells first, and keeps it in benches/results.

for name <- ~w(machine contender pairs progress), do: Code.require_file("lib/#{name}.ex", __DIR__)

defmodule Bench.Quick do
  alias Bench.{Contender, Machine, Pairs, Progress}

  @objects 100_000
  # As many keys as are added to a table of @objects and taken out again.
  @added 20_000
  @types [:set, :ordered_set]
  @keys [:integer, :binary]
  @options [plain: [], concurrent: [read_concurrency: true, write_concurrency: true]]
  @operations [:lookup, :member, :replace, :insert_new_key, :update_counter]

  def run(module, pairs, seed) do
    :rand.seed(:exsss, seed)
    first = Contender.create(Bench.Quick.Ets, :ets)
    second = Contender.create(Bench.Quick.Other, module)

    tables = for type <- @types, keys <- @keys, options <- @options, do: {type, keys, options}
    total = length(tables) * length(@operations)

    cells =
      for {{type, keys, {label, options}}, index} <- Enum.with_index(tables),
          {operation, pair} <- table(first, second, keys, [type | options], pairs, index, total) do
        {type, keys, label, operation, pair}
      end

    Progress.done()
    write(module, cells, pairs, seed)
  end

  # All operations on one kind of table; both sides keep their table meanwhile.
  defp table(first, second, keys, options, pairs, index, total) do
    {objects, added} = objects(keys)
    sides = for side <- [first, second], do: {side, side.new(options)}
    for {side, table} <- sides, do: side.insert(table, objects)
    shuffled = Enum.shuffle(objects)

    cells =
      for {operation, number} <- Enum.with_index(@operations, 1) do
        done = index * length(@operations) + number
        Progress.show("#{done} of #{total}: #{operation}, #{keys} keys, #{inspect(options)}")
        {operation, measure(operation, sides, shuffled, added, pairs)}
      end

    for {side, table} <- sides, do: side.delete(table)
    cells
  end

  defp measure(:insert_new_key, [a, b], _objects, added, pairs) do
    insert = fn {side, table} -> side.insert(table, added) end
    remove = fn {side, table} -> side.remove(table, added) end
    Pairs.measure(a, b, @added, pairs, insert, remove)
  end

  defp measure(operation, [a, b], objects, _added, pairs) do
    run = run(operation, objects)
    Pairs.measure(a, b, @objects, pairs, run, fn _ -> :ok end)
  end

  defp run(:lookup, objects), do: fn {side, table} -> side.lookup(table, objects) end
  defp run(:member, objects), do: fn {side, table} -> side.member(table, objects) end
  defp run(:replace, objects), do: fn {side, table} -> side.insert(table, objects) end

  defp run(:update_counter, objects) do
    fn {side, table} -> side.update_counter(table, objects, 1) end
  end

  # Objects in random order, and more with other keys.
  defp objects(keys) do
    numbers = Enum.shuffle(1..(@objects + @added))
    numbers |> Enum.map(&{key(keys, &1), &1}) |> Enum.split(@objects)
  end

  defp key(:integer, number), do: number
  defp key(:binary, number), do: "user:" <> String.pad_leading("#{number}", 9, "0")

  defp write(module, cells, pairs, seed) do
    text = [
      "# Speed against `:ets`, one process\n\n",
      Enum.map(Machine.lines(), &[&1, "\n"]),
      "- seed: #{seed}; medians of #{pairs} pairs; #{@objects} objects `{key, integer}`\n\n",
      "Above 1, #{inspect(module)} is faster. The worst cells come first.\n\n",
      "| table | keys | options | operation | :ets ns | #{inspect(module)} ns | quotient |\n",
      "| --- | --- | --- | --- | ---: | ---: | ---: |\n",
      cells |> Enum.sort_by(fn {_, _, _, _, pair} -> pair.quotient end) |> Enum.map(&row/1),
      "\n",
      means(cells)
    ]

    IO.puts(text)
    if module != :ets, do: File.write!(Machine.result_file("quick"), text)
  end

  defp row({type, keys, label, operation, pair}) do
    [a, b, quotient] = [
      decimals(pair.first, 1),
      decimals(pair.second, 1),
      decimals(pair.quotient, 2)
    ]

    "| #{type} | #{keys} | #{label} | #{operation} | #{a} | #{b} | #{quotient} |\n"
  end

  defp means(cells) do
    for {label, _} <- @options,
        {what, operations} <- [reads: [:lookup, :member], writes: writes()] do
      quotients =
        for {_, _, ^label, operation, pair} <- cells, operation in operations, do: pair.quotient

      "- geometric mean of #{what}, #{label}: #{decimals(Pairs.mean(quotients), 2)}\n"
    end
  end

  defp writes, do: [:replace, :insert_new_key, :update_counter]

  defp decimals(number, digits), do: :erlang.float_to_binary(number / 1, decimals: digits)
end

{options, [], []} =
  OptionParser.parse(System.argv(), strict: [module: :string, pairs: :integer, seed: :integer])

module =
  case Keyword.get(options, :module, "Etsunami") do
    "ets" -> :ets
    name -> Module.concat([name])
  end

Bench.Quick.run(module, Keyword.get(options, :pairs, 15), Keyword.get(options, :seed, 1))
