defmodule Etsunami.Model.Gen do
  @moduledoc """
  The generators of PropEr under names that read well in Elixir.

  A tuple or list of generators is a generator of such tuples and lists. Nothing here depends on
  results of other generators, so that PropEr can shrink each part of a program by itself.
  """

  @compile {:no_warn_undefined, :proper_types}

  @type t :: term

  @doc "One of several generators, each as probable as its weight."
  @spec frequency([{pos_integer, t}]) :: t
  def frequency(weighted), do: :proper_types.frequency(weighted)

  @doc "One of several generators."
  @spec oneof([t]) :: t
  def oneof(types), do: :proper_types.oneof(types)

  @doc "One of several terms, which are taken as they are."
  @spec elements([term]) :: t
  def elements(terms), do: :proper_types.oneof(Enum.map(terms, &:proper_types.exactly/1))

  @doc "A term as it is."
  @spec exactly(term) :: t
  def exactly(term), do: :proper_types.exactly(term)

  @doc "An integer of a range."
  @spec integer(integer, integer) :: t
  def integer(low, high), do: :proper_types.integer(low, high)

  @doc "A list of up to so many elements."
  @spec list(t, pos_integer) :: t
  def list(type, most), do: :proper_types.resize(most, :proper_types.list(type))

  @doc "A list of so many elements."
  @spec vector(pos_integer, t) :: t
  def vector(length, type), do: :proper_types.vector(length, type)

  @doc "What a function makes of a generated value."
  @spec map(t, (term -> term)) :: t
  def map(type, function), do: :proper_types.bind(type, &exactly(function.(&1)), false)
end
