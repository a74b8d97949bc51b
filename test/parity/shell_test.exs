defmodule Etsunami.Parity.ShellTest do
  # What i/0,1,2,3 print, and what they do when they are told so.
  use Etsunami.EtsCase, async: false

  import ExUnit.CaptureIO, only: [capture_io: 1]

  alias Etsunami.Terminal

  @moduletag :library

  # What is typed at the prompts.
  @sessions [
    [],
    ["q"],
    ["c", "q"],
    ["", "", "", "", "q"],
    ["c", "c", "c", "c", "c", "c", "c", "q"],
    ["p1", "p2", "p12", "p0", "p-1", "p+3", "p", "pp", "p1 ", "p1x", "q"],
    ["c", "p4", "c", "c", "c", "c", "c", "p4", "q"],
    ["/a{3}", "q"],
    ["/b", "c", "p2", "p9", "c", "c", "c", "c", "q"],
    ["/nothing", "c", "p1", "q"],
    ["/[", "/(", "/b", "/a", "c", "q"],
    ["x", "quit", "Q", "k ", "q"],
    ["/", "c", "c", "q"],
    ["/ä", "q"],
    ["k"],
    ["c", "k"],
    ["/b", "k"]
  ]

  test "the browser shows and asks the same" do
    for type <- [:set, :ordered_set, :bag, :duplicate_bag], session <- @sessions do
      objects = if type == :ordered_set, do: objects(), else: one_key(type)

      for size <- [[], [4], [1], [5, 40], [3, 13], [100, 30]] do
        [theirs, ours] =
          for ets <- [:ets, Etsunami], do: browse(ets, type, objects, session, size)

        assert ours == theirs, "typed #{inspect(session)} at #{inspect(ours)}\n#{inspect(theirs)}"
      end
    end
  end

  # A difference: `:browser_expression_end`.
  test "a regular expression may end in a dollar sign" do
    objects = [{1, 2}, {2, :b}, {3, 2}]
    {:ok, printed, true} = browse(Etsunami, :ordered_set, objects, ["/2}$", "q"], [])
    assert printed =~ "{3,2}"
    refute printed |> String.split("-->") |> List.last() =~ "{2,b}"
    {:ok, printed, true} = browse(Etsunami, :ordered_set, objects, ["/{2$", "q"], [])
    refute printed |> String.split("-->") |> Enum.at(1) =~ "{2,b}"
  end

  defp objects do
    [{1}, {2, :ä}, {:日本, "b"}, {"x", ~c"text"}, {:b, [1, 2, [3]]}] ++
      for n <- 1..9, do: {[n], String.duplicate("ab", n * 4), String.duplicate("a", n)}
  end

  # Of the other types only objects of one key have an order.
  defp one_key(:set), do: [{:key, "abab", ~c"b", %{aaa: 1}}]
  defp one_key(_bag), do: for(n <- 1..7, do: {:key, n, String.duplicate("ab", n * 6)})

  # What was returned, what was printed, the prompts included, and whether there is a table still.
  defp browse(ets, type, objects, session, size) do
    table = ets.new(:table, [type])
    # :ets had its own idea of the order of a list.
    for object <- objects, do: ets.insert(table, object)
    {returned, printed} = Terminal.run(session, fn -> apply(ets, :i, [table | size]) end)
    there? = ets.info(table) != :undefined
    if there?, do: ets.delete(table)
    {returned, printed, there?}
  end

  table_test "wants a table that can be read", [variants: [[]]], %{ets: ets, type: type} do
    helper = start_helper()
    private = ask(helper, fn -> ets.new(:table, [type, :private]) end)

    for table <- [:no_such_table, private, 1], size <- [[], [1], [:high, :wide]] do
      assert {:badarg, ""} = Terminal.run(["q"], fn -> failure(ets, [table | size]) end)
    end

    protected = ask(helper, fn -> ets.new(:table, [type]) end)
    assert {:badarg, _prompt} = Terminal.run(["k"], fn -> failure(ets, [protected]) end)
    stop(helper)
  end

  defp failure(ets, arguments) do
    apply(ets, :i, arguments)
  catch
    :error, reason -> reason
  end

  test "a terminal that fails ends the browser" do
    table = Etsunami.new(:table, [])
    assert {:ok, _prompt} = Terminal.run([{:error, :terminated}], fn -> Etsunami.i(table) end)
    Etsunami.delete(table)
  end

  test "the list of tables has the same lines" do
    [theirs, ours] =
      for ets <- [:ets, Etsunami] do
        ets.new(:shell_a, [:named_table, :bag])
        ets.new(:"shell_ä 日本", [:named_table, :ordered_set])
        ets.new(:shell_with_a_name_that_is_longer_than_its_column, [:named_table])
        unnamed = ets.new(:shell_unnamed, [:duplicate_bag])
        ets.insert(unnamed, for(n <- 1..12, do: {n}))
        Process.register(self(), :shell_owner)
        printed = capture_io(fn -> assert ets.i() == :ok end)
        Process.unregister(:shell_owner)
        anonymous = capture_io(fn -> ets.i() end)
        assert anonymous =~ List.to_string(:erlang.pid_to_list(self()))
        for table <- ets.all(), ets.info(table, :owner) == self(), do: ets.delete(table)
        lines(printed)
      end

    assert ours == theirs
    assert Enum.any?(ours, &(&1 =~ "shell_owner"))
  end

  # The head, and the lines of the tables above without their memory and the digits of references.
  defp lines(printed) do
    [head, line | tables] = String.split(printed, "\n")
    tables = for table <- tables, table =~ "shell_", do: hide(table)
    [head, line | Enum.sort(tables)]
  end

  defp hide(line) do
    line
    |> String.replace(~r/#Ref<[0-9.]*>/, "#Ref")
    |> String.replace(~r/( \d+ +)(\d+ *)( shell_owner)/, "\\1\\3")
  end
end
