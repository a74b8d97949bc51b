defmodule Etsunami.Parity.FileTest do
  # tab2file, file2tab and tabfile_info: each module reads what the other has written.
  use Etsunami.EtsCase, async: false

  alias Etsunami.{Files, Terms}

  @extended [[], [:object_count], [:md5sum], [:object_count, :md5sum]]
  @variants [
    [],
    [:private, :named_table],
    [:public, read_concurrency: true, write_concurrency: true],
    [:compressed, write_concurrency: :auto]
  ]

  describe "a table that is written and read" do
    table_test "has the same options and objects", [variants: @variants], context do
      %{ets: ets, table: table} = context
      fill(ets, table)
      file = Files.path()

      for kinds <- @extended, reader <- readers(ets) do
        assert ets.tab2file(table, file, extended_info: kinds) == :ok
        verify? = kinds != [:object_count]
        {:ok, copy} = read(reader, ets, table, file, verify: verify?)
        assert contents(reader, copy) == contents(ets, table)
        assert settings(reader, copy) == settings(ets, table)
        reader.delete(copy)
      end
    end

    table_test "takes the same memory", [variants: [[], [:private], [:compressed]]], context do
      %{ets: ets, table: table} = context
      # Some terms take more in :ets as they came than as they are read.
      if ets == Etsunami, do: fill(ets, table), else: ets.insert(table, fillers())
      file = Files.path()
      :ok = ets.tab2file(table, file)
      {:ok, copy} = read(ets, ets, table, file, [])
      # A file does not tell the engine, and the engines take different memory.
      second_engine? = List.keymember?(context.options, :engine, 0)
      assert second_engine? or ets.info(copy, :memory) == ets.info(table, :memory)
      ets.delete(copy)
    end

    table_test "keeps the order within a key", [types: [:bag, :duplicate_bag]], context do
      %{ets: ets, table: table} = context
      for value <- 1..250, do: ets.insert(table, {:key, value})
      file = Files.path()

      # In :ets it depends on the release.
      if ets == Etsunami do
        :ok = ets.tab2file(table, file)
        {:ok, copy} = read(ets, ets, table, file, [])
        assert ets.lookup(copy, :key) == ets.lookup(table, :key)
        ets.delete(copy)
      end
    end

    table_test "may be empty", %{ets: ets, table: table} do
      file = Files.path()

      for kinds <- @extended, reader <- readers(ets) do
        :ok = ets.tab2file(table, file, extended_info: kinds)
        {:ok, copy} = read(reader, ets, table, file, verify: true)
        assert reader.info(copy, :size) == 0
        reader.delete(copy)
      end
    end

    table_test "may have its key elsewhere", context do
      %{ets: ets} = context
      table = new_table(context, keypos: 3)
      ets.insert(table, for(n <- 1..150, do: {:a, :b, n}))
      file = Files.path()

      for reader <- readers(ets) do
        :ok = ets.tab2file(table, file)
        {:ok, copy} = read(reader, ets, table, file, verify: true)
        assert reader.info(copy, :keypos) == 3
        assert contents(reader, copy) == contents(ets, table)
        reader.delete(copy)
      end

      ets.delete(table)
    end
  end

  @tag :library
  test "is the same file, but for identity and memory" do
    for type <- [:set, :ordered_set, :bag, :duplicate_bag], kinds <- @extended do
      [theirs, ours] =
        for ets <- [:ets, Etsunami] do
          table = ets.new(:name, [type, :compressed, read_concurrency: true])
          ets.insert(table, for(n <- 1..120, do: {n, n * n}))
          file = Files.path()
          :ok = ets.tab2file(table, file, extended_info: kinds)
          ets.delete(table)
          [header | terms] = Files.terms(file)
          {header |> Tuple.to_list() |> Keyword.drop([:id, :memory]), terms_in_order(terms)}
        end

      assert ours == theirs
    end
  end

  # The sum is that of the objects in their order, which the modules have each for itself.
  defp terms_in_order(terms) do
    {objects, trailer} = Enum.split_while(terms, &is_tuple/1)
    {Enum.sort(objects), for([stop, info] <- trailer, do: [stop, Keyword.keys(info)])}
  end

  describe "tab2file/3" do
    table_test "replaces a file", [variants: [[]]], %{ets: ets, table: table} do
      file = Files.path()
      File.write!(file, "something else")
      ets.insert(table, {1})
      assert ets.tab2file(table, file, sync: true) == :ok
      assert [_header, {1}] = Files.terms(file)
    end

    table_test "waits for the disk if it is told so once", [variants: [[:public]]], context do
      %{ets: ets, table: table} = context
      file = Files.path()

      for {options, calls} <- [
            {[], 0},
            {[sync: false], 0},
            {[sync: true], 1},
            {[sync: true, sync: false], 1},
            {[sync: false, sync: true, sync: true], 1}
          ] do
        writer = start_helper()
        :erlang.trace_pattern({:disk_log, :sync, 1}, true, [:local])
        :erlang.trace(writer, true, [:call])
        assert ask(writer, fn -> ets.tab2file(table, file, options) end) == :ok
        assert {options, traced_calls(writer)} == {options, calls}
        :erlang.trace_pattern({:disk_log, :sync, 1}, false, [:local])
        stop(writer)
      end
    end

    table_test "refuses options", [variants: [[]]], %{ets: ets, table: table} do
      file = Files.path()

      for {options, reason} <- [
            {[sync: :yes], {:unknown_option, {:sync, :yes}}},
            {[:sync], {:unknown_option, :sync}},
            {[1], {:unknown_option, 1}},
            {[{:sync, true} | :tail], {:malformed_option, :tail}},
            {[extended_info: [:sha]], {:unknown_option, [extended_info: [:sha]]}},
            {[extended_info: :md5sum], {:malformed_option, :md5sum}},
            {[extended_info: [:md5sum | 1]], {:malformed_option, 1}},
            {[extended_info: [], extended_info: []], {:unknown_option, {:extended_info, []}}}
          ] do
        assert ets.tab2file(table, file, options) == {:error, reason}
        refute File.exists?(file)
      end

      for options <- [:sync, {:sync, true}, "sync", 1] do
        assert_raise FunctionClauseError, fn -> ets.tab2file(table, file, options) end
      end
    end

    table_test "refuses names of files", [variants: [[]]], %{ets: ets, table: table} do
      directory = ~c"#{Path.dirname(Files.path())}"
      nowhere = ~c"#{directory}/nowhere/file"
      binary = "#{directory}/binary"

      assert ets.tab2file(table, 1) == {:error, :eaccess}
      assert ets.tab2file(table, [1 | 2]) == {:error, :eaccess}
      assert ets.tab2file(table, directory) == {:error, :eaccess}
      assert ets.tab2file(table, nowhere) == {:error, {:file_error, nowhere, :enoent}}
      # Which of its options the log could not take depends on those that it was given.
      assert {:error, {:badarg, [{:file, ^binary} | _options]}} = ets.tab2file(table, binary)
      assert ets.tab2file(table, :"#{binary}") == :ok
    end

    table_test "wants a table that can be read", [variants: [[]]], %{ets: ets, type: type} do
      file = Files.path()
      assert ets.tab2file(:no_such_table, file) == {:error, :badtab}
      deleted = ets.new(:table, [type])
      ets.delete(deleted)
      assert ets.tab2file(deleted, file) == {:error, :badtab}

      assert explanation(fn -> ets.tab2file(1, file) end) =~
               "1st argument: not an atom or a table"

      assert explanation(fn -> ets.tab2file(make_ref(), file) end) =~ "1st argument"

      helper = start_helper()
      private = ask(helper, fn -> ets.new(:table, [type, :private]) end)
      assert explanation(fn -> ets.tab2file(private, file) end) =~ "insufficient access rights"
      stop(helper)
      refute File.exists?(file)
    end

    table_test "fails when the table is deleted meanwhile", [variants: [[:public]]], context do
      %{ets: ets} = context
      file = Files.path()
      assert_badarg tab2file_while_deleting(ets, context, file)
      refute File.exists?(file)
      assert Files.open_logs() == []
    end
  end

  # What was called up to now.
  defp traced_calls(traced) do
    reference = :erlang.trace_delivered(traced)
    receive do: ({:trace_delivered, ^traced, ^reference} -> count_calls(traced))
  end

  defp count_calls(traced) do
    receive do
      {:trace, ^traced, :call, _call} -> 1 + count_calls(traced)
    after
      0 -> 0
    end
  end

  # Somebody deletes the table when a part of the file is written.
  defp tab2file_while_deleting(ets, context, file) do
    table = new_table(context)
    ets.insert(table, for(n <- 1..50_000, do: {n}))
    parent = self()

    spawn_link(fn ->
      wait_for(fn -> File.exists?(file) and File.stat!(file).size > 1000 end)
      ets.delete(table)
      send(parent, :deleted)
    end)

    try do
      ets.tab2file(table, file)
    after
      receive do: (:deleted -> :ok)
    end
  end

  defp wait_for(condition) do
    unless condition.() do
      Process.sleep(1)
      wait_for(condition)
    end
  end

  describe "file2tab/2" do
    table_test "refuses options", [variants: [[]]], %{ets: ets, table: table} do
      file = Files.path()
      :ok = ets.tab2file(table, file)

      for {options, reason} <- [
            {:verify, {:malformed_option, :verify}},
            {[:verify], {:unknown_option, :verify}},
            {[verify: :yes], {:unknown_option, {:verify, :yes}}},
            {[{:verify, true} | 1], {:malformed_option, 1}},
            {[table: table, table: table], {:unknown_option, {:table, table}}}
          ] do
        assert ets.file2tab(file, options) == {:error, reason}
      end
    end

    table_test "refuses files", [variants: [[]]], %{ets: ets, table: table} do
      directory = ~c"#{Path.dirname(Files.path())}"
      missing = ~c"#{directory}/missing"
      other = ~c"#{directory}/other"
      File.write!(other, "something else")

      for {file, reason} <- [
            {missing, {:file_error, missing, :enoent}},
            {directory, {:file_error, directory, :eisdir}},
            {other, {:not_a_log_file, other}}
          ] do
        assert ets.file2tab(file) == {:error, {:read_error, reason}}
        assert ets.tabfile_info(file) == {:error, {:read_error, reason}}
      end

      for file <- ["binary", 1] do
        reason = {:badarg, [file: file, mode: :read_only]}
        assert ets.file2tab(file) == {:error, {:read_error, reason}}
        assert_raise FunctionClauseError, fn -> ets.tabfile_info(file) end
      end

      for terms <- [[], [:atom], [{1, 2}], [{:name}, {1}], [[1]]] do
        Files.write_terms(other, terms)
        assert ets.file2tab(other) == {:error, :badfile}
        assert ets.tabfile_info(other) == {:error, :badfile}
      end

      assert table in ets.all()
    end

    table_test "does not make a second table of a name", context do
      %{ets: ets, table: table} = context
      file = Files.path()
      :ok = ets.tab2file(table, file)

      if ets.info(table, :named_table) do
        assert ets.file2tab(file) == {:error, :cannot_create_table}
      else
        {:ok, copy} = ets.file2tab(file)
        ets.delete(copy)
      end
    end

    table_test "inserts into a table that is there", [variants: [[]]], context do
      %{ets: ets, table: table} = context
      ets.insert(table, for(n <- 1..250, do: {n, :new}))
      file = Files.path()
      :ok = ets.tab2file(table, file)
      target = new_table(context, keypos: 2)
      ets.insert(target, {:a, :b})
      assert ets.file2tab(file, table: target, verify: true) == {:ok, target}
      assert ets.member(target, :b) and ets.member(target, :new)
      ets.delete(target)
    end

    table_test "deletes the table when objects are refused", [variants: [[]]], context do
      %{ets: ets, table: table} = context
      ets.insert(table, {1, 2})
      file = Files.path()
      :ok = ets.tab2file(table, file)
      target = new_table(context, keypos: 3)
      assert_badarg ets.file2tab(file, table: target)
      assert ets.info(target) == :undefined
      assert explanation(fn -> ets.file2tab(file, table: target) end) =~ "1st argument"

      [header | objects] = Files.terms(file)
      Files.write_terms(file, [header | objects ++ [:no_object]])
      assert_badarg ets.file2tab(file)
      Files.write_terms(file, [header | [[:"$end_of_table", []] | objects]])
      assert_badarg ets.file2tab(file)
      assert Files.open_logs() == []
    end
  end

  defp fill(ets, table) do
    objects = for {term, n} <- Enum.with_index(Terms.all()), do: {term, n}
    for object <- objects, writable?(object), do: ets.insert(table, object)
    ets.insert(table, fillers())
  end

  defp fillers, do: for(n <- 1..250, do: {{:filler, n}, String.duplicate("x", n)})

  # Pids, references and functions of this process come back as they are; a term that is not equal
  # to itself after the external format says nothing about tables.
  defp writable?(object) do
    object |> :erlang.term_to_binary() |> :erlang.binary_to_term() === object
  end

  defp readers(:ets), do: if(only_ets?(), do: [:ets], else: [:ets, Etsunami])
  defp readers(Etsunami), do: [:ets, Etsunami]

  defp only_ets?, do: System.get_env("ETSUNAMI_SUBJECT") == "ets"

  # A named table has to be out of the way before the same module makes another one.
  defp read(reader, ets, table, file, options) do
    if reader == ets and ets.info(table, :named_table) do
      other = ets.rename(table, unique_name())
      result = reader.file2tab(file, options)
      {:ok, copy} = result
      moved = reader.rename(copy, unique_name())
      ets.rename(other, table)
      {:ok, moved}
    else
      reader.file2tab(file, options)
    end
  end

  @settings [
    :type,
    :protection,
    :keypos,
    :named_table,
    :compressed,
    :read_concurrency,
    :write_concurrency,
    :heir,
    :size
  ]

  defp settings(ets, table), do: for(item <- @settings, do: {item, ets.info(table, item)})

  defp explanation(function) do
    function.()
    flunk("did not fail")
  rescue
    error in ArgumentError ->
      Exception.message(Exception.blame(:error, error, __STACKTRACE__) |> elem(0))
  end
end
