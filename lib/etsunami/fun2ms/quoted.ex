defmodule Etsunami.Fun2ms.Quoted do
  @moduledoc false

  # What heads, guards and bodies have in common: reading quoted expressions, and writing quoted
  # terms of match specifications.

  alias Etsunami.Fun2ms.Fault

  @doc """
  Expands macros, module names and attributes; parentheses around one expression are dropped.
  """
  @spec expand(Macro.t(), Macro.Env.t()) :: Macro.t()
  def expand({:__block__, _meta, [single]}, env), do: expand(single, env)

  def expand(quoted, env) do
    case Fault.expand(quoted, env) do
      {:__block__, _meta, [single]} -> expand(single, env)
      expanded -> expanded
    end
  end

  @doc """
  Whether this is a variable, `_` among them.
  """
  @spec variable?(Macro.t()) :: boolean
  def variable?({name, _meta, context}) when is_atom(name) and is_atom(context), do: true
  def variable?(_other), do: false

  @doc """
  Whether this is `_`.
  """
  @spec wildcard?(Macro.t()) :: boolean
  def wildcard?(quoted), do: match?({:_, _meta, _context}, quoted)

  @doc """
  What tells a variable from those of the same name in macros.
  """
  @spec id(Macro.t()) :: {atom, term}
  def id({name, meta, context}), do: {name, Keyword.get(meta, :counter, context)}

  @doc """
  The value of an expanded expression that consists of literals alone.
  """
  @spec constant(Macro.t(), Macro.Env.t()) :: {:ok, term} | :error
  def constant(literal, _env) when is_number(literal) or is_atom(literal) or is_binary(literal) do
    {:ok, literal}
  end

  def constant({sign, _meta, [number]}, _env) when sign in [:+, :-] and is_number(number) do
    {:ok, if(sign == :-, do: -number, else: number)}
  end

  def constant({:<<>>, _meta, parts} = binary, env) do
    if literal_bits?(parts) do
      {value, _bindings} = Code.eval_quoted(binary, [], %{env | context: nil})
      {:ok, value}
    else
      :error
    end
  end

  def constant({first, second}, env), do: constant({:{}, [], [first, second]}, env)

  def constant({:{}, _meta, elements}, env) do
    with {:ok, elements} <- constant(elements, env), do: {:ok, List.to_tuple(elements)}
  end

  def constant({:%{}, _meta, pairs}, env) do
    with {:ok, pairs} <- constant(pairs, env), do: {:ok, Map.new(pairs)}
  end

  def constant([], _env), do: {:ok, []}

  def constant([{:|, _meta, [first, tail]}], env), do: cons(first, tail, env)
  def constant([first | rest], env), do: cons(first, rest, env)
  def constant(_other, _env), do: :error

  defp cons(first, rest, env) do
    with {:ok, first} <- constant(expand(first, env), env),
         {:ok, rest} <- constant(if(is_list(rest), do: rest, else: expand(rest, env)), env),
         do: {:ok, [first | rest]}
  end

  # Sizes and types beside the literals are no variables.
  defp literal_bits?(parts) do
    Enum.all?(parts, fn
      {:"::", _meta, [part, _type]} -> literal_bits?([part])
      {:<<>>, _meta, parts} -> literal_bits?(parts)
      part -> is_number(part) or is_binary(part)
    end)
  end

  @doc """
  `list ++ tail` for a list literal.
  """
  @spec append([Macro.t()], Macro.t()) :: Macro.t()
  def append([], tail), do: tail
  def append(list, tail) when is_list(tail), do: list ++ tail

  def append(list, tail) do
    {front, [last]} = Enum.split(list, -1)
    front ++ [{:|, [], [last, tail]}]
  end

  @doc """
  The fields of a struct with their defaults, as quoted pairs, once these pairs are known to be
  fields of it.
  """
  @spec check_fields(module, [{atom, Macro.t()}], Macro.t(), Macro.Env.t()) :: map
  def check_fields(module, pairs, quoted, env) do
    struct = Macro.struct!(module, %{env | context: nil})

    for {key, _value} <- pairs, not is_map_key(struct, key) do
      Fault.raise(env, quoted, "unknown key #{inspect(key)} for struct #{inspect(module)}")
    end

    struct
  end

  @doc """
  A call: `{Function, Argument, ...}`.
  """
  @spec call(atom, [Macro.t()]) :: Macro.t()
  def call(function, arguments), do: {:{}, [], [function | arguments]}

  @doc """
  A value that stands for itself, whatever it is.
  """
  @spec const(Macro.t()) :: Macro.t()
  def const(quoted), do: {:const, quoted}
end
