defmodule Bench.Contender do
  @moduledoc """
  The measured loops, made once for each module from the same code.

  Both sides differ in the name of the module that they call and in nothing else; that name is a
  constant in the compiled code, as it is in a user's. The loops are part of what is measured, on
  both sides alike.
  """

  # Loops over a list: their name, the function that is called for each element, its arguments.
  # `object` is the element, `key` its first component, `second` its second one, `extra` the same for
  # all elements.
  @loops [
    {:lookup, :lookup, [:table, :key]},
    {:member, :member, [:table, :key]},
    {:lookup_element, :lookup_element, [:table, :key, 2]},
    {:insert, :insert, [:table, :object]},
    {:remove, :delete, [:table, :key]},
    {:take, :take, [:table, :key]},
    {:delete_object, :delete_object, [:table, :object]},
    {:match_object, :match_object, [:table, :object]},
    {:update_counter, :update_counter, [:table, :key, :extra]},
    {:update_element, :update_element, [:table, :key, :extra]},
    {:counters, :update_counter, [:table, :key, :second]},
    {:counters_or, :update_counter, [:table, :key, :second, {:{}, [], [:default, 0, 0, 0, 0]}]},
    {:elements, :update_element, [:table, :key, :second]},
    {:next, :next, [:table, :key]}
  ]

  @doc "Makes the module `name` with loops that call `target`; returns its name."
  def create(name, target) do
    contents = [
      tables(target),
      for({loop, function, arguments} <- @loops, do: loop(target, loop, function, arguments)),
      whole_table(target),
      walk(target),
      fill(target),
      mixed(target),
      timed(target),
      stalled(target)
    ]

    # The one of an earlier run goes without a warning.
    :code.delete(name)
    :code.purge(name)
    {:module, name, _, _} = Module.create(name, contents, Macro.Env.location(__ENV__))
    name
  end

  @doc "Makes both sides of a comparison with `module`; `:ets` is the first."
  def both(module) do
    {create(Bench.Side.Ets, :ets), create(Bench.Side.Other, module)}
  end

  defp tables(target) do
    quote do
      def new(options), do: unquote(target).new(:bench, [:public | options])
      def delete(table), do: unquote(target).delete(table)
      def create_and_drop(_options, 0), do: :ok

      def create_and_drop(options, times) do
        table = unquote(target).new(:bench, options)
        unquote(target).insert(table, {1, 1})
        unquote(target).delete(table)
        create_and_drop(options, times - 1)
      end
    end
  end

  defp loop(target, name, function, arguments) do
    [table, object, rest, extra] = Macro.generate_arguments(4, __MODULE__)
    key = quote do: :erlang.element(1, unquote(object))
    second = quote do: :erlang.element(2, unquote(object))
    named = %{table: table, object: object, key: key, second: second, extra: extra}
    arguments = for argument <- arguments, do: Map.get(named, argument, argument)
    more = for argument <- arguments, argument == extra, do: extra
    unused = for _ <- more, do: quote(do: _)

    quote do
      def unquote(name)(unquote(table), [unquote(object) | unquote(rest)], unquote_splicing(more)) do
        unquote(target).unquote(function)(unquote_splicing(arguments))
        unquote(name)(unquote(table), unquote(rest), unquote_splicing(more))
      end

      def unquote(name)(_table, [], unquote_splicing(unused)), do: :ok
    end
  end

  defp whole_table(target) do
    quote do
      def select(table, spec), do: unquote(target).select(table, spec)
      def select_count(table, spec), do: unquote(target).select_count(table, spec)
      def select_delete(table, spec), do: unquote(target).select_delete(table, spec)
      def match_delete(table, pattern), do: unquote(target).match_delete(table, pattern)
      def tab2list(table), do: unquote(target).tab2list(table)
      def foldl(table), do: unquote(target).foldl(fn _object, count -> count + 1 end, 0, table)
      def delete_all_objects(table), do: unquote(target).delete_all_objects(table)

      def find(table, key), do: unquote(target).lookup(table, key)
      def size(table), do: unquote(target).info(table, :size)

      def sizes(_table, 0), do: :ok

      def sizes(table, times) do
        unquote(target).info(table, :size)
        sizes(table, times - 1)
      end
    end
  end

  defp walk(target) do
    quote do
      def walk(table), do: walk(table, unquote(target).first(table), 0)
      defp walk(_table, :"$end_of_table", count), do: count
      defp walk(table, key, count), do: walk(table, unquote(target).next(table, key), count + 1)
    end
  end

  # Objects {key, number} with the even keys below 2 * count in an order that looks like chance,
  # for tables of which no list can be kept: step has no divisor in common with count.
  defp fill(target) do
    quote do
      def fill(table, count, step), do: fill(table, count, step, 0)
      defp fill(_table, count, _step, count), do: :ok

      defp fill(table, count, step, number) do
        unquote(target).insert(table, {2 * rem(number * step, count), number})
        fill(table, count, step, number + 1)
      end
    end
  end

  # A list of keys, which are looked up, and of objects, which are inserted.
  defp mixed(target) do
    quote do
      def mixed(table, [object | rest]) when is_tuple(object) do
        unquote(target).insert(table, object)
        mixed(table, rest)
      end

      def mixed(table, [key | rest]) do
        unquote(target).lookup(table, key)
        mixed(table, rest)
      end

      def mixed(_table, []), do: :ok

      def hammer(_table, _key, 0), do: :ok

      def hammer(table, key, times) do
        unquote(target).update_counter(table, key, 1)
        hammer(table, key, times - 1)
      end
    end
  end

  # Like mixed; the nanoseconds of each call go into the array, those of inserts as negative
  # numbers.
  defp timed(target) do
    quote do
      def timed(table, list, array), do: timed(table, list, array, 1)

      defp timed(table, [object | rest], array, index) when is_tuple(object) do
        start = :erlang.monotonic_time(:nanosecond)
        unquote(target).insert(table, object)
        :atomics.put(array, index, start - :erlang.monotonic_time(:nanosecond) - 1)
        timed(table, rest, array, index + 1)
      end

      defp timed(table, [key | rest], array, index) do
        start = :erlang.monotonic_time(:nanosecond)
        unquote(target).lookup(table, key)
        :atomics.put(array, index, :erlang.monotonic_time(:nanosecond) - start)
        timed(table, rest, array, index + 1)
      end

      defp timed(_table, [], _array, _index), do: :ok
    end
  end

  # Looks keys up, again and again, until the flag is set, and returns the longest time of one
  # call and how many there were.
  defp stalled(target) do
    quote do
      def stalled(table, keys, flag), do: stalled(table, keys, keys, flag, 0, 0)

      defp stalled(table, [key | rest], keys, flag, longest, count) do
        start = :erlang.monotonic_time(:nanosecond)
        unquote(target).lookup(table, key)
        time = :erlang.monotonic_time(:nanosecond) - start
        longest = if time > longest, do: time, else: longest

        if :atomics.get(flag, 1) == 0,
          do: stalled(table, rest, keys, flag, longest, count + 1),
          else: {longest, count}
      end

      defp stalled(table, [], keys, flag, longest, count) do
        stalled(table, keys, keys, flag, longest, count)
      end
    end
  end
end
