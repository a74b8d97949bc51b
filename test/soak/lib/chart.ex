defmodule Etsunami.Soak.Chart do
  @moduledoc """
  Samples of a soak as an SVG: one panel above the other over the same time.
  """

  @width 900
  @panel 150
  @left 70
  @right 20
  @gap 44

  @panels [
    {"resident memory and the VM's own, MiB", [resident_mib: "#1b6ca8", vm_mib: "#9bb7d4"]},
    {"operations per second", [operations_per_second: "#2a7f3f"]},
    {"lookup: median, 99 % and longest, µs (logarithmic)",
     [read_p50_us: "#2a7f3f", read_p99_us: "#c98a1b", read_max_us: "#b3352b"]},
    {"insert: median, 99 % and longest, µs (logarithmic)",
     [write_p50_us: "#2a7f3f", write_p99_us: "#c98a1b", write_max_us: "#b3352b"]}
  ]

  @doc "The picture."
  @spec draw(String.t(), [map]) :: iodata
  def draw(title, samples) do
    height = 40 + length(@panels) * (@panel + @gap)

    [
      ~s(<svg xmlns="http://www.w3.org/2000/svg" width="#{@width}" height="#{height}" ),
      ~s(font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n),
      text(@left, 22, "Etsunami, soak: " <> title),
      for(
        {panel, n} <- Enum.with_index(@panels),
        do: panel(panel, 60 + n * (@panel + @gap), samples)
      ),
      "</svg>\n"
    ]
  end

  defp panel({title, lines}, top, samples) do
    keys = Keyword.keys(lines)
    log? = String.contains?(title, "logarithmic")
    values = for sample <- samples, key <- keys, do: sample[key]
    scale = scale(Enum.min(values), Enum.max(values), log?)

    [
      text(@left, top - 6, title),
      ~s(<rect x="#{@left}" y="#{top}" width="#{@width - @left - @right}" height="#{@panel}" ),
      ~s(fill="none" stroke="#bbb"/>\n),
      for(mark <- marks(scale), do: mark(mark, top, scale)),
      for({key, colour} <- lines, do: line(samples, key, colour, top, scale)),
      times(samples, top)
    ]
  end

  # {lower end, upper end, logarithmic}
  defp scale(low, high, true), do: {:math.floor(log(low)), :math.ceil(log(high) + 0.01), true}
  defp scale(_low, high, false), do: {0.0, high * 1.1 + 1, false}

  defp log(value), do: :math.log10(max(value, 0.01))

  defp marks({low, high, true}),
    do: for(power <- trunc(low)..trunc(high), do: :math.pow(10, power))

  defp marks({_low, high, false}), do: for(part <- 0..3, do: high * part / 3.3)

  defp y(value, top, {low, high, log?}) do
    value = if log?, do: log(value), else: value
    Float.round(top + @panel - (value - low) / (high - low) * @panel, 1)
  end

  defp x(seconds, last), do: Float.round(@left + seconds / last * (@width - @left - @right), 1)

  defp mark(value, top, scale) do
    at = y(value, top, scale)
    shown = if value >= 10 or value == 0, do: "#{round(value)}", else: "#{Float.round(value, 2)}"

    [
      ~s(<line x1="#{@left}" x2="#{@width - @right}" y1="#{at}" y2="#{at}" stroke="#eee"/>\n),
      ~s(<text x="#{@left - 6}" y="#{at + 4}" text-anchor="end" fill="#555">#{shown}</text>\n)
    ]
  end

  defp line(samples, key, colour, top, scale) do
    last = List.last(samples).seconds
    points = Enum.map_join(samples, " ", &"#{x(&1.seconds, last)},#{y(&1[key], top, scale)}")
    ~s(<polyline points="#{points}" fill="none" stroke="#{colour}" stroke-width="1.3"/>\n)
  end

  defp times(samples, top) do
    last = List.last(samples).seconds

    for part <- 0..4 do
      seconds = last * part / 4
      shown = "#{Float.round(seconds / 60, 1)} min"
      # The last one would be cut off in the middle of the edge.
      anchor = if part == 4, do: "end", else: "middle"

      ~s(<text x="#{x(seconds, last)}" y="#{top + @panel + 15}" text-anchor="#{anchor}" ) <>
        ~s(fill="#555">#{shown}</text>\n)
    end
  end

  defp text(x, y, text), do: ~s(<text x="#{x}" y="#{y}">#{text}</text>\n)
end
