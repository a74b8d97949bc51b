defmodule Etsunami.WrongCalls do
  @moduledoc """
  Calls of every function of a table module, with good and with wrong arguments.

  Each function is described by the roles of its arguments, as in `lookup_element: [:table, :key,
  :position]`. A call is made of it by taking one candidate of each role; the first candidate is a
  good one.
  """

  @table_functions [
    delete: [:table],
    delete: [:table, :key],
    delete_all_objects: [:table],
    delete_object: [:table, :object],
    first: [:table],
    first_lookup: [:table],
    foldl: [:folder, :term, :table],
    foldr: [:folder, :term, :table],
    from_dets: [:table, :dets],
    give_away: [:table, :heir, :term],
    info: [:table],
    info: [:table, :item],
    init_table: [:table, :reader],
    insert: [:table, :objects],
    insert_new: [:table, :objects],
    last: [:table],
    last_lookup: [:table],
    lookup: [:table, :key],
    lookup_element: [:table, :key, :position],
    lookup_element: [:table, :key, :position, :term],
    match: [:table, :pattern],
    match: [:table, :pattern, :limit],
    match_delete: [:table, :pattern],
    match_object: [:table, :pattern],
    match_object: [:table, :pattern, :limit],
    member: [:table, :key],
    next: [:table, :key],
    next_lookup: [:table, :key],
    prev: [:table, :key],
    prev_lookup: [:table, :key],
    rename: [:table, :name],
    safe_fixtable: [:table, :boolean],
    select: [:table, :spec],
    select: [:table, :spec, :limit],
    select_count: [:table, :spec],
    select_delete: [:table, :spec],
    select_replace: [:table, :replacing],
    select_reverse: [:table, :spec],
    select_reverse: [:table, :spec, :limit],
    setopts: [:table, :changes],
    slot: [:table, :index],
    tab2file: [:table, :file],
    tab2file: [:table, :file, :file_options],
    tab2list: [:table],
    table: [:table],
    table: [:table, :query_options],
    take: [:table, :key],
    to_dets: [:table, :dets],
    update_counter: [:table, :key, :update],
    update_counter: [:table, :key, :update, :default],
    update_element: [:table, :key, :element],
    update_element: [:table, :key, :element, :default]
  ]

  @other_functions [
    file2tab: [:file],
    file2tab: [:file, :reading_options],
    is_compiled_ms: [:term],
    match: [:continuation],
    match_object: [:continuation],
    match_spec_compile: [:spec],
    match_spec_run: [:list, :compiled],
    new: [:name, :options],
    repair_continuation: [:continuation, :spec],
    select: [:continuation],
    select_reverse: [:continuation],
    tabfile_info: [:file],
    test_ms: [:object, :spec],
    whereis: [:name]
  ]

  # The terminal's own functions read from it; the others have no wrong arguments, or are not for
  # use.
  @left_out [
    all: 0,
    fun2ms: 1,
    i: 0,
    i: 1,
    i: 2,
    i: 3,
    internal_delete_all: 2,
    internal_request_all: 0,
    internal_select_delete: 2,
    match_spec_run_r: 3,
    module_info: 0,
    module_info: 1
  ]

  @doc """
  The functions whose first argument, or last in a fold, is a table.
  """
  def table_functions, do: @table_functions

  @doc """
  All other functions.
  """
  def other_functions, do: @other_functions

  @doc """
  The functions, with their arities, that are described nowhere.
  """
  def forgotten(module) do
    known = for {name, roles} <- @table_functions ++ @other_functions, do: {name, length(roles)}
    module.module_info(:exports) -- (known ++ @left_out)
  end

  @doc """
  The lists of arguments to try for some roles. A table stands as `:table`.
  """
  def arguments([]), do: [[]]

  def arguments([role | roles]) do
    for argument <- candidates(role), others <- arguments(roles), do: [argument | others]
  end

  defp candidates(:table), do: [:table]
  defp candidates(:key), do: [1, :missing]
  defp candidates(:term), do: [:any]
  defp candidates(:list), do: [[{1, 2}], :no_list]
  defp candidates(:boolean), do: [true, false, :no_boolean, 1]
  defp candidates(:limit), do: [1, 100, 0, -1, :no_limit, 1.0]
  defp candidates(:position), do: [1, 2, 9, 0, -1, :no_position]
  defp candidates(:index), do: [-1, :no_index, 1.0, 2 ** 40]
  defp candidates(:item), do: [:size, :no_item, 1, "size"]
  defp candidates(:dets), do: [:no_dets_table]
  defp candidates(:heir), do: [:no_pid, self(), dead(), make_ref()]
  defp candidates(:name), do: [:a_name_that_is_free, :a_name_that_is_taken, "name", {1}]
  defp candidates(:object), do: [{1, 2}, {}, :no_object, [{1}]]
  defp candidates(:default), do: [{1, 2}, {:x, 2, 3}, {}, :no_object]
  defp candidates(:compiled), do: [:not_compiled, <<>>, make_ref()]
  defp candidates(:folder), do: [fn _, acc -> acc end, :no_fun, fn _ -> 1 end]

  defp candidates(:objects) do
    [{1, 2}, [{1, 2}, {2, 3}], [], {}, :no_object, [{}], [:a, {1}], [{1} | {2}], [{1} | :tail]]
  end

  defp candidates(:pattern) do
    [{:"$1", 2}, :_, :no_pattern, "pattern", {:"$1", %{"$1": 1}}, {:"$1", %{a: :_}}]
  end

  defp candidates(:spec) do
    [
      [{{:"$1", :_}, [], [:"$1"]}],
      [],
      :no_spec,
      "spec",
      [{:a}],
      [{:_, [], []}],
      [{:a, [], [true]}],
      [{:_, :no_guards, [true]}],
      [{:_, [{:no_function, 1}], [true]}],
      [{:_, [], [{:no_function}]}],
      [{:_, [{:hd, :"$1"}], [true]}],
      [{:_, [], [true]} | :tail]
    ]
  end

  defp candidates(:replacing) do
    [
      [{{:"$1", :"$2"}, [], [{{:"$1", :new}}]}],
      [{{:"$1", :"$2"}, [], [{{:"$2", :"$1"}}]}],
      [{{:"$1", :"$2"}, [], [:"$1"]}]
      | tl(candidates(:spec))
    ]
  end

  defp candidates(:continuation) do
    [:"$end_of_table", :none, {}, {1, 2, 3}, [], {make_ref(), 1, 1, "", [], 0}] ++
      [{:no_table, 1, 1, "", [], 0}, {:no_table, 1, [], 1, "", [], 0, 0}]
  end

  defp candidates(:update) do
    [1, {2, 1}, [{2, 1}], {2, 1, 5, 0}, {1, 1}, {9, 1}, {0, 1}, {2, :a}, {2, 1, :a, 0}] ++
      [:no_update, [], [{2, 1}, :a], {2}, {-1, 1}]
  end

  defp candidates(:element) do
    [{2, :new}, [{2, :new}], {1, :new}, {9, :new}, {0, :new}, {:a, :new}, :no_element] ++
      [[], [{2, :new}, :a], {2}, {-1, :new}]
  end

  defp candidates(:options) do
    [[:set], [], :set, [:set | :bag], [:no_option], [keypos: 0], [:named_table], [heir: :a]] ++
      [[write_concurrency: :a], [write_concurrency: {:debug_hash_fixed_number_of_locks, 0}]] ++
      [[:ordered_set, write_concurrency: {:debug_hash_fixed_number_of_locks, 8}], %{}, "set"]
  end

  defp candidates(:changes) do
    [[], {:heir, :none}, [protection: :public], :no_change, [:a], [heir: :a], {:protection, 1}] ++
      [[protection: :public, protection: :public], [heir: :none, heir: :none]]
  end

  defp candidates(:reader) do
    [fn :read -> :end_of_input end, fn :read -> :junk end, :no_fun] ++
      [fn _ -> {[:no_object], fn _ -> :end_of_input end} end, fn -> :end_of_input end]
  end

  defp candidates(:file), do: [~c"/no/such/directory/file", 1, {:a}]
  defp candidates(:file_options), do: [[], :a, [:a], [sync: :a], [extended_info: [:a]]]
  defp candidates(:reading_options), do: [[], :a, [:a], [verify: :a]]

  defp candidates(:query_options) do
    [[], :a, [:a], [n_objects: 0], [traverse: :a], [traverse: {:select, :a}]]
  end

  defp dead do
    {pid, monitor} = spawn_monitor(fn -> :ok end)
    receive do: ({:DOWN, ^monitor, :process, ^pid, _} -> pid)
  end
end
