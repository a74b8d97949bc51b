defmodule Etsunami.Fun2ms.Fault do
  @moduledoc false

  # Compile errors that point to the line of what is wrong.

  @doc """
  Raises a compile error about a quoted expression.
  """
  @spec raise(Macro.Env.t(), Macro.t(), String.t()) :: no_return
  def raise(env, quoted, description) do
    Kernel.raise(CompileError,
      file: env.file,
      line: line(quoted) || env.line,
      description: description
    )
  end

  @doc """
  Expands a macro as far as it goes; what the macro complains about becomes a compile error too.
  """
  @spec expand(Macro.t(), Macro.Env.t()) :: Macro.t()
  def expand(quoted, env) do
    Macro.expand(quoted, %{env | line: line(quoted) || env.line})
  rescue
    error in [ArgumentError, FunctionClauseError] ->
      raise(env, quoted, Exception.message(error))
  end

  # The line of the first part that has one.
  defp line(quoted) do
    {_quoted, line} =
      Macro.prewalk(quoted, nil, fn
        {_form, meta, _arguments} = part, nil when is_list(meta) -> {part, meta[:line]}
        part, line -> {part, line}
      end)

    line
  end
end
