defmodule Etsunami.Fuzz.Bytes do
  @moduledoc """
  The bytes that a process's decisions are made of: the same bytes are the same decisions.

  They are kept in the dictionary of the process. When they are used up, all decisions are 0.
  """

  @doc "Decides by these bytes from now on."
  def load(bytes), do: Process.put(__MODULE__, bytes)

  @doc "Whether any are left."
  def left?, do: Process.get(__MODULE__) != <<>>

  @doc "The next byte."
  def next do
    case Process.get(__MODULE__) do
      <<byte, rest::binary>> ->
        Process.put(__MODULE__, rest)
        byte

      _used_up ->
        0
    end
  end

  @doc "A number below `n`, which is at most 65,536."
  def below(n) when n <= 256, do: rem(next(), n)
  def below(n), do: rem(next() * 256 + next(), n)

  @doc "One of a list."
  def pick(list), do: Enum.at(list, below(length(list)))

  @doc "As many results of the function."
  def times(n, function), do: for(_ <- 1..n//1, do: function.())
end
