defmodule Etsunami.Concurrency.InPlaceTest do
  # Single elements are changed where they stand, while others read. Nobody sees a change without
  # those that were made before it, and what a guard has looked at is what the result holds.
  use ExUnit.Case, async: false
  @moduletag :library

  @rounds 200_000
  @types [
    [:set],
    [:ordered_set],
    [:ordered_set, engine: :skip_list],
    [:set, write_concurrency: true]
  ]

  # The writer raises the second element, then the third: at any time the second is as high as the
  # third, or one higher. A guard lets through only what this rules out; or an odd object, which has
  # to come out as odd.
  @ahead [{{:_, :"$1", :"$2", :_}, [{:>, :"$2", :"$1"}], [:"$_"]}]
  @behind [{{:_, :"$1", :"$2", :_}, [{:>, :"$1", {:+, :"$2", 1}}], [:"$_"]}]
  @odd [{{:_, :"$1", :_, :_}, [{:"=:=", {:band, {:element, 2, :"$_"}, 1}, 1}], [:"$_"]}]

  for options <- @types do
    test "two numbers of an object are raised in turn: #{inspect(options)}" do
      table = Etsunami.new(:table, [:public | unquote(Macro.escape(options))])
      Etsunami.insert(table, {:key, 0, 0, 0.5})
      reader = Task.async(fn -> read(table, 0) end)

      for n <- 1..@rounds do
        raise_second(table, n)
        raise_third(table, n)
      end

      send(reader.pid, :stop)
      assert Task.await(reader) > 0
      assert Etsunami.lookup(table, :key) == [{:key, @rounds, @rounds, 0.5}]
    end
  end

  defp raise_second(table, n) when rem(n, 4) == 0,
    do: Etsunami.update_element(table, :key, {2, n})

  defp raise_second(table, _), do: Etsunami.update_counter(table, :key, 1)

  defp raise_third(table, n) when rem(n, 3) == 0,
    do: Etsunami.update_element(table, :key, [{3, n}, {2, n}])

  defp raise_third(table, n) when rem(n, 3) == 1,
    do: Etsunami.update_element(table, :key, {3, n})

  defp raise_third(table, _), do: Etsunami.update_counter(table, :key, {3, 1})

  defp read(table, count) do
    for read <- [
          &Etsunami.lookup(&1, :key),
          &Etsunami.tab2list/1,
          &Etsunami.match_object(&1, {:key, :_, :_, :_}),
          &Etsunami.match_object(&1, :_),
          &Etsunami.select(&1, [{:_, [], [:"$_"]}])
        ] do
      assert [{:key, second, third, 0.5}] = read.(table)
      assert second in [third, third + 1]
    end

    assert Etsunami.select(table, @ahead) == []
    assert Etsunami.select(table, @behind) == []

    for {:key, second, _, _} <- Etsunami.select(table, @odd) do
      assert rem(second, 2) == 1
    end

    receive do
      :stop -> count
    after
      0 -> read(table, count + 1)
    end
  end

  test "an object of integers is replaced as a whole" do
    table = Etsunami.new(:table, [:public])
    Etsunami.insert(table, {0, 0, 0})

    reader =
      Task.async(fn ->
        Stream.repeatedly(fn ->
          assert [{0, second, third}] = Etsunami.lookup(table, 0)
          assert second == 2 * third
        end)
        |> Enum.find(fn _ -> stopped?() end)
      end)

    for n <- 1..@rounds, do: Etsunami.insert(table, {0, 2 * n, n})
    send(reader.pid, :stop)
    Task.await(reader)
  end

  defp stopped? do
    receive do
      :stop -> true
    after
      0 -> false
    end
  end
end
