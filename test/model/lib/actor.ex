defmodule Etsunami.Model.Actor do
  @moduledoc """
  A process of a program: it owns tables, calls functions, inherits, and dies.

  Each command is called on both sides by the same actor, first on the model.
  """

  alias Etsunami.Model.Step

  @doc "Starts an actor that knows the keys of the program."
  @spec start([term]) :: pid
  def start(pool) do
    pool = List.to_tuple(pool)
    spawn(fn -> serve(pool, []) end)
  end

  @doc "Lets an actor take a step and returns what the step says of itself."
  def step(actor, command, context), do: ask(actor, {:step, command, context})

  @doc "Lets an actor run a function, which is given the keys of the program."
  def run(actor, function), do: ask(actor, {:run, function})

  @doc "The messages about tables that the actor has received since it was asked last."
  def mail(actor), do: ask(actor, :mail)

  defp ask(actor, request) do
    monitor = Process.monitor(actor)
    send(actor, {self(), monitor, request})

    receive do
      {^monitor, answer} ->
        Process.demonitor(monitor, [:flush])
        answer

      {:DOWN, ^monitor, :process, ^actor, reason} ->
        exit({:actor_died, reason})
    after
      120_000 -> exit({:actor_hangs, Process.info(actor, :current_stacktrace)})
    end
  end

  @doc "Ends an actor and waits for its end."
  def kill(actor) do
    monitor = Process.monitor(actor)
    Process.exit(actor, :kill)

    receive do
      {:DOWN, ^monitor, :process, ^actor, _reason} -> :ok
    end
  end

  defp serve(pool, mail) do
    receive do
      {from, reference, :mail} ->
        send(from, {reference, Enum.reverse(mail)})
        serve(pool, [])

      {from, reference, {:step, command, context}} ->
        send(from, {reference, Step.take(command, context, pool)})
        serve(pool, mail)

      {from, reference, {:run, function}} ->
        send(from, {reference, function.(pool)})
        serve(pool, mail)

      {:"ETS-TRANSFER", _table, _from, _data} = transfer ->
        serve(pool, [transfer | mail])
    end
  end
end
