defmodule Bench.Contender do
  @moduledoc """
  The measured loops, made once for each module from the same code.

  Both sides differ in the name of the module that they call and in nothing else; that name is a
  constant in the compiled code, as it is in a user's. The loops are part of what is measured, on
  both sides alike.
  """

  @doc "Makes the module `name` with loops that call `target`; returns its name."
  def create(name, target) do
    {:module, name, _, _} = Module.create(name, loops(target), Macro.Env.location(__ENV__))
    name
  end

  defp loops(target) do
    quote do
      def new(options), do: unquote(target).new(:bench, [:public | options])
      def delete(table), do: unquote(target).delete(table)

      def lookup(table, [{key, _} | rest]) do
        unquote(target).lookup(table, key)
        lookup(table, rest)
      end

      def lookup(_table, []), do: :ok

      def member(table, [{key, _} | rest]) do
        unquote(target).member(table, key)
        member(table, rest)
      end

      def member(_table, []), do: :ok

      def insert(table, [object | rest]) do
        unquote(target).insert(table, object)
        insert(table, rest)
      end

      def insert(_table, []), do: :ok

      def update_counter(table, [{key, _} | rest]) do
        unquote(target).update_counter(table, key, 1)
        update_counter(table, rest)
      end

      def update_counter(_table, []), do: :ok

      def remove(table, [{key, _} | rest]) do
        unquote(target).delete(table, key)
        remove(table, rest)
      end

      def remove(_table, []), do: :ok
    end
  end
end
