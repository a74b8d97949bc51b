defmodule Demo.Tables do
  @moduledoc """
  The package database as tables of a module that has the `:ets` interface.

  | table | type | object |
  | --- | --- | --- |
  | `packages` | set | `{name, %{version: _, section: _, size: _, ...}}` |
  | `by_size` | ordered_set | `{{section, installed_size, name}}` |
  | `clauses` | bag | `{name, [alternative, ...]}`: one per dependency of the package |
  | `dependents` | duplicate_bag | `{dependency, name}`: who names it in a dependency |
  | `providers` | bag | `{virtual_name, name}` |
  | `provides` | bag | `{name, virtual_name}` |
  | `maintainers` | duplicate_bag | `{maintainer, name}` |
  | `sections` | set of counters | `{section, packages, installed_size}` |
  """

  alias Demo.Progress

  @concurrent [:public, read_concurrency: true, write_concurrency: true]
  @types [
    packages: :set,
    by_size: :ordered_set,
    clauses: :bag,
    dependents: :duplicate_bag,
    providers: :bag,
    provides: :bag,
    maintainers: :duplicate_bag,
    sections: :set
  ]
  @progress_every 100

  @doc "Makes the empty tables of `module`."
  def new(module) do
    for {name, type} <- @types, into: %{module: module} do
      {name, module.new(name, [type | @concurrent])}
    end
  end

  @doc "Inserts a share of the packages; several processes do this at once."
  def load(tables, share, counter) do
    share
    |> Enum.chunk_every(@progress_every)
    |> Enum.each(fn packages ->
      Enum.each(packages, &insert(tables, &1))
      Progress.step(counter, length(packages))
    end)
  end

  @doc "Deletes all tables."
  def delete(%{module: module} = tables) do
    for {name, _} <- @types, do: true = module.delete(Map.fetch!(tables, name))
  end

  defp insert(%{module: m} = tables, %{name: name, value: value} = package) do
    %{section: section, size: size, maintainer: maintainer} = value
    m.insert(tables.packages, {name, value})
    m.insert(tables.by_size, {{section, size, name}})
    m.insert(tables.maintainers, {maintainer, name})
    m.update_counter(tables.sections, section, [{2, 1}, {3, size}], {section, 0, 0})
    m.insert(tables.clauses, for(clause <- package.clauses, do: {name, clause}))
    Enum.each(package.provides, &provide(tables, name, &1))

    # Without repetitions, so that nobody need look for them among twenty thousand dependents.
    for clause <- package.clauses, dependency <- clause, uniq: true do
      m.insert(tables.dependents, {dependency, name})
    end
  end

  defp provide(%{module: m} = tables, name, virtual) do
    m.insert(tables.providers, {virtual, name})
    m.insert(tables.provides, {name, virtual})
  end
end
