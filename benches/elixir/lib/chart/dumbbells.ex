defmodule Bench.Chart.Dumbbells do
  @moduledoc """
  Two numbers in each row on one logarithmic axis of nanoseconds, joined by a line: grey for
  `:ets`, blue for the other side.
  """

  alias Bench.Chart.Svg

  @left 300
  @width 620
  @height 20
  @top 90
  @grey "#8a8a8a"
  @blue "#1c54a0"

  @doc "A picture of rows `{label, first, second}`."
  def picture(title, name, rows) do
    numbers = for {_, a, b} <- rows, number <- [a, b], do: max(number, 1)
    first = numbers |> Enum.min() |> :math.log10() |> Float.floor()
    last = numbers |> Enum.max() |> :math.log10() |> Float.ceil() |> max(first + 1)
    x = fn number -> @left + (:math.log10(max(number, 1)) - first) / (last - first) * @width end
    bottom = @top + length(rows) * @height

    Svg.picture(@left + @width + 60, bottom + 20, [
      Svg.text(12, 24, title, size: 15, weight: "bold"),
      legend(name),
      for(power <- round(first)..round(last), do: axis(x, power, bottom)),
      for {row, index} <- Enum.with_index(rows) do
        row(row, x, @top + index * @height + @height / 2)
      end
    ])
  end

  defp legend(name) do
    [
      Svg.dot(20, 46, 5, @grey),
      Svg.text(30, 50, ":ets"),
      Svg.dot(90, 46, 5, @blue),
      Svg.text(100, 50, name)
    ]
  end

  defp axis(x, power, bottom) do
    place = x.(:math.pow(10, power))

    [
      Svg.line(place, @top - 6, place, bottom, "#dddddd"),
      Svg.text(place, @top - 12, time(power), anchor: "middle", size: 10)
    ]
  end

  defp time(power) do
    {unit, rest} = Enum.at([{"ns", 0}, {"µs", 3}, {"ms", 6}, {"s", 9}], min(div(power, 3), 3))
    "#{10 ** (power - rest)} #{unit}"
  end

  defp row({label, first, second}, x, y) do
    [
      Svg.text(@left - 14, y + 4, label, anchor: "end"),
      Svg.line(x.(first), y, x.(second), y, if(second <= first, do: @blue, else: "#b2182b"), 2),
      Svg.dot(x.(first), y, 5, @grey),
      Svg.dot(x.(second), y, 5, @blue)
    ]
  end
end
