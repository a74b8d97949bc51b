defmodule Etsunami.Concurrency.FileTest do
  # Files that are written while others write to the table, and by processes that are killed.
  use ExUnit.Case, async: false

  import Etsunami.EtsCase, only: [stop: 2]

  alias Etsunami.Files

  @moduletag :library

  test "while others write, each key that stays is written once" do
    for type <- [:set, :ordered_set, :bag] do
      table = Etsunami.new(:table, [type, :public])
      Etsunami.insert(table, for(n <- 1..5_000, do: {{:stays, n}, 0}))
      writers = for seed <- 1..2, do: spawn_link(fn -> churn(table, seed, 0) end)
      file = Files.path()
      :ok = Etsunami.tab2file(table, file, extended_info: [:object_count, :md5sum])

      for writer <- writers do
        Process.unlink(writer)
        stop(writer, :kill)
      end

      [_header | rest] = Files.terms(file)
      keys = for {key, _value} <- rest, do: key
      stays = for {:stays, n} <- keys, do: n
      assert Enum.sort(stays) == Enum.to_list(1..5_000)
      passing = for {:passes, n} <- keys, do: n
      assert passing == Enum.uniq(passing)
      assert {:ok, copy} = Etsunami.file2tab(file, verify: true)
      Etsunami.delete(copy)
      Etsunami.delete(table)
    end
  end

  # Replaces objects that stay, and brings and takes others. There are never many of these, so
  # that the end of the table does not run away from whoever reads it.
  defp churn(table, seed, round) do
    stays = rem(round * 7919 + seed, 5_000) + 1
    passes = rem(round, 1_000) * 2 + seed
    Etsunami.insert(table, {{:stays, stays}, 0})
    Etsunami.insert(table, {{:passes, passes}, 0})
    Etsunami.delete(table, {:passes, rem(passes * 31, 2_000) + seed})
    if rem(round, 50) == 0, do: :erlang.yield()
    churn(table, seed, round + 1)
  end

  test "a process that is killed while it writes or reads leaves nothing open" do
    table = Etsunami.new(:table, [:public])
    Etsunami.insert(table, for(n <- 1..20_000, do: {n, "object #{n}"}))
    file = Files.path()
    other = Files.path()
    :ok = Etsunami.tab2file(table, file)

    for work <- [&Etsunami.tab2file(table, &1), &Etsunami.file2tab/1], delay <- [1, 3, 9] do
      File.cp!(file, other)
      worker = spawn(fn -> work.(other) end)
      Process.sleep(delay)
      stop(worker, :kill)
      wait_for(fn -> Files.open_logs() == [] end)
      assert Etsunami.info(table, :fixed) == false
      assert Etsunami.all() == [table]
    end

    Etsunami.delete(table)
  end

  defp wait_for(condition) do
    unless condition.() do
      Process.sleep(1)
      wait_for(condition)
    end
  end
end
