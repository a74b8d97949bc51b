defmodule Etsunami.QlcTable do
  @moduledoc false

  # Tables as sources of `:qlc` queries, see `:qlc.table/2`.
  #
  # A query compares keys as the table does, so it can look up the keys that it names; where the
  # table is scanned with `select`, it hands down its filter as a match specification. The table
  # is fixed while a query runs.

  @end_of_table :"$end_of_table"
  @default_chunk 100

  defstruct [:ets, :table, :shown, :options, traverse: :select, chunk: @default_chunk]

  @doc """
  Makes a query handle for a table of the module `ets`, as `:ets.table/2` does it.

  Descriptions of a query show the table as `shown`.
  """
  @spec new(module, :ets.table(), :ets.table(), term) :: {:ok, :qlc.query_handle()} | :error
  def new(ets, table, shown, options) do
    source = %__MODULE__{ets: ets, table: table, shown: shown, options: listed(options)}

    with {:ok, traverse, rest} <- option(:traverse, source.options, :select),
         {:ok, chunk, rest} <- option(:n_objects, rest, @default_chunk) do
      source = %{source | traverse: traverse, chunk: chunk, options: options}
      {:ok, :qlc.table(traversal(source), callbacks(source) ++ rest)}
    end
  end

  # The options that are not known here are those of `:qlc.table/2`.
  defp option(name, options, default) do
    with {^name, value} <- :lists.keyfind(name, 1, options),
         {:ok, value} <- value(name, value) do
      {:ok, value, :lists.keydelete(name, 1, options)}
    else
      false -> {:ok, default, options}
      :error -> :error
    end
  end

  defp value(:n_objects, :default), do: {:ok, @default_chunk}
  defp value(:n_objects, chunk) when is_integer(chunk) and chunk > 0, do: {:ok, chunk}

  defp value(:traverse, method) when method in [:select, :first_next, :last_prev] do
    {:ok, method}
  end

  defp value(:traverse, {:select, _match_spec} = method), do: {:ok, method}
  defp value(_name, _value), do: :error

  defp listed(options) when is_list(options), do: options
  defp listed(option), do: [option]

  # Traversing

  # A function of one argument takes the match specification that the query hands down.
  defp traversal(%{traverse: :select} = source), do: &select(source, &1)

  defp traversal(%{traverse: {:select, match_spec}} = source) do
    fn -> select(source, match_spec) end
  end

  defp traversal(%{ets: ets, table: table, traverse: :first_next}) do
    fn -> walk(ets.first(table), ets, table, :next) end
  end

  defp traversal(%{ets: ets, table: table, traverse: :last_prev}) do
    fn -> walk(ets.last(table), ets, table, :prev) end
  end

  defp select(%{ets: ets, table: table, chunk: chunk}, match_spec) do
    table |> ets.select(match_spec, chunk) |> go_on(ets)
  end

  # A list of answers ends in a function that brings the others.
  defp go_on(@end_of_table, _ets), do: []

  defp go_on({found, continuation}, ets),
    do: found ++ fn -> go_on(ets.select(continuation), ets) end

  defp walk(@end_of_table, _ets, _table, _step), do: []

  defp walk(key, ets, table, step) do
    ets.lookup(table, key) ++ fn -> walk(apply(ets, step, [table, key]), ets, table, step) end
  end

  # What a query asks for

  defp callbacks(%{ets: ets, table: table} = source) do
    [
      pre_fun: fn _arguments -> ets.safe_fixtable(table, true) end,
      post_fun: fn -> ets.safe_fixtable(table, false) end,
      info_fun: &info(source, &1),
      format_fun: &format(source, &1),
      key_equality: if(ets.info(table, :type) == :ordered_set, do: :==, else: :"=:="),
      lookup_fun: lookup(source)
    ]
  end

  # A match specification of the user may make anything of the objects, so that the keys that the
  # query names need not be those of the table.
  defp lookup(%{traverse: {:select, _match_spec}}), do: :undefined

  defp lookup(%{ets: ets, table: table}) do
    fn _position, keys -> Enum.flat_map(keys, &ets.lookup(table, &1)) end
  end

  defp info(%{ets: ets, table: table}, :num_of_objects), do: ets.info(table, :size)
  defp info(%{ets: ets, table: table}, :keypos), do: ets.info(table, :keypos)

  defp info(%{ets: ets, table: table}, :is_unique_objects) do
    ets.info(table, :type) != :duplicate_bag
  end

  defp info(%{ets: ets, table: table}, :is_sorted_key), do: ets.info(table, :type) == :ordered_set
  defp info(_source, _item), do: :undefined

  # What `:qlc.info/2` shows

  defp format(%{options: []} = source, {:all, _depth, _cut}) do
    {source.ets, :table, [source.shown]}
  end

  defp format(source, {:all, _depth, _cut}) do
    {source.ets, :table, [source.shown, source.options]}
  end

  defp format(source, {:match_spec, match_spec}) do
    options = [{:traverse, {:select, match_spec}} | listed(source.options)]
    {source.ets, :table, [source.shown, options]}
  end

  defp format(source, {:lookup, _position, [key], _depth, cut}) do
    :io_lib.format(~c"~w:lookup(~w, ~w)", [source.ets, source.shown, cut.(key)])
  end

  defp format(source, {:lookup, _position, keys, _depth, cut}) do
    :io_lib.format(
      ~c"lists:flatmap(fun(V) -> ~w:lookup(~w, V) end, ~w)",
      [source.ets, source.shown, Enum.map(keys, cut)]
    )
  end
end
