defmodule Demo.Questions do
  @moduledoc """
  Questions about the packages, answered from the tables alone.

  Every answer is independent of the order in which a hash table is walked, and of the order in
  which several processes loaded it: two modules that do the same give equal answers.

  "Who breaks if X goes" follows hard dependencies (`Depends` and `Pre-Depends`) backwards. A
  dependency is lost if none of its alternatives is left: neither the package of that name nor
  one that provides the name. A package with a lost dependency goes too, and so on until nothing
  changes. Dependencies that nobody satisfies to begin with, versions and architectures do not
  count.
  """

  alias Demo.Crew

  @ranks [1, 10, 100, 1000]
  @huge_kilobytes 1024 * 1024

  @doc "Asks everything; `crew` is the processes that hold the packages."
  def ask(tables, crew) do
    popular = most_needed(tables, crew)

    [
      sizes: sizes(tables),
      largest_sections: largest_sections(tables),
      largest_packages: largest_packages(tables),
      huge_packages: huge_packages(tables),
      busiest_maintainers: busiest_maintainers(tables),
      most_needed: Enum.take(popular, 5),
      unsatisfied: unsatisfied(tables, crew),
      who_breaks: who_breaks(tables, popular),
      leaves: leaves(tables, crew),
      installed_size: installed_size(tables),
      ordered_walk: ordered_walk(tables)
    ]
  end

  # How many objects each table holds.
  defp sizes(%{module: m} = tables) do
    for {name, table} <- tables, name != :module, do: {name, m.info(table, :size)}
  end

  defp largest_sections(%{module: m} = tables) do
    tables.sections
    |> m.tab2list()
    |> Enum.sort_by(fn {section, count, _} -> {-count, section} end)
    |> Enum.take(5)
  end

  # By walking the ordered_set backwards from behind the last package of each section: an atom
  # is greater than every number.
  defp largest_packages(%{module: m} = tables) do
    for {section, _, _} <- largest_sections(tables) do
      from = m.prev(tables.by_size, {section, :behind_all_sizes, ""})
      {section, walk(from, &m.prev(tables.by_size, &1), section, 3)}
    end
  end

  # By jumping to the first large key of each section.
  defp huge_packages(%{module: m} = tables) do
    huge =
      for section <- keys(tables.sections, m) do
        from = m.next(tables.by_size, {section, @huge_kilobytes, ""})
        walk(from, &m.next(tables.by_size, &1), section, :all)
      end

    huge |> Enum.concat() |> Enum.sort_by(fn {name, size} -> {-size, name} end)
  end

  # Up to `left` packages of the section; an atom is greater than every number.
  defp walk({section, size, name} = key, step, section, left) when left > 0 do
    left = if left == :all, do: :all, else: left - 1
    [{name, size} | walk(step.(key), step, section, left)]
  end

  defp walk(_key, _step, _section, _left), do: []

  defp busiest_maintainers(%{module: m, maintainers: table}) do
    table
    |> keys(m)
    |> Enum.map(fn maintainer -> {length(m.lookup(table, maintainer)), maintainer} end)
    |> top(5)
  end

  defp keys(table, m) do
    Stream.unfold(m.first(table), fn
      :"$end_of_table" -> nil
      key -> {key, m.next(table, key)}
    end)
  end

  # Packages by the number of packages that name them in a dependency; several processes count.
  defp most_needed(%{module: m} = tables, crew) do
    crew
    |> Crew.run(fn share ->
      for %{name: name} <- share, do: {length(m.lookup(tables.dependents, name)), name}
    end)
    |> Enum.concat()
    |> top(Enum.max(@ranks))
  end

  defp top(counted, n) do
    counted |> Enum.sort_by(fn {count, name} -> {-count, name} end) |> Enum.take(n)
  end

  # How many packages have a dependency that nobody satisfies.
  defp unsatisfied(%{module: m} = tables, crew) do
    count(crew, fn %{name: name} ->
      Enum.any?(m.lookup(tables.clauses, name), fn {_, clause} ->
        not Enum.any?(clause, &available?(tables, &1, %{}))
      end)
    end)
  end

  # How many packages nobody needs, neither by name nor for what they provide.
  defp leaves(%{module: m} = tables, crew) do
    count(crew, fn %{name: name} ->
      Enum.all?(names_of(tables, name), &(not m.member(tables.dependents, &1)))
    end)
  end

  defp count(crew, fun), do: crew |> Crew.run(&Enum.count(&1, fun)) |> Enum.sum()

  defp who_breaks(tables, popular) do
    for rank <- @ranks, {_, name} <- Enum.slice(popular, rank - 1, 1) do
      broken = tables |> broken(name) |> Map.delete(name) |> Map.keys() |> Enum.sort()
      {name, length(broken), broken}
    end
  end

  defp broken(tables, name), do: spread(tables, [name], %{name => true})

  defp spread(_tables, [], gone), do: gone

  defp spread(tables, [name | rest], gone) do
    names = names_of(tables, name)

    new =
      for lost <- names,
          {_, dependent} <- tables.module.lookup(tables.dependents, lost),
          not is_map_key(gone, dependent),
          loses?(tables, dependent, names, gone),
          uniq: true,
          do: dependent

    spread(tables, new ++ rest, Enum.reduce(new, gone, &Map.put(&2, &1, true)))
  end

  # Whether a dependency that one of the lost names satisfied is satisfied no more.
  defp loses?(%{module: m} = tables, dependent, names, gone) do
    Enum.any?(m.lookup(tables.clauses, dependent), fn {_, clause} ->
      Enum.any?(clause, &(&1 in names)) and not Enum.any?(clause, &available?(tables, &1, gone))
    end)
  end

  defp available?(%{module: m} = tables, name, gone) do
    (m.member(tables.packages, name) and not is_map_key(gone, name)) or
      Enum.any?(m.lookup(tables.providers, name), fn {_, by} -> not is_map_key(gone, by) end)
  end

  defp names_of(%{module: m} = tables, name) do
    [name | for({_, virtual} <- m.lookup(tables.provides, name), do: virtual)]
  end

  # The same sum from the packages and from the counters.
  defp installed_size(%{module: m} = tables) do
    packages = m.foldl(fn {_, %{size: size}}, sum -> sum + size end, 0, tables.packages)
    counters = m.foldl(fn {_, _, size}, sum -> sum + size end, 0, tables.sections)
    {packages, counters}
  end

  # Number of keys from the first to the last, and a hash of their order.
  defp ordered_walk(%{module: m, by_size: table}) do
    table
    |> keys(m)
    |> Enum.reduce({0, 0}, fn key, {n, hash} -> {n + 1, :erlang.phash2({hash, key})} end)
  end
end
