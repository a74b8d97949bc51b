defmodule Etsunami.Newest do
  @moduledoc """
  What `:ets` of the newest release answers, on whatever release is running.

  A call goes to `:ets` where that behaves like the newest one; what it lacks, or does otherwise
  by `differences.exs`, is written down here in terms of the functions that it has.
  """

  alias Etsunami.Differences

  @doc """
  Calls a function as the newest `:ets` would do it.
  """
  def call(function, arguments) do
    cond do
      beyond_32_bits?(function, arguments) -> cut(function, arguments)
      short_default?(function, arguments) -> short_default(arguments)
      bag_list?(function, arguments) -> in_order(function, arguments)
      function == :take and fixed_bag?(hd(arguments)) -> take_each(arguments)
      ghost?(function, arguments) -> without_ghost(arguments)
      map_in_key?(function, arguments) -> scan(function, arguments)
      verified?(function, arguments) -> load(arguments)
      missing?(function, length(arguments)) -> apply(__MODULE__, function, arguments)
      true -> apply(:ets, function, arguments)
    end
  end

  defp missing?(function, arity) do
    Code.ensure_loaded!(:ets)
    Differences.missing_function?(function, arity)
  end

  # A position that no object has. What is less than 32 bits is not cut by :ets.
  @far 2 ** 31 - 1

  defp beyond_32_bits?(:lookup_element, [_table, _key, position | _default]) do
    position in (@far + 1)..(2 ** 59 - 1)
  end

  defp beyond_32_bits?(_function, _arguments), do: false

  defp cut(:lookup_element, [table, key, _position | default]) do
    call(:lookup_element, [table, key, @far | default])
  end

  defp short_default?(function, [table, _key, _change, default])
       when function in [:update_counter, :update_element] and is_tuple(default) do
    Differences.applies?(:default_always_checked) and is_integer(keypos(table)) and
      tuple_size(default) < keypos(table)
  end

  defp short_default?(_function, _arguments), do: false

  # How an older release orders a list in a bag depends on the type and on how long it is.
  defp bag_list?(function, [table, [_ | _] = objects])
       when function in [:insert, :insert_new] do
    Differences.applies?(:bag_list_order) and bag?(table) and
      not List.improper?(objects) and Enum.all?(objects, &object?(&1, keypos(table)))
  end

  defp bag_list?(_function, _arguments), do: false

  defp object?(object, keypos), do: is_tuple(object) and tuple_size(object) >= keypos

  # The first one finds out whether the caller may write.
  defp in_order(:insert_new, [table, objects] = arguments) do
    keypos = keypos(table)

    if Enum.any?(objects, &:ets.member(table, elem(&1, keypos - 1))),
      do: apply(:ets, :insert_new, arguments),
      else: in_order(:insert, arguments)
  end

  defp in_order(:insert, [table, objects]) do
    Enum.each(objects, &:ets.insert(table, &1))
    true
  end

  defp fixed_bag?(table) do
    Differences.applies?(:take_of_fixed_bag) and bag?(table) and info(table, :fixed) == true
  end

  defp take_each([table, key]) do
    objects = :ets.lookup(table, key)
    :ets.delete(table, key)
    objects
  end

  # The table has its say first, and then the default is refused.
  defp short_default([table, key, _change, _default]) do
    check_update(table, key)
    :erlang.error(:badarg)
  end

  defp check_update(table, key), do: :ets.update_element(table, key, [])

  defp bag?(table), do: info(table, :type) in [:bag, :duplicate_bag]
  defp keypos(table), do: info(table, :keypos)

  defp info(table, item) do
    :ets.info(table, item)
  rescue
    ArgumentError -> nil
  end

  # Where a default object could be left behind as a deleted one, a table like this one tells
  # whether the call fails.
  defp ghost?(:update_counter, [table, key, _operations, _default]) do
    Differences.applies?(:ghost_of_failed_default) and info(table, :fixed) == true and
      info(table, :type) == :set and not :ets.member(table, key)
  rescue
    ArgumentError -> false
  end

  defp ghost?(_function, _arguments), do: false

  defp without_ghost([table, key, operations, default] = arguments) do
    check_update(table, key)
    scratch = :ets.new(:scratch, [:set, :private, keypos: keypos(table)])

    try do
      :ets.update_counter(scratch, key, operations, default)
    after
      :ets.delete(scratch)
    end

    apply(:ets, :update_counter, arguments)
  end

  # Maps in the keys of patterns

  @patterns [:match, :match_object, :match_delete]
  @specs [:select, :select_reverse, :select_count, :select_delete, :select_replace]

  defp map_in_key?(function, [table, pattern | _limit])
       when function in @patterns or function in @specs do
    keypos = keypos(table)

    Differences.applies?(:map_in_key_pattern) and keypos != nil and
      Enum.any?(heads(function, pattern), &map_at?(&1, keypos))
  end

  defp map_in_key?(_function, _arguments), do: false

  defp map_at?(head, keypos) when is_tuple(head) and tuple_size(head) >= keypos do
    map?(elem(head, keypos - 1))
  end

  defp map_at?(_head, _keypos), do: false

  defp heads(function, pattern) when function in @patterns, do: [pattern]

  defp heads(_function, spec) when is_list(spec) do
    if List.improper?(spec), do: [], else: for({head, _, _} <- spec, do: head)
  end

  defp heads(_function, _no_spec), do: []

  defp map?(map) when is_map(map), do: true
  defp map?(tuple) when is_tuple(tuple), do: tuple |> Tuple.to_list() |> map?()
  defp map?([head | tail]), do: map?(head) or map?(tail)
  defp map?(_term), do: false

  # A clause that fits any key, but no object, has the whole table searched.
  @everywhere {:_, [false], [:"$_"]}

  defp scan(:match, arguments), do: scan(:select, spec_of(arguments, :"$$"))
  defp scan(:match_object, arguments), do: scan(:select, spec_of(arguments, :"$_"))

  defp scan(:match_delete, arguments) do
    scan(:select_delete, spec_of(arguments, true))
    true
  end

  defp scan(function, [table, spec | limit]) do
    apply(:ets, function, [table, [@everywhere | spec] | limit])
  end

  defp spec_of([table, pattern | limit], result) do
    [table, [{pattern, [], [result]}] | limit]
  end

  # Files whose objects look like exceptions

  defp verified?(:file2tab, [_file, options]) do
    Differences.applies?(:exceptions_in_files) and is_list(options) and
      not List.improper?(options) and {:verify, true} in options
  end

  defp verified?(_function, _arguments), do: false

  # The sum of a file is wrong for `:ets` if it has left such an object out.
  defp load([file, options] = arguments) do
    with {:error, :checksum_error} <- apply(:ets, :file2tab, arguments),
         {:ok, table} <- :ets.file2tab(file, List.delete(options, {:verify, true})) do
      if exception?(table),
        do: {:ok, table},
        else: :ets.delete(table) && {:error, :checksum_error}
    end
  end

  defp exception?(table), do: :ets.select_count(table, [{{:EXIT, :_}, [], [true]}]) > 0

  # The functions of later releases

  @doc false
  def first_lookup(table), do: table |> :ets.first() |> with_objects(table)

  @doc false
  def last_lookup(table), do: table |> :ets.last() |> with_objects(table)

  @doc false
  def next_lookup(table, key), do: table |> :ets.next(key) |> with_objects(table)

  @doc false
  def prev_lookup(table, key), do: table |> :ets.prev(key) |> with_objects(table)

  defp with_objects(:"$end_of_table", _table), do: :"$end_of_table"
  defp with_objects(key, table), do: {key, :ets.lookup(table, key)}

  @doc false
  def lookup_element(table, key, position, default) do
    if is_integer(position) and position in 1..@far and not :ets.member(table, key) do
      default
    else
      :ets.lookup_element(table, key, position)
    end
  end

  @doc false
  def update_element(table, key, change, default) do
    check_update(table, key)

    cond do
      not is_tuple(default) ->
        :erlang.error(:badarg)

      :ets.member(table, key) ->
        :ets.update_element(table, key, change)

      true ->
        object = put_elem(default, keypos(table) - 1, key)
        :ets.insert(table, updated(object, key, change, keypos(table)))
    end
  end

  # In a table of its own, so that a failure leaves nothing behind.
  defp updated(object, key, change, keypos) do
    scratch = :ets.new(:scratch, [:set, :private, keypos: keypos])
    :ets.insert(scratch, object)

    try do
      :ets.update_element(scratch, key, change)
      hd(:ets.tab2list(scratch))
    after
      :ets.delete(scratch)
    end
  end
end
