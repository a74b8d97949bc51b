defmodule Etsunami.TabFile.Writer do
  @moduledoc false

  # Writes a table to a file, in the format of `:ets`.
  #
  # Such a file is a log of `:disk_log`. Its first term is the header: what `info/1` tells, as a
  # tuple, with the version of the format and the kinds of extended information. Then come the
  # objects, and last, if there is extended information, `[:"$end_of_table", information]` with the
  # number of objects or the MD5 sum of the header and the objects in the external term format.
  #
  # The objects are fetched in chunks, so a dump takes little memory, and other processes may
  # write meanwhile: a key that stays is in the file exactly once. If anything fails, the log is
  # closed and the file removed. The log is linked to the process that writes, so that it is
  # closed, too, when that process is killed.

  @version [major_version: 1, minor_version: 0]
  @all [{:_, [], [:"$_"]}]
  @chunk 100

  defstruct object_count: false, md5sum: false, sync: false

  @doc """
  Writes a table of the module `ets`, as `:ets.tab2file/3` does it.
  """
  @spec write(module, :ets.table(), :file.name(), list) :: :ok | {:error, term}
  def write(ets, table, file, options) do
    with {:ok, options} <- options(options),
         :ok <- clear_away(file),
         {:ok, log} <- open(file) do
      write_and_close(log, ets, table, file, options)
    end
  catch
    :exit, reason -> {:error, reason}
  end

  # Options

  defp options(options) when is_list(options), do: options(options, %__MODULE__{}, :not_yet)

  defp options([], known, _extended), do: {:ok, known}

  defp options([{:sync, sync?} | rest], known, extended) when is_boolean(sync?) do
    options(rest, %{known | sync: known.sync or sync?}, extended)
  end

  defp options([{:extended_info, kinds} | rest], known, :not_yet) do
    with {:ok, known} <- extended(kinds, known), do: options(rest, known, :given)
  end

  defp options([option | _rest], _known, _extended), do: {:error, {:unknown_option, option}}
  defp options(malformed, _known, _extended), do: {:error, {:malformed_option, malformed}}

  defp extended([], known), do: {:ok, known}
  defp extended([:object_count | rest], known), do: extended(rest, %{known | object_count: true})
  defp extended([:md5sum | rest], known), do: extended(rest, %{known | md5sum: true})

  defp extended([kind | _rest], _known) do
    {:error, {:unknown_option, [{:extended_info, [kind]}]}}
  end

  defp extended(malformed, _known), do: {:error, {:malformed_option, malformed}}

  # The log

  defp clear_away(file) do
    :file.delete(file)

    case :file.read_file_info(file) do
      {:error, :enoent} -> :ok
      _still_there -> {:error, :eaccess}
    end
  end

  # What could not be removed before is written over.
  defp open(file), do: :disk_log.open(name: make_ref(), file: file, repair: :truncate)

  defp write_and_close(log, ets, table, file, options) do
    case dump(log, ets, table, options) do
      :ok ->
        :disk_log.close(log)

      {:error, reason} ->
        discard(log, file)
        {:error, reason}
    end
  catch
    kind, reason ->
      discard(log, file)
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  defp discard(log, file) do
    :disk_log.close(log)
    :file.delete(file)
  end

  # What is written

  defp dump(log, ets, table, options) do
    with {:ok, header} <- header(ets.info(table), options),
         {:ok, sum} <- append(log, [header], new_sum(options)),
         {:ok, sum, count} <- objects(ets.select(table, @all, @chunk), log, ets, sum, 0),
         :ok <- trailer(log, trailing(options, sum, count)) do
      if options.sync, do: :disk_log.sync(log), else: :ok
    end
  end

  defp header(:undefined, _options), do: {:error, :badtab}

  defp header(info, options) do
    kinds = for kind <- [:object_count, :md5sum], Map.fetch!(options, kind), do: kind
    {:ok, List.to_tuple(info ++ @version ++ [extended_info: kinds])}
  end

  defp objects(:"$end_of_table", _log, _ets, sum, count), do: {:ok, sum, count}

  defp objects({objects, continuation}, log, ets, sum, count) do
    with {:ok, sum} <- append(log, objects, sum) do
      objects(ets.select(continuation), log, ets, sum, count + length(objects))
    end
  end

  defp trailing(options, sum, count) do
    number = if options.object_count, do: [count: count], else: []
    number ++ if options.md5sum, do: [md5: :erlang.md5_final(sum)], else: []
  end

  defp trailer(_log, []), do: :ok
  defp trailer(log, information), do: :disk_log.log_terms(log, [[:"$end_of_table", information]])

  defp new_sum(%{md5sum: true}), do: :erlang.md5_init()
  defp new_sum(%{md5sum: false}), do: :none

  defp append(log, terms, :none) do
    with :ok <- :disk_log.log_terms(log, terms), do: {:ok, :none}
  end

  defp append(log, terms, sum) do
    binaries = Enum.map(terms, &:erlang.term_to_binary/1)
    with :ok <- :disk_log.blog_terms(log, binaries), do: {:ok, :erlang.md5_update(sum, binaries)}
  end
end
