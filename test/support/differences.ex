defmodule Etsunami.Differences do
  @moduledoc """
  The accepted differences between `Etsunami` and the running `:ets`, from `differences.exs`.
  """

  @file_name Path.join(__DIR__, "differences.exs")
  @external_resource @file_name
  @all @file_name |> Code.eval_file() |> elem(0)

  @doc """
  All of them, whether they apply to the running release or not.
  """
  def all, do: @all

  @doc """
  Whether the running `:ets` differs in this point.
  """
  def applies?(name) do
    case Enum.find(@all, &(&1.name == name)) do
      %{before: :never} -> true
      %{before: version} -> Version.compare(runtime_version(), version) == :lt
    end
  end

  @doc """
  Whether `:ets` lacks a function that `Etsunami` has.
  """
  def missing_function?(function, arity) do
    not function_exported?(:ets, function, arity)
  end

  # The version of the runtime system has two to five numbers.
  defp runtime_version do
    numbers =
      :version
      |> :erlang.system_info()
      |> to_string()
      |> String.split(["-", "."])
      |> Enum.flat_map(fn part ->
        case Integer.parse(part) do
          {number, ""} -> [number]
          _not_a_number -> []
        end
      end)

    (numbers ++ [0, 0]) |> Enum.take(3) |> Enum.join(".")
  end
end
