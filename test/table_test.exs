defmodule Etsunami.TableTest do
  use ExUnit.Case, async: false

  @moduletag :library

  test "a description has each item of info/1" do
    for type <- [:set, :ordered_set, :bag, :duplicate_bag] do
      options = [type, :public, :compressed, keypos: 2, write_concurrency: :auto]
      table = Etsunami.new(:described, options)
      Etsunami.insert(table, {1, 2})
      description = Etsunami.Table.describe(table)
      info = Etsunami.info(table)

      for {item, value} <- info, item != :node do
        assert {item, Map.fetch!(description, item)} == {item, value}
      end

      items = Map.keys(description) -- [:__struct__]
      assert items -- Keyword.keys(info) == []
      Etsunami.delete(table)
    end
  end

  test "a description is one line" do
    table = Etsunami.new(:moons, [:bag, :private])
    Etsunami.insert(table, [{:io, 1}, {:io, 2}])
    memory = Etsunami.info(table, :memory)

    assert inspect(Etsunami.Table.describe(table), width: 200) ==
             "#Etsunami.Table<:moons, bag, private, 2 objects, #{memory} words, " <>
               "owner #{inspect(self())}>"

    Etsunami.delete(table)
    assert Etsunami.Table.describe(table) == nil
  end

  test "only a table can be described" do
    assert_raise ArgumentError, fn -> Etsunami.Table.describe(1) end
    assert_raise ArgumentError, fn -> Etsunami.Table.describe(make_ref()) end
  end

  test "a small table of atoms is traversed in one order" do
    objects = for key <- [:key1, :key2, :key3, :key2_wannabe], do: {key, 1}

    for type <- [:set, :bag, :duplicate_bag] do
      orders =
        for _ <- 1..10 do
          table = Etsunami.new(:atoms, [type])
          Etsunami.insert(table, Enum.shuffle(objects))
          order = Etsunami.tab2list(table)
          assert Enum.sort(order) == Enum.sort(objects)
          Etsunami.delete(table)
          order
        end

      assert [_] = Enum.uniq(orders)
    end
  end
end
