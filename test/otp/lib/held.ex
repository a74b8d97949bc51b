defmodule Etsunami.Held do
  @moduledoc """
  What the library holds, for suites that compare it before and after a case.

  It needs a library that was built with the cargo feature `count_memory`.
  """

  alias Etsunami.Native

  # How often the figures are taken while they change. Each look waits for garbage by itself, some
  # seconds at most, which a loaded machine may need for a large table.
  @attempts 50

  @doc """
  Tables, names, allocations and environments once nothing is in motion: the terms that nobody
  uses any more are collected, garbage is freed, and two looks tell the same.
  """
  @spec at_rest :: keyword
  def at_rest, do: settle(look(), @attempts)

  defp settle(figures, 0), do: figures

  defp settle(figures, attempts) do
    case {look(), figures[:garbage]} do
      {^figures, 0} -> figures
      {others, _garbage} -> settle(others, attempts - 1)
    end
  end

  # A term may be the last that refers to a table or a compiled match specification.
  defp look do
    Enum.each(Process.list(), &:erlang.garbage_collect/1)
    Native.held()
  end
end
