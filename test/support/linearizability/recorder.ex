defmodule Linearizability.Recorder do
  @moduledoc """
  Lets several processes run their operations on one table, and records the history.

  A list is padded with objects of keys that nobody asks for, at times so many that the insert
  cannot be done without giving up the scheduler: the moment at which a torn list would show. So
  that others are still there in this moment, the processes pause between their operations.
  """

  alias Linearizability.Event

  @paddings [0, 0, 0, 20, 50, 1000]
  # Before an operation, in microseconds; what a history draws from.
  @pauses [[0], [0, 0, 5, 20], [0, 0, 0, 1, 5, 20, 100]]

  @doc """
  Runs a list of operations for each process at once, on an empty table of `module`, or on tables that
  the operations name (`Linearizability.Names`) and make with the options.
  """
  @spec record(module, :ets.table() | nil, [[Event.operation()]], list) :: [Event.t()]
  def record(module, table, programs, options \\ []) do
    gate = :atomics.new(2, [])
    pauses = Enum.random(@pauses)

    tasks =
      for {program, process} <- Enum.with_index(programs, 1) do
        padded = Enum.map(program, &{&1, Enum.random(@paddings), Enum.random(pauses)})

        Task.async(fn ->
          peers = receive do: ({:peers, peers} -> peers)
          # Outside of the measured time: a list is made before it is inserted.
          calls =
            for {operation, padding, pause} <- padded,
                do: {operation, call(operation, padding, table, options, peers), 1000 * pause}

          :atomics.add(gate, 1, 1)
          wait(gate, length(programs))
          events = Enum.map(calls, &event(&1, process, module))
          # Those that own tables outlive all operations.
          :atomics.add(gate, 2, 1)
          rest(gate, length(programs))
          events
        end)
      end

    peers = tasks |> Enum.map(& &1.pid) |> List.to_tuple()
    for task <- tasks, do: send(task.pid, {:peers, peers})
    tasks |> Task.await_many(:infinity) |> Enum.concat()
  end

  defp rest(gate, processes) do
    if :atomics.get(gate, 2) < processes do
      :erlang.yield()
      rest(gate, processes)
    end
  end

  # Awake and without yielding, so that the processes spread over the schedulers and go on in
  # the same moment: an operation takes less than a microsecond.
  defp wait(gate, processes) do
    if :atomics.get(gate, 1) < processes, do: wait(gate, processes)
  end

  defp pause(nanoseconds), do: spin_until(System.monotonic_time(:nanosecond) + nanoseconds)

  defp spin_until(time), do: if(System.monotonic_time(:nanosecond) < time, do: spin_until(time))

  defp event({operation, {name, arguments}, pause}, process, module) do
    if pause > 0, do: pause(pause)
    invoked = System.monotonic_time()
    result = result(module, name, arguments)
    responded = System.monotonic_time()

    %Event{
      process: process,
      operation: operation,
      result: result,
      invoked: invoked,
      responded: responded
    }
  end

  defp result(module, :whereis, arguments) do
    if apply(module, :whereis, arguments) == :undefined, do: :undefined, else: :table
  end

  defp result(module, name, arguments) do
    apply(module, name, arguments)
  rescue
    ArgumentError -> :badarg
  end

  # The function to call and all its arguments.
  defp call({:by, _process, name, operation}, padding, _table, options, peers) do
    case operation do
      {:new} -> {:new, [name, [:named_table, :public | options]]}
      {:delete_table} -> {:delete, [name]}
      {:protect, access} -> {:setopts, [name, {:protection, access}]}
      {:give, process} -> {:give_away, [name, elem(peers, process - 1), :gift]}
      operation -> call(operation, padding, name, options, peers)
    end
  end

  defp call(operation, padding, table, _options, _peers) do
    {name, arguments} = call(operation, padding)
    {name, [table | arguments]}
  end

  # The function to call and its arguments after the table.
  defp call({name, [_one] = objects}, _padding) when name in [:insert, :insert_new] do
    {name, [objects]}
  end

  defp call({name, objects}, padding) when name in [:insert, :insert_new] do
    {name, [pad(objects, padding)]}
  end

  defp call({:update_counter, key, increment, default}, _padding) do
    {:update_counter, [key, increment, {key, default}]}
  end

  defp call({:select_delete, key, bound}, _padding) do
    {:select_delete, [[{{key, :"$1"}, [{:<, :"$1", bound}], [true]}]]}
  end

  defp call({:select_replace, key, increment}, _padding) do
    {:select_replace, [[{{key, :"$1"}, [], [{{key, {:+, :"$1", increment}}}]}]]}
  end

  defp call({:first, _any}, _padding), do: {:first, []}

  defp call(operation, _padding) do
    [name | arguments] = Tuple.to_list(operation)
    {name, arguments}
  end

  # Keys that no other list has, so that insert_new does not fail because of them; they stand
  # between the others in order.
  defp pad(objects, count) do
    Enum.flat_map(objects, fn {key, _} = object ->
      [object | for(_ <- 1..count//1, do: {key + :rand.uniform(), 0})]
    end)
  end
end
