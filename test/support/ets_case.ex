defmodule Etsunami.EtsCase do
  @moduledoc """
  Tests that hold for `:ets` and for `Etsunami`, for each type of table and for many options.

      use Etsunami.EtsCase

      table_test "an object can be found", %{ets: ets, table: table} do
        ets.insert(table, {:key, 1})
        assert ets.lookup(table, :key) == [{:key, 1}]
      end

  becomes one test per module and type; each goes over the variants of `variants/0` (an
  `ordered_set` of `Etsunami` over those with its second engine, too) and gets a fresh table for
  each of them. Options of `table_test/3` are

    * `:types` - the types it is about, all four by default
    * `:variants` - the options to go over, those of `variants/0` by default
    * `:differs` - the name of a difference from `differences.exs`: where it applies, the test
      is an expectation for `Etsunami` alone
    * `:needs` - a list of functions, as `{name, arity}`, that `:ets` must have to take part

  When a test has ended, no table may be left over.
  """

  use ExUnit.CaseTemplate

  alias Etsunami.Differences

  @types [:set, :ordered_set, :bag, :duplicate_bag]

  using do
    quote do
      import Etsunami.EtsCase
    end
  end

  @doc """
  Defines tests as the module describes it.
  """
  defmacro table_test(title, options \\ [], context, do: body) do
    quote bind_quoted: [
            title: title,
            options: options,
            context: Macro.escape(context),
            line: __CALLER__.line,
            body: Macro.escape(body, unquote: true)
          ] do
      function = :"table test #{title}, line #{line}"
      defp unquote(function)(unquote(context)), do: unquote(body)

      for ets <- Etsunami.EtsCase.modules(options), type <- Etsunami.EtsCase.types(options) do
        @tag subject: ets
        @tag table_type: type
        test "#{title} (#{inspect(ets)}, #{type})" do
          variants = unquote(options[:variants] || Etsunami.EtsCase.variants())

          Etsunami.EtsCase.each_variant(
            unquote(ets),
            unquote(type),
            variants,
            &unquote(function)(&1)
          )
        end
      end
    end
  end

  @doc false
  def types(options), do: Keyword.get(options, :types, @types)

  @doc """
  The modules that a test is for.
  """
  def modules(options) do
    differs? = options |> Keyword.take([:differs]) |> Keyword.values() |> Enum.any?(&differs?/1)
    lacks? = options |> Keyword.get(:needs, []) |> Enum.any?(&lacks?/1)
    if differs? or lacks?, do: [Etsunami], else: [:ets, Etsunami]
  end

  defp differs?(name), do: Differences.applies?(name)

  defp lacks?({function, arity}) do
    Code.ensure_loaded!(:ets)
    Differences.missing_function?(function, arity)
  end

  @doc """
  The options that each test is run with.
  """
  def variants do
    [
      [],
      [:public],
      [:private],
      [:named_table],
      [:public, write_concurrency: true, read_concurrency: true],
      [:public, write_concurrency: :auto, decentralized_counters: false],
      [:compressed]
    ]
  end

  @doc """
  The same options with the second engine of an `ordered_set`, where there is one.
  """
  def with_engines(variants, Etsunami, :ordered_set) do
    variants ++ Enum.map(variants, &(&1 ++ [engine: :skip_list]))
  end

  def with_engines(variants, _ets, _type), do: variants

  @doc false
  def each_variant(ets, type, variants, test) do
    for variant <- with_engines(variants, ets, type) do
      before = tables(ets)
      run(ets, type, variant, test)
      assert tables(ets) == before, "tables are left over with #{inspect(variant)}"
    end
  end

  defp run(ets, type, variant, test) do
    context = %{ets: ets, type: type, options: [type | variant]}
    table = new_table(context)

    try do
      test.(Map.put(context, :table, table))
    rescue
      error in [ExUnit.AssertionError] ->
        message = "#{error.message}\n(options: #{inspect(variant)})"
        reraise %{error | message: message}, __STACKTRACE__
    after
      if ets.info(table) != :undefined and ets.info(table, :owner) == self() do
        ets.delete(table)
      end
    end
  end

  # Other processes of the node have tables in `:ets`, too.
  defp tables(:ets) do
    :ets.all() |> Enum.filter(&(:ets.info(&1, :owner) == self())) |> Enum.sort()
  end

  defp tables(ets), do: Enum.sort(ets.all())

  @doc """
  One more table like that of the context, with additional options.
  """
  def new_table(context, options \\ []) do
    context.ets.new(unique_name(), context.options ++ options)
  end

  @doc """
  A name that no table has.
  """
  def unique_name, do: :"table#{System.unique_integer([:positive])}"

  @doc """
  The objects of a table in an order that does not depend on its type.
  """
  def contents(ets, table), do: table |> ets.tab2list() |> Enum.sort()

  @doc """
  Runs a function in a new process and returns its result when that process has ended.
  """
  def in_process(function) do
    parent = self()
    reference = make_ref()

    {pid, monitor} = spawn_monitor(fn -> send(parent, {reference, catch_all(function)}) end)

    receive do
      {:DOWN, ^monitor, :process, ^pid, :normal} -> :ok
    end

    receive do
      {^reference, {:ok, result}} -> result
      {^reference, {:raised, kind, reason, stack}} -> :erlang.raise(kind, reason, stack)
    end
  end

  defp catch_all(function) do
    {:ok, function.()}
  catch
    kind, reason -> {:raised, kind, reason, __STACKTRACE__}
  end

  @doc """
  Starts a process that runs functions on demand, see `ask/2`, until it is ended by `stop/1`.
  """
  def start_helper, do: spawn(&serve/0)

  defp serve do
    receive do
      {:ask, from, reference, function} ->
        send(from, {reference, catch_all(function)})
        serve()

      :stop ->
        :ok
    end
  end

  @doc """
  Lets a helper run a function, and returns the result.
  """
  def ask(helper, function) do
    reference = make_ref()
    send(helper, {:ask, self(), reference, function})

    receive do
      {^reference, {:ok, result}} -> result
      {^reference, {:raised, kind, reason, stack}} -> :erlang.raise(kind, reason, stack)
    after
      60_000 -> raise "the helper process does not answer"
    end
  end

  @doc """
  Ends a helper, and returns when its end has been seen.
  """
  def stop(helper, how \\ :normal) do
    monitor = Process.monitor(helper)
    if how == :normal, do: send(helper, :stop), else: Process.exit(helper, how)

    receive do
      {:DOWN, ^monitor, :process, ^helper, _reason} -> :ok
    end
  end

  @doc """
  Asserts that a call fails with `badarg`.
  """
  defmacro assert_badarg(expression) do
    quote do
      assert_raise ArgumentError, fn -> unquote(expression) end
    end
  end
end
