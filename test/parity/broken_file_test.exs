defmodule Etsunami.Parity.BrokenFileTest do
  # What file2tab makes of files that somebody has changed or cut.
  use Etsunami.EtsCase, async: false

  alias Etsunami.Files

  @extended [[], [:object_count], [:md5sum], [:object_count, :md5sum]]

  describe "a header" do
    table_test "wants each of the mandatory fields", [variants: [[]]], context do
      %{ets: ets, table: table} = context
      file = Files.path()
      :ok = ets.tab2file(table, file)
      [header] = Files.terms(file)

      for field <- [:name, :type, :protection, :named_table, :keypos, :size] do
        Files.write_terms(file, [Files.without(header, field)])
        assert ets.file2tab(file) == {:error, :badfile}
        assert ets.file2tab(file, verify: true) == {:error, :badfile}
        assert ets.tabfile_info(file) == {:error, :badfile}
        assert Files.open_logs() == []
      end

      for field <- [:compressed, :read_concurrency, :write_concurrency, :extended_info, :id] do
        Files.write_terms(file, [Files.without(header, field)])
        {:ok, copy} = ets.file2tab(file, verify: true)
        ets.delete(copy)
        assert {:ok, [_ | _]} = ets.tabfile_info(file)
      end
    end

    table_test "cannot make a table of some headers", [variants: [[]]], context do
      %{ets: ets, table: table} = context
      file = Files.path()
      :ok = ets.tab2file(table, file)
      [header] = Files.terms(file)

      for {field, value} <- [
            name: 1,
            type: :tree,
            protection: :secret,
            keypos: 0,
            write_concurrency: 1,
            read_concurrency: :yes
          ] do
        Files.write_terms(file, [Files.with_field(header, field, value)])
        assert ets.file2tab(file) == {:error, :cannot_create_table}
        assert ets.file2tab(file, verify: true) == {:error, :cannot_create_table}
      end

      Files.write_terms(file, [Files.with_field(header, :major_version, 2)])
      assert ets.file2tab(file) == {:error, {:unsupported_file_version, {2, 0}}}
      assert {:ok, info} = ets.tabfile_info(file)
      assert info[:version] == {2, 0}
    end
  end

  describe "a file that is not what it was" do
    table_test "is told by its size", [variants: [[]]], context do
      {ets, file, [header | objects]} = written(context, [])
      Files.write_terms(file, [header | tl(objects)])
      assert both(ets, file) == {499, {:error, :invalid_object_count}}
      Files.write_terms(file, [Files.with_field(header, :size, 499) | tl(objects)])
      assert both(ets, file) == {499, {:ok, 499}}
    end

    table_test "is told by the number of objects", [variants: [[]]], context do
      {ets, file, [header | rest]} = written(context, [:object_count])
      Files.write_terms(file, [header | tl(rest)])
      assert both(ets, file) == {499, {:error, :invalid_object_count}}
      Files.write_terms(file, [Files.with_field(header, :size, 3) | rest])
      assert both(ets, file) == {500, {:ok, 500}}
      Files.write_terms(file, Enum.drop([header | rest], -1))
      assert both(ets, file) == {500, {:error, :badfile}}
      trailer = [:"$end_of_table", [something: 1]]
      Files.write_terms(file, Enum.drop([header | rest], -1) ++ [trailer])
      assert both(ets, file) == {500, {:error, :invalid_object_count}}
    end

    table_test "is told by its sum", [variants: [[]]], context do
      {ets, file, [header | rest]} = written(context, [:md5sum])
      [{key, _value} | objects] = rest
      Files.write_terms(file, [header, {key, :other} | objects])
      assert both(ets, file) == {500, {:error, :checksum_error}}
      Files.write_terms(file, [Files.with_field(header, :size, 3) | rest])
      assert both(ets, file) == {500, {:error, :checksum_error}}
      Files.write_terms(file, Enum.drop([header | rest], -1))
      assert both(ets, file) == {500, {:error, :badfile}}
    end

    table_test "may have a trailer that nobody promised", [variants: [[]]], context do
      {ets, file, [header | rest]} = written(context, [:object_count, :md5sum])
      Files.write_terms(file, [Files.with_field(header, :extended_info, []) | rest])
      assert both(ets, file) == {500, {:ok, 500}}
      changed = Files.with_field(Files.with_field(header, :extended_info, []), :size, 3)
      Files.write_terms(file, [changed | rest])
      assert both(ets, file) == {500, {:error, :invalid_object_count}}
    end

    table_test "may be cut", [variants: [[]]], context do
      for kinds <- @extended do
        {ets, file, _terms} = written(context, kinds)
        whole = File.read!(file)

        for cut <- [1, 5, 20, 100, 3000] do
          File.write!(file, binary_part(whole, 0, byte_size(whole) - cut))
          assert {size, {:error, reason}} = both(ets, file)
          assert size in 200..500
          assert reason in [:badfile, :invalid_object_count]
        end
      end
    end
  end

  # How much comes out of it is an affair of `:disk_log`, but it is the same.
  @tag :library
  test "a file that is broken anywhere reads alike" do
    for kinds <- @extended do
      {_ets, file, terms} = written(%{ets: :ets, table: :ets.new(:table, [])}, kinds)
      binaries = Enum.map(terms, &:erlang.term_to_binary/1)

      for broken <- [0, 1, 2, 99, 100, 101, 150, 200, 499, 500, 501], broken < length(terms) do
        Files.write_binaries(file, List.replace_at(binaries, broken, <<131, 255>>))
        assert outcome(Etsunami, file, []) == outcome(:ets, file, [])
        # Of a broken header :ets says so by an error of its own.
        if broken > 0 do
          ours = outcome(Etsunami, file, verify: true)
          assert {:error, reason} = ours
          assert reason in [:badfile, :checksum_error]
          assert ours == outcome(:ets, file, verify: true)
        end
      end

      whole = File.read!(file)

      for place <- Enum.take_every(8..byte_size(whole)//1, 509) do
        <<before::binary-size(place), byte, rest::binary>> = whole
        File.write!(file, [before, rem(byte + 1, 256), rest])
        assert outcome(Etsunami, file, []) == outcome(:ets, file, [])
      end
    end
  end

  defp outcome(ets, file, options) do
    with {:ok, table} <- ets.file2tab(file, options) do
      contents = contents(ets, table)
      ets.delete(table)
      contents
    end
  rescue
    error in ArgumentError -> {:raised, error.message}
  end

  # A file with 500 objects and its terms.
  defp written(%{ets: ets, table: table}, kinds) do
    ets.delete_all_objects(table)
    ets.insert(table, for(n <- 1..500, do: {n, n}))
    file = Files.path()
    :ok = ets.tab2file(table, file, extended_info: kinds)
    {ets, file, Files.terms(file)}
  end

  # How many objects come out of it, and what the verification says.
  defp both(ets, file) do
    {:ok, size} = read_size(ets, file, [])
    {size, read_size(ets, file, verify: true)}
  end

  defp read_size(ets, file, options) do
    before = own(ets)

    result =
      with {:ok, table} <- ets.file2tab(file, options) do
        size = ets.info(table, :size)
        ets.delete(table)
        {:ok, size}
      end

    assert own(ets) == before
    assert Files.open_logs() == []
    result
  end

  defp own(ets), do: Enum.count(ets.all(), &(ets.info(&1, :owner) == self()))
end
