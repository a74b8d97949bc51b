defmodule Etsunami.ReferenceTest do
  # Equal references are one key, whatever form the VM has given them.
  use ExUnit.Case, async: true

  # An alias that is no more; read from the external format it is an ordinary reference.
  defp former_alias do
    reference = :erlang.alias()
    :erlang.unalias(reference)
    reference
  end

  defp alias_of_the_dead do
    parent = self()
    {pid, monitor} = spawn_monitor(fn -> send(parent, {:alias, :erlang.alias()}) end)
    assert_receive {:alias, reference}
    assert_receive {:DOWN, ^monitor, _, ^pid, _}
    reference
  end

  defp deleted_table do
    table = :ets.new(:table, [])
    :ets.delete(table)
    table
  end

  for type <- [:set, :ordered_set, :bag, :duplicate_bag] do
    test "#{type}: a reference and the same one from the external format" do
      references = [
        make_ref(),
        former_alias(),
        alias_of_the_dead(),
        deleted_table(),
        :erlang.monitor(:process, self()),
        elem(:counters.new(1, []), 1)
      ]

      for reference <- references, wrap <- [& &1, &{&1}, &[&1], &%{0 => &1}, &%{&1 => 0}] do
        [a, b] = [
          wrap.(reference),
          wrap.(:erlang.binary_to_term(:erlang.term_to_binary(reference)))
        ]

        assert a === b
        table = Etsunami.new(:table, [unquote(type)])

        for {stored, asked} <- [{a, b}, {b, a}, {a, a}, {b, b}] do
          Etsunami.insert(table, {stored, stored})
          assert Etsunami.lookup(table, asked) === [{asked, asked}]
          assert Etsunami.select(table, [{{asked, :_}, [], [:"$_"]}]) === [{asked, asked}]
          Etsunami.delete_object(table, {asked, asked})
          assert Etsunami.lookup(table, stored) === []
          Etsunami.insert(table, [{stored, 1}, {:other, 2}])
          assert Etsunami.member(table, asked)
          Etsunami.delete(table, asked)
          assert Etsunami.tab2list(table) === [{:other, 2}]
          Etsunami.delete_all_objects(table)
        end
      end
    end
  end
end
