defmodule Bench.Chart.Heat do
  @moduledoc """
  A heat map of quotients: blue where we are faster than `:ets`, red where we are slower, white at
  one, and grey where there is nothing. Four times faster or slower is the full colour.
  """

  alias Bench.Chart.Svg

  @left 250
  @width 62
  @height 22
  @top 78
  @full :math.log(4)

  @doc """
  A picture of `value.(row, column)`, a number or nil.

  Rows are `{name, label}`, columns `{name, group, label}`; columns of one group follow each other.
  """
  def picture(title, rows, columns, value) do
    width = @left + length(columns) * @width + 20
    height = @top + length(rows) * @height + 20

    Svg.picture(width, height, [
      Svg.text(12, 24, title, size: 15, weight: "bold"),
      heads(columns),
      for {row, index} <- Enum.with_index(rows) do
        row(row, @top + index * @height, columns, value)
      end
    ])
  end

  defp heads(columns) do
    placed = for {column, index} <- Enum.with_index(columns), do: {column, @left + index * @width}

    groups =
      for [{{_, group, _}, x} | _] = chunk <-
            Enum.chunk_by(placed, fn {{_, group, _}, _} -> group end) do
        right = x + length(chunk) * @width

        [
          Svg.text((x + right) / 2, 46, group, anchor: "middle", size: 11, weight: "bold"),
          Svg.line(x + 2, 51, right - 2, 51, "#888888")
        ]
      end

    labels =
      for {{_, _, label}, x} <- placed do
        Svg.text(x + @width / 2, 68, label, anchor: "middle", size: 10)
      end

    [groups, labels]
  end

  defp row({name, label}, y, columns, value) do
    [
      Svg.text(@left - 8, y + 15, label, anchor: "end")
      | for {{column, _, _}, index} <- Enum.with_index(columns) do
          square(@left + index * @width, y, value.(name, column))
        end
    ]
  end

  defp square(x, y, nil), do: Svg.rectangle(x + 1, y + 1, @width - 2, @height - 2, "#eeeeee")

  defp square(x, y, quotient) do
    strength = max(-1.0, min(1.0, :math.log(quotient) / @full))
    text = :erlang.float_to_binary(quotient / 1, decimals: 2)
    ink = if abs(strength) > 0.75, do: "#ffffff", else: "#222222"

    [
      Svg.rectangle(x + 1, y + 1, @width - 2, @height - 2, colour(strength)),
      Svg.text(x + @width / 2, y + 15, text, anchor: "middle", size: 11, colour: ink)
    ]
  end

  # From white towards a dark blue or a dark red.
  defp colour(strength) when strength >= 0, do: mixed({28, 84, 160}, strength)
  defp colour(strength), do: mixed({178, 24, 43}, -strength)

  defp mixed(end_colour, share) do
    parts = for part <- Tuple.to_list(end_colour), do: round(255 + (part - 255) * share)
    "rgb(#{Enum.join(parts, ",")})"
  end
end
