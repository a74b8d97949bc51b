defmodule Bench.Run do
  @moduledoc "The sections of a whole run, in their order, and the files that it writes."

  alias Bench.{Charts, Contender, Data, HoldRows, Kinds, Latency, Lifecycle, Load, Machine}
  alias Bench.{Matrix, Memory, Plan, Progress, Report, Row, Weak}

  @sections [:matrix, :kinds, :load, :latency, :lifecycle, :weak, :hold, :memory, :large]
  @large 10_000_000

  @doc "The names of the sections."
  def sections, do: @sections

  @doc """
  Measures the sections against `module`.

  Options: `seed`, `pairs` (at most, for each cell), `milliseconds` (for each cell), `large`
  (objects of the large tables), `sections`.
  """
  def full(module, options) do
    {both, limits} = start(module, options)
    sections = Keyword.get(options, :sections, @sections)

    sections
    |> Enum.map(fn name ->
      attempted(name, fn -> section(name, module, both, limits, options) end)
    end)
    |> Enum.reduce(
      empty(module, options, Plan.rule()),
      &Map.merge(&2, &1, fn _, a, b -> a ++ b end)
    )
    |> Map.update!(:head, &(&1 ++ took()))
  end

  @doc "Measures the short form, which takes less than a minute."
  def short(module, options) do
    {both, limits} = start(module, options)
    schedulers = System.schedulers_online()
    cells = Matrix.run(Plan.short(), both, limits)
    load = Load.run(both, limits, [:plain, :auto], Enum.uniq([1, schedulers]))

    empty(module, options, Plan.short_rule())
    |> Map.merge(%{cells: cells ++ load, latency: Latency.run(both, [:auto])})
    |> Map.update!(:head, &(&1 ++ took()))
  end

  @doc "Writes text and charts into the directory of results; returns the name of the text's file."
  def write(run, name) do
    charts =
      for {title, suffix, contents} <- Charts.all(run) do
        file = Machine.result_file("#{name}-#{suffix}", "svg")
        File.write!(file, contents)
        {title, Path.basename(file)}
      end

    file = Machine.result_file(name)
    File.write!(file, Report.markdown(%{run | charts: charts}))
    file
  end

  defp start(module, options) do
    Data.put(:started, System.monotonic_time(:second))
    Data.put(:seed, Keyword.get(options, :seed, 1))

    limits = %{
      pairs: Keyword.get(options, :pairs, 25),
      least: 5,
      milliseconds: Keyword.get(options, :milliseconds, 300)
    }

    {Contender.both(module), limits}
  end

  # What comes unexpectedly ends its section, not the run.
  defp attempted(name, fun) do
    fun.()
  rescue
    error ->
      text = Exception.message(error)
      %{rows: [Row.new(:run, "the whole section #{name}", {:broken, text})]}
  end

  defp section(:matrix, _, both, limits, _), do: %{cells: Matrix.run(Plan.full(), both, limits)}
  defp section(:kinds, _, both, limits, _), do: %{rows: Kinds.run(both, limits)}
  defp section(:load, _, both, limits, _), do: %{cells: Load.run(both, limits)}
  defp section(:latency, _, both, _, _), do: %{latency: Latency.run(both)}
  defp section(:lifecycle, _, both, limits, _), do: %{rows: Lifecycle.small(both, limits)}
  defp section(:weak, _, both, limits, _), do: %{rows: Weak.run(both, limits)}
  defp section(:hold, module, _, _, _), do: %{hold: HoldRows.run(module)}

  defp section(:memory, module, _, _, _) do
    %{memory: Memory.run(module, Memory.shapes(), 1, 300_000)}
  end

  defp section(:large, _, both, limits, options) do
    {cells, rows} = Lifecycle.large(Keyword.get(options, :large, @large), both, limits)
    %{cells: cells, rows: rows}
  end

  defp empty(module, options, rule) do
    %{
      module: module,
      head: Machine.lines() ++ head(options, rule),
      cells: [],
      rows: [],
      latency: [],
      memory: [],
      hold: [],
      charts: []
    }
  end

  defp head(options, rule) do
    [
      "- seed #{Keyword.get(options, :seed, 1)}; load of the machine at the start: #{Machine.load()}",
      "- times are medians, quotients are medians of the quotients of pairs (A B A B …); nothing " <>
        "is subtracted; both sides run the same generated loops",
      "- selection: #{rule}",
      "- plain: no option; auto: `{write_concurrency, auto}, {read_concurrency, true}`"
    ] ++ engine(System.get_env("ETSUNAMI_ENGINE"))
  end

  defp engine(nil), do: []
  defp engine(name), do: ["- engine of ordered sets: #{name}"]

  defp took() do
    Progress.done()
    seconds = System.monotonic_time(:second) - Data.get(:started)
    ["- took #{div(seconds, 60)} minutes #{rem(seconds, 60)} seconds"]
  end
end
