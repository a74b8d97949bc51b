defmodule Etsunami.Model.Arguments do
  @moduledoc """
  From the arguments of a generated command to those of a call on each side.

  A generated argument says what is wanted and not what it is: the third key of the program, some
  key that is present, an object with its key where the table has it. So a command has a meaning
  in every state, and PropEr may leave out any other command of the program.

  | argument | meaning |
  | --- | --- |
  | `{:lit, term}` | the term |
  | `{:sides, m, s}` | one term for the model, another for the subject |
  | `{:pool, i}` | the key of the program with this number |
  | `{:key, i}` | one that is present, if any is |
  | `{:obj, key, values}` | an object; the key stands where the table has it |
  | `{:objs, list}` | a list of objects |
  | `{:bulk, from, count}` | many objects with integers as keys |
  | `{:deep, term}` | a term in which keys (`{:"$pool", i}`) and actors (`{:"$actor", i}`) stand |
  | `{:ms, clauses}` | a match specification whose heads have the key in its place |
  | `{:ms_pattern, head}` | a pattern likewise |
  | `{:ms_replace, ...}` | a match specification that keeps the key |
  | `{:init, objects}` | a function that reads them, for `init_table/2` |
  | `{:path, :own, side, i}` | a file that each side has for itself |
  | `{:path, :cross, side, i}` | such a file of one side, for both |
  | `:dets_path` | a file for a table of dets |
  | `{:fold, how}` | a function for a fold |
  """

  alias Etsunami.Model.TermGen

  @doc "The argument for the model and that for the subject."
  def resolve({:lit, term}, _context, _pool), do: same(term)
  def resolve({:sides, m, s}, _context, _pool), do: {m, s}
  def resolve({:pool, i}, _context, pool), do: same(pool_key(pool, i))
  def resolve({:key, i}, context, pool), do: same(present(context, pool, i))
  def resolve({:obj, _, _} = object, context, pool), do: same(object(object, context, pool))

  def resolve({:objs, objects}, context, pool) do
    same(Enum.map(objects, &object(&1, context, pool)))
  end

  def resolve({:bulk, from, count}, context, _pool) do
    same(for(n <- from..(from + count - 1)//1, do: place(n, [n, :bulk], context.keypos)))
  end

  def resolve({:deep, term}, context, pool), do: same(deep(term, context, pool))

  def resolve({:ms, clauses}, context, pool) do
    same(deep(Enum.map(clauses, &clause(&1, context)), context, pool))
  end

  def resolve({:ms_pattern, head}, context, pool) do
    {head, [], []} = clause({head, [], []}, context)
    same(deep(head, context, pool))
  end

  def resolve({:ms_replace, key, values, guards, body}, context, pool) do
    same(deep([replacing(key, values, guards, body, context)], context, pool))
  end

  def resolve({:fold, how}, context, _pool), do: fold(how, context)
  def resolve({:init, objects}, context, pool), do: init(objects, context, pool)

  # No table is left.
  def resolve({place, _i}, _context, _pool) when place in [:tab, :tid, :gone], do: same(:no_table)

  def resolve({:path, :own, _side, i}, context, _pool) do
    {path(context, :model, i), path(context, :subject, i)}
  end

  def resolve({:path, :cross, side, i}, context, _pool), do: same(path(context, side, i))

  def resolve(:dets_path, context, _pool), do: same(path(context, :dets, 0))

  defp path(context, side, i), do: String.to_charlist(Path.join(context.directory, "#{side}#{i}"))

  defp same(term), do: {term, term}

  defp pool_key(pool, i), do: elem(pool, rem(i, tuple_size(pool)))

  # From the wanted key on, the first one that is in the table.
  defp present(%{model: model}, pool, i) do
    size = tuple_size(pool)
    keys = for n <- i..(i + size - 1), do: elem(pool, rem(n, size))
    Enum.find(keys, hd(keys), &member?(model, &1))
  end

  @doc "Whether the model has this key, as far as the calling process may know."
  def member?(model, key) do
    :ets.member(model, key)
  rescue
    ArgumentError -> false
  end

  defp object({:obj, key, values}, context, pool) do
    {key, _same} = resolve(key, context, pool)
    place(key, Enum.map(values, &deep(&1, context, pool)), context.keypos)
  end

  defp object(other, context, pool), do: other |> resolve(context, pool) |> elem(0)

  defp place(key, values, keypos) do
    values |> List.insert_at(min(keypos - 1, length(values)), key) |> List.to_tuple()
  end

  defp clause({{:"$head", key, values}, guards, body}, context) do
    {place(key, values, context.keypos), guards, body}
  end

  defp clause(other, _context), do: other

  # The new object has the key of the old one where the table has it.
  defp replacing(key, values, guards, body, context) do
    kept = if is_tuple(key), do: {:const, key}, else: key
    {place(key, values, context.keypos), guards, [{place(kept, body, context.keypos)}]}
  end

  defp deep({:"$pool", i}, _context, pool), do: pool_key(pool, i)
  defp deep({:"$term", kind, i}, _context, _pool), do: TermGen.constant(kind, i)

  defp deep({:"$improper", list, tail}, context, pool) do
    improper(deep(list, context, pool), deep(tail, context, pool))
  end

  defp deep({:"$actor", i}, context, _pool), do: elem(context.actors, i)

  defp deep(tuple, context, pool) when is_tuple(tuple) and tuple_size(tuple) < 9 do
    tuple |> Tuple.to_list() |> Enum.map(&deep(&1, context, pool)) |> List.to_tuple()
  end

  defp deep([head | tail], context, pool),
    do: [deep(head, context, pool) | deep(tail, context, pool)]

  defp deep(map, context, pool) when is_map(map) and map_size(map) < 9 do
    Map.new(map, fn {key, value} -> {deep(key, context, pool), deep(value, context, pool)} end)
  end

  defp deep(term, _context, _pool), do: term

  defp improper([], tail), do: [:none | tail]
  defp improper(list, tail), do: List.foldr(list, tail, &[&1 | &2])

  @doc "The keys of a program."
  def pool(generated), do: Enum.map(generated, &deep(&1, %{}, {}))

  # What a fold does. One that deletes does so in its own table.

  defp fold(:collect, _context), do: same(&[&1 | &2])
  defp fold(:raise, _context), do: same(fn _object, _acc -> :erlang.error(:from_fold) end)
  defp fold(:throw, _context), do: same(fn _object, _acc -> throw(:from_fold) end)

  defp fold(:delete, context) do
    {deleting(:ets, context.model, context), deleting(Etsunami, context.subject, context)}
  end

  defp deleting(ets, table, %{keypos: keypos}) do
    fn object, acc ->
      ets.delete(table, elem(object, keypos - 1))
      [object | acc]
    end
  end

  # Input for init_table/2: the objects in two pieces.
  defp init(objects, context, pool) do
    {objects, _same} = resolve(objects, context, pool)
    {one, two} = Enum.split(objects, div(length(objects), 2))
    same(reader([one, two]))
  end

  defp reader(pieces) do
    fn
      :read when pieces == [] -> :end_of_input
      :read -> {hd(pieces), reader(tl(pieces))}
      :close -> :ok
    end
  end
end
