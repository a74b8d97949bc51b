defmodule Etsunami.ErrorInfo do
  @moduledoc false

  # What an exception of `Etsunami` says about the arguments (EEP 54).
  #
  # The sentences are those of `:ets`: the call is shown to the formatter of the standard library
  # as the call of `:ets` that it resembles, one that the running release knows.

  # Causes that `:ets` keeps to itself: there the arguments, or the only thing that is left, tell.
  @untold [
    next: :badkey,
    next_lookup: :badkey,
    prev: :badkey,
    prev_lookup: :badkey,
    lookup_element: :position,
    rename: :already_exists
  ]

  @doc """
  The `error_info` of an exception that a function raises for a cause.
  """
  @spec for_cause(atom, atom) :: %{required(:module) => module, optional(:cause) => atom}
  def for_cause(_function, :none), do: %{module: __MODULE__}
  def for_cause(function, cause) when {function, cause} in @untold, do: %{module: __MODULE__}

  def for_cause(:update_element, :position) do
    if tells_position?(), do: %{module: __MODULE__, cause: :position}, else: %{module: __MODULE__}
  end

  def for_cause(_function, cause), do: %{module: __MODULE__, cause: cause}

  @doc """
  Explains the exception of a call: which argument is wrong, and why.
  """
  @spec format_error(term, [tuple]) :: %{optional(pos_integer) => iodata}
  def format_error(:badarg, [{_module, function, args, info} | _callers]) when is_list(args) do
    explain(function, args, info)
  rescue
    # The formatter trips over a few malformed arguments, such as improper lists.
    _error -> %{}
  end

  def format_error(_reason, _stacktrace), do: %{}

  defp explain(:lookup_element, [table, key, position, _default], info) do
    as_ets(:lookup_element, [table, key, position], info)
  end

  # From OTP 27 on the formatter knows the function, and has its own idea of the third argument.
  defp explain(:update_element, [table, key, spec, default] = args, info) do
    if tells_position?() do
      as_ets(:update_element, args, info)
    else
      case as_ets(:update_element, [table, key, spec], info) do
        %{1 => _table} = errors -> errors
        errors -> explain_default(errors, default)
      end
    end
  end

  # The text is that of the function that `:ets` has behind these.
  defp explain(:select_delete, args, info), do: as_ets(:internal_select_delete, args, info)

  defp explain(:match_delete, [table, pattern], info) do
    as_ets(:internal_select_delete, [table, [{pattern, [], [true]}]], info)
  end

  defp explain(:explain, args, info), do: as_ets(:select, args, info)

  defp explain(:next_lookup, args, info), do: as_ets(:next, args, info)
  defp explain(:prev_lookup, args, info), do: as_ets(:prev, args, info)

  defp explain(fold, [_function, _acc, table], info) when fold in [:foldl, :foldr] do
    for {1, error} <- as_ets(:first, [table], info), into: %{}, do: {3, error}
  end

  defp explain(function, args, info), do: as_ets(function, args, info)

  # OTP 27 brought `update_element/4`, and with it a cause of its own for positions.
  defp tells_position?, do: function_exported?(:ets, :update_element, 4)

  # A default that is no object is itself the error. The range of positions says nothing then.
  defp explain_default(errors, default) when tuple_size(default) > 0, do: errors

  defp explain_default(errors, default) do
    as_object = as_ets(:delete_object, [:none, default], [])
    errors |> Map.delete(3) |> Map.put(4, Map.fetch!(as_object, 2))
  end

  defp as_ets(function, args, info) do
    :erl_stdlib_errors.format_error(:badarg, [{:ets, function, args, info}])
  end
end
