defmodule Linearizability.Checker do
  @moduledoc """
  Decides whether a history is linearizable: whether its events can be put into one order that
  keeps the order of events that do not overlap, and in which the model gives every result.

  The search is that of Wing and Gong ("Testing and verifying concurrent objects"): take any
  event that no other one precedes, let the model perform it, and if the result is the recorded
  one go on with the rest; otherwise go back. Following Lowe ("Testing for linearizability"), a
  configuration, which is the set of events left and the state of the model, is not tried twice.

  Each process calls one operation after the other, so that the events left are a rest of each
  process's events, and only the first of a rest can come next.
  """

  alias Linearizability.{Event, Model}

  @doc """
  An order that explains the history, or the longest beginning of one that was found. The model is a
  type of table, or a module like `Linearizability.Model` with the state to begin with.
  """
  @spec check([Event.t()], atom | {module, term}) :: {:ok, [Event.t()]} | {:illegal, [Event.t()]}
  def check(history, model \\ :set)

  def check(history, type) when is_atom(type), do: check(history, {Model, Model.new(type)})

  def check(history, model) do
    rests =
      history
      |> Enum.group_by(& &1.process)
      |> Map.values()
      |> Enum.map(&Enum.sort_by(&1, fn event -> {event.invoked, event.responded} end))

    case search(rests, model, [], %{tried: MapSet.new(), longest: []}) do
      {:ok, order} -> {:ok, Enum.reverse(order)}
      {:none, %{longest: longest}} -> {:illegal, Enum.reverse(longest)}
    end
  end

  defp search(rests, model, order, memory) do
    configuration = {Enum.map(rests, &length/1), model}

    cond do
      Enum.all?(rests, &(&1 == [])) -> {:ok, order}
      MapSet.member?(memory.tried, configuration) -> {:none, memory}
      true -> try_each(next(rests), model, order, remember(memory, configuration, order))
    end
  end

  defp remember(%{tried: tried, longest: longest}, configuration, order) do
    longest = if length(order) > length(longest), do: order, else: longest
    %{tried: MapSet.put(tried, configuration), longest: longest}
  end

  # The events that may come next, each with the rests without it.
  defp next(rests) do
    heads = for [head | _] <- rests, do: head

    for {[event | rest], index} <- Enum.with_index(rests),
        not Enum.any?(heads, &Event.precedes?(&1, event)),
        do: {event, List.replace_at(rests, index, rest)}
  end

  defp try_each([], _model, _order, memory), do: {:none, memory}

  defp try_each([{event, rests} | others], {module, state} = model, order, memory) do
    with {:ok, new_state} <- module.step(state, event.operation, event.result),
         {:none, memory} <- search(rests, {module, new_state}, [event | order], memory) do
      try_each(others, model, order, memory)
    else
      {:ok, order} -> {:ok, order}
      :impossible -> try_each(others, model, order, memory)
    end
  end
end
