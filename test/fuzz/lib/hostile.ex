defmodule Etsunami.Fuzz.Hostile do
  @moduledoc """
  Terms and arguments out of bytes, chosen to hurt.
  """

  alias Etsunami.Fuzz.{Bytes, Pool}
  alias Etsunami.WrongCalls

  @atoms [:_, :"$1", :"$2", :"$_", :"$$", :"$end_of_table", :a, :b, true, false, nil, [], :"", :Ω]
  @operators [:+, :-, :*, :div, :rem, :>, :==, :"=:=", :and, :andalso, :or, :not, :is_integer] ++
               [:element, :hd, :length, :map_get, :const, :self, :node, :tuple_size, :bsl, :no]

  @doc "A term of any kind, nested at most so deep (some are much deeper)."
  def term(depth \\ 3)
  def term(0), do: leaf(Bytes.below(12))
  def term(depth), do: compound(Bytes.below(20), depth)

  defp leaf(0), do: Bytes.next() - 128
  defp leaf(1), do: Bytes.pick([0, 1, 1.0, -0.0, 0.0, 2 ** 59, -(2 ** 59) - 1, 2 ** 64, 2 ** 31])
  defp leaf(2), do: 2 ** Bytes.below(5000) + Bytes.below(3) - 1
  defp leaf(3), do: -(2 ** Bytes.below(1024)) / (1 + Bytes.next())
  defp leaf(4), do: Bytes.pick(@atoms)
  defp leaf(5), do: :binary.copy(<<Bytes.next()>>, Bytes.pick([0, 1, 8, 63, 64, 65, 300, 70_000]))
  defp leaf(6), do: bits(Bytes.below(600), Bytes.below(600))
  defp leaf(7), do: Bytes.pick([self(), Pool.dead(), Pool.partner(), Pool.stranger()])
  defp leaf(8), do: Bytes.pick([make_ref(), :counters.new(2, []), :atomics.new(1, [])])
  defp leaf(9), do: Bytes.pick([&Map.get/2, fn -> :ok end, fn _ -> throw(:fuzz) end])
  defp leaf(10), do: Pool.table()
  defp leaf(11), do: Pool.result()

  defp compound(kind, _depth) when kind < 12, do: leaf(kind)
  defp compound(12, depth), do: List.to_tuple(several(depth))
  defp compound(13, depth), do: List.to_tuple([Bytes.pick(@operators) | several(depth)])
  defp compound(14, depth), do: several(depth)
  defp compound(15, depth), do: [term(depth - 1) | term(depth - 1)]
  defp compound(16, depth), do: Map.new(several(depth), &{&1, term(depth - 1)})
  defp compound(17, depth), do: {List.to_tuple(several(depth)), several(depth), several(depth)}
  defp compound(18, _depth), do: large(Bytes.below(24))
  defp compound(19, depth), do: {Pool.key(), term(depth - 1)}

  # Seldom: each takes long.
  defp large(0), do: Enum.reduce(1..20_000, [], fn _, inner -> [inner] end)
  defp large(1), do: Enum.reduce(1..20_000, {}, fn _, inner -> {inner} end)
  defp large(2), do: Enum.reduce(1..3_000, :x, fn n, inner -> %{{n, inner} => 1} end)
  defp large(3), do: Enum.reduce(1..16, :shared, fn _, inner -> {inner, inner} end)
  defp large(4), do: Map.new(1..(30 + Bytes.below(300)), &{&1, {&1}})
  defp large(5), do: List.duplicate(:"$1", 5_000)
  defp large(6), do: List.to_tuple(Enum.to_list(1..(200 + Bytes.below(3_000))))
  defp large(_often), do: Pool.key()

  defp bits(from, size) do
    <<_::size(from), part::bitstring-size(size), _::bitstring>> = :binary.copy(<<0xA7, 1>>, 80)
    part
  end

  defp several(depth), do: Bytes.times(Bytes.below(4), fn -> term(depth - 1) end)

  @doc "An argument for a role of `Etsunami.WrongCalls`: often a likely one."
  def argument(:table), do: if(Bytes.below(16) == 0, do: term(), else: Pool.table())

  def argument(:file),
    do: Bytes.pick([Pool.file(), Pool.file(), ~c"/no/such/directory/file", 1, {:a}])

  def argument(:dets), do: :no_dets_table
  def argument(:name), do: Bytes.pick(Pool.names() ++ ["name", 1, {}])

  def argument(role) do
    case Bytes.below(8) do
      0 -> term()
      n when n < 4 -> candidate(role)
      _ -> likely(role)
    end
  end

  defp candidate(role) do
    [argument] = Bytes.pick(WrongCalls.arguments([role]))
    argument
  end

  defp likely(:key), do: Pool.key()
  defp likely(:object), do: object()
  defp likely(:objects), do: Bytes.pick([object(), Bytes.times(Bytes.below(40), &object/0)])
  defp likely(:default), do: object()
  defp likely(:term), do: term()
  defp likely(:position), do: Bytes.below(5)
  defp likely(:index), do: Bytes.below(300)
  defp likely(:limit), do: 1 + Bytes.below(30)
  defp likely(:pattern), do: pattern()
  defp likely(:spec), do: Bytes.times(1 + Bytes.below(2), &clause/0)
  defp likely(:replacing), do: [{{:"$1", :"$2"}, [], [{{:"$1", expression()}}]}]
  defp likely(:list), do: Bytes.times(Bytes.below(5), &object/0)
  defp likely(:continuation), do: changed(Pool.result())
  defp likely(:compiled), do: Pool.result()
  defp likely(:update), do: update()
  defp likely(:element), do: Bytes.pick([change(), Bytes.times(Bytes.below(4), &change/0)])
  defp likely(:heir), do: Pool.partner()
  defp likely(:folder), do: folder()
  defp likely(role), do: candidate(role)

  defp object, do: List.to_tuple([Pool.key(), counter_or_term() | several(2)])
  defp counter_or_term, do: if(Bytes.below(2) == 0, do: Bytes.next(), else: term(2))

  defp pattern,
    do: List.to_tuple([Bytes.pick([:"$1", :_, Pool.key(), term(1)]), :"$2" | several(1)])

  defp clause, do: {pattern(), Bytes.times(Bytes.below(2), &expression/0), [expression()]}

  defp expression do
    variable = Bytes.pick([:"$1", :"$2", :"$_", :"$$", term(1), {{:"$2", :"$1"}}, true])
    if Bytes.below(2) == 0, do: variable, else: {Bytes.pick(@operators), variable, term(1)}
  end

  defp update do
    Bytes.pick([
      Bytes.next() - 100,
      {2, leaf(2)},
      {1 + Bytes.below(4), Bytes.next() - 100, Bytes.next(), leaf(0)},
      Bytes.times(Bytes.below(4), fn -> {2, Bytes.next()} end)
    ])
  end

  defp change, do: {Bytes.below(5), term(2)}

  # A continuation, or anything else that was a result, with another term somewhere in it.
  defp changed(tuple) when is_tuple(tuple) and tuple != {} do
    if Bytes.below(2) == 0,
      do: tuple,
      else: put_elem(tuple, Bytes.below(tuple_size(tuple)), term(1))
  end

  defp changed(other), do: other

  # What folds call may do anything to the table.
  defp folder do
    table = Pool.table()

    Bytes.pick([
      fn object, objects -> [object | objects] end,
      fn _object, _acc -> throw(:fuzz) end,
      fn _object, acc -> Etsunami.delete_all_objects(table) && acc end,
      fn object, acc ->
        Etsunami.insert(table, {{:folded, :erlang.phash2(object, 50)}, 1}) && acc
      end,
      fn _object, acc -> Etsunami.delete(table) && acc end
    ])
  end
end
