defmodule Etsunami.Model.Sides do
  @moduledoc """
  Calls a function of the model (`:ets` as the newest release has it) or of the subject.
  """

  alias Etsunami.Model.Compound
  alias Etsunami.Newest

  @type side :: :model | :subject
  @type outcome :: {:ok, term} | {:raised, atom, term, explanation :: term}

  @doc "What comes of a call: a result, or an exception with what it says of its cause."
  @spec outcome(side, atom, [term]) :: outcome
  def outcome(side, function, arguments) do
    {:ok, run(side, function, arguments)}
  catch
    class, reason -> {:raised, class, without_stack(reason), explanation(reason, __STACKTRACE__)}
  end

  # An exception that was caught and raised again as an exit.
  defp without_stack({reason, [{_module, _function, _arguments, _info} | _]}),
    do: {reason, :stack}

  defp without_stack(reason), do: reason

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

  defp run(side, function, arguments) do
    if Compound.knows?(function, length(arguments)),
      do: Compound.run(side, function, arguments),
      else: call(side, function, arguments)
  end

  @doc "Calls a function of the subject, or what the newest `:ets` does."
  @spec call(side, atom, [term]) :: term
  def call(:subject, function, arguments), do: apply(Etsunami, function, arguments)

  def call(:model, function, arguments), do: Newest.call(function, arguments)
end
