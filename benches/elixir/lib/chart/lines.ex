defmodule Bench.Chart.Lines do
  @moduledoc """
  Small pictures of throughput over the number of processes, one beside the other: dashed for
  `:ets`, solid for the other side, a colour for each set of options.
  """

  alias Bench.Chart.Svg

  @width 300
  @height 190
  @colours ["#1c54a0", "#d95f02", "#1b9e77", "#7570b3"]

  @doc """
  A picture of panels in so many columns.

  A panel is `{title, lines}`, a line `{option, side, points}` with `side` 0 for `:ets` or 1, and
  points `{processes, operations per microsecond}`.
  """
  def picture(title, name, panels, columns) do
    options = Enum.uniq(for {_, lines} <- panels, {option, _, _} <- lines, do: option)
    rows = div(length(panels) + columns - 1, columns)

    Svg.picture(columns * (@width + 70) + 30, rows * (@height + 75) + 90, [
      Svg.text(12, 24, title, size: 15, weight: "bold"),
      legend(name, options),
      for {panel, index} <- Enum.with_index(panels) do
        x = 60 + rem(index, columns) * (@width + 70)
        panel(panel, options, x, 100 + div(index, columns) * (@height + 75))
      end
    ])
  end

  defp legend(name, options) do
    sides = [
      Svg.path([{14, 46}, {44, 46}], "#444444", "5,4"),
      Svg.text(50, 50, ":ets"),
      Svg.path([{94, 46}, {124, 46}], "#444444"),
      Svg.text(130, 50, name)
    ]

    [
      sides
      | for {option, index} <- Enum.with_index(options) do
          x = 230 + index * 150

          [
            Svg.rectangle(x, 40, 12, 12, colour(options, option)),
            Svg.text(x + 18, 50, "#{option}")
          ]
        end
    ]
  end

  defp panel({title, lines}, options, left, top) do
    points = for {_, _, points} <- lines, point <- points, do: point
    processes = points |> Enum.map(&elem(&1, 0)) |> Enum.uniq() |> Enum.sort()
    highest = points |> Enum.map(&elem(&1, 1)) |> Enum.max(fn -> 1 end) |> rounded_up()
    x = fn count -> left + place(processes, count) * @width end
    y = fn value -> top + @height - value / highest * @height end

    [
      Svg.text(left + @width / 2, top - 10, title, anchor: "middle", weight: "bold"),
      for(part <- 0..4, do: grid(left, y.(highest * part / 4), highest * part / 4)),
      for(
        count <- processes,
        do: Svg.text(x.(count), top + @height + 16, "#{count}", anchor: "middle")
      ),
      Svg.text(left + @width / 2, top + @height + 32, "processes", anchor: "middle", size: 10),
      for {option, side, points} <- lines do
        placed = for {count, value} <- points, do: {x.(count), y.(value)}
        colour = colour(options, option)

        [
          Svg.path(placed, colour, if(side == 0, do: "5,4", else: "")),
          for({x, y} <- placed, do: Svg.dot(x, y, 3, colour))
        ]
      end
    ]
  end

  defp grid(left, y, value) do
    label = :erlang.float_to_binary(value / 1, decimals: 1)

    [
      Svg.line(left, y, left + @width, y, "#dddddd"),
      Svg.text(left - 6, y + 4, label, anchor: "end", size: 10)
    ]
  end

  # Numbers of processes stand at equal distances.
  defp place([_], _count), do: 0.5

  defp place(processes, count) do
    0.05 + 0.9 * Enum.find_index(processes, &(&1 == count)) / (length(processes) - 1)
  end

  # To one of 1, 2, 4, 8, and their tenfolds.
  defp rounded_up(value) do
    unit = :math.pow(10, Float.floor(:math.log10(value)))
    Enum.find([1, 2, 4, 8, 10], &(&1 * unit >= value)) * unit
  end

  defp colour(options, option) do
    Enum.at(@colours, rem(Enum.find_index(options, &(&1 == option)), length(@colours)))
  end
end
