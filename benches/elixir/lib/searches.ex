defmodule Bench.Searches do
  @moduledoc """
  Searches whose guards or bodies compute, over objects `{I, I + 5, %{a: I, b: "x", c: {1, I}}}`
  with `I` from 1 on. No object matches a guard; every object has a result of a body.
  """

  @doc "An object."
  def object(n), do: {n, n + 5, %{a: n, b: "x", c: {1, n}}}

  @doc "The names of all searches and their specifications."
  def all do
    for({name, guard} <- guards(), do: {"guard #{name}", spec([guard], :"$1")}) ++
      for({name, body} <- bodies(), do: {"body #{name}", spec([], body)}) ++
      [{"16 clauses", for(n <- 1..16, do: {{-n, :_, :_}, [], [:"$_"]})}]
  end

  defp spec(guards, body), do: [{{:"$1", :"$2", :"$3"}, guards, [body]}]

  defp guards do
    [
      {"with a sum", {:<, {:+, :"$1", :"$2"}, 0}},
      {"with a difference", {:>, {:-, 1000, :"$2"}, 5000}},
      {"or", {:or, {:<, :"$1", 0}, {:>, :"$2", 50_000}}},
      {"orelse", {:orelse, {:<, :"$1", 0}, {:>, :"$2", 50_000}}},
      {"not", {:not, {:>, :"$1", 0}}},
      {"one of 16", one_of(16)},
      {"one of 256", one_of(256)},
      {"map_get", {:==, {:map_get, :a, :"$3"}, -1}},
      {"is_map_key", {:is_map_key, :zz, :"$3"}},
      {"is_binary", {:is_binary, :"$2"}},
      {"element of map_get", {:==, {:element, 2, {:map_get, :c, :"$3"}}, -1}},
      {"rem", {:==, {:rem, :"$1", 10}, 11}},
      {"band", {:"=:=", {:band, :"$1", 1}, 5}},
      {"abs", {:==, {:abs, :"$1"}, -1}},
      {"of two variables", {:==, :"$1", :"$2"}}
    ]
  end

  defp one_of(count), do: List.to_tuple([:orelse | for(n <- 1..count, do: {:"=:=", :"$1", -n})])

  defp bodies do
    [
      {"sum", {:+, :"$1", :"$2"}},
      {"tuple", {{:"$1", :"$2"}}},
      {"list", [:"$1", :"$2"]},
      {"map", %{a: :"$1", b: :"$2"}}
    ]
  end
end
