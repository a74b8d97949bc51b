defmodule Bench.Plan do
  @moduledoc """
  Which cells of the matrix are measured, since all of them would take days.

  The rule: every type with every set of options and every operation on the simplest shape; every
  shape of key and value in a plain table and in the most concurrent one, for the operations with
  one key; every set of options once more with tuples as keys; small and large tables of the
  simplest shape.
  """

  alias Bench.{Operations, Shapes}

  @types [:set, :ordered_set, :bag, :duplicate_bag]
  @maps [:set, :ordered_set]
  @middle 100_000

  @options [
    plain: [],
    read_concurrency: [read_concurrency: true],
    write_concurrency: [write_concurrency: true],
    auto: [write_concurrency: :auto, read_concurrency: true]
  ]

  @doc "The sets of options by name."
  def options, do: @options

  @doc "The options of that name."
  def options(name), do: Keyword.fetch!(@options, name)

  @doc "The rule in one sentence for the head of a result."
  def rule do
    "all operations on integer keys and values, 10⁵ objects, for all types and options " <>
      "(10³ objects: `set` and `ordered_set`); operations with one key on all keys × values in " <>
      "`plain` and `auto`, on tuple keys with all options; 10⁷ objects: reads and writes on " <>
      "integers in `plain` and `auto`"
  end

  @doc "The same for the short form."
  def short_rule, do: "a short form, `plain` and `auto`"

  @doc "The tables of the full run with their operations; those of one shape follow each other."
  def full do
    simple = tables(@types, Keyword.keys(@options), :integer, :integer, @middle, Operations.all())
    tuples = tables(@maps, Keyword.keys(@options), :tuple, :integer, @middle, partly())
    small = tables(@maps, Keyword.keys(@options), :integer, :integer, 1000, Operations.all())

    crossed =
      for keys <- Shapes.keys(),
          values <- Shapes.values(),
          {keys, values} not in [{:integer, :integer}, {:tuple, :integer}],
          table <- tables(@maps, [:plain, :auto], keys, values, @middle, Operations.keyed()) do
        table
      end

    simple ++ tuples ++ crossed ++ bags() ++ small
  end

  @doc "A few tables for a first impression."
  def short do
    operations =
      Operations.reads() ++ Operations.writes() ++ [:select_guard, :select_count, :tab2list]

    tables(@maps, [:plain, :auto], :integer, :integer, @middle, operations) ++
      tables([:set], [:plain, :auto], :binary, :map, @middle, Operations.reads() ++ [:replace])
  end

  @doc "The large tables."
  def large(size) do
    operations = Operations.reads() ++ Operations.writes()
    tables(@maps, [:plain, :auto], :integer, :integer, size, operations)
  end

  # Bags are mostly used as an index.
  defp bags do
    tables([:bag, :duplicate_bag], [:plain, :auto], :binary, :map, @middle, Operations.keyed())
  end

  defp partly, do: Operations.keyed() ++ [:match_partly]

  defp tables(types, options, keys, values, size, operations) do
    for type <- types, name <- options do
      table = %{type: type, options: name, keys: keys, values: values, size: size}
      {table, Enum.filter(operations, &Operations.fits?(&1, table))}
    end
  end
end
