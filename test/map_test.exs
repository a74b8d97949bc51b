defmodule Etsunami.MapTest do
  # Maps of atoms share their keys: stored, read back, and beside maps that do not.
  use ExUnit.Case, async: false

  @portable System.get_env("ETSUNAMI_PORTABLE") == "1"

  import Bitwise, only: [<<<: 2]

  defmodule Struct do
    defstruct [:a, :b, c: 3, d: []]
  end

  defp atoms(n), do: Enum.map(1..n//1, &:"map_test_#{&1}")
  defp map(n, value), do: Map.new(atoms(n), &{&1, value.(&1)})

  defp values do
    [
      fn key -> key end,
      fn _ -> make_ref() end,
      fn key -> Atom.to_string(key) end,
      fn key -> [key, 1.5, %{key => {key, 1 <<< 70}, inner: %{key: key}}] end,
      fn _ -> %{} end
    ]
  end

  test "maps of every size come back" do
    table = Etsunami.new(:maps, [:set])

    for n <- 0..40, value <- values() do
      map = map(n, value)
      Etsunami.insert(table, {map, map, [map]})
      assert [{^map, ^map, [^map]} = back] = Etsunami.lookup(table, map)
      assert :erlang.term_to_binary(back) == :erlang.term_to_binary({map, map, [map]})
      assert :erts_debug.flat_size(back) == :erts_debug.flat_size({map, map, [map]})
    end
  end

  test "what comes back is a map for everything that maps are for" do
    table = Etsunami.new(:maps, [:set])

    for n <- [1, 2, 3, 10, 31, 32, 33], value <- values() do
      map = map(n, value)
      Etsunami.insert(table, {1, map})
      [{1, back}] = Etsunami.lookup(table, 1)
      :erlang.garbage_collect()
      assert back === map and :maps.to_list(back) == :maps.to_list(map)
      assert :erlang.phash2(back) == :erlang.phash2(map)
      assert Enum.all?(atoms(n), &(Map.fetch!(back, &1) == Map.fetch!(map, &1)))
      assert Map.put(back, :more, 1) == Map.put(map, :more, 1)
      assert Map.delete(back, hd(atoms(n))) == Map.delete(map, hd(atoms(n)))
      [key | _] = atoms(n)
      assert %{back | key => 0} == %{map | key => 0}
      assert Task.await(Task.async(fn -> back end)) == map
    end
  end

  test "structs" do
    table = Etsunami.new(:maps, [:set])
    struct = %Struct{a: 1, b: %Struct{}}
    Etsunami.insert(table, {1, struct})
    assert [{1, %Struct{a: 1, b: %Struct{c: 3}}}] = Etsunami.lookup(table, 1)
    spec = [{{1, %{__struct__: Struct, a: :"$1"}}, [], [:"$1"]}]
    assert Etsunami.select(table, spec) == [1]
  end

  test "very many of them in one object, made on a dirty scheduler" do
    table = Etsunami.new(:maps, [:set])
    list = for i <- 1..20_000, do: %{a: i, b: %{c: i, d: [i]}, e: {i}}
    Etsunami.insert(table, {1, list})
    assert Etsunami.lookup(table, 1) == [{1, list}]
  end

  # Fills a quarter of the room for shapes, after which new ones have to be seen more than once.
  defp fill_with_shapes do
    atoms = atoms(100)
    table = Etsunami.new(:maps, [:set])
    for a <- atoms, b <- atoms, a < b, do: Etsunami.insert(table, {1, %{a => 1, b => 2}})
  end

  # What an object takes that is stored now.
  defp words(object) do
    table = Etsunami.new(:maps, [:set])
    empty = Etsunami.info(table, :memory)
    Etsunami.insert(table, object)
    Etsunami.info(table, :memory) - empty
  end

  # Keys that nobody has used before.
  defp new_atoms(n) do
    for i <- 1..n, do: :"map_test_#{System.unique_integer([:positive])}_#{i}"
  end

  # A table with an object whose maps have their own keys, while those of whatever is stored or
  # looked up from now on are shared.
  defp table_of_own_keys(type, object) do
    table = Etsunami.new(:maps, [type])
    empty = Etsunami.info(table, :memory)
    Etsunami.insert(table, object)
    own = Etsunami.info(table, :memory) - empty
    assert @portable or Enum.any?(1..1000, fn _ -> words(object) < own end)
    table
  end

  for type <- [:set, :bag, :duplicate_bag, :ordered_set] do
    test "#{type}: a map with its own keys is equal to one that shares them" do
      fill_with_shapes()
      map = Map.new(new_atoms(5), &{&1, Atom.to_string(&1)})
      object = {1, [map, %{inner: map}], map}
      table = table_of_own_keys(unquote(type), object)
      assert Etsunami.lookup(table, 1) == [object]
      assert Etsunami.match_object(table, object) == [object]
      assert Etsunami.match_object(table, {:_, :_, map}) == [object]
      same = [{:"=:=", :"$2", {:const, map}}, {:==, :"$1", {:const, elem(object, 1)}}]
      assert Etsunami.select(table, [{{:_, :"$1", :"$2"}, same, [true]}]) == [true]
      order = [{:>, {:const, map}, :"$1"}, {:<, {:const, map}, :"$1"}]

      assert Etsunami.select(table, [{{:_, :_, :"$1"}, [List.to_tuple([:or | order])], [true]}]) ==
               []

      Etsunami.delete_object(table, object)
      assert Etsunami.tab2list(table) == []
    end
  end

  test "a bag refuses the object that it has in the other form, alone and among many" do
    fill_with_shapes()
    map = Map.new(new_atoms(5), &{&1, Atom.to_string(&1)})
    object = {1, [map, {map}]}
    table = table_of_own_keys(:bag, object)
    Etsunami.insert(table, object)
    assert Etsunami.lookup(table, 1) == [object]
    many = for n <- 1..100, do: {1, [map, {Map.put(map, hd(Map.keys(map)), n)}]}
    Etsunami.insert(table, many)
    Etsunami.insert(table, object)
    assert Etsunami.lookup(table, 1) == [object | many]
    Etsunami.delete_object(table, object)
    assert Etsunami.lookup(table, 1) == many
  end
end
