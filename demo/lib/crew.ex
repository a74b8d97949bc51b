defmodule Demo.Crew do
  @moduledoc """
  Processes that each hold a share of the packages and work on it when asked.

  The same processes with the same shares load and question both modules, so that neither pays
  for a copy of the packages or for a fresh heap.
  """

  @doc "Starts `size` processes and deals the packages out to them."
  def start(packages, size) do
    packages
    |> Enum.with_index()
    |> Enum.group_by(fn {_, index} -> rem(index, size) end, fn {package, _} -> package end)
    |> Map.values()
    |> Enum.map(fn share -> spawn_link(fn -> work(share) end) end)
  end

  @doc "Lets every process call `fun` with its share, all at once; returns their results."
  def run(crew, fun) do
    caller = self()
    jobs = for worker <- crew, do: {worker, make_ref()}
    for {worker, reference} <- jobs, do: send(worker, {:run, fun, reference, caller})

    for {_, reference} <- jobs do
      receive do
        {^reference, result} -> result
      end
    end
  end

  @doc "Lets every process collect its garbage, so that nobody pays for the run before."
  def tidy(crew), do: Enum.each([self() | crew], &:erlang.garbage_collect/1)

  defp work(share) do
    receive do
      {:run, fun, reference, caller} -> send(caller, {reference, fun.(share)})
    end

    work(share)
  end
end
