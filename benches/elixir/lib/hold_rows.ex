defmodule Bench.HoldRows do
  @moduledoc "The longest stays of long calls on a scheduler, in a form that takes seconds."

  alias Bench.{Attempt, Hold, HoldCases, Pairs, Progress}

  @count 100_000
  @listed 10_000
  @words 200_000
  @group 5_000
  @runs 3

  @doc """
  Rows of `label` and `result`: `{:ok, {first, second}}` or `{:broken, text}`.

  For each side it is the 99th percentile and the maximum of the stays in microseconds.
  """
  def run(module) do
    cases =
      HoldCases.of_table(@count, @listed) ++
        HoldCases.of_object(@words) ++ HoldCases.of_key(@group)

    rows =
      for {label, prepare, fun} <- cases do
        Progress.show("scheduler hold: #{label}")
        %{label: label, result: Attempt.run(fn -> measure(module, prepare, fun) end)}
      end

    HoldCases.remove_file()
    rows
  end

  defp measure(module, prepare, fun) do
    turns = for _ <- 1..@runs, do: for(side <- [:ets, module], do: stays(side, prepare, fun))
    [first, second] = Enum.zip_with(turns, &Enum.concat/1)
    {extremes(first), extremes(second)}
  end

  defp stays(side, prepare, fun), do: Hold.stays(fn -> prepare.(side) end, &fun.(side, &1))

  # A call that ran on a dirty scheduler alone held nobody up.
  defp extremes([]), do: {0.0, 0.0}
  defp extremes(stays), do: {Pairs.quantile(stays, 0.99), Enum.max(stays)}
end
