defmodule Bench.HoldCases do
  @moduledoc """
  Long calls whose stays on a scheduler are watched: `{label, prepare, fun}` each.

  `prepare` gets the module, `fun` the module and what `prepare` made.
  """

  @doc "Calls on tables of `count` objects; lists that are inserted have `listed`."
  def of_table(count, listed) do
    for type <- [:set, :ordered_set], {label, prepare, fun} <- cases(type, count, listed) do
      {"#{type}: #{label}", prepare, fun}
    end
  end

  @doc "Calls on one object of so many words."
  def of_object(words) do
    object = {1, Enum.to_list(1..div(words, 2))}
    empty = &new(&1, :set)

    full = fn side ->
      table = new(side, :set)
      side.insert(table, object)
      table
    end

    [
      {"one object of #{words} words: insert", empty, & &1.insert(&2, object)},
      {"one object of #{words} words: lookup", full, & &1.lookup(&2, 1)},
      {"one object of #{words} words: delete", full, & &1.delete(&2, 1)}
    ]
  end

  @doc "Calls on one key of a bag with so many objects."
  def of_key(group) do
    full = fn side ->
      table = new(side, :bag)
      for number <- 1..group, do: side.insert(table, {1, number})
      table
    end

    for {label, fun} <- [
          {"insert", & &1.insert(&2, {1, :new})},
          {"lookup", & &1.lookup(&2, 1)},
          {"lookup_element", & &1.lookup_element(&2, 1, 2)},
          {"delete_object", & &1.delete_object(&2, {1, div(group, 2)})},
          {"match_object", & &1.match_object(&2, {1, :_})},
          {"take", & &1.take(&2, 1)},
          {"delete of the key", & &1.delete(&2, 1)}
        ] do
      {"bag key of #{group} objects: #{label}", full, fun}
    end
  end

  @doc "Removes the file that `tab2file` wrote."
  def remove_file, do: File.rm(file())

  defp cases(type, count, listed) do
    full = &filled(&1, type, count)
    empty = &new(&1, type)
    third = [{{:"$1", :"$2"}, [{:"=:=", {:rem, :"$2", 3}, 0}], [:"$_"]}]
    drop = [{{:"$1", :"$2"}, [{:"=:=", {:rem, :"$2", 3}, 0}], [true]}]

    [
      {"select, a third of the objects", full, & &1.select(&2, third)},
      {"select_count", full, & &1.select_count(&2, drop)},
      {"select_delete, a third of the objects", full, & &1.select_delete(&2, drop)},
      {"tab2list", full, & &1.tab2list(&2)},
      {"foldl", full, fn side, table -> side.foldl(fn _, sum -> sum + 1 end, 0, table) end},
      {"insert of #{listed} objects", fn side -> {empty.(side), pairs(listed)} end,
       fn side, {table, objects} -> side.insert(table, objects) end},
      {"insert_new of #{listed} objects", fn side -> {full.(side), pairs(listed, count)} end,
       fn side, {table, objects} -> side.insert_new(table, objects) end},
      {"tab2file", full, fn side, table -> :ok = side.tab2file(table, file()) end},
      {"delete_all_objects", full, & &1.delete_all_objects(&2)},
      {"delete", full, & &1.delete(&2)}
    ]
  end

  defp new(side, type), do: side.new(:bench_hold, [:public, type])

  # In lists of a moderate size: making the table is not what is measured.
  defp filled(side, type, count) do
    table = new(side, type)

    for from <- 1..count//10_000,
        do: side.insert(table, pairs(min(10_000, count - from + 1), from - 1))

    table
  end

  defp pairs(count, after_ \\ 0),
    do: for(number <- (after_ + 1)..(after_ + count), do: {number, number})

  defp file, do: String.to_charlist(Path.join(System.tmp_dir!(), "etsunami_bench_hold"))
end
