defmodule Etsunami.Terminal do
  @moduledoc """
  A terminal for tests: it types lines, and keeps what is printed with the prompts.
  """

  @doc """
  Runs a function, and returns its result and what it has printed.

  The lines are typed one after the other, and then the input ends. Instead of a line there may be
  an answer of the device.
  """
  def run(lines, function) do
    leader = Process.group_leader()
    device = spawn_link(fn -> serve(lines, []) end)
    Process.group_leader(self(), device)

    try do
      result = function.()
      send(device, {:printed, self()})
      receive do: ({^device, printed} -> {result, printed})
    after
      Process.group_leader(self(), leader)
      Process.unlink(device)
      Process.exit(device, :kill)
    end
  end

  defp serve(lines, printed) do
    receive do
      {:io_request, from, reference, request} ->
        {reply, lines, more} = answer(request, lines)
        send(from, {:io_reply, reference, reply})
        serve(lines, [printed | more])

      {:printed, from} ->
        send(from, {self(), IO.chardata_to_string(printed)})
        serve(lines, printed)
    end
  end

  defp answer({:put_chars, _encoding, chars}, lines), do: {:ok, lines, chars(chars)}

  defp answer({:put_chars, _encoding, module, function, arguments}, lines) do
    {:ok, lines, chars(apply(module, function, arguments))}
  end

  defp answer({:get_line, _encoding, prompt}, lines) do
    {line, lines} = List.pop_at(lines, 0, :eof)
    {typed(line), lines, chars(:io_lib.format("~ts", [prompt])) ++ ["\n"]}
  end

  defp typed(line) when is_binary(line), do: String.to_charlist(line <> "\n")
  defp typed(answer), do: answer

  defp chars(chars), do: [IO.chardata_to_string(chars)]
end
