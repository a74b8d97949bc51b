defmodule Etsunami.Model.TermGen do
  @moduledoc """
  Generators of terms of all kinds, and of the keys of a program.
  """

  import Etsunami.Model.Gen

  alias Etsunami.Terms

  # Numbers that are equal by `==` alone, and such as stand at the ends of a representation.
  @numbers [0, 0.0, -0.0, 1, 1.0, -1, -1.0, 2, 2.0, 1.5] ++
             [2 ** 53, 2.0 ** 53, 2 ** 53 + 1, 2 ** 59 - 1, 2 ** 59, -(2 ** 59), -(2 ** 59) - 1] ++
             [2 ** 60, 2.0 ** 60, 2 ** 64, -(2 ** 64), 2 ** 70, 2.0 ** 70, 2 ** 200, 1.0e308]

  # From how many words on a constant is used seldom.
  @large 200

  @doc """
  Any term, made of constants: `{:"$term", kind, i}` is one of `Etsunami.Terms`, and
  `{:"$improper", list, tail}` an improper list, which PropEr would not shrink.
  """
  def any do
    flat = flat()
    nested = nested(flat)
    frequency([{6, flat}, {3, nested}, {2, nested(frequency([{2, flat}, {1, nested}]))}])
  end

  @doc "What such a constant stands for."
  def constant(kind, i), do: elem(constants(kind), i)

  defp constants(kind) do
    case :persistent_term.get({__MODULE__, kind}, nil) do
      nil -> kind |> make_constants() |> tap(&:persistent_term.put({__MODULE__, kind}, &1))
      constants -> constants
    end
  end

  defp make_constants(:near), do: List.to_tuple(Terms.neighbours())

  # As a key, the end would end walks of `:ets` too early.
  defp make_constants(kind) do
    {large, small} = Terms.all() |> List.delete(:"$end_of_table") |> Enum.split_with(&large?/1)
    List.to_tuple(if kind == :large, do: large, else: small)
  end

  defp a_constant(kind) do
    {:"$term", kind, integer(0, tuple_size(constants(kind)) - 1)}
  end

  @doc "A term for a key: often one that other keys of the program are near to."
  def key do
    frequency([
      {4, integer(0, 5)},
      {4, elements(@numbers)},
      {3, a_constant(:near)},
      {2, {integer(0, 2), oneof([integer(0, 2), elements([:a, 1.0, "b"])])}},
      {4, any()}
    ])
  end

  @doc "Numbers, small and large, integers and floats."
  def number, do: frequency([{4, integer(-4, 4)}, {1, elements(@numbers)}])

  defp flat do
    frequency([
      {60, integer(-3, 6)},
      {20, elements(@numbers)},
      {20, integer(-(2 ** 66), 2 ** 66)},
      {20, elements([:a, :b, :ok, nil, true, :Ω, :日本, :_, :"$1"])},
      {15,
       elements(["", "a", "ab", "ä", <<1::3>>, :binary.copy("x", 64), :binary.copy("y", 65)])},
      {60, a_constant(:small)},
      {1, a_constant(:large)}
    ])
  end

  defp large?(term), do: :erts_debug.flat_size(term) > @large or large_binary?(term)
  defp large_binary?(term), do: is_bitstring(term) and bit_size(term) > 8 * 8 * @large

  defp nested(type) do
    frequency([
      {3, map(list(type, 4), &List.to_tuple/1)},
      {3, list(type, 4)},
      {1, {:"$improper", list(type, 2), type}},
      {3, map(list({type, type}, 4), &Map.new/1)},
      {1, map({type, integer(30, 40)}, fn {value, n} -> Map.new(1..n, &{&1, value}) end)}
    ])
  end
end
