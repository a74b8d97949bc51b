defmodule Etsunami.Faults.MemoryTest do
  # An object for which there is no memory is a `system_limit`, and nothing has happened.
  #
  # That is so of allocations whose size follows from one term that is stored or looked up. Others, of
  # the engines, of searches and of results, end the VM, as its own allocations do. They are not
  # struck here, because a fault strikes from a size on that only large terms have.
  use ExUnit.Case, async: false

  import Etsunami.Faults
  alias Etsunami.Held

  Code.require_file("../otp/lib/held.ex", __DIR__)

  @moduletag :faults

  @bytes 32_768
  # Of more than twice as many.
  @large Enum.to_list(1..10_000)

  @tables [
    set: [:set],
    ordered_set: [:ordered_set],
    skip_list: [:ordered_set, engine: :skip_list],
    bag: [:bag],
    duplicate_bag: [:duplicate_bag]
  ]

  @calls [
    insert: {:insert, [{7, @large}]},
    insert_key: {:insert, [{@large, 1}]},
    insert_list: {:insert, [[{1, :a}, {7, @large}, {:absent, 1}]]},
    insert_new: {:insert_new, [{:absent, @large}]},
    insert_new_list: {:insert_new, [[{:absent, 1}, {:other, @large}]]},
    lookup: {:lookup, [@large]},
    member: {:member, [@large]},
    delete: {:delete, [@large]},
    take: {:take, [@large]},
    delete_object: {:delete_object, [{7, @large}]},
    update_element: {:update_element, [7, {2, @large}]},
    update_element_default: {:update_element, [:absent, {2, 1}, {1, 1, @large}]},
    setopts: {:setopts, [:heir]},
    update_counter_default: {:update_counter, [:absent, 1, {1, 1, @large}]}
  ]

  defp fill(options) do
    table = Etsunami.new(:struck, [:public | options])
    Etsunami.insert(table, for(n <- 1..20, do: {n, n}))
    table
  end

  defp contents(table), do: Enum.sort(Etsunami.tab2list(table))

  for {kind, options} <- @tables do
    test "there is no memory for a large object (#{kind})" do
      # What is kept for the next time is there.
      strike_each(unquote(options))
      before = Held.at_rest()
      struck = strike_each(unquote(options))
      assert Enum.sort(Enum.uniq(struck)) == Enum.sort(Keyword.keys(@calls))
      assert Held.at_rest() == before
    end
  end

  defp strike_each(options) do
    for {name, call} <- @calls,
        passages <- 0..10,
        strike(options, passages, call),
        do: name
  end

  defp heir(:heir), do: {:heir, self(), @large}
  defp heir(other), do: other

  defp strike(options, passages, {function, arguments} = call) do
    table = fill(options)
    before = contents(table)

    {struck?, ended} =
      with_fault({:allocation, @bytes}, passages, fn -> run(table, function, arguments) end)

    if struck? do
      assert_whole(table)

      assert {ended, contents(table)} in [
               {{:error, :system_limit}, before},
               unstruck(options, call)
             ]
    end

    Etsunami.delete(table)
    struck?
  end

  # A short way that gets no memory gives up, and the general one, which is not struck any more, has
  # the answer.
  defp unstruck(options, {function, arguments}) do
    table = fill(options)
    ended = outcome(fn -> run(table, function, arguments) end)
    after_it = contents(table)
    Etsunami.delete(table)
    {ended, after_it}
  end

  defp outcome(function) do
    {:ok, function.()}
  catch
    kind, reason -> {kind, reason}
  end

  defp run(table, function, arguments) do
    apply(Etsunami, function, [table | Enum.map(arguments, &heir/1)])
  end
end
