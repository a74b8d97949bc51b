defmodule Etsunami.Files do
  @moduledoc """
  Files for tests, in a directory that is removed when the test ends.
  """

  @doc """
  The name of a file that is not there yet, as a list of characters.
  """
  def path(name \\ "file") do
    directory = Path.join(System.tmp_dir!(), "etsunami_#{System.unique_integer([:positive])}")
    File.mkdir_p!(directory)
    ExUnit.Callbacks.on_exit(fn -> File.rm_rf!(directory) end)
    directory |> Path.join(name) |> String.to_charlist()
  end

  @doc """
  The terms of a log, in the order of the file.
  """
  def terms(file) do
    {:ok, log} = :disk_log.open(name: make_ref(), file: file, mode: :read_only)
    terms = terms_from(log, :disk_log.chunk(log, :start))
    :ok = :disk_log.close(log)
    terms
  end

  defp terms_from(_log, :eof), do: []

  defp terms_from(log, {continuation, terms}) do
    terms ++ terms_from(log, :disk_log.chunk(log, continuation))
  end

  @doc """
  Writes terms to a new log.
  """
  def write_terms(file, terms) do
    File.rm(file)
    {:ok, log} = :disk_log.open(name: make_ref(), file: file)
    :ok = :disk_log.log_terms(log, terms)
    :ok = :disk_log.close(log)
  end

  @doc """
  Writes binaries to a new log, whatever they are.
  """
  def write_binaries(file, binaries) do
    File.rm(file)
    {:ok, log} = :disk_log.open(name: make_ref(), file: file)
    :ok = :disk_log.blog_terms(log, binaries)
    :ok = :disk_log.close(log)
  end

  @doc """
  A header without a field, or with another value of it.
  """
  def without(header, field) do
    header |> Tuple.to_list() |> Keyword.delete(field) |> List.to_tuple()
  end

  @doc false
  def with_field(header, field, value) do
    header |> Tuple.to_list() |> Keyword.replace!(field, value) |> List.to_tuple()
  end

  @doc """
  The logs that somebody has open.
  """
  def open_logs, do: Enum.filter(:disk_log.all(), &is_reference/1)
end
