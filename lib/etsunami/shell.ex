defmodule Etsunami.Shell do
  @moduledoc false

  # Tables on the terminal: the list of `i/0`, and the browser of `i/1`, which shows a page of
  # objects and asks what to do next.

  @end_of_table :"$end_of_table"
  @widths [15, 17, 5, 6, 8]
  @line " -------------------------------------" <>
          "---------------------------------------\n"

  # The browser: what it shows, how many lines make a page, which part of a line is shown, and the
  # expression that objects have to match.
  defstruct [:ets, :table, :height, :width, :expression]

  # The list of tables

  @doc """
  Prints one line for each table of the module `ets`.
  """
  @spec list(module) :: :ok
  def list(ets) do
    print_row([:id, :name, :type, :size, :mem, :owner])
    :io.put_chars(@line)
    ets.all() |> Enum.sort() |> Enum.each(&print_table(ets, &1))
  end

  defp print_table(ets, table) do
    [name, type, size, memory, owner] =
      for item <- [:name, :type, :size, :memory, :owner], do: ets.info(table, item)

    print_row([table, name, type, size, memory, registered_name(owner)])
  rescue
    # It has been deleted meanwhile.
    _error -> :io.format(~c"~-10s ... unreadable \n", [text(table)])
  end

  defp registered_name(owner) do
    case :erlang.process_info(owner, :registered_name) do
      {:registered_name, name} -> name
      _none -> owner
    end
  end

  # What is wider than its column moves the others to the right.
  defp print_row(cells) do
    {columns, [last]} = cells |> Enum.map(&text/1) |> Enum.split(-1)
    padded = Enum.zip_with(columns, @widths, &:string.pad/2)
    :io.format(~c" ~s ~s ~s ~s ~s ~s\n", padded ++ [last])
  end

  # The browser

  @doc """
  Shows the objects of a table of the module `ets`, page by page.
  """
  @spec browse(module, :ets.table(), pos_integer, pos_integer) :: :ok
  def browse(ets, table, height, width) do
    browser = %__MODULE__{ets: ets, table: table, height: height, width: width}
    show(browser, ets.first(table), 1, 1)
  end

  # Shows from a key on; `line` counts the lines of the page, `number` those that were shown.
  defp show(browser, key, line, number) when key != @end_of_table and line < browser.height do
    show_key(browser, key, line, number)
  end

  defp show(browser, key, line, number), do: ask(browser, key, line, number)

  defp show_key(browser, key, line, number) do
    shown = browser |> objects(key) |> Enum.with_index(number)
    for {object, number} <- shown, do: print_object(object, number, browser.width)
    count = length(shown)
    show(browser, browser.ets.next(browser.table, key), line + count, number + count)
  end

  defp objects(%{ets: ets, table: table, expression: expression}, key) do
    objects = ets.lookup(table, key)
    if expression, do: Enum.filter(objects, &matches?(&1, expression)), else: objects
  end

  defp matches?(object, expression) do
    :re.run(text(object), expression, capture: :none) == :match
  end

  defp print_object(object, number, width) do
    text = text(object)

    text =
      if length(text) > width - 8, do: :string.slice(text, 0, width - 13) ++ ~c"  ...", else: text

    :io.format(~c"<~-4w> ~s~n", [number, text])
  end

  # The questions

  defp ask(browser, key, line, number) do
    case key |> prompt() |> :io.get_line() |> line() do
      continue when continue in [~c"c\n", ~c"\n"] ->
        show_more(browser, key, number)

      ~c"q\n" ->
        :ok

      ~c"k\n" ->
        browser.ets.delete(browser.table)
        :ok

      [?p | digits] ->
        print_numbered(browser, digits)
        ask(browser, key, line, number)

      [?/ | expression] ->
        search(browser, expression, key, line, number)

      ended when ended == :eof or is_tuple(ended) ->
        :ok

      _not_understood ->
        ask(browser, key, line, number)
    end
  end

  # At least one key is shown, however low a page is, unless it has to be searched for.
  defp show_more(%{expression: nil} = browser, key, number) when key != @end_of_table do
    show_key(browser, key, 1, number)
  end

  defp show_more(browser, key, number), do: show(browser, key, 1, number)

  defp prompt(@end_of_table), do: ~c"EOT  (q)uit (p)Digits (k)ill /Regexp -->"
  defp prompt(_key), do: ~c"(c)ontinue (q)uit (p)Digits (k)ill /Regexp -->"

  defp line(line) when is_binary(line), do: String.to_charlist(line)
  defp line(line), do: line

  defp search(browser, expression, key, line, number) do
    case :re.compile(:string.trim(expression, :trailing, ~c"\n"), [:unicode]) do
      {:ok, expression} ->
        show(%{browser | expression: expression}, browser.ets.first(browser.table), 1, 1)

      {:error, {message, _position}} ->
        :io.format(~c"~ts\n", [message])
        ask(browser, key, line, number)
    end
  end

  defp print_numbered(browser, digits) do
    case :string.to_integer(:string.trim(digits, :trailing, ~c"\n")) do
      {number, []} -> print_numbered_from(browser, browser.ets.first(browser.table), number)
      _no_number -> :io.put_chars(~c"Bad digits\n")
    end
  end

  defp print_numbered_from(_browser, @end_of_table, _number), do: :ok

  defp print_numbered_from(browser, key, number) do
    objects = objects(browser, key)

    case number - length(objects) do
      rest when rest > 0 ->
        print_numbered_from(browser, browser.ets.next(browser.table, key), rest)

      _here ->
        if number > 0, do: :io.format(~c"~p~n", [Enum.at(objects, number - 1)])
    end
  end

  defp text(term), do: ~c"~p" |> :io_lib.format([term]) |> :lists.flatten()
end
