defmodule Etsunami.Fun2ms.Head do
  @moduledoc false

  # Heads of match specifications from patterns.
  #
  # A variable gets a number where it stands first, in the order of reading. `name = pattern`
  # gives the name to what can be reached from the object: the object itself, or an element, the
  # head or tail of a list or the value of a key in it; nothing has to be bound for that.

  alias Etsunami.Fun2ms
  alias Etsunami.Fun2ms.{Fault, Quoted}

  # `term` is the head; `bindings` tells for each variable what it is called in guards and bodies,
  # and for `:all` what all of them are; `guards` are those that the head cannot do without.
  #
  # How a pinned value goes into the head is found out by `prelude`, where the macro is called;
  # `pins` are the lists of guards that pinned values need.
  defstruct [:term, :env, bindings: %{}, guards: [], pinned: [], prelude: [], pins: [], count: 0]

  @type t :: %__MODULE__{}

  @doc """
  The head that a pattern becomes.
  """
  @spec translate(Macro.t(), Macro.Env.t()) :: t
  def translate(pattern, env) do
    head = %__MODULE__{env: %{env | context: :match}}
    {term, head} = head |> whole(pattern) |> pattern(pattern, :"$_")
    head |> number_pins() |> complete(term)
  end

  # They come behind the variables of the pattern.
  defp number_pins(head) do
    head.pinned
    |> Enum.reverse()
    |> Enum.reduce(head, fn {value, term, guards}, head ->
      {number, head} = fresh(head)

      step =
        quote do
          {unquote(term), unquote(guards)} = unquote(Fun2ms).pin(unquote(number), unquote(value))
        end

      %{head | prelude: head.prelude ++ [step], pins: head.pins ++ [guards]}
    end)
  end

  defp complete(head, term) do
    own = for {_id, number} <- head.bindings, is_atom(number), number != :"$_", do: number
    # Variables that only guards of the head need are none of the user's.
    all = if length(own) == head.count, do: :"$$", else: Enum.sort_by(own, &number/1)

    %{
      head
      | term: term,
        guards: Enum.reverse(head.guards),
        bindings: Map.put(head.bindings, :all, all)
    }
  end

  defp number(variable) do
    "$" <> digits = Atom.to_string(variable)
    String.to_integer(digits)
  end

  # An object is a tuple.
  defp whole(head, pattern) do
    object? =
      pattern
      |> sides(head)
      |> Enum.all?(fn
        {_first, _second} -> true
        {:{}, _meta, elements} when is_list(elements) -> true
        other -> Quoted.variable?(other)
      end)

    if object? do
      head
    else
      fault(head, pattern, "the head of a match specification is a tuple or a variable, not")
    end
  end

  # The patterns that `=` joins.
  defp sides({:=, _meta, [left, right]}, head), do: sides(left, head) ++ sides(right, head)
  defp sides(pattern, head), do: [Quoted.expand(pattern, head.env)]

  defp pattern(head, pattern, path) do
    case Quoted.expand(pattern, head.env) do
      {:=, _meta, _sides} = alias ->
        named(head, alias, path)

      {:_, _meta, context} when is_atom(context) ->
        {:_, head}

      {name, _meta, context} = variable when is_atom(name) and is_atom(context) ->
        variable(head, variable)

      {:^, _meta, [value]} ->
        pinned(head, value)

      {first, second} ->
        tuple(head, [first, second], path)

      {:{}, _meta, elements} ->
        tuple(head, elements, path)

      {:%{}, _meta, pairs} ->
        map(head, pattern, pairs, path)

      {:%, _meta, [name, {:%{}, _, pairs}]} ->
        struct(head, pattern, name, pairs, path)

      {:++, _meta, [list, tail]} when is_list(list) ->
        pattern(head, Quoted.append(list, tail), path)

      list when is_list(list) ->
        list(head, list, path)

      other ->
        literal(head, pattern, other)
    end
  end

  defp literal(head, pattern, expanded) do
    case Quoted.constant(expanded, head.env) do
      {:ok, atom} when is_atom(atom) ->
        if Fun2ms.special?(atom), do: exactly(head, atom), else: {atom, head}

      {:ok, value} ->
        {Macro.escape(value), head}

      :error when elem(expanded, 0) == :<<>> ->
        fault(head, pattern, "a binary cannot be matched in parts:")

      :error ->
        fault(head, pattern, "no pattern of a match specification:")
    end
  end

  # Variables

  defp variable(head, variable) do
    id = Quoted.id(variable)

    case head.bindings do
      %{^id => number} when is_atom(number) and number != :"$_" -> {number, head}
      %{^id => path} -> equal_to(head, path)
      _new -> head |> fresh() |> bind(id)
    end
  end

  defp fresh(head) do
    number = head.count + 1
    {:"$#{number}", %{head | count: number}}
  end

  defp bind({number, head}, id),
    do: {number, %{head | bindings: Map.put(head.bindings, id, number)}}

  # A name that was given to something else before.
  defp equal_to(head, path) do
    {number, head} = fresh(head)
    {number, guard(head, Quoted.call(:"=:=", [number, path]))}
  end

  # An atom that would mean something else.
  defp exactly(head, atom), do: equal_to(head, Quoted.const(atom))

  defp guard(head, guard), do: %{head | guards: [guard | head.guards]}

  defp pinned(head, value) do
    term = Macro.unique_var(:term, __MODULE__)
    guards = Macro.unique_var(:guards, __MODULE__)
    {term, %{head | pinned: [{value, term, guards} | head.pinned]}}
  end

  defp named(head, alias, path) do
    {names, patterns} = alias |> sides(head) |> Enum.split_with(&Quoted.variable?/1)

    {term, head} =
      case patterns do
        [] -> {:_, head}
        [pattern] -> pattern(head, pattern, path)
        _several -> fault(head, alias, "one value cannot be matched by two patterns:")
      end

    {term, names |> Enum.reject(&Quoted.wildcard?/1) |> Enum.reduce(head, &name(&2, &1, path))}
  end

  defp name(head, variable, path) do
    id = Quoted.id(variable)

    case head.bindings do
      %{^id => known} -> guard(head, Quoted.call(:"=:=", [known, path]))
      _new -> %{head | bindings: Map.put(head.bindings, id, path)}
    end
  end

  # Compounds

  defp tuple(head, elements, path) do
    {terms, head} =
      elements
      |> Enum.with_index(1)
      |> Enum.map_reduce(head, fn {element, position}, head ->
        pattern(head, element, Quoted.call(:element, [position, path]))
      end)

    {{:{}, [], terms}, head}
  end

  defp list(head, [], _path), do: {[], head}

  defp list(head, [{:|, _meta, [first, tail]}], path) do
    {first, head} = pattern(head, first, Quoted.call(:hd, [path]))
    {tail, head} = pattern(head, tail, Quoted.call(:tl, [path]))
    {[{:|, [], [first, tail]}], head}
  end

  defp list(head, [first | rest], path) do
    {first, head} = pattern(head, first, Quoted.call(:hd, [path]))
    {rest, head} = list(head, rest, Quoted.call(:tl, [path]))
    {[first | rest], head}
  end

  defp map(head, pattern, pairs, path) do
    {pairs, head} =
      Enum.map_reduce(pairs, head, fn
        {key, value}, head ->
          key = key(head, key, pattern)
          {value, head} = pattern(head, value, Quoted.call(:map_get, [Quoted.const(key), path]))
          {{key, value}, head}

        _other, head ->
          fault(head, pattern, "no pattern of a match specification:")
      end)

    {{:%{}, [], pairs}, head}
  end

  defp key(head, key, map) do
    case Quoted.expand(key, head.env) do
      {:^, _meta, [value]} ->
        value

      expanded ->
        case Quoted.constant(expanded, head.env) do
          {:ok, atom} when is_atom(atom) ->
            if Fun2ms.special?(atom), do: bad_key(head, key, map), else: atom

          {:ok, value} ->
            Macro.escape(value)

          :error ->
            bad_key(head, key, map)
        end
    end
  end

  # A literal has no line.
  defp bad_key(head, key, map) do
    text = "no key for a map in a head: #{Macro.to_string(key)}"
    Fault.raise(head.env, [key, map], text)
  end

  defp struct(head, pattern, name, pairs, path) do
    case Quoted.expand(name, head.env) do
      module when is_atom(module) ->
        Quoted.check_fields(module, pairs, pattern, head.env)
        map(head, pattern, [{:__struct__, module} | pairs], path)

      variable ->
        {map, head} = map(head, pattern, [{:__struct__, variable} | pairs], path)
        name = Quoted.call(:map_get, [:__struct__, path])
        {map, guard(head, Quoted.call(:is_atom, [name]))}
    end
  end

  defp fault(head, pattern, text) do
    Fault.raise(head.env, pattern, "#{text} #{Macro.to_string(pattern)}")
  end
end
