defmodule Bench.Data do
  @moduledoc """
  The objects that the loops run over, made once for each shape of table.

  They are persistent terms: they lie outside of all heaps, so that no garbage collection of a
  measuring process looks at them and all processes read the same memory. They come as slices in
  random order; each pair of measurements takes the next one, so that what the last pair has left
  in the caches helps nobody.
  """

  alias Bench.Shapes

  @slice 33_334
  # A table of which no list is kept has as many samples.
  @sampled 600_000

  @doc "Makes the objects of a table of `size` objects; those of the table before are forgotten."
  def prepare(keys, values, size) do
    seed()
    added = outside(size)
    {inside, outside} = 1..(size + added) |> Enum.shuffle() |> Enum.split(size)
    objects = for number <- inside, do: Shapes.object(keys, values, number)
    put(:slices, slices(objects, size))
    put(:added, {for(number <- outside, do: Shapes.object(keys, values, number))})
  end

  @doc "Samples of a table that `fill` of `Bench.Contender` made, and odd keys, which it lacks."
  def prepare_sampled(size) do
    seed()

    sample = fn count, odd ->
      samples = for _ <- 1..count, do: {2 * :rand.uniform(size) - 2 + odd, 1}
      samples |> Enum.uniq_by(&elem(&1, 0)) |> slices(size)
    end

    put(:slices, sample.(@sampled, 0))
    put(:added, sample.(div(@sampled, 2), 1))
  end

  @doc "Objects of the table; those of a pair of measurements, by its number."
  def slice(number), do: turn(get(:slices), number)

  @doc "All slices, that is all objects of a table that was prepared by `prepare/3`."
  def slices, do: Tuple.to_list(get(:slices))

  @doc "Objects with keys that are not in the table, those of a pair of measurements."
  def added(number \\ 0), do: turn(get(:added), number)

  @doc "Makes the random choices of this process those of the run's seed."
  def seed, do: :rand.seed(:exsss, get(:seed))

  @doc "Keeps a term of that name for all processes."
  def put(name, term), do: :persistent_term.put({__MODULE__, name}, term)

  @doc "The term of that name."
  def get(name), do: :persistent_term.get({__MODULE__, name})

  defp turn(slices, number), do: elem(slices, rem(number, tuple_size(slices)))

  defp outside(size), do: size |> div(5) |> max(100) |> min(20_000)

  # All slices have the same length, and hold all objects if there are not more than samples.
  defp slices(objects, size) do
    count = div(min(size, length(objects)) + @slice - 1, @slice)
    objects |> Enum.chunk_every(div(length(objects) + count - 1, count)) |> List.to_tuple()
  end
end
