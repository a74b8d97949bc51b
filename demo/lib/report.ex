defmodule Demo.Report do
  @moduledoc "What the comparison prints: the answers in words, and the times side by side."

  @doc "Says what is being loaded."
  def packages(count, processes) do
    IO.puts("\n#{count(count)}, loaded by #{processes} processes at once\n")
  end

  @doc "Prints the answers of one run; those of the others are equal, or the verdict says so."
  def answers(answers) do
    heading("Tables")
    for {table, size} <- answers[:sizes], do: row(table, "#{number(size)} objects")

    heading("Largest sections (counters)")

    for {section, count, size} <- answers[:largest_sections],
        do: row(section, "#{count(count)}, #{megabytes(size)} installed")

    heading("Largest packages of these sections (ordered_set, backwards)")
    for {section, packages} <- answers[:largest_packages], do: row(section, sizes(packages))

    heading("Packages of a gibibyte and more (ordered_set, forwards)")
    huge = answers[:huge_packages]
    row("altogether", count(length(huge)))
    for {name, size} <- Enum.take(huge, 5), do: row(megabytes(size), name)

    heading("Busiest maintainers (duplicate_bag)")

    for {count, maintainer} <- answers[:busiest_maintainers],
        do: row(count(count), maintainer)

    heading("Most needed packages (duplicate_bag)")

    for {count, name} <- answers[:most_needed],
        do: row(name, "named by #{count(count)}")

    heading("Who breaks if it goes? (bags, transitively)")

    for {name, count, broken} <- answers[:who_breaks],
        do: row(name, count(count) <> examples(broken))

    heading("And besides")
    row("needed by nobody", count(answers[:leaves]))
    row("lack a dependency", count(answers[:unsatisfied]))
    {packages, counters} = answers[:installed_size]

    row(
      "installed size",
      "#{megabytes(packages)} by packages, #{megabytes(counters)} by counters"
    )

    {steps, _hash} = answers[:ordered_walk]
    row("ordered walk", "#{number(steps)} keys from the first to the last")
  end

  @doc "Prints the median times of both modules side by side."
  def times(module, runs) do
    heading(
      "Median seconds of #{div(length(runs), 2)} rounds (above 1, #{inspect(module)} is faster)"
    )

    IO.puts(["  ", pad("", 12), left(":ets"), left(inspect(module)), left("quotient")])

    for step <- [:load, :questions] do
      [ets, other] = for side <- [:ets, :other], do: median(runs, side, step)
      ratio = left(decimals(ets / other))
      IO.puts(["  ", pad("#{step}", 12), left(decimals(ets)), left(decimals(other)), ratio])
    end
  end

  @doc "Says whether the answers agree."
  def verdict([], questions, runs) do
    IO.puts("\nAll #{questions} answers are equal in all #{runs} runs.")
  end

  def verdict(different, questions, _runs) do
    IO.puts("\n#{length(different)} of #{questions} answers DIFFER: #{inspect(different)}")
  end

  defp median(runs, side, step) do
    times = Enum.sort(for %{side: ^side} = run <- runs, do: Map.fetch!(run, step))
    Enum.at(times, div(length(times), 2))
  end

  defp examples([]), do: ""
  defp examples(names), do: ": " <> Enum.join(Enum.take(names, 3), ", ") <> more(names)

  defp more(names), do: if(length(names) > 3, do: ", ...", else: "")

  defp sizes(packages) do
    Enum.map_join(packages, ", ", fn {name, size} -> "#{name} (#{megabytes(size)})" end)
  end

  defp megabytes(kilobytes), do: "#{number(div(kilobytes, 1024))} MiB"

  defp count(1), do: "1 package"
  defp count(n), do: "#{number(n)} packages"

  defp number(n) do
    n |> Integer.to_string() |> String.replace(~r/\B(?=(\d{3})+$)/, " ")
  end

  defp decimals(float), do: :erlang.float_to_binary(float, decimals: 3)

  defp heading(text), do: IO.puts("\n#{text}")
  defp row(name, text), do: IO.puts("  #{pad("#{name}", 22)} #{text}")
  defp pad(text, width), do: String.pad_trailing(text, width)
  defp left(text), do: String.pad_leading(text, 12)
end
