defmodule Demo.Compare do
  @moduledoc """
  Does the same with two modules, in alternating order, and holds the answers together.

  A round is load and questions with one module, then with the other; the next round begins with
  the other. Tables are made afresh in every round, and the time of a module is its median.
  """

  alias Demo.{Crew, Progress, Questions, Report, Tables}

  @doc "Runs the comparison of `module` with `:ets`; says whether all answers were equal."
  def run(module, packages, rounds: rounds, processes: processes) do
    crew = Crew.start(packages, processes)
    Report.packages(length(packages), processes)

    runs =
      for round <- 1..rounds, contender <- order(round, module) do
        measure(contender, crew, length(packages), round)
      end

    answers = Enum.map(runs, & &1.answers)
    Report.answers(hd(answers))
    Report.times(module, runs)
    different = different(answers)
    Report.verdict(different, length(hd(answers)), length(runs))
    if different == [], do: :equal, else: :different
  end

  # A contender is which side it stands on and its module: both modules may be the same.
  defp order(round, module) do
    sides = [{:ets, :ets}, {:other, module}]
    if rem(round, 2) == 1, do: sides, else: Enum.reverse(sides)
  end

  defp measure({side, module}, crew, total, round) do
    Crew.tidy(crew)
    tables = Tables.new(module)
    label = "round #{round}, #{inspect(module)}: packages loaded"

    {load, _} =
      Progress.during(label, total, fn counter ->
        timed(fn -> Crew.run(crew, &Tables.load(tables, &1, counter)) end)
      end)

    {questions, answers} = timed(fn -> Questions.ask(tables, crew) end)
    Tables.delete(tables)
    %{side: side, load: load, questions: questions, answers: answers}
  end

  defp timed(fun) do
    {microseconds, result} = :timer.tc(fun)
    {microseconds / 1_000_000, result}
  end

  # Names of the questions that were not answered alike in all runs.
  defp different([first | others]) do
    for {question, answer} <- first,
        Enum.any?(others, &(Keyword.fetch!(&1, question) !== answer)),
        do: question
  end
end
