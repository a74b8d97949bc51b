defmodule Demo.Version do
  @moduledoc """
  The order of Debian versions, as the Debian policy manual (5.6.12) defines it.

  A version is `epoch:upstream-revision`. Upstream and revision are compared in turns: a part
  without digits, where `~` comes before the end of the text, the end before letters and letters
  before everything else; then a number.
  """

  @doc "Says whether version `a` is newer than version `b`."
  def newer?(a, b), do: key(a) > key(b)

  # Term order of the key is the order of versions.
  defp key(version) do
    {epoch, rest} = epoch(version)
    {upstream, revision} = revision(rest)
    {epoch, parts(upstream), parts(revision)}
  end

  defp epoch(version) do
    case :binary.split(version, ":") do
      [epoch, rest] -> {String.to_integer(epoch), rest}
      [rest] -> {0, rest}
    end
  end

  defp revision(version) do
    case :binary.matches(version, "-") do
      [] ->
        {version, ""}

      found ->
        {at, 1} = List.last(found)
        {binary_part(version, 0, at), binary_part(version, at + 1, byte_size(version) - at - 1)}
    end
  end

  defp parts(""), do: [[0], 0]

  defp parts(text) do
    {other, rest} = take(text, &(&1 not in ?0..?9), [])
    {digits, rest} = take(rest, &(&1 in ?0..?9), [])
    [Enum.map(other, &weight/1) ++ [0], number(digits) | parts(rest)]
  end

  defp take(<<char, rest::binary>> = text, fun, taken) do
    if fun.(char), do: take(rest, fun, [char | taken]), else: {Enum.reverse(taken), text}
  end

  defp take("", _fun, taken), do: {Enum.reverse(taken), ""}

  defp number([]), do: 0
  defp number(digits), do: List.to_integer(digits)

  # The end of a part weighs 0.
  defp weight(?~), do: -1
  defp weight(char) when char in ?a..?z or char in ?A..?Z, do: char
  defp weight(char), do: char + 256
end
