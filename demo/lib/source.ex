defmodule Demo.Source do
  @moduledoc """
  The packages that this machine knows: dpkg's status file and apt's package indexes, or the
  bundled sample where there are none.

  Everything is read once, as a stream of lines. Of a package that stands in several sources (an
  installed version and a candidate, a release and its security updates) the newest version is
  kept.
  """

  alias Demo.{Progress, Relation, Stanza, Version}

  @status "/var/lib/dpkg/status"
  @apt_helper "/usr/lib/apt/apt-helper"
  @sample Path.expand("../sample/packages", __DIR__)

  @doc "All packages, sorted by name."
  def packages(sample: sample?) do
    sources = if sample?, do: [{:plain, @sample}], else: sources()
    Enum.each(sources, fn {_, path} -> IO.puts("  reading #{path}") end)

    found = Progress.during("packages read", nil, fn counter -> read(sources, counter) end)
    found |> Map.values() |> Enum.sort_by(& &1.name)
  end

  defp sources do
    status = for true <- [File.exists?(@status)], do: {:plain, @status}

    case indexes() ++ status do
      [] -> [{:plain, @sample}]
      sources -> sources
    end
  end

  # Apt knows where its indexes lie and how they are compressed.
  defp indexes do
    if File.exists?(@apt_helper) do
      arguments = ["indextargets", "--format", "$(FILENAME)", "Created-By: Packages"]
      {files, 0} = System.cmd("apt-get", arguments, env: [{"LC_ALL", "C"}])
      for file <- files |> String.split("\n", trim: true) |> Enum.sort(), do: {:packed, file}
    else
      []
    end
  end

  defp read(sources, counter) do
    for source <- sources, stanza <- source |> lines() |> Stanza.stream(), reduce: %{} do
      packages -> keep(packages, stanza, counter)
    end
  end

  defp keep(packages, %{name: name} = stanza, counter) do
    with true <- present?(stanza),
         package = package(stanza),
         true <- newer?(package, packages) do
      Progress.step(counter, 1)
      Map.put(packages, name, package)
    else
      false -> packages
    end
  end

  # A stanza of the status file may tell of a package that was removed.
  defp present?(%{status: status}), do: String.ends_with?(status, " installed")
  defp present?(_stanza), do: true

  defp newer?(%{name: name, value: %{version: version}}, packages) do
    case packages do
      %{^name => known} -> Version.newer?(version, known.value.version)
      %{} -> true
    end
  end

  defp package(%{name: name} = stanza) do
    %{
      name: name,
      clauses: Relation.clauses(stanza[:pre_depends]) ++ Relation.clauses(stanza[:depends]),
      provides: Relation.provided(stanza[:provides]),
      value: %{
        version: stanza[:version] || "0",
        section: stanza[:section] || "unknown",
        architecture: stanza[:architecture] || "all",
        priority: stanza[:priority] || "optional",
        maintainer: stanza[:maintainer] || "nobody",
        source: stanza[:source] || name,
        size: String.to_integer(stanza[:size] || "0")
      }
    }
  end

  defp lines({:plain, path}) do
    path |> File.stream!() |> Stream.map(&String.trim_trailing(&1, "\n"))
  end

  defp lines({:packed, path}), do: Stream.resource(fn -> open(path) end, &next/1, &close/1)

  # Apt's helper unpacks whatever format the index is in.
  defp open(path) do
    options = [:binary, :exit_status, {:line, 65_536}, {:args, ["cat-file", path]}]
    Port.open({:spawn_executable, @apt_helper}, options)
  end

  defp next(port) do
    receive do
      {^port, {:data, data}} -> {[whole_line(port, data, [])], port}
      {^port, {:exit_status, 0}} -> {:halt, port}
      {^port, {:exit_status, status}} -> raise "#{@apt_helper} ended with status #{status}"
    end
  end

  defp whole_line(_port, {:eol, line}, []), do: line
  defp whole_line(_port, {:eol, part}, parts), do: IO.iodata_to_binary([parts, part])

  defp whole_line(port, {:noeol, part}, parts) do
    receive do
      {^port, {:data, data}} -> whole_line(port, data, [parts, part])
    end
  end

  # The port closes itself when the helper ends.
  defp close(_port), do: :ok
end
