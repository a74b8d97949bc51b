defmodule Etsunami.Faults.PanicTest do
  # A panic in the middle of any call: it raises `:nif_panicked` in the caller, and nothing else
  # happens. The VM lives, no lock is held, the table is whole, what is atomic was done or not.
  use ExUnit.Case, async: false

  import Etsunami.Faults
  alias Etsunami.{Held, Native}

  Code.require_file("../otp/lib/held.ex", __DIR__)

  @moduletag :faults

  @tables [
    set: [:set],
    ordered_set: [:ordered_set],
    skip_list: [:ordered_set, engine: :skip_list],
    bag: [:bag],
    duplicate_bag: [:duplicate_bag]
  ]

  @options %{
    engine: :default,
    read_concurrency: false,
    write_concurrency: false,
    decentralized_counters: false,
    compressed: false
  }

  @all [{:"$1", [], [:"$1"]}]
  @none [{:_, [], [false]}]

  # Good arguments for each NIF.
  defp arguments(name, arity, table) do
    case {name, arity} do
      {:all, 0} -> []
      {:held, 0} -> []
      {:library, 0} -> []
      {:codec_cost, 2} -> [:a, 1]
      {:codec_block, 1} -> [3]
      {:codec_hash, 2} -> [:a, 1]
      {:codec_compare, 2} -> [1, 2]
      {:codec_equal, 2} -> [1, 2]
      {:codec_roundtrip, 1} -> [{:a}]
      {:delete_object, 2} -> [table, {1, 1}]
      {:explain, 2} -> [table, @all]
      {:give_away, 3} -> [table, companion(), :gift]
      {:info, 2} -> [table, :size]
      {:insert, 2} -> [table, [{1, :a}, {:b, 2}]]
      {:insert_new, 2} -> [table, {:new, 1}]
      {:is_compiled_ms, 1} -> [Native.match_spec_compile(@all)]
      {:lookup_element, 3} -> [table, 1, 2]
      {:lookup_element, 4} -> [table, 1, 2, :none]
      {:match_spec_compile, 1} -> [@all]
      {:match_spec_lint, 1} -> [@all]
      {:match_spec_run, 3} -> [[{1}, {2}], Native.match_spec_compile(@all), []]
      {:new_table, 7} -> [:t, false, :set, :public, 1, :none, @options]
      {:rename, 2} -> [table, :other_name]
      {:safe_fixtable, 2} -> [table, true]
      {:select, 1} -> [table |> Native.select(@all, 1, false) |> elem(1)]
      {:select, 4} -> [table, @all, 0, false]
      {name, 2} when name in [:select_count, :select_delete] -> [table, @all]
      {:select_replace, 2} -> [table, @none]
      {name, 4} when name in [:select_count, :select_delete, :select_replace] -> go_on(table)
      {:setopts, 3} -> [table, :keep, :public]
      {:slot, 2} -> [table, 0]
      {:update_counter, 3} -> [table, 1, {2, 1}]
      {:update_counter, 4} -> [table, 1, {2, 1}, {1, 0}]
      {:update_element, 3} -> [table, 1, {2, :x}]
      {:update_element, 4} -> [table, 1, {2, :x}, {1, 0}]
      {:whereis, 1} -> [:some_name]
      {name, 1} when name in ~w(delete_all_objects delete_table first first_lookup)a -> [table]
      {name, 1} when name in ~w(info last last_lookup stats)a -> [table]
      {name, 2} when name in ~w(delete_key lookup member next next_lookup)a -> [table, 1]
      {name, 2} when name in ~w(prev prev_lookup take)a -> [table, 1]
    end
  end

  # A process that ends with the calling one.
  defp companion do
    caller = self()

    spawn(fn ->
      monitor = Process.monitor(caller)
      receive do: ({:DOWN, ^monitor, :process, ^caller, _reason} -> :ok)
    end)
  end

  # What a search that was not through is called with.
  defp go_on(table), do: [table, Native.match_spec_compile(@none), :start, 0]

  defp fill(options, objects \\ for(n <- 1..20, do: {n, n})) do
    table = Etsunami.new(:struck, [:public | options])
    Etsunami.insert(table, objects)
    table
  end

  defp contents(table), do: Enum.sort(Etsunami.tab2list(table))

  # In a process of its own, whose tables go with it.
  defp alone(function) do
    function |> Task.async() |> Task.await(60_000)
  end

  # What a panic left behind in allocations, all told.
  defp lost(function) do
    before = Held.at_rest()
    function.()
    now = Held.at_rest()
    for {item, count} <- now, do: {item, count - before[item]}
  end

  for {kind, options} <- @tables, place <- [:entry, :exit] do
    test "at the #{place} of each NIF (#{kind})" do
      lost =
        lost(fn ->
          for {name, arity} <- nifs() do
            alone(fn -> strike(unquote(place), name, arity, unquote(options)) end)
          end
        end)

      assert Enum.all?(lost, &match?({_item, 0}, &1)), inspect(lost)
    end
  end

  defp strike(place, name, arity, options) do
    table = fill(options)
    before = contents(table)
    arguments = arguments(name, arity, table)

    assert {true, {:error, :nif_panicked}} ==
             with_fault({place, name, arity}, 0, fn -> apply(Native, name, arguments) end)

    unless place == :exit and name in [:delete_table, :give_away] do
      if place == :entry, do: assert(contents(table) == before)
      assert_whole(table)
      assert Etsunami.delete(table)
    end
  end

  # Calls that pass points of the core, on a table of 20 objects.
  @calls [
    insert: {:insert, [{7, :new}]},
    insert_absent: {:insert, [{:absent, 1}]},
    insert_terms: {:insert, [{7, "text", [1, 2]}]},
    insert_list: {:insert, [[{7, :new}, {8, "new"}, {:absent, 1}, {9, 9}]]},
    insert_new: {:insert_new, [{:absent, "text"}]},
    insert_new_list: {:insert_new, [[{:absent, 1}, {:other, 2}]]},
    insert_new_refused: {:insert_new, [[{:absent, 1}, {7, 2}]]},
    delete: {:delete, [7]},
    delete_object: {:delete_object, [{7, 7}]},
    take: {:take, [7]},
    update_counter: {:update_counter, [7, 5]},
    update_counter_default: {:update_counter, [:absent, 5, {:absent, 0}]},
    update_element: {:update_element, [7, {2, "text"}]},
    select: {:select, [@all]},
    match_object: {:match_object, [{:_, :_}]},
    select_count: {:select_count, [[{:_, [], [true]}]]},
    select_delete: {:select_delete, [[{{:"$1", :_}, [{:>, :"$1", 10}], [true]}]]},
    select_replace: {:select_replace, [[{{:"$1", :"$2"}, [], [{{:"$1", {{:"$2"}}}}]}]]}
  ]

  # A call and the number of the passage at which it is struck.
  @passages [0, 1, 2, 5, 13]

  for {kind, options} <- @tables do
    test "at each point of the core (#{kind})" do
      parent = self()

      lost =
        lost(fn ->
          for point <- Native.fault_points(), call <- @calls, passages <- @passages do
            alone(fn ->
              struck? = strike_core(unquote(options), point, passages, call)
              if struck?, do: send(parent, {:struck, point})
            end)
          end
        end)

      struck = all_struck()
      assert Enum.sort(Enum.uniq(struck)) == Enum.sort(Native.fault_points())
      # A call that panics loses the object that it has made, and no more.
      assert lost[:blocks] in 0..length(struck)
      assert {lost[:tables], lost[:environments], lost[:garbage]} == {0, 0, 0}
    end
  end

  defp all_struck do
    receive do
      {:struck, point} -> [point | all_struck()]
    after
      0 -> []
    end
  end

  # Whether the fault struck.
  defp strike_core(options, point, passages, {_name, {function, arguments}}) do
    table = fill(options)
    done = fill(options)
    before = contents(table)
    call = fn table -> attempt(function, [table | arguments]) end
    answer = call.(done)
    {struck?, ended} = with_fault({:core, point}, passages, fn -> call.(table) end)
    now = contents(table)

    case {struck?, point} do
      {false, _point} ->
        assert ended == {:ok, answer}
        assert now == contents(done)

      # After the decision the list is there, although its caller was not told.
      {true, :clean} ->
        assert ended == {:error, :nif_panicked}
        assert now == contents(done)

      # These change object by object.
      {true, _point} when function in [:select_delete, :select_replace] ->
        assert ended == {:error, :nif_panicked}
        assert Enum.all?(now, &(&1 in before or &1 in contents(done)))

      {true, _point} ->
        assert ended == {:error, :nif_panicked}
        assert now == before
    end

    assert_whole(table)
    Etsunami.delete(table)
    Etsunami.delete(done)
    struck?
  end

  # What a type of table refuses is refused the same way with the fault.
  defp attempt(function, arguments) do
    answer = apply(Etsunami, function, arguments)
    # Two hash tables have two orders.
    if is_list(answer), do: Enum.sort(answer), else: answer
  rescue
    error in ArgumentError -> error
  end
end
