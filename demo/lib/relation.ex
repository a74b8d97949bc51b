defmodule Demo.Relation do
  @moduledoc """
  Fields that name other packages: `Depends`, `Pre-Depends` and `Provides`.

  `Depends: a (>= 1), b:any | c` says that `a` is needed, and one of `b` and `c`. Versions and
  architectures are left out: a package is its name here.
  """

  @doc "The clauses of a dependency field; each is a sorted list of the names that satisfy it."
  def clauses(nil), do: []

  def clauses(field) do
    for clause <- String.split(field, ",", trim: true),
        names = names(clause, "|"),
        names != [],
        do: names
  end

  @doc "The names that a `Provides` field lists."
  def provided(nil), do: []
  def provided(field), do: names(field, ",")

  defp names(text, separator) do
    text
    |> String.split(separator)
    |> Enum.map(&name/1)
    |> Enum.reject(&(&1 == ""))
    |> Enum.uniq()
    |> Enum.sort()
  end

  # What follows the name is an architecture (":any", "[amd64]") or a version ("(>= 1)").
  defp name(text) do
    [name | _rest] = text |> String.trim() |> :binary.split([" ", ":", "(", "["])
    :binary.copy(name)
  end
end
