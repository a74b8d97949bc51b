defmodule Etsunami.TabFile.Reader do
  @moduledoc false

  # Reads what `Etsunami.TabFile.Writer` or `:ets` has written; there the format is described.
  #
  # The file is read in chunks. Without `verify`, what is broken is left out, and what is missing
  # is not missed. With it, nothing may be broken, and what the header and the extended
  # information promise has to be there. The log is closed whatever happens, and a table that was
  # not filled to the end is deleted.

  @mandatory [:name, :type, :protection, :named_table, :keypos, :size]
  @settings [:read_concurrency, :write_concurrency]
  @major_version 1
  @chunk 100

  # Of the file that is being read: the continuation of the log, the MD5 sum up to there if it is
  # wanted, the number of objects so far, and the extended information behind the last of them.
  defstruct [:log, :continuation, :sum, verify: false, count: 0, trailer: :none]

  @doc """
  Makes a table of the module `ets` from a file, as `:ets.file2tab/2` does it.
  """
  @spec read(module, :file.name(), list) :: {:ok, :ets.table()} | {:error, term}
  def read(ets, file, options) do
    with {:ok, verify?, target} <- options(options, false, []) do
      with_log(file, fn log ->
        with {:ok, header, reader} <- header(log, verify?),
             :ok <- supported(header),
             {:ok, table} <- table(ets, header, target) do
          fill_or_delete(reader, ets, table, header)
        end
      end)
    end
  end

  @doc """
  Tells what is in a file, as `:ets.tabfile_info/1` does it.
  """
  @spec info(:file.name()) :: {:ok, keyword} | {:error, term}
  def info(file) do
    with_log(file, fn log ->
      with {:ok, header, _reader} <- header(log, false) do
        facts = for key <- @mandatory, do: {key, field(header.fields, key, nil)}
        kinds = field(header.fields, :extended_info, [])
        {:ok, facts ++ [extended_info: kinds, version: header.version]}
      end
    end)
  end

  # Options

  defp options([], verify?, target), do: {:ok, verify?, target}
  defp options([{:verify, true} | rest], _verify?, target), do: options(rest, true, target)
  defp options([{:verify, false} | rest], verify?, target), do: options(rest, verify?, target)
  defp options([{:table, target} | rest], verify?, []), do: options(rest, verify?, target)
  defp options([option | _rest], _verify?, _target), do: {:error, {:unknown_option, option}}
  defp options(malformed, _verify?, _target), do: {:error, {:malformed_option, malformed}}

  # The log

  defp with_log(file, function) do
    case :disk_log.open(name: make_ref(), file: file, mode: :read_only) do
      {:ok, log} -> call_and_close(function, log)
      {:error, reason} -> {:error, {:read_error, reason}}
      other -> {:error, other}
    end
  catch
    :exit, reason -> {:error, reason}
  end

  defp call_and_close(function, log) do
    function.(log)
  after
    :disk_log.close(log)
  end

  defp fetch(reader, function, limit) do
    case apply(:disk_log, function, [reader.log, reader.continuation, limit]) do
      {:error, reason} -> {:error, {:read_error, reason}}
      {_continuation, _items, bad} when bad > 0 and reader.verify -> {:error, :badfile}
      {continuation, items, _bad} -> fetched(reader, continuation, items)
      {continuation, items} -> fetched(reader, continuation, items)
      :eof -> {:ok, [], reader}
    end
  end

  defp fetched(reader, continuation, items) do
    {:ok, items, %{reader | continuation: continuation, trailer: :none}}
  end

  # The header

  defp header(log, verify?) do
    reader = %__MODULE__{log: log, continuation: :start, verify: verify?}

    with {:ok, header, reader} when is_tuple(header) <- first(reader),
         fields = Tuple.to_list(header),
         true <- complete?(fields) do
      {:ok, %{fields: fields, kinds: kinds(fields), version: version(fields, verify?)}, reader}
    else
      _not_a_header -> {:error, :badfile}
    end
  end

  defp first(%{verify: false} = reader) do
    with {:ok, [header], reader} <- fetch(reader, :chunk, 1), do: {:ok, header, reader}
  end

  # The sum begins with the bytes of the header, if the header says that there is one.
  defp first(%{verify: true} = reader) do
    with {:ok, [binary], reader} <- fetch(reader, :bchunk, 1), {:ok, header} <- decode(binary) do
      {:ok, header, %{reader | sum: :erlang.md5_update(:erlang.md5_init(), binary)}}
    end
  end

  defp decode(binary) do
    {:ok, :erlang.binary_to_term(binary)}
  rescue
    ArgumentError -> :error
  end

  defp complete?(fields) do
    present = for {key, _value} when key in @mandatory <- fields, do: key
    Enum.sort(present) == Enum.sort(@mandatory)
  end

  defp kinds(fields) do
    case field(fields, :extended_info, []) do
      kinds when is_list(kinds) -> for kind <- [:md5sum, :object_count], kind in kinds, do: kind
      _malformed -> []
    end
  end

  # `:ets` does not look at the version of a file that it verifies.
  defp version(_fields, true), do: {0, 0}

  defp version(fields, false) do
    {field(fields, :major_version, 0), field(fields, :minor_version, 0)}
  end

  defp field(fields, key, default) do
    case :lists.keyfind(key, 1, fields) do
      {^key, value} -> value
      _missing -> default
    end
  end

  defp supported(%{version: {major, _minor} = version}) when major > @major_version do
    {:error, {:unsupported_file_version, version}}
  end

  defp supported(_header), do: :ok

  # The table

  defp table(ets, header, []) do
    {:ok, ets.new(field(header.fields, :name, nil), table_options(header.fields))}
  catch
    _kind, _reason -> {:error, :cannot_create_table}
  end

  defp table(_ets, _header, target), do: {:ok, target}

  defp table_options(fields) do
    settings = for {key, _value} = setting when key in @settings <- fields, do: setting
    flags = for key <- [:compressed, :named_table], field(fields, key, false) == true, do: key
    type = field(fields, :type, nil)
    access = field(fields, :protection, nil)
    settings ++ flags ++ [type, access, {:keypos, field(fields, :keypos, nil)}]
  end

  defp fill_or_delete(reader, ets, table, header) do
    reader = if :md5sum in header.kinds, do: reader, else: %{reader | sum: nil}

    with {:ok, reader} <- fill(reader, ets, table), :ok <- check(reader, header) do
      {:ok, table}
    else
      {:error, reason} ->
        ets.delete(table)
        {:error, reason}
    end
  catch
    kind, reason ->
      ets.delete(table)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp fill(reader, ets, table) do
    case objects(reader) do
      {:ok, [], reader} ->
        {:ok, reader}

      {:ok, objects, reader} ->
        ets.insert(table, objects)
        fill(reader, ets, table)

      {:error, reason} ->
        {:error, reason}
    end
  end

  defp objects(%{sum: nil} = reader) do
    with {:ok, terms, reader} <- fetch(reader, :chunk, @chunk) do
      {objects, trailer} = split(terms)
      {:ok, objects, counted(reader, objects, trailer || reader.trailer)}
    end
  end

  defp objects(reader) do
    with {:ok, binaries, reader} <- fetch(reader, :bchunk, @chunk) do
      {objects, reader} = decode_all(binaries, [], reader)
      {:ok, objects, counted(reader, objects, reader.trailer)}
    end
  end

  defp counted(reader, objects, trailer) do
    %{reader | count: reader.count + length(objects), trailer: trailer}
  end

  # Only the last term of a chunk can be the extended information.
  defp split(terms) do
    case List.last(terms) do
      [:"$end_of_table", information] -> {Enum.drop(terms, -1), information}
      _object -> {terms, nil}
    end
  end

  defp decode_all([], objects, reader), do: {Enum.reverse(objects), reader}

  defp decode_all([binary | rest], objects, reader) do
    case decode(binary) do
      {:ok, [:"$end_of_table", information]} ->
        {Enum.reverse(objects), %{reader | trailer: information}}

      {:ok, object} ->
        sum = :erlang.md5_update(reader.sum, binary)
        decode_all(rest, [object | objects], %{reader | sum: sum})

      :error ->
        decode_all(rest, objects, reader)
    end
  end

  # The verification

  defp check(%{verify: false}, _header), do: :ok
  defp check(%{trailer: :none} = reader, %{kinds: []} = header), do: check_size(reader, header)
  defp check(%{trailer: :none}, _header), do: {:error, :badfile}

  defp check(reader, header) do
    with :ok <- check_sum(reader, header), do: check_count(reader, header)
  end

  defp check_sum(%{sum: nil}, _header), do: :ok

  defp check_sum(reader, _header) do
    promised = field(reader.trailer, :md5, :none)
    if :erlang.md5_final(reader.sum) == promised, do: :ok, else: {:error, :checksum_error}
  end

  # The size in the header is that of the table before it was written, which others may have
  # changed meanwhile. It counts only where nothing better is there.
  defp check_count(reader, header) do
    cond do
      :object_count in header.kinds -> same(reader.count, field(reader.trailer, :count, :none))
      :md5sum in header.kinds -> :ok
      true -> check_size(reader, header)
    end
  end

  defp check_size(reader, header), do: same(reader.count, field(header.fields, :size, :none))

  defp same(count, count), do: :ok
  defp same(_count, _promised), do: {:error, :invalid_object_count}
end
