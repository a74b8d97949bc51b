defmodule Etsunami.Model.Program do
  @moduledoc """
  Sequential programs: some keys, two tables to begin with, and commands.
  """

  import Etsunami.Model.Gen

  alias Etsunami.Model.{Arguments, Commands, Histogram, Session, TermGen}

  @keys 10
  @commands 200

  @doc "A generator of programs."
  def generator do
    {vector(@keys, TermGen.key()), [start(), start()], list(Commands.sequential(), @commands)}
  end

  defp start do
    options = [Commands.type(), frequency([{4, :public}, {1, :protected}])]

    more =
      frequency([
        {3, []},
        {1, [{:keypos, 2}]},
        {1, [:compressed]},
        {1, [{:write_concurrency, true}]}
      ])

    {integer(0, 2),
     {:new, [{:lit, :model}, {:deep, map({options, more}, fn {a, b} -> a ++ b end)}]}}
  end

  @doc """
  Runs a program: `:ok`, or `{:differ, what}` with the number of the command.
  """
  def run({pool, starts, commands}, histogram, _times) do
    Process.get(:model_directory) |> Path.join("*") |> Path.wildcard() |> Enum.each(&File.rm!/1)
    session = Session.start(Arguments.pool(pool))
    commands = starts ++ commands

    with :ok <- run_all(commands, 0, session, histogram),
         {:differ, what} <- Session.stop() do
      {:differ, length(commands), what}
    end
  after
    Session.stop()
  end

  defp run_all([], number, session, _histogram) do
    with {:differ, what} <- Session.same_contents(session), do: {:differ, number, what}
  end

  defp run_all([command | rest], number, session, histogram) do
    case Session.command(session, command) do
      {:ok, session, step} ->
        Histogram.count(histogram, command, step)
        run_all(rest, number + 1, session, histogram)

      {:differ, what} ->
        {:differ, number, what}
    end
  end
end
