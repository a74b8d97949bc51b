defmodule Etsunami.Model.Law do
  @moduledoc """
  What the outcome of a call on the subject must have in common with that on the model.

  The same, as a rule, bit by bit, with the same explanation of an error. Where `:ets` leaves the
  order of objects open, for all types but `ordered_set`, a list is compared without its order,
  and a key or object that any order may bring must be one that is there.
  """

  alias Etsunami.Differences

  @stop :"$end_of_table"
  @lists [:tab2list, :foldl, :foldr, :slots, :walk, :walk_back, :walk_lookup, :walk_lookup_back]
  @searches [:select, :match, :match_object, :select_reverse]
  @steps [:first, :last, :next, :prev]
  @step_lookups [:first_lookup, :last_lookup, :next_lookup, :prev_lookup]

  # What `info` says of time, identity and memory is each side's own.
  @own_items [:memory, :id, :safe_fixed, :safe_fixed_monotonic_time, :stats, :binary]

  @type verdict :: :ok | {:differ, String.t()}

  @doc "Compares the outcomes of one call."
  @spec compare(atom, [term], map, tuple, tuple) :: verdict
  def compare(:slot, [_table, index], context, model, subject) do
    slot(index, context, model, subject)
  end

  def compare(:slots, _arguments, context, {:raised, _, _, _} = model, {:ok, []} = subject) do
    if slot_of_empty?(0, context), do: :ok, else: slot_of_order(model, subject)
  end

  def compare(
        function,
        [_table, object],
        _context,
        {:raised, class, reason, _},
        {:raised, class, reason, {function, 2, _cause, _texts}}
      )
      when function in [:insert, :insert_new] and is_reference(object) do
    # The difference `:references_as_objects`: what `:ets` explains here varies.
    :ok
  end

  def compare(_function, _arguments, _context, {:raised, _, _, _} = model, {:raised, _, _, _} = s) do
    raised(model, s)
  end

  def compare(function, arguments, context, {:ok, model}, {:ok, subject}) do
    results(function, arguments, context, model, subject)
  end

  def compare(_function, _arguments, _context, _model, _subject) do
    {:differ, "one side raises, the other does not"}
  end

  # Exceptions

  defp raised({_, class, reason, model}, {_, class, reason, subject}),
    do: explained(model, subject)

  defp raised(_model, _subject), do: {:differ, "the exceptions differ"}

  # Where `:ets` names no cause, its formatter finds it out; the texts tell whether it is the same.
  defp explained({function, arity, cause, texts}, {function, arity, its_cause, its_texts}) do
    check(
      texts == its_texts and (cause == nil or cause == its_cause),
      "the explanations of the exceptions differ"
    )
  end

  # The model has put the function together from others, or the exception is not its own.
  defp explained(_model, _subject), do: :ok

  # Results

  defp results(:new, _arguments, _context, model, subject) do
    check(model == subject or (is_reference(model) and is_reference(subject)), "not both tables")
  end

  defp results(:file2tab, arguments, context, {:ok, model}, {:ok, subject}) do
    results(:new, arguments, context, model, subject)
  end

  defp results(file, _arguments, _context, model, subject)
       when file in [:tab2file, :file2tab, :tabfile_info] do
    identical(without_paths(model), without_paths(subject))
  end

  defp results(:show, [], _context, {model, _output}, {subject, _its}) do
    identical(model, subject)
  end

  defp results(:show, _arguments, context, model, subject) do
    if ordered?(context), do: identical(model, subject), else: :ok
  end

  defp results(query, _arguments, context, model, subject)
       when query in [:query, :query_key] and is_list(model) and is_list(subject) do
    same_list(context, model, subject)
  end

  # `:ets` may have numbered the variables anew before it names one of them, and names one of a
  # map's key twice; which of two bad keys of a map comes first is its own affair.
  defp results(:test_ms, _arguments, _context, {:error, model}, {:error, subject}) do
    identical(without_numbers(model), without_numbers(subject))
  end

  defp results(:rename, _arguments, context, model, subject) do
    check(handle?(model, subject, context), "not the same table")
  end

  defp results(:whereis, _arguments, context, model, subject) do
    check(
      model == subject or {model, subject} in context.tids or context.tids == :unknown,
      "not the same table"
    )
  end

  defp results(:all, _arguments, context, model, subject) do
    wrong = Enum.reject(context.handles, fn {m, s} -> m in model == s in subject end)
    check(wrong == [], "tables are missing or too many: #{inspect(wrong)}")
  end

  defp results(:info, [_table], _context, model, subject)
       when is_list(model) and is_list(subject) do
    strip = fn info -> info |> Keyword.drop(@own_items) |> Enum.sort() end
    names = fn info -> info |> Keyword.keys() |> Enum.sort() end

    with :ok <- identical(strip.(model), strip.(subject)) do
      check(names.(model) == names.(subject), "the items of info differ")
    end
  end

  defp results(:info, [_table, item], context, model, subject) do
    info(item, context, model, subject)
  end

  defp results(function, _arguments, context, model, subject)
       when function in @steps or function in @step_lookups do
    if ordered?(context), do: identical(model, subject), else: step(function, context, subject)
  end

  defp results(function, _arguments, context, model, subject)
       when function in @lists and is_list(model) and is_list(subject) do
    same_list(context, proper(model), proper(subject))
  end

  defp results(function, [_table, _spec], context, model, subject) when function in @searches do
    same_list(context, model, subject)
  end

  defp results(function, [_table, _spec, limit], context, model, subject)
       when function in @searches do
    chunk(limit, context, model, subject)
  end

  defp results(function, [_continuation], context, model, subject) when function in @searches do
    if ordered?(context), do: same_chunk(model, subject), else: :ok
  end

  defp results(drain, _arguments, context, model, subject)
       when drain in [:drain, :repaired_drain] do
    drained(context, model, subject)
  end

  defp results(:match_spec_compile, _arguments, _context, _model, subject) do
    check(Etsunami.is_compiled_ms(subject), "not a compiled match specification")
  end

  defp results(_function, _arguments, _context, model, subject), do: identical(model, subject)

  defp ordered?(context), do: context.type in [:ordered_set, nil]

  defp handle?(model, subject, context) do
    model == subject or {model, subject} == {context.model, context.subject}
  end

  defp info(:stats, _context, _model, _subject), do: :ok

  defp info(:memory, _context, model, subject) do
    check(is_integer(subject) == is_integer(model), "memory is a number")
  end

  defp info(:id, context, model, subject) do
    check(
      {model, subject} in context.tids or model == subject or context.tids == :unknown,
      "not the table's id"
    )
  end

  defp info(item, _context, {_, model}, {_, subject})
       when item in [:safe_fixed, :safe_fixed_monotonic_time] do
    identical(Enum.sort(model), Enum.sort(subject))
  end

  defp info(_item, _context, model, subject), do: identical(model, subject)

  defp without_numbers(faults) do
    for {kind, text} <- faults, uniq: true do
      {kind, text |> to_string() |> String.replace(~r"\$\d+|Variable|Underscore", "$")}
    end
  end

  # Each side has files of its own.
  defp without_paths(term) do
    term |> inspect(limit: :infinity) |> String.replace(~r"model[0-2]|subject[0-2]", "file")
  end

  # In an order that is its own, the subject may bring any key, as long as it is there.

  defp step(_function, _context, @stop), do: :ok

  defp step(function, context, key) when function in @steps do
    check(Etsunami.member(context.subject, key), "a key that is not in the table")
  end

  defp step(_function, context, {key, objects}) do
    with :ok <- identical(:ets.lookup(context.model, key), objects),
         do: check(objects != [], "empty")
  end

  # Any number beyond the slots that both sides have is out of range.
  defp slot(index, context, model, subject)
       when is_integer(index) and index in 0..0x3FF_FFFF_FFFF_FFFF do
    cond do
      slot_of_empty?(index, context) -> :ok
      ordered?(context) -> slot_of_order(model, subject)
      index == 0 and context.model != nil -> check(elem(model, 0) == elem(subject, 0), "slot 0")
      true -> :ok
    end
  end

  defp slot(_index, _context, model, subject), do: slot_of_order(model, subject)

  defp slot_of_order({:ok, model}, {:ok, subject}), do: identical(model, subject)
  defp slot_of_order({:raised, _, _, _} = model, {:raised, _, _, _} = s), do: raised(model, s)
  defp slot_of_order(_model, _subject), do: {:differ, "one side raises, the other does not"}

  defp slot_of_empty?(0, %{type: :ordered_set} = context) do
    Differences.applies?(:slot_of_empty) and :ets.info(context.model, :size) == 0
  end

  defp slot_of_empty?(_index, _context), do: false

  # Searches

  defp same_list(context, model, subject) do
    if ordered?(context), do: identical(model, subject), else: same_objects(model, subject)
  end

  # A fold may have begun with something that is no list.
  defp proper([head | tail]), do: [head | proper(tail)]
  defp proper([]), do: []
  defp proper(other), do: [{:tail, other}]

  @doc "Whether two lists have the same elements, in whatever order."
  def same_objects(model, subject) do
    cond do
      model === subject -> :ok
      Enum.sort(model) === Enum.sort(subject) -> :ok
      Enum.frequencies(model) === Enum.frequencies(subject) -> :ok
      true -> {:differ, "not the same elements"}
    end
  end

  defp chunk(limit, context, model, subject) do
    cond do
      ordered?(context) -> same_chunk(model, subject)
      model == @stop or subject == @stop -> check(model == subject, "only one side finds objects")
      true -> check(length(elem(subject, 0)) == length(elem(model, 0)), "not #{limit} objects")
    end
  end

  defp same_chunk({model, @stop}, {subject, @stop}), do: identical(model, subject)

  defp same_chunk({model, _rest}, {subject, rest}) when rest != @stop do
    identical(model, subject)
  end

  defp same_chunk(model, subject), do: identical(model, subject)

  defp drained(context, model, subject) do
    full = fn chunks -> chunks |> Enum.drop(-1) |> Enum.map(&length/1) end

    with :ok <- same_list(context, Enum.concat(model), Enum.concat(subject)) do
      check(full.(model) == full.(subject), "chunks of other sizes")
    end
  end

  # Equality

  @small 300

  @doc "Whether two terms are the same, the signs of zeros included."
  def identical(model, subject) do
    cond do
      model !== subject -> {:differ, "the results differ"}
      :erts_debug.flat_size(model) > @small -> :ok
      :erlang.term_to_binary(model) === :erlang.term_to_binary(subject) -> :ok
      true -> {:differ, "the results differ in some bits"}
    end
  end

  defp check(true, _text), do: :ok
  defp check(false, text), do: {:differ, text}
end
