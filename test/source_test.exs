defmodule Etsunami.SourceTest do
  # What newer releases of Elixir warn about, and older ones do not.
  use ExUnit.Case, async: true

  @root Path.expand("..", __DIR__)
  @patterns ["*.exs", "{lib,mix,test,demo,benches}/**/*.{ex,exs}"]

  test "no charlist stands in single quotes" do
    found =
      for pattern <- @patterns,
          path <- Path.wildcard(Path.join(@root, pattern)),
          {line, text} <- quoted_charlists(File.read!(path)),
          do: "#{Path.relative_to(path, @root)}:#{line}: #{text}"

    assert found == []
  end

  test "they are found" do
    assert [{1, "'a'"}, {2, "'b'"}] = quoted_charlists("['a', ~c\"c\", :\"x y\", \"'\"]\n'b'")
  end

  defp quoted_charlists(source) do
    encode = fn literal, meta -> {:ok, {:__block__, meta, [literal]}} end
    # Only newer releases know the last option.
    options = [literal_encoder: encode, token_metadata: true, emit_warnings: false]
    quoted = Code.string_to_quoted!(source, options)

    {_quoted, found} =
      Macro.prewalk(quoted, [], fn
        {:__block__, meta, [literal]} = node, found when is_list(literal) ->
          quotes? = meta[:delimiter] in ["'", "'''"]
          {node, if(quotes?, do: [{meta[:line], "'#{literal}'"} | found], else: found)}

        node, found ->
          {node, found}
      end)

    Enum.reverse(found)
  end
end
