defmodule Etsunami.Model.Legal do
  @moduledoc """
  Looks for an order of the events of a history in which `:ets` gives what was seen.

  As in the checker of `Linearizability`, only an event that no other one precedes can be next,
  and a configuration (the events left and the contents of the table) is not tried twice.

  A search, or another command on all objects, is not one event: it meets each key at a moment of
  its own while it runs. Here it is one step for each key that the table may have at any time, in
  whatever order of keys, and on a table with the objects of that key alone. What the steps give
  together must be what was seen.
  """

  alias Etsunami.Model.{Law, Sides}

  @reading [:tab2list, :select, :select_reverse, :match_object]
  @counting [:select_count, :select_delete, :select_replace]
  @stepwise [:match_delete | @reading ++ @counting]
  @walking [:first, :last, :next, :prev]

  @doc """
  `:ok` if there is such an order that begins with the contents of the model and ends with what
  was there in the end, `:none` otherwise.
  """
  def search(history, finally, context) do
    initial = objects(:ets, context.model, context)
    scratch = :ets.new(:scratch, [context.type, :public, keypos: context.keypos])
    context = Map.merge(context, %{scratch: scratch, finally: finally})
    keys = keys(initial, history, context)
    rests = for branch <- history, do: Enum.map(branch, &begin(&1, keys))

    try do
      case explore(rests, initial, context, MapSet.new()) do
        :found -> :ok
        {:none, _tried} -> :none
      end
    after
      :ets.delete(scratch)
    end
  end

  @doc "The contents of a table, in an order that depends on nothing else."
  def objects(ets, table, %{type: type, keypos: keypos}) when type in [:bag, :duplicate_bag] do
    keys = table |> ets.tab2list() |> Enum.map(&elem(&1, keypos - 1)) |> Enum.uniq()
    keys |> sort() |> Enum.flat_map(&ets.lookup(table, &1))
  end

  def objects(ets, table, _context), do: table |> ets.tab2list() |> sort()

  # Also numbers that are equal by `==` alone have an order here.
  defp sort(terms), do: Enum.sort_by(terms, &{&1, :erlang.phash2(&1)})

  # Every key that the table may have at some time.
  defp keys(initial, history, %{keypos: keypos, type: type}) do
    written =
      for branch <- history,
          %{call: {function, arguments}} <- branch,
          do: written(function, arguments)

    objects = initial ++ Enum.concat(written)

    keys =
      for object <- objects,
          is_tuple(object),
          tuple_size(object) >= keypos,
          do: elem(object, keypos - 1)

    direct =
      for branch <- history,
          %{call: {f, [key | _]}} <- branch,
          f in [:update_counter, :update_element],
          do: key

    if type == :ordered_set,
      do: one_of_equal(keys ++ direct),
      else: sort(Enum.uniq(keys ++ direct))
  end

  defp one_of_equal(keys), do: keys |> Enum.sort() |> Enum.dedup_by(&{:equal, &1}) |> dedup()

  defp dedup([a, b | rest]) when a == b, do: dedup([a | rest])
  defp dedup([a | rest]), do: [a | dedup(rest)]
  defp dedup([]), do: []

  defp written(function, [objects]) when function in [:insert, :insert_new] do
    if is_list(objects) and not List.improper?(objects), do: objects, else: [objects]
  end

  defp written(_function, _arguments), do: []

  # An event that goes step by step knows the keys that it has not met, and what it has got.
  defp begin(%{call: {function, _}, seen: {:ok, _}} = event, keys) when function in @stepwise do
    Map.put(event, :left, {keys, if(function in @reading, do: [], else: 0)})
  end

  defp begin(event, _keys), do: Map.put(event, :left, :whole)

  defp explore(rests, state, context, tried) do
    configuration = {Enum.map(rests, &position/1), state}

    cond do
      Enum.all?(rests, &(&1 == [])) ->
        if state === context.finally, do: :found, else: {:none, tried}

      MapSet.member?(tried, configuration) ->
        {:none, tried}

      true ->
        rests |> next() |> try_each(state, context, MapSet.put(tried, configuration))
    end
  end

  defp position([]), do: 0
  defp position([%{left: left} | rest]), do: {length(rest), left}

  # The events that may come next, each with what puts the rest of its process back.
  defp next(rests) do
    heads = for [head | _] <- rests, do: head

    for {[event | rest], index} <- Enum.with_index(rests),
        not Enum.any?(heads, &(&1.ended < event.began)),
        do: {event, &List.replace_at(rests, index, &1 ++ rest)}
  end

  defp try_each([], _state, _context, tried), do: {:none, tried}

  defp try_each([{event, put} | others], state, context, tried) do
    with {:none, tried} <- event |> steps(state, context) |> try_steps(put, context, tried) do
      try_each(others, state, context, tried)
    end
  end

  defp try_steps([], _put, _context, tried), do: {:none, tried}

  defp try_steps([{left, state} | others], put, context, tried) do
    with {:none, tried} <- explore(put.(left), state, context, tried) do
      try_steps(others, put, context, tried)
    end
  end

  # What can follow: what is left of the event, a list of none or one, and the state then.

  defp steps(%{left: :whole} = event, state, context) do
    {outcome, state} = perform(event.call, state, context)
    if agree?(event, outcome, context), do: [{[], state}], else: []
  end

  defp steps(%{left: {[], got}} = event, state, _context) do
    if complete?(event.call, event.seen, got), do: [{[], state}], else: []
  end

  defp steps(%{left: {_keys, _got}}, :gone, _context), do: []

  defp steps(%{left: {keys, got}} = event, state, context) do
    for key <- keys,
        {these, others} = Enum.split_with(state, &of_key?(&1, key, context)),
        {{:ok, result}, these} <- [perform(event.call, these, context)],
        got = add(event.call, got, result),
        possible?(event.seen, got),
        do: {[%{event | left: {List.delete(keys, key), got}}], merge(these, others, context)}
  end

  defp of_key?(object, key, %{type: :ordered_set, keypos: keypos}),
    do: elem(object, keypos - 1) == key

  defp of_key?(object, key, %{keypos: keypos}), do: elem(object, keypos - 1) === key

  defp merge(these, others, %{type: type, keypos: keypos}) when type in [:bag, :duplicate_bag] do
    (these ++ others)
    |> Enum.group_by(&elem(&1, keypos - 1))
    |> Enum.sort_by(fn {key, _} -> {key, :erlang.phash2(key)} end)
    |> Enum.flat_map(&elem(&1, 1))
  end

  defp merge(these, others, _context), do: sort(these ++ others)

  defp add({:match_delete, _}, got, true), do: got
  defp add({function, _}, got, results) when function in @reading, do: got ++ results
  defp add({function, _}, got, number) when function in @counting, do: got + number

  defp possible?({:ok, seen}, got) when is_list(seen), do: got -- seen == []
  defp possible?({:ok, seen}, got) when is_integer(seen), do: got <= seen
  defp possible?({:ok, _true}, _got), do: true

  defp complete?({:match_delete, _}, {:ok, seen}, _got), do: seen == true

  defp complete?({function, _}, {:ok, seen}, got) when function in @reading,
    do: Law.same_objects(got, seen) == :ok

  defp complete?(_call, {:ok, seen}, got), do: seen == got

  # What `:ets` does with a table of these contents.

  defp perform(_call, :gone, _context), do: {{:raised, :error, :badarg, nil}, :gone}
  defp perform({:delete, []}, _state, _context), do: {{:ok, true}, :gone}

  defp perform({function, arguments}, state, %{scratch: scratch} = context) do
    :ets.delete_all_objects(scratch)
    Enum.each(state, &:ets.insert(scratch, &1))
    outcome = Sides.outcome(:model, function, [scratch | arguments])
    {outcome, objects(:ets, scratch, context)}
  end

  # In an order of its own, the next key may be any one.
  defp agree?(%{call: {function, _}}, _outcome, %{type: type})
       when function in @walking and type != :ordered_set,
       do: true

  defp agree?(%{seen: {:ok, seen}}, {:ok, result}, _context),
    do: Law.identical(result, seen) == :ok

  defp agree?(%{seen: {:raised, class, reason, _}}, {:raised, class, reason, _}, _context),
    do: true

  defp agree?(_event, _outcome, _context), do: false
end
