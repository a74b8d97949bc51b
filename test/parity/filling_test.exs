defmodule Etsunami.Parity.FillingTest do
  # init_table, from_dets and to_dets.
  use Etsunami.EtsCase, async: false

  alias Etsunami.Files

  @once :name_resolved_once
  @variants [[], [:public, write_concurrency: true], [:private, :named_table], [:compressed]]

  describe "init_table/2" do
    table_test "replaces the contents", [variants: @variants], %{ets: ets, table: table} do
      ets.insert(table, {:old, 0})
      assert ets.init_table(table, source([[], [{1, 1}, {2, 2}], [], [{3, 3}]])) == true
      assert contents(ets, table) == [{1, 1}, {2, 2}, {3, 3}]
      assert ets.init_table(table, source([])) == true
      assert contents(ets, table) == []
    end

    table_test "takes lists as objects of a list", [variants: [[]]], context do
      %{ets: ets, table: table} = context
      assert ets.init_table(table, source([[[{1, 1}, {2, 2}], {3, 3}, []]]))
      assert contents(ets, table) == [{1, 1}, {2, 2}, {3, 3}]
    end

    table_test "empties the table before it asks", [variants: [[]]], context do
      %{ets: ets, table: table} = context
      ets.insert(table, {:old, 0})

      for function <- [1, fn -> 1 end, fn _, _ -> 1 end] do
        ets.insert(table, {:old, 0})
        assert_raise error_of(function), fn -> ets.init_table(table, function) end
        assert contents(ets, table) == []
      end

      ets.insert(table, {:old, 0})
      assert_raise RuntimeError, fn -> ets.init_table(table, fn :read -> raise "no" end) end
      assert contents(ets, table) == []
    end

    table_test "exits with what is no list of objects", [variants: [[]]], context do
      %{ets: ets, table: table} = context
      function = fn :read -> :end_of_input end

      for answer <- [:eof, {[{1, 1}], :next}, {{1, 1}, function}, {[], function, 1}, nil] do
        assert catch_exit(ets.init_table(table, fn :read -> answer end)) == answer
        assert contents(ets, table) == []
      end
    end

    table_test "closes the source when an object is refused", [variants: [[]]], context do
      %{ets: ets, table: table} = context

      for {objects, reason} <- [
            {[{1, 1}, :none, {2, 2}], :badarg},
            {[{1, 1}, {}], :badarg},
            {[{1, 1}, [{2, 2}, :none]], :badarg},
            {[{1, 1} | :tail], :function_clause}
          ] do
        {exit_reason, calls} = refused(ets, table, objects, fn -> :ok end)
        assert {^reason, [{module, function, _arguments, info} | _callers]} = exit_reason
        assert calls == [:read, :close]
        assert contents(ets, table) == [{1, 1}]

        if reason == :badarg do
          assert {module, function} == {ets, :insert}
          assert Keyword.has_key?(info, :error_info)
        end
      end

      {exit_reason, calls} = refused(ets, table, [1], fn -> raise "cannot close" end)
      assert {:badarg, _stack} = exit_reason
      assert calls == [:read, :close]
    end

    table_test "wants a table that can be written", [variants: [[]]], context do
      %{ets: ets, type: type} = context
      source = fn :read -> flunk("nobody should ask") end
      assert_badarg ets.init_table(:no_such_table, source)
      assert_badarg ets.init_table(1, source)
      helper = start_helper()
      protected = ask(helper, fn -> ets.new(:table, [type]) end)
      assert_badarg ets.init_table(protected, source)
      stop(helper)
    end

    table_test "loses the table while it is filled", [variants: [[]]], context do
      %{ets: ets} = context
      lost = new_table(context)

      reason =
        catch_exit(
          ets.init_table(lost, fn
            :read ->
              ets.delete(lost)
              {[{1, 1}], fn :close -> :ok end}
          end)
        )

      assert {:badarg, _stack} = reason
    end
  end

  describe "a name that is given to another table meanwhile" do
    table_test "is not filled", [variants: [[:named_table]], differs: @once], context do
      %{ets: ets, table: name, type: type} = context

      source = fn
        :read -> {[{1, 1}], fn :read -> rename_and_end(ets, name, type) end}
      end

      assert ets.init_table(name, source) == true
      assert {contents(ets, name), contents(ets, :renamed)} == {[], [{1, 1}, {2, 2}]}
      ets.delete(:renamed)
    end

    table_test "is not queried", [variants: [[:named_table]], differs: @once], context do
      %{ets: ets, table: name, type: type} = context
      ets.insert(name, {1, 1})
      handle = ets.table(name)
      rename_and_end(ets, name, type)
      assert :qlc.e(handle) == [{1, 1}]
      assert List.to_string(:qlc.info(handle)) =~ Atom.to_string(name)
      ets.delete(:renamed)
    end
  end

  defp rename_and_end(ets, name, type) do
    ets.rename(name, :renamed)
    ets.new(name, [type, :named_table])
    {[{2, 2}], fn :read -> :end_of_input end}
  end

  defp source([]), do: fn :read -> :end_of_input end
  defp source([objects | rest]), do: fn :read -> {objects, source(rest)} end

  defp error_of(function) when is_function(function), do: BadArityError
  defp error_of(_function), do: BadFunctionError

  # What init_table exits with, and how the source was called.
  defp refused(ets, table, objects, on_close) do
    parent = self()

    source = fn
      :read ->
        send(parent, {:called, :read})

        {objects,
         fn :close ->
           send(parent, {:called, :close})
           on_close.()
         end}
    end

    reason = catch_exit(ets.init_table(table, source))
    {reason, for(_call <- 1..2, do: receive(do: ({:called, how} -> how)))}
  end

  describe "a copy in dets" do
    table_test "has the objects of the table", [variants: @variants], context do
      %{ets: ets, table: table, type: type} = context
      # The process of the dets table fetches what does not fit into the first chunk.
      size = if :private in context.options, do: 50, else: 250
      objects = for n <- 1..size, do: {n, Integer.to_string(n)}
      ets.insert(table, objects)

      with_dets(type, 1, fn dets ->
        :dets.insert(dets, {:old, 0})
        assert ets.to_dets(table, dets) == dets
        assert Enum.sort(:dets.match_object(dets, :_)) == objects
        ets.delete_all_objects(table)
        ets.insert(table, [{1, "one"}, {:other, 1}])
        assert ets.from_dets(table, dets) == true
        kept = if type in [:bag, :duplicate_bag], do: [{1, "one"}], else: []
        assert contents(ets, table) == Enum.sort([{:other, 1} | kept ++ objects])
      end)
    end

    table_test "needs both tables", [variants: [[]]], %{ets: ets, table: table, type: type} do
      with_dets(type, 1, fn dets ->
        for missing <- [:no_such_table, deleted(ets, type)] do
          assert raised(ets, :to_dets, [missing, dets]) == :badarg
          assert raised(ets, :from_dets, [missing, dets]) == :badarg
        end

        for wrong <- [1, make_ref()] do
          assert raised(ets, :to_dets, [wrong, dets]) == :badarg
          assert raised(ets, :from_dets, [wrong, dets]) == :badarg
        end
      end)

      assert raised(ets, :to_dets, [table, :no_dets]) == :badarg
      assert raised(ets, :from_dets, [table, :no_dets]) == :badarg
      assert raised(ets, :to_dets, [table, 1]) == :badarg
      assert raised(ets, :from_dets, [table, 1]) == :badarg
    end

    table_test "needs the rights", [variants: [[]]], %{ets: ets, table: table, type: type} do
      helper = start_helper()
      protected = ask(helper, fn -> ets.new(:table, [type]) end)
      private = ask(helper, fn -> ets.new(:table, [type, :private]) end)

      with_dets(type, 1, fn dets ->
        :dets.insert(dets, {1, 2})
        assert raised(ets, :from_dets, [protected, dets]) == :badarg
        assert raised(ets, :to_dets, [private, dets]) == :badarg
        assert :dets.match_object(dets, :_) == [{1, 2}]
      end)

      with_dets(type, 1, fn dets ->
        own = ets.new(:table, [type, :private])
        ets.insert(own, for(n <- 1..250, do: {n}))
        assert raised(ets, :to_dets, [own, dets]) == :badarg
        ets.delete(own)
      end)

      assert ets.info(table, :size) == 0
      stop(helper)
    end

    table_test "may be refused", [variants: [[]]], %{ets: ets, table: table, type: type} do
      ets.insert(table, for(n <- 1..250, do: {n}))

      with_dets(type, 2, fn dets ->
        assert raised(ets, :to_dets, [table, dets]) == :invalid_objects_list
      end)

      far = ets.new(:table, [type, keypos: 3])

      with_dets(type, 1, fn dets ->
        :dets.insert(dets, {1, 2})
        assert raised(ets, :from_dets, [far, dets]) == :badarg
      end)

      ets.delete(far)
    end
  end

  defp deleted(ets, type) do
    table = ets.new(:table, [type])
    ets.delete(table)
    table
  end

  # The reason, where it was raised by the function itself and with its arguments.
  defp raised(ets, function, arguments) do
    apply(ets, function, arguments)
    flunk("#{function} did not fail")
  catch
    :error, reason ->
      assert [{^ets, ^function, ^arguments, _info} | _callers] = __STACKTRACE__
      reason
  end

  defp with_dets(type, keypos, function) do
    type = if type == :ordered_set, do: :set, else: type
    options = [file: Files.path(), type: type, keypos: keypos]
    {:ok, dets} = :dets.open_file(make_ref(), options)

    try do
      function.(dets)
    after
      :dets.close(dets)
    end
  end
end
