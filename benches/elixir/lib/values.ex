defmodule Bench.Values do
  @moduledoc "Values of many parts, and of kinds that need more than a copy of words."

  defmodule Person do
    @moduledoc false
    defstruct [:id, :name, :born, :seen]
  end

  @kinds [
    :map40,
    :map1000,
    :integers,
    :references,
    :json,
    :struct,
    :map_set,
    :charlist,
    :improper
  ]

  @doc "The kinds."
  def kinds, do: @kinds

  @doc "How many objects of a kind a table gets."
  def count(:map1000), do: 50
  def count(_kind), do: 2_000

  @doc "What a kind is called in results."
  def label(:map40), do: "map of 40"
  def label(:map1000), do: "map of 1000"
  def label(:integers), do: "20 big integers"
  def label(:references), do: "20 references"
  def label(:json), do: "JSON"
  def label(:struct), do: "struct with dates"
  def label(:map_set), do: "MapSet of 20"
  def label(:charlist), do: "charlist of 60"
  def label(:improper), do: "improper lists"

  @doc "The value of that number."
  def value(:map40, n), do: Map.new(1..40, &{"field #{&1}", n + &1})
  def value(:map1000, n), do: Map.new(1..1000, &{&1, n + &1})
  def value(:integers, n), do: for(i <- 1..20, do: Integer.pow(10, 20 + i) + n)
  def value(:references, _n), do: for(_ <- 1..20, do: make_ref())

  def value(:json, n) do
    %{
      "id" => n,
      "name" => "user #{n}",
      "tags" => ["a", "bc", "def"],
      "active" => true,
      "score" => n * 1.5,
      "address" => %{"city" => "Springfield", "zip" => "#{10_000 + n}", "geo" => [1.25, -3.5]},
      "orders" => for(i <- 1..4, do: %{"sku" => "s-#{i}", "count" => i, "price" => i * 9.99})
    }
  end

  def value(:struct, n) do
    day = Date.add(~D[2000-01-01], n)
    %Person{id: n, name: "person #{n}", born: day, seen: DateTime.new!(day, ~T[12:00:00])}
  end

  def value(:map_set, n), do: MapSet.new(n..(n + 19))
  def value(:charlist, n), do: String.to_charlist(String.pad_leading("#{n}", 60, "text "))
  def value(:improper, n), do: for(i <- 1..10, do: [n, i | :tail])
end
