defmodule Etsunami.Fun2ms do
  @moduledoc false

  # Match specifications from `fn` literals: the macro `Etsunami.fun2ms/1`.
  #
  # Each clause of the literal becomes `{Head, Guards, Body}`; the terms are made as quoted
  # expressions, so that values from outside can be filled in where the macro is called. A clause
  # with several `when`s becomes several clauses: an alternative that fails with an exception
  # does not hinder the next one in a `fn`, but would in one guard.

  alias Etsunami.Fun2ms.{Expression, Fault, Head}

  @doc """
  The quoted match specification of a quoted `fn`.
  """
  @spec quoted(Macro.t(), Macro.Env.t()) :: Macro.t()
  def quoted({:fn, _meta, clauses}, env) do
    {preludes, parts} = clauses |> Enum.map(&clause(&1, env)) |> Enum.unzip()
    {:__block__, [], Enum.concat(preludes) ++ [Enum.concat(parts)]}
  end

  def quoted(other, env) do
    Fault.raise(env, other, "fun2ms/1 takes a fn literal, not #{Macro.to_string(other)}")
  end

  defp clause({:->, _meta, [[argument], body]}, env) do
    {pattern, alternatives} = split(argument)
    head = Head.translate(pattern, env)
    results = body |> expressions() |> Enum.map(&Expression.translate(&1, head.bindings, env))

    parts =
      for guard <- alternatives do
        conditions = Enum.map(guard, &Expression.translate(&1, head.bindings, env))
        {:{}, [], [head.term, concat(head.pins, head.guards ++ conditions), results]}
      end

    {head.prelude, parts}
  end

  defp clause({:->, _meta, [arguments, _body]} = clause, env) do
    Fault.raise(env, clause, "a match specification has one argument, not #{length(arguments)}")
  end

  # The pattern, and the guards of which one has to hold, each a list of at most one expression.
  defp split({:when, _meta, [pattern, guards]}), do: {pattern, alternatives(guards)}
  defp split(pattern), do: {pattern, [[]]}

  defp alternatives({:when, _meta, [guard, others]}), do: [[guard] | alternatives(others)]
  defp alternatives(guard), do: [[guard]]

  defp expressions({:__block__, _meta, [_ | _] = expressions}), do: expressions
  defp expressions(expression), do: [expression]

  # What pinned values need is known only when they are.
  defp concat([], guards), do: guards

  defp concat(pins, guards) do
    quote do: unquote(__MODULE__).guards(unquote(pins), unquote(guards))
  end

  @doc """
  What stands in a head for a value that is to be matched exactly, and the guard that it needs:
  none if the value means itself in a head.

  Other values are those that hold `:_` or a variable, maps, which match larger ones too, and
  zero floats, which a head compares bit by bit.
  """
  @spec pin(atom, term) :: {term, [tuple]}
  def pin(variable, value) do
    if literal?([value]) do
      {value, []}
    else
      {variable, [{:"=:=", variable, {:const, value}}]}
    end
  end

  @doc false
  def guards(pins, guards), do: Enum.concat(pins) ++ guards

  defp literal?([]), do: true
  defp literal?([value | rest]) when is_atom(value), do: not special?(value) and literal?(rest)
  defp literal?([value | _rest]) when is_map(value), do: false
  defp literal?([value | _rest]) when is_float(value) and value == 0.0, do: false
  defp literal?([[head | tail] | rest]), do: literal?([head, tail | rest])
  defp literal?([value | rest]) when is_tuple(value), do: literal?(Tuple.to_list(value) ++ rest)
  defp literal?([_value | rest]), do: literal?(rest)

  @doc """
  Whether an atom means something else than itself somewhere in a match specification.
  """
  @spec special?(atom) :: boolean
  def special?(:_), do: true

  def special?(atom) do
    case Atom.to_string(atom) do
      "$_" -> true
      "$$" -> true
      "$" <> digits -> digits != "" and digits =~ ~r/\A[0-9]+\z/
      _ordinary -> false
    end
  end
end
