defmodule Etsunami.Fun2msPropertyTest do
  # Random fn literals: running one and running its match specification give the same.

  use ExUnit.Case, async: true

  @moduletag :library

  @literals 250
  @objects 60

  # Values that literals use, as `^x` and as `x`.
  @outside [o: 1, p: {:a, 1}, q: %{a: 1}, r: :_, s: [1, :a], t: {:b, %{}}]

  test "a fn and its match specification agree" do
    {_spec_count, matches} =
      Enum.reduce(1..@literals, {0, 0}, fn _number, {specs, matches} ->
        {specs + 1, matches + compare(literal())}
      end)

    # Where nothing matches, nothing is tested.
    assert matches > @literals
  end

  defp compare(clauses) do
    {fun, spec} = evaluate(clauses)
    compiled = Etsunami.match_spec_compile(spec)

    Enum.count(1..@objects, fn _number ->
      object = object(clauses)

      case call(fun, object) do
        {:ok, expected} ->
          # An exact match, which tells 1 from 1.0.
          assert {object, Etsunami.match_spec_run([object], compiled)} === {object, expected},
                 "#{Macro.to_string({:fn, [], clauses})}\n#{inspect(spec)}"

          expected != []

        :raised ->
          false
      end
    end)
  end

  defp call(fun, object) do
    {:ok, [fun.(object)]}
  rescue
    FunctionClauseError -> {:ok, []}
    _other -> :raised
  end

  defp evaluate(clauses) do
    fun = {:fn, [], clauses}
    outside = for {name, _value} <- @outside, do: {name, [], nil}

    program =
      quote do
        require Etsunami
        _ = unquote(outside)
        {unquote(fun), Etsunami.fun2ms(unquote(fun))}
      end

    # Conditions that are always false, unused variables and the like.
    {result, _warnings} =
      ExUnit.CaptureIO.with_io(:stderr, fn -> Code.eval_quoted(program, @outside) end)

    elem(result, 0)
  end

  # Literals

  defp literal do
    for _clause <- 1..one_of([1, 1, 2]) do
      {pattern, names} = pattern(one_of([1, 2, 2, 3]))
      {:->, [], [[guarded(pattern, names)], expression(2, names)]}
    end
  end

  defp guarded(pattern, names) do
    case :rand.uniform(4) do
      1 -> pattern
      2 -> {:when, [], [pattern, {:when, [], [guard(1, names), guard(1, names)]}]}
      _one -> {:when, [], [pattern, guard(2, names)]}
    end
  end

  # The pattern of an object, and the names in it.
  defp pattern(arity) do
    {elements, names} = Enum.map_reduce(1..arity, [], fn _element, names -> part(2, names) end)
    pattern = {:{}, [], elements}
    if :rand.uniform(3) == 1, do: maybe_named(pattern, names), else: {pattern, names}
  end

  defp part(depth, names) do
    case :rand.uniform(if depth > 0, do: 14, else: 8) do
      n when n <= 3 -> name(one_of([:a, :b, :c]), names)
      4 -> {{:_, [], nil}, names}
      5 -> {{:^, [], [outside()]}, names}
      n when n <= 8 -> {Macro.escape(leaf()), names}
      n when n <= 10 -> compound(&{:{}, [], &1}, depth, names)
      11 -> compound(& &1, depth, names)
      12 -> cons(depth, names)
      13 -> map(depth, names)
      14 -> (fn {part, names} -> maybe_named(part, names) end).(part(depth - 1, names))
    end
  end

  defp name(name, names), do: {{name, [], nil}, Enum.uniq([name | names])}

  defp maybe_named(pattern, names) do
    name = :"name#{length(names)}"
    if name in names, do: {pattern, names}, else: named(pattern, name, names)
  end

  defp named(pattern, name, names) do
    {variable, names} = name(name, names)
    {{:=, [], one_of([[variable, pattern], [pattern, variable]])}, names}
  end

  defp compound(build, depth, names) do
    {parts, names} =
      Enum.map_reduce(List.duplicate(0, one_of([0, 1, 2])), names, fn _part, names ->
        part(depth - 1, names)
      end)

    {build.(parts), names}
  end

  defp cons(depth, names) do
    {head, names} = part(depth - 1, names)
    {tail, names} = part(depth - 1, names)
    {[{:|, [], [head, tail]}], names}
  end

  defp map(depth, names) do
    {pairs, names} =
      Enum.map_reduce(Enum.take_random([:a, 1, "k"], one_of([0, 1, 2])), names, fn key, names ->
        {value, names} = part(depth - 1, names)
        {{key, value}, names}
      end)

    {{:%{}, [], pairs}, names}
  end

  # Guards and bodies

  @tests [
    :is_boolean,
    :is_bitstring,
    :is_atom,
    :is_integer,
    :is_number,
    :is_list,
    :is_tuple,
    :is_map,
    :is_binary,
    :is_nil
  ]
  @calls [:+, :-, :*, :div, :rem]
  @comparisons [:==, :!=, :===, :!==, :<, :<=, :>, :>=]

  defp guard(0, names), do: condition(names)

  defp guard(depth, names) do
    case :rand.uniform(8) do
      1 -> {:not, [], [guard(depth - 1, names)]}
      n when n <= 3 -> {:and, [], [guard(depth - 1, names), guard(depth - 1, names)]}
      n when n <= 5 -> {:or, [], [guard(depth - 1, names), guard(depth - 1, names)]}
      _other -> condition(names)
    end
  end

  defp condition(names) do
    case :rand.uniform(6) do
      1 -> {one_of(@tests), [], [operand(1, names)]}
      2 -> {:in, [], [operand(0, names), one_of([[1, :a, 2.0], [], quote(do: 0..2), ["k"]])]}
      3 -> {:is_map_key, [], [operand(0, names), one_of([:a, 1])]}
      _other -> {one_of(@comparisons), [], [operand(1, names), operand(1, names)]}
    end
  end

  defp operand(0, names), do: simple(names)

  defp operand(depth, names) do
    part = fn -> operand(depth - 1, names) end

    case :rand.uniform(10) do
      1 -> {one_of(@calls), [], [part.(), part.()]}
      2 -> {one_of([:hd, :tl, :length, :map_size, :tuple_size, :abs, :ceil]), [], [part.()]}
      3 -> {:elem, [], [part.(), one_of([0, 1])]}
      4 -> {{:., [], [variable(names), :a]}, [no_parens: true], []}
      _other -> simple(names)
    end
  end

  defp expression(0, names), do: simple(names)

  defp expression(depth, names) do
    part = fn -> expression(depth - 1, names) end

    case :rand.uniform(10) do
      1 -> {:{}, [], [part.(), part.(), part.()]}
      2 -> {part.(), part.()}
      3 -> [part.(), part.()]
      4 -> [{:|, [], [part.(), part.()]}]
      5 -> {:%{}, [], [{:k, part.()}, {leaf_key(), part.()}]}
      6 -> operand(1, names)
      7 -> guard(1, names)
      8 -> {one_of([:max, :min]), [], [part.(), part.()]}
      _other -> simple(names)
    end
  end

  defp leaf_key, do: one_of([1, 2.0, "k", :_])

  defp simple(names) do
    case :rand.uniform(4) do
      1 -> Macro.escape(leaf())
      2 -> outside()
      _other -> variable(names)
    end
  end

  defp variable([]), do: outside()
  defp variable(names), do: {one_of(names), [], nil}

  defp outside, do: {@outside |> Keyword.keys() |> one_of(), [], nil}

  # Objects, most of them such that the pattern of a clause could fit.

  defp object([{:->, _meta, [[argument], _body]} | _clauses]) do
    pattern = with {:when, _meta, [pattern, _guards]} <- argument, do: pattern
    values = Map.new([:a, :b, :c], &{&1, term(1)})
    fit(pattern, values)
  end

  defp fit({:=, _meta, [left, right]}, values) do
    if match?({_name, _, nil}, left), do: fit(right, values), else: fit(left, values)
  end

  defp fit({:{}, _meta, elements}, values) do
    elements |> Enum.map(&near(&1, values)) |> List.to_tuple()
  end

  defp fit({:_, _meta, nil}, _values), do: term(2)
  defp fit({:^, _meta, [{name, _, nil}]}, _values), do: @outside[name]
  defp fit({:%{}, _meta, pairs}, values), do: fit_map(pairs, values)
  defp fit({name, _meta, nil}, values), do: Map.get_lazy(values, name, fn -> term(2) end)
  defp fit([{:|, _meta, [head, tail]}], values), do: [near(head, values) | near(tail, values)]
  defp fit(list, values) when is_list(list), do: Enum.map(list, &near(&1, values))
  defp fit({first, second}, values), do: {near(first, values), near(second, values)}
  defp fit(literal, _values), do: literal

  defp fit_map(pairs, values) do
    pairs
    |> Map.new(fn {key, value} -> {key, near(value, values)} end)
    |> Map.merge(one_of([%{}, %{2 => 3}]))
  end

  defp near(pattern, values) do
    if :rand.uniform(15) == 1, do: term(1), else: fit(pattern, values)
  end

  defp term(0), do: leaf()

  defp term(depth) do
    case :rand.uniform(8) do
      1 -> {term(depth - 1), term(depth - 1)}
      2 -> [term(depth - 1), term(depth - 1)]
      3 -> [term(depth - 1) | leaf()]
      4 -> %{a: term(depth - 1), z: leaf()}
      _other -> leaf()
    end
  end

  defp leaf do
    one_of([
      0,
      1,
      2,
      3,
      1.0,
      2.5,
      2 ** 70,
      :a,
      :b,
      nil,
      true,
      :_,
      :"$1",
      :"$_",
      "k",
      "",
      [],
      {},
      %{}
    ])
  end

  defp one_of(list), do: Enum.random(list)
end
