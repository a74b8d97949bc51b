defmodule Demo.Stanza do
  @moduledoc """
  The stanzas of a Debian control file: dpkg's status file and apt's package indexes.

  A stanza is a block of `Field: value` lines and ends at an empty line; a line that begins with a
  blank continues the field before it. Only the fields in `@fields` are kept, so that a stream of
  lines becomes a stream of small maps.
  """

  @fields %{
    "Package" => :name,
    "Version" => :version,
    "Section" => :section,
    "Architecture" => :architecture,
    "Installed-Size" => :size,
    "Maintainer" => :maintainer,
    "Priority" => :priority,
    "Depends" => :depends,
    "Pre-Depends" => :pre_depends,
    "Provides" => :provides,
    "Source" => :source,
    "Status" => :status
  }

  @doc "Turns a stream of lines, without their line ends, into a stream of maps from field to text."
  def stream(lines) do
    Stream.chunk_while(lines, {%{}, nil}, &line/2, &finish/1)
  end

  defp line("", {stanza, _field}) when stanza == %{}, do: {:cont, {%{}, nil}}
  defp line("", {stanza, _field}), do: {:cont, stanza, {%{}, nil}}

  defp line(<<blank, rest::binary>>, {stanza, field}) when blank in [?\s, ?\t] do
    case stanza do
      %{^field => text} -> {:cont, {%{stanza | field => text <> " " <> String.trim(rest)}, field}}
      %{} -> {:cont, {stanza, field}}
    end
  end

  defp line(line, {stanza, _field}) do
    with [name, text] <- :binary.split(line, ":"),
         %{^name => field} <- @fields do
      # A copy, because a part of a line would keep the whole block that was read alive.
      {:cont, {Map.put(stanza, field, :binary.copy(String.trim(text))), field}}
    else
      _ -> {:cont, {stanza, nil}}
    end
  end

  defp finish({stanza, _field}) when stanza == %{}, do: {:cont, nil}
  defp finish({stanza, _field}), do: {:cont, stanza, nil}
end
