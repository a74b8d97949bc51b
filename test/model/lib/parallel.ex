defmodule Etsunami.Model.Parallel do
  @moduledoc """
  Parallel programs: a few commands one after the other, and then two or three processes at once.

  What the processes have seen must be what `:ets` gives in some order of their commands that
  keeps those in order of which one had ended before the other began. `Legal` looks for it.
  """

  import Etsunami.Model.Gen

  alias Etsunami.Model.{Arguments, Commands, Histogram, Legal, Sides, SpecGen, Step, TermGen}

  @keys 4
  @before 5
  @branch 5
  @patience 3000

  @doc "A generator of programs."
  def generator do
    frequency([
      {2, program([:set, :ordered_set], atomic() ++ searches() ++ sweeps())},
      {1, program([:bag, :duplicate_bag], atomic() ++ searches())}
    ])
  end

  defp program(types, commands) do
    more = frequency([{3, []}, {2, [{:keypos, 2}]}, {2, [{:write_concurrency, true}]}])
    branch = list(frequency(commands), @branch)
    branches = frequency([{1, [branch, branch]}, {2, [branch, branch, branch]}])
    keys = vector(@keys, TermGen.key())
    {elements(types), more, keys, list(frequency(filling()), @before), branches}
  end

  @doc """
  Runs a program so many times, until one run cannot be explained: `:ok`, or `{:differ, what}`.
  """
  def run({type, more, pool, before, branches}, histogram, times) do
    pool = pool |> Arguments.pool() |> List.to_tuple()
    options = [type, :public | more]

    Enum.find_value(1..times, :ok, fn _time ->
      case run_once(options, pool, before, branches, histogram) do
        :ok -> nil
        {:differ, what} -> {:differ, :parallel, what}
      end
    end)
  end

  defp run_once(options, pool, before, branches, histogram) do
    {model, subject} = {:ets.new(:model, options), Etsunami.new(:model, options)}
    context = context(model, subject)

    try do
      with :ok <- sequence(before, context, pool, histogram) do
        calls = Enum.map(branches, &calls(&1, context, pool, histogram))
        history = record(calls, subject)
        finally = contents(subject, Etsunami, context)
        explain(history, finally, context)
      end
    after
      :ets.delete(model)
      if Etsunami.info(subject) != :undefined, do: Etsunami.delete(subject)
    end
  end

  defp context(model, subject) do
    %{
      model: model,
      subject: subject,
      type: :ets.info(model, :type),
      keypos: :ets.info(model, :keypos),
      actors: {self(), self(), self()}
    }
  end

  # One after the other

  defp sequence(commands, context, pool, histogram) do
    Enum.find_value(commands, :ok, fn {function, arguments} ->
      arguments = [{:sides, context.model, context.subject} | arguments]
      step = Step.take({function, arguments}, context, pool)
      Histogram.count(histogram, {:owner, {function, arguments}}, step)
      if step.verdict != :ok, do: {:differ, step}
    end)
  end

  # At once

  defp calls(commands, context, pool, histogram) do
    for {function, arguments} <- commands do
      arguments =
        for a <- arguments, do: a |> Arguments.resolve(context, pool) |> elem(0) |> selfless()

      keyed = Step.keyed(function, [context.model | arguments], context)
      Histogram.count_parallel(histogram, function, length(arguments) + 1, keyed)
      {function, arguments}
    end
  end

  # The model is not asked by the process itself.
  defp selfless({:self}), do: {:node}

  defp selfless(tuple) when is_tuple(tuple),
    do: tuple |> Tuple.to_list() |> selfless() |> List.to_tuple()

  defp selfless([head | tail]), do: [selfless(head) | selfless(tail)]
  defp selfless(map) when is_map(map), do: map |> Map.to_list() |> selfless() |> Map.new()
  defp selfless(term), do: term

  defp record(branches, subject) do
    gates = :atomics.new(@branch, [])

    workers =
      for {branch, number} <- Enum.with_index(branches) do
        start(number, fn ->
          for {call, step} <- Enum.with_index(branch, 1) do
            wait(gates, step, Enum.count(branches, &(length(&1) >= step)), @patience)
            event(call, subject)
          end
        end)
      end

    Enum.map(workers, &await/1)
  end

  # On a scheduler of its own: short processes are not spread over them by themselves.
  defp start(number, function) do
    parent = self()
    scheduler = rem(number, :erlang.system_info(:schedulers_online)) + 1

    :erlang.spawn_opt(fn -> send(parent, {self(), function.()}) end, [
      :monitor,
      {:scheduler, scheduler}
    ])
  end

  defp await({pid, monitor}) do
    receive do
      {^pid, events} ->
        Process.demonitor(monitor, [:flush])
        events

      {:DOWN, ^monitor, :process, ^pid, reason} ->
        exit({:worker_died, reason})
    after
      60_000 -> exit({:worker_hangs, Process.info(pid, :current_stacktrace)})
    end
  end

  # Each step begins in the same moment for all, as far as there are schedulers: awake, and
  # without waiting for long.
  defp wait(gates, step, count, patience) do
    :atomics.add(gates, step, 1)
    watch(gates, step, count, patience)
  end

  defp watch(_gates, _step, _count, 0), do: :ok

  defp watch(gates, step, count, patience) do
    if :atomics.get(gates, step) < count do
      if rem(patience, 50) == 0, do: :erlang.yield()
      watch(gates, step, count, patience - 1)
    end
  end

  defp event({function, arguments}, subject) do
    began = System.monotonic_time()
    outcome = Sides.outcome(:subject, function, [subject | arguments])
    %{call: {function, arguments}, seen: outcome, began: began, ended: System.monotonic_time()}
  end

  # What is there in the end, as the last event of the history: nothing, if the table has gone.
  defp contents(table, ets, context) do
    if ets.info(table) == :undefined, do: :gone, else: Legal.objects(ets, table, context)
  end

  defp explain(history, finally, context) do
    case Legal.search(history, finally, context) do
      :ok -> :ok
      :none -> {:differ, %{what: "no legal order", history: history, finally: finally}}
    end
  end

  # Commands

  defp filling do
    [
      {10, {:insert, [Commands.objects_of_few()]}},
      {2, {:delete, [Commands.key()]}},
      {1, {:safe_fixtable, [{:lit, true}]}}
    ]
  end

  defp atomic do
    key = Commands.key()
    object = Commands.object()
    objects = Commands.objects_of_few()

    [
      {12, {:insert, [object]}},
      {8, {:insert, [objects]}},
      {6, {:insert_new, [objects]}},
      {8, {:lookup, [key]}},
      {4, {:member, [key]}},
      {3, {:lookup_element, [key, {:lit, integer(1, 2)}]}},
      {6, {:take, [key]}},
      {6, {:delete, [key]}},
      {4, {:delete_object, [object]}},
      {2, {:delete_all_objects, []}},
      {8, {:update_counter, [key, Commands.counter()]}},
      {5, {:update_counter, [key, Commands.counter(), object]}},
      {4, {:update_element, [key, Commands.elements_to_set()]}},
      {3, {:update_element, [key, Commands.elements_to_set(), object]}},
      {1, {:delete, []}},
      {2, {:first, []}},
      {2, {:last, []}},
      {2, {:next, [key]}},
      {2, {:prev, [key]}}
    ]
  end

  # Commands that meet each key at a time of its own.
  defp searches do
    spec = SpecGen.spec()

    [
      {2, {:tab2list, []}},
      {3, {:select, [spec]}},
      {1, {:select_reverse, [spec]}},
      {2, {:match_object, [SpecGen.pattern()]}},
      {2, {:select_count, [spec]}}
    ]
  end

  # Such that write. In the bags each object is one for itself, which is not modelled.
  defp sweeps do
    [
      {3, {:select_delete, [SpecGen.spec()]}},
      {3, {:select_replace, [SpecGen.replacing()]}},
      {2, {:match_delete, [SpecGen.pattern()]}}
    ]
  end
end
