defmodule Mix.Tasks.Etsunami.Bench do
  @shortdoc "Measures Etsunami against :ets on this machine, in about a minute"

  @moduledoc """
  Measures Etsunami against `:ets` on this machine, in about a minute.

      mix etsunami.bench [--seed N] [--pairs N] [--milliseconds N]

  Both sides run the same generated loops in this virtual machine, in turns; a quotient above 1
  means that Etsunami is faster. A line on standard error tells how far it is; the table, in
  Markdown, goes to standard output and begins with the cells where `:ets` wins.

  It is a short form of `make bench`, which takes a quarter of an hour in the repository of
  Etsunami: tables of 10⁵ objects, `set` and `ordered_set`, without options and with
  `write_concurrency: :auto, read_concurrency: true`.

  ## Options

    * `--seed` - of all random choices, 1 by default
    * `--pairs` - how many pairs of measurements a cell has at most, 15 by default
    * `--milliseconds` - how long a cell takes about, 250 by default

  A quiet machine gives numbers that come again.
  """

  use Mix.Task

  # Only this task loads the benchmark; it is no part of the application.
  @compile {:no_warn_undefined, [Bench.Report, Bench.Run]}

  @loader Path.expand("../../../benches/elixir/lib/all.exs", __DIR__)
  @switches [seed: :integer, pairs: :integer, milliseconds: :integer]
  @defaults [pairs: 15, milliseconds: 250]

  @impl true
  def run(arguments) do
    options =
      case OptionParser.parse(arguments, strict: @switches) do
        {options, [], []} ->
          Keyword.merge(@defaults, options)

        _unknown ->
          Mix.raise("usage: mix etsunami.bench [--seed N] [--pairs N] [--milliseconds N]")
      end

    Mix.Task.run("app.config")
    Code.require_file(@loader)
    IO.puts(Bench.Report.markdown(Bench.Run.short(Etsunami, options)))
  end
end
