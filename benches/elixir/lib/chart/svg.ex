defmodule Bench.Chart.Svg do
  @moduledoc "The few shapes that the charts are made of, as text of SVG."

  @doc "A whole picture on a white ground."
  def picture(width, height, shapes) do
    [
      ~s(<svg xmlns="http://www.w3.org/2000/svg" width="#{round(width)}" height="#{round(height)}" ),
      ~s(viewBox="0 0 #{round(width)} #{round(height)}" font-family="sans-serif" font-size="12">\n),
      rectangle(0, 0, width, height, "#ffffff"),
      shapes,
      "</svg>\n"
    ]
  end

  @doc "A filled rectangle."
  def rectangle(x, y, width, height, fill) do
    ~s(<rect x="#{number(x)}" y="#{number(y)}" width="#{number(width)}" ) <>
      ~s(height="#{number(height)}" fill="#{fill}"/>\n)
  end

  @doc "A straight line."
  def line(x1, y1, x2, y2, colour, width \\ 1) do
    ~s(<line x1="#{number(x1)}" y1="#{number(y1)}" x2="#{number(x2)}" y2="#{number(y2)}" ) <>
      ~s(stroke="#{colour}" stroke-width="#{width}"/>\n)
  end

  @doc "A line through points; `dash` as in SVG, empty for a solid one."
  def path(points, colour, dash \\ "") do
    text = Enum.map_join(points, " ", fn {x, y} -> "#{number(x)},#{number(y)}" end)

    ~s(<polyline points="#{text}" fill="none" stroke="#{colour}" stroke-width="2" ) <>
      ~s(stroke-dasharray="#{dash}"/>\n)
  end

  @doc "A dot."
  def dot(x, y, radius, fill) do
    ~s(<circle cx="#{number(x)}" cy="#{number(y)}" r="#{radius}" fill="#{fill}"/>\n)
  end

  @doc """
  A text. Options: `anchor` (start, middle, end), `size`, `colour`, `weight`.
  """
  def text(x, y, text, options \\ []) do
    anchor = Keyword.get(options, :anchor, "start")
    size = Keyword.get(options, :size, 12)
    colour = Keyword.get(options, :colour, "#222222")
    weight = Keyword.get(options, :weight, "normal")

    ~s(<text x="#{number(x)}" y="#{number(y)}" text-anchor="#{anchor}" font-size="#{size}" ) <>
      ~s(fill="#{colour}" font-weight="#{weight}">#{escape(text)}</text>\n)
  end

  defp escape(text) do
    text
    |> String.replace("&", "&amp;")
    |> String.replace("<", "&lt;")
    |> String.replace(">", "&gt;")
  end

  defp number(number), do: :erlang.float_to_binary(number / 1, decimals: 1)
end
