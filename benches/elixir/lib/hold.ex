defmodule Bench.Hold do
  @moduledoc """
  How long one process keeps a normal scheduler while it runs a function.

  The virtual machine traces when the process is put on a scheduler and taken off it, and when it
  collects garbage. Stays on a dirty scheduler hold nobody up and are left out; the time of garbage
  collections is taken off, since it is the caller's heap that costs it.
  """

  @doc """
  Runs `fun` in a fresh process and returns the stays on normal schedulers in microseconds.

  `prepare` runs before in the same process, unobserved; `fun` gets its result.
  """
  def stays(prepare, fun) do
    tracer = spawn_link(fn -> collect([]) end)
    {pid, monitor} = spawn_monitor(fn -> observed(prepare, fun, tracer) end)

    receive do
      {:DOWN, ^monitor, :process, ^pid, reason} -> :normal = reason
    end

    delivered = :erlang.trace_delivered(pid)

    receive do
      {:trace_delivered, ^pid, ^delivered} -> :ok
    end

    send(tracer, {:events, self()})

    receive do
      {:events, events} -> events |> Enum.reverse() |> durations()
    end
  end

  # The measured call begins and ends with a message, so that its first and last stay are its own.
  defp observed(prepare, fun, tracer) do
    prepared = prepare.()
    :erlang.garbage_collect()
    flags = [:running, :scheduler_id, :garbage_collection, :monotonic_timestamp]
    :erlang.trace(self(), true, [{:tracer, tracer} | flags])
    :erlang.yield()
    fun.(prepared)
    :erlang.yield()
    :erlang.trace(self(), false, [:all])
  end

  defp collect(events) do
    receive do
      {:events, to} -> send(to, {:events, events})
      event -> collect([event | events])
    end
  end

  defp durations(events) do
    {stays, _in, _gc} = Enum.reduce(events, {[], nil, {nil, 0}}, &step/2)
    for stay <- stays, do: System.convert_time_unit(stay, :native, :nanosecond) / 1000
  end

  defp step({:trace_ts, _, :in, _mfa, scheduler, time}, {stays, _, _}) do
    {stays, {scheduler, time}, {nil, 0}}
  end

  defp step({:trace_ts, _, :out, _mfa, _scheduler, time}, {stays, {scheduler, since}, {_, gc}}) do
    if scheduler == 0,
      do: {stays, nil, {nil, 0}},
      else: {[time - since - gc | stays], nil, {nil, 0}}
  end

  defp step({:trace_ts, _, start, _info, _scheduler, time}, {stays, entered, {nil, sum}})
       when start in [:gc_minor_start, :gc_major_start] do
    {stays, entered, {time, sum}}
  end

  defp step({:trace_ts, _, finish, _info, _scheduler, time}, {stays, entered, {since, sum}})
       when finish in [:gc_minor_end, :gc_major_end] and since != nil do
    {stays, entered, {nil, sum + time - since}}
  end

  defp step(_event, state), do: state
end
