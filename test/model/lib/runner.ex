defmodule Etsunami.Model.Runner do
  @moduledoc """
  Runs programs until there were enough commands, and shrinks the first one that differs.

  Each program has a seed of its own, made of the seed of the run and the program's number.
  """

  @compile {:no_warn_undefined, [:proper, :proper_gen, :proper_types]}

  alias Etsunami.Model.{Histogram, Parallel, Program}

  @size 20
  @limits [limit: 2000, printable_limit: 300, width: 98]

  @doc "Reads the settings from the environment, runs, prints, and ends the virtual machine."
  def main(environment) do
    seed = number(environment["SEED"]) || :rand.uniform(1_000_000)
    wanted = number(environment["COMMANDS"]) || 100_000
    only = number(environment["PROGRAM"])
    :logger.set_primary_config(:level, :none)
    IO.puts("Random programs with SEED=#{seed} COMMANDS=#{wanted}")
    directory = Path.join(System.tmp_dir!(), "etsunami-model-#{System.pid()}")
    File.mkdir_p!(directory)
    Process.put(:model_directory, directory)
    System.at_exit(fn _status -> File.rm_rf!(directory) end)
    if only, do: replay(seed, only), else: run(seed, wanted)
  end

  defp number(nil), do: nil
  defp number(""), do: nil
  defp number(text), do: String.to_integer(text)

  defp run(seed, wanted) do
    :proper.global_state_init_size_seed(@size, {seed, 0, 0})
    histogram = Histogram.new()
    generator = generators()
    started = System.monotonic_time(:millisecond)
    programs = programs(seed, 1, wanted, generator, histogram)
    seconds = (System.monotonic_time(:millisecond) - started) / 1000
    lacking = Histogram.report(histogram)
    IO.puts("#{programs} programs in #{seconds} s, no difference. SEED=#{seed}")
    if lacking != [], do: fail(Enum.join(lacking, "\n"))
  end

  defp programs(seed, number, wanted, generator, histogram) do
    program = generate(generator, seed, number)

    case outcome(program, histogram, 1) do
      :ok ->
        if Histogram.total(histogram) < wanted,
          do: programs(seed, number + 1, wanted, generator, histogram),
          else: number

      difference ->
        IO.puts(inspect(difference, [pretty: true] ++ @limits))
        IO.puts("Program #{number} differs: shrinking. Again: SEED=#{seed} PROGRAM=#{number}")
        shrink(seed, number, generator)
    end
  end

  # Of so many programs one is sequential: it has as many commands as the others together.
  @turn 8

  defp generators, do: %{sequential: Program.generator(), parallel: Parallel.generator()}

  defp kind(number) when rem(number, @turn) == 0, do: :sequential
  defp kind(_number), do: :parallel

  defp generate(generators, seed, number) do
    :rand.seed(:exsplus, {seed, number, 1})
    generators[kind(number)] |> :proper_gen.generate() |> :proper_gen.clean_instance()
  end

  defp outcome(program, histogram, times) do
    module = if tuple_size(program) == 3, do: Program, else: Parallel
    module.run(program, histogram, times)
  catch
    class, reason -> {:differ, :crash, {class, reason, __STACKTRACE__}}
  end

  # How often a parallel program is run to see whether it fails.
  @again 50

  defp replay(seed, number) do
    :proper.global_state_init_size_seed(@size, {seed, 0, 0})
    program = generate(generators(), seed, number)
    outcome = outcome(program, Histogram.new(), @again)
    IO.puts(inspect(outcome, [pretty: true] ++ @limits))
    if outcome != :ok, do: shrink(seed, number, generators())
  end

  # The same program again, this time by PropEr, which shrinks it.
  defp shrink(seed, number, generators) do
    seeded =
      :proper_types.lazy(fn ->
        :rand.seed(:exsplus, {seed, number, 1})
        generators[kind(number)]
      end)

    histogram = Histogram.new()

    property =
      :proper.forall(seeded, fn program -> outcome(program, histogram, @again) == :ok end)

    options = [
      :quiet,
      :long_result,
      numtests: 1,
      start_size: @size,
      max_size: @size,
      max_shrinks: 400
    ]

    case :proper.quickcheck(property, options) do
      [program] -> show(program, histogram)
      other -> IO.puts("PropEr says #{inspect(other)}")
    end

    fail("SEED=#{seed} PROGRAM=#{number}")
  end

  defp show({pool, starts, commands} = program, histogram) do
    IO.puts("Keys:")
    for {key, i} <- Enum.with_index(pool), do: IO.puts("  #{i}: #{inspect(key, @limits)}")
    IO.puts("Commands:")

    for {command, i} <- Enum.with_index(starts ++ commands),
        do: IO.puts("  #{i}: #{inspect(command, @limits)}")

    show_outcome(program, histogram)
  end

  defp show({type, more, keys, before, branches} = program, histogram) do
    IO.puts("Table: #{inspect([type | more])}\nKeys:")
    for {key, i} <- Enum.with_index(keys), do: IO.puts("  #{i}: #{inspect(key, @limits)}")
    IO.puts("Before:")
    for command <- before, do: IO.puts("  #{inspect(command, @limits)}")

    for branch <- branches do
      IO.puts("At once:")
      for command <- branch, do: IO.puts("  #{inspect(command, @limits)}")
    end

    show_outcome(program, histogram)
  end

  defp show_outcome(program, histogram) do
    outcome = outcome(program, histogram, 20 * @again)
    IO.puts("Outcome:\n#{inspect(outcome, [pretty: true] ++ @limits)}")
  end

  defp fail(text) do
    IO.puts(:stderr, text)
    System.halt(1)
  end
end
