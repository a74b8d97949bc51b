defmodule Etsunami.Model.Sides do
  @moduledoc """
  Calls a function of the model (`:ets` as the newest release has it) or of the subject.

  A command may also be one of several calls that mean something only together:

    * `:walk` - from the first key to the last one, `:walk_back`, `:walk_lookup` and
      `:walk_lookup_back` likewise
    * `:slots` - the objects of all slots
    * `:drain` - a search in chunks, to its end
  """

  alias Etsunami.Newest

  @stop :"$end_of_table"
  @walks %{
    walk: {:first, :next},
    walk_back: {:last, :prev},
    walk_lookup: {:first_lookup, :next_lookup},
    walk_lookup_back: {:last_lookup, :prev_lookup}
  }

  @type side :: :model | :subject
  @type outcome :: {:ok, term} | {:raised, atom, term, explanation :: term}

  @doc "What comes of a call: a result, or an exception with what it says of its cause."
  @spec outcome(side, atom, [term]) :: outcome
  def outcome(side, function, arguments) do
    {:ok, run(side, function, arguments)}
  catch
    class, reason -> {:raised, class, reason, explanation(reason, __STACKTRACE__)}
  end

  # Only an exception that is raised from the function itself explains its arguments.
  defp explanation(reason, [{module, function, arguments, info} | _] = stack)
       when module in [:ets, Etsunami] and is_list(arguments) do
    with %{} = error <- info[:error_info] do
      formatter = Map.get(error, :module, module)
      texts = formatter.format_error(reason, stack)
      texts = Map.new(texts, fn {place, text} -> {place, IO.chardata_to_string(text)} end)
      {function, length(arguments), error[:cause], texts}
    end
  catch
    # The formatter of the standard library trips over a few malformed arguments.
    :error, _reason when module == :ets -> nil
  end

  defp explanation(_reason, _stack), do: nil

  defp run(side, walk, [table]) when is_map_key(@walks, walk) do
    {first, next} = @walks[walk]
    walk(side, next, table, call(side, first, [table]))
  end

  defp run(side, :slots, [table]), do: slots(side, table, 0)

  defp run(side, :drain, [function | arguments]) do
    drain(side, function, call(side, function, arguments))
  end

  defp run(side, function, arguments), do: call(side, function, arguments)

  defp walk(_side, _next, _table, @stop), do: []

  defp walk(side, next, table, {key, objects}) when next in [:next_lookup, :prev_lookup] do
    [{key, objects} | walk(side, next, table, call(side, next, [table, key]))]
  end

  defp walk(side, next, table, key), do: [key | walk(side, next, table, call(side, next, [table, key]))]

  defp slots(side, table, index) do
    case call(side, :slot, [table, index]) do
      @stop -> []
      objects -> objects ++ slots(side, table, index + 1)
    end
  end

  defp drain(_side, _function, @stop), do: []
  defp drain(_side, _function, {objects, @stop}), do: [objects]

  defp drain(side, function, {objects, continuation}) do
    [objects | drain(side, function, call(side, function, [continuation]))]
  end

  @doc "Calls a function of the subject, or what the newest `:ets` does."
  @spec call(side, atom, [term]) :: term
  def call(:subject, function, arguments), do: apply(Etsunami, function, arguments)

  def call(:model, function, arguments), do: Newest.call(function, arguments)
end
