defmodule Etsunami.Fuzz.Pool do
  @moduledoc """
  What a program has at hand: tables, keys, results of earlier calls, processes.
  """

  alias Etsunami.Fuzz.Bytes

  @names [:fuzz_one, :fuzz_two, :fuzz_three]
  @results 20

  @forms [
    [:set],
    [:set, write_concurrency: true],
    [:ordered_set],
    [:ordered_set, engine: :skip_list],
    [:bag],
    [:duplicate_bag]
  ]

  @doc "Tables of each type in the calling process."
  def new_tables do
    for {form, n} <- Enum.with_index(@forms), do: Etsunami.new(:"fuzz#{n}", [:public | form])
  end

  @doc "Lets the calling process use these tables and processes."
  def load(tables, partner, dead, file) do
    Process.put(__MODULE__, %{
      tables: tables,
      partner: partner,
      dead: dead,
      file: file,
      results: []
    })
  end

  defp get, do: Process.get(__MODULE__)

  @doc "A table, or a name that may be one."
  def table, do: Bytes.pick(get().tables ++ @names)

  @doc "Names for tables."
  def names, do: @names

  @doc "The other process."
  def partner, do: get().partner

  @doc "A process that has ended."
  def dead, do: get().dead

  @doc "A process of another node."
  def stranger do
    :erlang.binary_to_term(<<131, 88, 119, 10, "other@host", 100::32, 7::32, 3::32>>)
  end

  @doc "A file that may be there."
  def file, do: get().file

  @doc "A key that others use, too."
  def key do
    n = Bytes.below(24)

    elem(
      {n, n / 1, {n}, :"$1", "key#{n}", {"a long beginning of a key", n}, n * 2 ** 60},
      Bytes.below(7)
    )
  end

  @doc "A result of an earlier call."
  def result do
    case get().results do
      [] -> :"$end_of_table"
      results -> Bytes.pick(results)
    end
  end

  @doc "Keeps what a call has given, and new tables as tables."
  def keep({:ok, result}) do
    pool = get()
    results = Enum.take(small(parts(result)) ++ pool.results, @results)
    made = if is_reference(result) and result in Etsunami.all(), do: [result], else: []

    Process.put(__MODULE__, %{pool | results: results, tables: Enum.take(made ++ pool.tables, 12)})
  end

  def keep(_failure), do: :ok

  # What is inserted again and again must not double each time.
  defp small(results), do: Enum.filter(results, &(:erts_debug.flat_size(&1) < 5_000))

  # The continuation of {Results, Continuation} is what matters.
  defp parts({list, more}) when is_list(list), do: [more]
  defp parts(result), do: [result]
end
