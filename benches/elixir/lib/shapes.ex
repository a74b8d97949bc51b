defmodule Bench.Shapes do
  @moduledoc "The keys and values that tables are filled with, each a function of a number."

  @keys [:integer, :binary, :tuple]
  @values [:integer, :map, :list, :binary24, :binary500, :nested]

  @doc "The kinds of keys."
  def keys, do: @keys

  @doc "The kinds of values."
  def values, do: @values

  @doc "What a kind of key or value is called in results."
  def label(:map), do: "map of 10"
  def label(:list), do: "list of 50"
  def label(:binary24), do: "binary of 24"
  def label(:binary500), do: "binary of 500"
  def label(:nested), do: "nested tuple"
  def label(other), do: to_string(other)

  @doc "An object with the key and the value of that number."
  def object(keys, values, number), do: {key(keys, number), value(values, number)}

  @doc "The key of that number; ten tuples in a row begin alike."
  def key(:integer, number), do: number
  def key(:binary, number), do: "user:" <> String.pad_leading("#{number}", 9, "0")
  def key(:tuple, number), do: {div(number, 10), rem(number, 10)}

  @doc "The value of that number."
  def value(:integer, number), do: number

  def value(:map, number) do
    %{
      id: number,
      age: rem(number, 90),
      city: rem(number, 1000),
      score: number * 3,
      level: rem(number, 7),
      visits: rem(number, 365),
      credit: number * 10,
      group: rem(number, 12),
      rank: rem(number, 100),
      active: true
    }
  end

  def value(:list, number), do: Enum.to_list(number..(number + 49))
  def value(:binary24, number), do: String.pad_leading("#{number}", 24, "value ")
  def value(:binary500, number), do: String.pad_leading("#{number}", 500, "a longer value ")

  def value(:nested, number) do
    {:session, {number, {rem(number, 7), :open}}, [{:hits, number * 3}, {:ok, true}],
     {{2026, 11, rem(number, 28)}, {number, 1.5}}}
  end
end
