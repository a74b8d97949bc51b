defmodule Etsunami.Model.Commands do
  @moduledoc """
  The commands of programs: `{actor, {function, arguments}}`, with a weight for each function.

  The actor is a number, or `:owner` for the owner of the table that the command is about. What
  the arguments mean is told by `Etsunami.Model.Arguments` and, where they concern the tables of
  a program, by `Etsunami.Model.Session`.
  """

  import Etsunami.Model.Gen

  alias Etsunami.Model.{Compound, SpecGen, TermGen}

  @doc "How many actors a program has."
  def actors, do: 3

  @doc "A generator of commands of sequential programs."
  def sequential do
    commands =
      for {weight, function, arguments} <- table(), known?(function, arguments) do
        {weight, {actor(), {function, arguments}}}
      end

    frequency(commands)
  end

  @doc "The table of weights and arguments."
  def table,
    do: owners() ++ readers() ++ writers() ++ traversals() ++ searches() ++ specs() ++ files()

  # A function that the subject does not have yet is not called.
  defp known?(function, arguments) do
    case counted_as(function, length(arguments)) do
      :event -> true
      {name, arity} -> Code.ensure_loaded?(Etsunami) and function_exported?(Etsunami, name, arity)
    end
  end

  @doc "As which function a command counts, if it is not an event."
  def counted_as(:kill, 1), do: :event

  def counted_as(function, arity) do
    Compound.counted_as(function, arity) || {function, arity}
  end

  defp owners do
    [
      {7, :all, []},
      {16, :new, [lit(name()), options()]},
      {7, :delete, [tab()]},
      {7, :rename, [tab(), lit(name())]},
      {8, :give_away, [tab(), heir_to_be(), value()]},
      {9, :setopts, [tab(), deep(setopts())]},
      {16, :safe_fixtable, [tab(), lit(frequency([{5, true}, {4, false}, {1, :maybe}]))]},
      {8, :info, [tab()]},
      {16, :info, [tab(), lit(item())]},
      {8, :whereis, [lit(name())]},
      {3, :kill, [integer(0, actors() - 1)]}
    ]
  end

  defp readers do
    [
      {50, :lookup, [tab(), key()]},
      {30, :member, [tab(), key()]},
      {20, :lookup_element, [tab(), key(), lit(position())]},
      {16, :lookup_element, [tab(), key(), lit(position()), value()]},
      {20, :tab2list, [tab()]}
    ]
  end

  defp writers do
    [
      {110, :insert, [tab(), objects()]},
      {30, :insert_new, [tab(), objects()]},
      {24, :take, [tab(), key()]},
      {30, :delete, [tab(), key()]},
      {16, :delete_object, [tab(), object()]},
      {7, :delete_all_objects, [tab()]},
      {30, :update_counter, [tab(), key(), counter()]},
      {20, :update_counter, [tab(), key(), counter(), object()]},
      {20, :update_element, [tab(), key(), elements_to_set()]},
      {16, :update_element, [tab(), key(), elements_to_set(), object()]}
    ]
  end

  defp traversals do
    [
      {10, :first, [tab()]},
      {10, :last, [tab()]},
      {10, :first_lookup, [tab()]},
      {10, :last_lookup, [tab()]},
      {14, :next, [tab(), key()]},
      {14, :prev, [tab(), key()]},
      {14, :next_lookup, [tab(), key()]},
      {14, :prev_lookup, [tab(), key()]},
      {4, :walk, [tab()]},
      {4, :walk_back, [tab()]},
      {3, :walk_lookup, [tab()]},
      {3, :walk_lookup_back, [tab()]},
      {8, :slot, [tab(), lit(slot())]},
      {3, :slots, [tab()]},
      {9, :foldl, [fold(), initial(), tab()]},
      {9, :foldr, [fold(), initial(), tab()]}
    ]
  end

  defp searches do
    spec = SpecGen.spec()
    pattern = SpecGen.pattern()
    limit = lit(limit())

    [
      {24, :select, [tab(), spec]},
      {10, :select, [tab(), spec, limit]},
      {9, :select, [continuation(:select)]},
      {10, :select_reverse, [tab(), spec]},
      {9, :select_reverse, [tab(), spec, limit]},
      {9, :select_reverse, [continuation(:select_reverse)]},
      {12, :select_count, [tab(), spec]},
      {10, :select_delete, [tab(), spec]},
      {14, :select_replace, [tab(), SpecGen.replacing()]},
      {12, :match, [tab(), pattern]},
      {9, :match, [tab(), pattern, limit]},
      {9, :match, [continuation(:match)]},
      {12, :match_object, [tab(), pattern]},
      {9, :match_object, [tab(), pattern, limit]},
      {9, :match_object, [continuation(:match_object)]},
      {8, :match_delete, [tab(), pattern]},
      {3, :drain, [lit(:select), tab(), spec, limit]},
      {3, :drain, [lit(:select_reverse), tab(), spec, limit]},
      {2, :drain, [lit(:match), tab(), pattern, limit]},
      {2, :drain, [lit(:match_object), tab(), pattern, limit]}
    ]
  end

  defp specs do
    spec = SpecGen.spec()

    [
      {9, :match_spec_compile, [spec]},
      {9, :run_compiled, [{:objs, list(object_of({:pool, integer(0, 11)}), 6)}, spec]},
      {1, :match_spec_run, [lit([]), value()]},
      {6, :is_compiled, [spec]},
      {4, :is_compiled_ms, [value()]},
      {9, :test_ms, [object_of({:pool, integer(0, 11)}), spec]},
      {8, :repaired_drain, [lit(:select), tab(), spec, lit(integer(1, 4))]},
      {1, :repair_continuation, [value(), spec]}
    ]
  end

  defp files do
    filling = frequency([{6, {:objs, list(object(), 8)}}, {1, {:bulk, 0, 300}}])
    dets = [{:keypos, integer(1, 2)}, {:type, elements([:bag, :duplicate_bag])}]

    [
      {7, :tab2file, [tab(), path(:own)]},
      {7, :tab2file, [tab(), path(:own), lit(dump_options())]},
      {8, :file2tab, [path(:cross)]},
      {8, :file2tab, [path(:cross), lit(load_options())]},
      {7, :tabfile_info, [path(:own)]},
      {8, :init_table, [tab(), {:init, filling}]},
      {7, :dump_to_dets, [:dets_path, lit(dets), tab()]},
      {7, :fill_from_dets, [:dets_path, filling, tab()]},
      {7, :query, [tab()]},
      {5, :query, [tab(), query_options()]},
      {3, :query_key, [tab(), lit(1), {:key, integer(0, 11)}]},
      {6, :show, []},
      {7, :show, [tab()]},
      {7, :show, [tab(), lit(integer(2, 20))]},
      {7, :show, [tab(), lit(integer(2, 20)), lit(integer(20, 100))]}
    ]
  end

  defp path(whose), do: {:path, whose, elements([:model, :subject]), integer(0, 2)}

  defp dump_options do
    info = {:extended_info, oneof([[:md5sum], [:object_count], [:object_count, :md5sum], []])}
    frequency([{6, [info]}, {2, []}, {2, [info, {:sync, true}]}, {1, elements([:a, [:a]])}])
  end

  defp load_options do
    frequency([{4, []}, {6, [{:verify, elements([true, false])}]}, {1, elements([:a, [:a]])}])
  end

  defp query_options do
    traverse = {:traverse, elements([:first_next, :last_prev, :select])}
    objects = {:n_objects, frequency([{1, :default}, {4, integer(1, 5)}])}
    bad = lit(elements([:a, [:a]]))

    frequency([{4, lit([traverse])}, {3, lit([objects])}, {3, lit([traverse, objects])}, {1, bad}])
  end

  # Arguments

  defp actor, do: frequency([{85, :owner}, {15, integer(0, actors() - 1)}])
  # Nobody else may become an owner: he would not take commands.
  defp heir_to_be do
    frequency([{9, deep(an_actor())}, {1, lit(elements([spawn(fn -> :ok end), 17, :a, []]))}])
  end

  defp an_actor, do: {:"$actor", integer(0, actors() - 1)}

  defp lit(type), do: {:lit, type}
  defp deep(type), do: {:deep, type}

  defp tab do
    frequency([
      {90, {:tab, integer(0, 99)}},
      {6, {:tid, integer(0, 99)}},
      {2, {:gone, integer(0, 99)}},
      {2, lit(elements([:no_such_table, nil, 17, "table", {:a}, make_ref()]))}
    ])
  end

  defp continuation(function), do: {:continuation, function, integer(0, 9)}

  @doc "A key."
  def key do
    frequency([
      {14, {:key, integer(0, 11)}},
      {4, {:pool, integer(0, 11)}},
      {1, deep(TermGen.any())}
    ])
  end

  defp name, do: elements([:model_a, :model_b, :model_c])
  defp initial, do: frequency([{9, lit([])}, {1, value()}])
  defp value, do: deep(TermGen.any())

  @doc "An object, or now and then something that is none."
  def object do
    frequency([
      {30, object_of({:key, integer(0, 11)})},
      {40, object_of({:pool, integer(0, 11)})},
      {8, object_of(deep(TermGen.key()))},
      {1, lit(elements([{}, [], :no_object, 17, nil]))},
      {1, deep(TermGen.any())}
    ])
  end

  defp object_of(key), do: {:obj, key, list(field(), 4)}

  defp field do
    frequency([
      {6, integer(-3, 9)},
      {1, TermGen.number()},
      {3, TermGen.any()},
      {1, {:"$pool", integer(0, 11)}}
    ])
  end

  @doc "One object, or a list of them."
  def objects_of_few do
    frequency([{1, object()}, {2, {:objs, list(object(), 5)}}])
  end

  defp objects do
    frequency([
      {60, object()},
      {36, {:objs, list(object(), 8)}},
      {1, {:bulk, integer(0, 40), integer(50, 900)}},
      {1,
       deep(
         elements([{:"$improper", [{1}], {2}}, [{1, 2}, :no_object], {:"$improper", [{1}], :a}])
       )}
    ])
  end

  defp position, do: frequency([{20, integer(1, 4)}, {1, elements([0, -1, 5, :a, 1.0, 2 ** 70])}])

  @doc "What `update_counter` is to do."
  def counter do
    one =
      frequency([{12, counter_operation()}, {1, elements([:a, {2}, {2, :a}, {2, 1, 2}, {0, 1}])}])

    bad = elements([{:"$improper", [1], 2}, 1.0])
    deep(frequency([{5, increment()}, {10, one}, {4, list(one, 3)}, {1, bad}]))
  end

  defp counter_operation do
    oneof([
      {integer(1, 4), increment()},
      {integer(2, 3), increment(), increment(), increment()}
    ])
  end

  defp increment do
    frequency([{8, integer(-5, 5)}, {1, elements([2 ** 59 - 1, -(2 ** 59), 2 ** 64, -(2 ** 70)])}])
  end

  @doc "What `update_element` is to do."
  def elements_to_set do
    one =
      frequency([
        {12, {integer(1, 4), field()}},
        {1, elements([:a, {2}, {0, 1}, {9, 9}, {1.0, 1}])}
      ])

    deep(frequency([{10, one}, {4, list(one, 3)}]))
  end

  defp slot do
    frequency([{4, 0}, {4, integer(0, 12)}, {1, elements([-1, :a, 1.0, 2 ** 70, 2 ** 40])}])
  end

  defp limit, do: frequency([{20, integer(1, 5)}, {1, elements([0, -1, :a, 100, 2 ** 70])}])

  defp fold do
    {:fold, frequency([{6, :collect}, {1, :raise}, {1, :throw}, {2, :delete}])}
  end

  # Options

  @doc "Options of a new table."
  def options do
    deep(
      frequency([
        {40, fixed([type(), access()], option())},
        {1,
         elements([
           :no_list,
           {:"$improper", [:set], :bag},
           [:no_option],
           [{:keypos, 0}],
           [{:heir, 1, 2}]
         ])}
      ])
    )
  end

  defp fixed(first, more), do: map({first, list(more, 3)}, fn {first, more} -> first ++ more end)

  @doc "A type of tables."
  def type, do: elements([:set, :ordered_set, :ordered_set, :bag, :duplicate_bag])

  defp access, do: frequency([{7, :public}, {2, :protected}, {1, :private}])

  defp option do
    frequency([
      {3, :named_table},
      {3, {:keypos, integer(1, 3)}},
      {3, {:write_concurrency, elements([true, false, :auto])}},
      {2, {:read_concurrency, elements([true, false])}},
      {1, {:decentralized_counters, elements([true, false])}},
      {2, :compressed},
      {4, {:heir, an_actor(), TermGen.any()}},
      {1, {:heir, :none}},
      {1, access()}
    ])
  end

  defp setopts do
    heir = frequency([{4, {:heir, an_actor(), TermGen.any()}}, {2, {:heir, :none}}])
    protection = {:protection, frequency([{6, :public}, {1, :protected}, {1, :private}])}

    bad =
      elements([
        :set,
        {:keypos, 1},
        {:heir, 1, 2},
        {:protection, :no},
        [],
        {:"$improper", [:a], :b}
      ])

    frequency([{5, heir}, {5, protection}, {3, [heir, protection]}, {2, bad}, {1, [heir, heir]}])
  end

  defp item do
    elements(
      [:size, :size, :memory, :id, :name, :named_table, :type, :protection, :keypos, :owner] ++
        [:heir, :node, :fixed, :safe_fixed, :safe_fixed_monotonic_time, :read_concurrency] ++
        [:write_concurrency, :decentralized_counters, :compressed, :no_item, 17]
    )
  end
end
