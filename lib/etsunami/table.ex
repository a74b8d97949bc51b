defmodule Etsunami.Table do
  @moduledoc """
  What `Etsunami.info/1` tells about a table, as a struct that is short to look at.

      iex> table = Etsunami.new(:moons, [:ordered_set, :public])
      iex> Etsunami.insert(table, [{:io, 1}, {:europa, 2}])
      iex> description = Etsunami.Table.describe(table)
      iex> {description.type, description.size}
      {:ordered_set, 2}
      iex> inspect(description) =~ "#Etsunami.Table<:moons, ordered_set, public, 2 objects, "
      true

  It shows the table as it was at that moment, and does not change with it.
  """

  @enforce_keys [:id, :name, :type, :protection, :keypos, :size, :memory, :owner, :heir]
  defstruct @enforce_keys ++
              [
                named_table: false,
                compressed: false,
                read_concurrency: false,
                write_concurrency: false,
                decentralized_counters: false
              ]

  @typedoc """
  The items of `Etsunami.info/2` of the same names.
  """
  @type t :: %__MODULE__{
          id: reference,
          name: atom,
          type: Etsunami.type(),
          protection: Etsunami.access(),
          keypos: Etsunami.position(),
          size: non_neg_integer,
          memory: non_neg_integer,
          owner: pid,
          heir: pid | :none,
          named_table: boolean,
          compressed: boolean,
          read_concurrency: boolean,
          write_concurrency: boolean | :auto | {:debug_hash_fixed_number_of_locks, pos_integer},
          decentralized_counters: boolean
        }

  @doc """
  Describes a table, or returns `nil` if there is none of that name or identifier.

  Fails with `ArgumentError` if the argument is neither a name nor an identifier. Takes constant
  time.

  ## Examples

      iex> table = Etsunami.new(:moons, [:named_table])
      iex> Etsunami.Table.describe(table).owner == self()
      true
      iex> Etsunami.Table.describe(:no_such_table)
      nil

      iex> Etsunami.new(:all_moons, [])
      iex> :all_moons in Enum.map(Etsunami.all(), &Etsunami.Table.describe(&1).name)
      true

  """
  @spec describe(Etsunami.table()) :: t | nil
  def describe(table) do
    case Etsunami.info(table) do
      :undefined -> nil
      info -> struct(__MODULE__, info)
    end
  end

  defimpl Inspect do
    import Inspect.Algebra

    def inspect(table, opts) do
      facts = [
        to_doc(table.name, opts),
        Atom.to_string(table.type),
        Atom.to_string(table.protection),
        "#{table.size} objects",
        "#{table.memory} words",
        concat("owner ", to_doc(table.owner, opts))
      ]

      container_doc("#Etsunami.Table<", facts, ">", opts, fn fact, _opts -> fact end)
    end
  end
end
