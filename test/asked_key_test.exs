defmodule Etsunami.AskedKeyTest do
  # A key that is a tuple of immediates is handed back as the caller has it, not copied.
  use ExUnit.Case, async: true
  @moduletag :library

  # Made at run time: what a module holds stands outside of the heap.
  defp tuple(elements), do: List.to_tuple(elements)

  defp values,
    do: [1, :a, 2.5, "text", {1, {2.5}}, [1, 2], %{a: 1}, 2 ** 70, "long" <> <<0::800>>]

  for type <- [:set, :ordered_set], reader <- [:lookup, :take] do
    test "#{reader} of #{type}: the caller's tuple of immediates, alone in its object or not" do
      for keypos <- 1..3, value <- values(), elements <- [[1], [1, :a], Enum.to_list(1..40)] do
        table = Etsunami.new(:asked, [unquote(type), keypos: keypos])
        stored = List.insert_at([:x, value], keypos - 1, tuple(elements)) |> tuple()
        Etsunami.insert(table, stored)
        key = tuple(elements)
        assert [object] = Etsunami.unquote(reader)(table, key)
        assert object === stored
        assert :erts_debug.same(elem(object, keypos - 1), key)
        # What was asked for and what was found outlive each other.
        :erlang.garbage_collect()
        assert {object, key} === {stored, tuple(elements)}
      end
    end

    test "#{reader} of #{type}: other keys are those that are stored" do
      for elements <- [[1, 2.5], [{1}], [-0.0], ["text"], [2 ** 70], [[1]], []] do
        table = Etsunami.new(:asked, [unquote(type)])
        Etsunami.insert(table, {tuple(elements), 1})
        key = tuple(elements)
        assert [{found, 1}] = Etsunami.unquote(reader)(table, key)
        assert found === key
        assert elements == [] or not :erts_debug.same(found, key)
      end
    end
  end

  test "an ordered table finds a key that is equal, and gives the one that it has" do
    table = Etsunami.new(:asked, [:ordered_set])
    Etsunami.insert(table, [{{1.0, :a}, 1}, {{2, :a}, 2}])
    assert Etsunami.lookup(table, {1, :a}) === [{{1.0, :a}, 1}]
    assert Etsunami.lookup(table, {2.0, :a}) === [{{2, :a}, 2}]
    assert Etsunami.take(table, {1, :a}) === [{{1.0, :a}, 1}]
  end

  test "a zero is the one that is stored, where zeros are equal" do
    for type <- [:set, :ordered_set] do
      {ours, theirs} = {Etsunami.new(:asked, [type]), :ets.new(:asked, [type])}
      key = tuple([0.0])

      for {module, table} <- [{Etsunami, ours}, {:ets, theirs}],
          do: module.insert(table, {{-0.0}})

      assert inspect(Etsunami.lookup(ours, key)) == inspect(:ets.lookup(theirs, key))
    end
  end

  test "a part of a large binary does not keep it" do
    table = Etsunami.new(:asked, [:set])
    part = binary_part(:binary.copy(<<7>>, 100_000), 10, 20)
    Etsunami.insert(table, {{part}, 1})
    assert [{{found}, 1}] = Etsunami.lookup(table, {part})
    assert {found, :binary.referenced_byte_size(found)} == {part, 20}
  end
end
