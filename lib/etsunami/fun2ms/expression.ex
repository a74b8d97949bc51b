defmodule Etsunami.Fun2ms.Expression do
  @moduledoc false

  # Guards and bodies of match specifications from expressions.
  #
  # Both are expanded as guards are, so that `and`, `in` or `is_struct/2` become what a match
  # specification can do. A variable that the head does not bind belongs to the caller, and its
  # value becomes a constant; so does any expression behind `^`.

  alias Etsunami.Fun2ms
  alias Etsunami.Fun2ms.{Fault, Functions, Quoted}

  @doc """
  The term that an expression becomes.
  """
  @spec translate(Macro.t(), map, Macro.Env.t()) :: Macro.t()
  def translate(expression, bindings, env) do
    term(expression, {bindings, %{env | context: :guard}})
  end

  defp term(expression, {bindings, env} = scope) do
    case Quoted.expand(expression, env) do
      {:^, _meta, [value]} ->
        Quoted.const(value)

      {name, _meta, context} = variable when is_atom(name) and is_atom(context) ->
        variable(variable, scope)

      {first, second} ->
        tuple([first, second], scope)

      {:{}, _meta, elements} ->
        tuple(elements, scope)

      {:%{}, _meta, pairs} ->
        map(pairs, expression, scope)

      {:%, _meta, [name, {:%{}, _, pairs}]} ->
        struct(name, pairs, expression, scope)

      {:<<>>, _meta, _parts} = binary ->
        binary(binary, expression, scope)

      {:object, _meta, []} ->
        :"$_"

      {:bindings, _meta, []} ->
        bindings.all

      {:++, _meta, [list, tail]} when is_list(list) ->
        term(Quoted.append(list, tail), scope)

      {_form, _meta, _arguments} = call ->
        call(call, expression, scope)

      list when is_list(list) ->
        list(list, scope)

      literal ->
        literal(literal)
    end
  end

  defp literal(atom) when is_atom(atom) and atom != :_ do
    if Fun2ms.special?(atom), do: Quoted.const(atom), else: atom
  end

  defp literal(literal), do: literal

  defp variable({:_, _meta, _context} = wildcard, {_bindings, env}) do
    Fault.raise(env, wildcard, "_ has no value")
  end

  defp variable(variable, {bindings, _env}) do
    Map.get_lazy(bindings, Quoted.id(variable), fn -> Quoted.const(variable) end)
  end

  # Compounds

  defp tuple(elements, scope), do: {:{}, [], [{:{}, [], terms(elements, scope)}]}

  defp terms(expressions, scope), do: Enum.map(expressions, &term(&1, scope))

  defp list([], _scope), do: []

  defp list([{:|, _meta, [first, tail]}], scope) do
    [{:|, [], [term(first, scope), term(tail, scope)]}]
  end

  defp list([first | rest], scope), do: [term(first, scope) | list(rest, scope)]

  defp map(pairs, expression, {_bindings, env} = scope) do
    pairs =
      Enum.map(pairs, fn
        {key, value} ->
          {term(key, scope), term(value, scope)}

        _update ->
          Fault.raise(env, expression, "a map cannot be updated here: #{text(expression)}")
      end)

    {:%{}, [], pairs}
  end

  defp struct(name, pairs, expression, {_bindings, env} = scope) do
    with module when is_atom(module) <- Quoted.expand(name, env),
         true <- Keyword.keyword?(pairs) do
      fields = Quoted.check_fields(module, pairs, expression, env)
      defaults = fields |> Map.to_list() |> Keyword.drop(Keyword.keys(pairs))

      defaults = for {key, value} <- defaults, do: {key, default(value)}

      {:%{}, [], Enum.map(pairs, fn {key, value} -> {key, term(value, scope)} end) ++ defaults}
    else
      _other ->
        Fault.raise(env, expression, "no struct of a match specification: #{text(expression)}")
    end
  end

  defp default(value) when is_tuple(value) or is_list(value) or is_map(value) do
    value |> Macro.escape() |> Quoted.const()
  end

  defp default(value), do: literal(value)

  # Binaries are made where the macro is called; parts of an object cannot become parts of one.
  defp binary(binary, expression, {bindings, env}) do
    {_quoted, bound?} =
      Macro.prewalk(binary, false, fn part, bound? ->
        {part, bound? or (Quoted.variable?(part) and is_map_key(bindings, Quoted.id(part)))}
      end)

    if bound? do
      Fault.raise(
        env,
        expression,
        "a binary cannot be made of what was matched: #{text(expression)}"
      )
    else
      Quoted.const(binary)
    end
  end

  # Calls

  defp call({{:., _, [object, field]}, meta, []} = call, expression, {_bindings, env} = scope) do
    cond do
      is_atom(Quoted.expand(object, env)) -> function(call, expression, scope)
      meta[:no_parens] -> Quoted.call(:map_get, [field, term(object, scope)])
      true -> illegal(call, expression, scope)
    end
  end

  defp call(call, expression, scope), do: function(call, expression, scope)

  defp function({form, meta, arguments} = call, expression, {_bindings, env} = scope)
       when is_list(arguments) do
    with {module, name} <- resolve(form, meta, length(arguments), env),
         {:ok, function, arrange} <- Functions.find(module, name, length(arguments)) do
      Quoted.call(function, arguments |> terms(scope) |> Functions.arrange(arrange))
    else
      _unknown -> illegal(call, expression, scope)
    end
  end

  # The module that a called function is of.
  defp resolve({:., _meta, [module, name]}, _call_meta, _arity, env) do
    case Quoted.expand(module, env) do
      module when is_atom(module) -> {module, name}
      _other -> :error
    end
  end

  defp resolve(name, meta, arity, env) when is_atom(name) do
    case Macro.Env.lookup_import(env, {name, arity}) do
      [{_kind, module} | _others] -> {module, name}
      [] -> from_macro(name, meta, arity)
    end
  end

  defp resolve(_other, _meta, _arity, _env), do: :error

  # A call in what a macro has made knows its import by itself.
  defp from_macro(name, meta, arity) do
    case {meta[:imports], meta[:import]} do
      {imports, nil} when is_list(imports) ->
        {List.keyfind(imports, arity, 0, {arity, nil}) |> elem(1), name}

      {nil, nil} ->
        :error

      {_imports, module} ->
        {module, name}
    end
  end

  defp illegal(call, expression, {_bindings, env}) do
    Fault.raise(
      env,
      expression,
      "#{text(call)} cannot be computed by a match specification; if it does not depend on the " <>
        "object, ^(...) computes it before"
    )
  end

  defp text(expression), do: Macro.to_string(expression)
end
