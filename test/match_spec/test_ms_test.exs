defmodule Etsunami.TestMsTest do
  use ExUnit.Case, async: true

  alias Etsunami.{Differences, Specs}

  @moduletag :library

  test "faults are told as :ets tells them" do
    told =
      for _number <- 1..3000 do
        spec = Specs.broken()

        faults =
          case both({}, spec) do
            {:ok, _result} -> []
            {:error, faults} -> faults
          end

        length(faults)
      end

    # Most of them are broken, and in several places.
    assert Enum.count(told, &(&1 > 0)) > 2000
    assert Enum.count(told, &(&1 > 2)) > 200
  end

  test "results are those of :ets" do
    matches =
      Enum.count(1..3000, fn _number ->
        {object, spec} = Specs.pair()
        both(object, spec) not in [{:ok, false}, {:ok, :second}]
      end)

    assert matches > 1000
  end

  test "any term can be tried" do
    for term <- [:a, 1, 2.5, "b", [1], %{a: 1}, {}, 2 ** 70, self(), make_ref(), &is_atom/1] do
      for head <- [:_, :"$1", term, [:"$1"], {:"$1"}], body <- [:"$_", :"$$"] do
        both(term, [{head, [], [body]}])
      end
    end

    ref = make_ref()
    assert {:ok, [^ref]} = Etsunami.test_ms({ref}, [{{:"$1"}, [is_reference: :"$1"], [:"$$"]}])
  end

  test "faults in large maps are told" do
    map = Map.new(1..100, &{&1, {:"unknown#{&1}"}})
    spec = [{:_, [], [map]}]
    {:error, expected} = :ets.test_ms({}, spec)
    assert {:error, faults} = Etsunami.test_ms({}, spec)
    assert Enum.sort(faults) == expected |> Enum.uniq() |> Enum.sort()
  end

  test "maps in keys of maps in keys do not take for ever" do
    map = Enum.reduce(1..200, {:unknown}, fn _level, map -> %{map => 1} end)

    assert {:error, [{:error, ~c"Function unknown/0 does_not_exist."} | _]} =
             Etsunami.test_ms({}, [{:_, [], [map]}])
  end

  test "specifications as deep and wide as terms" do
    nested = Enum.reduce(1..1_000_000, true, fn _level, guard -> {:orelse, false, guard} end)
    wide = List.to_tuple([:orelse | List.duplicate(false, 1_000_000)] ++ [true])

    for guard <- [nested, wide] do
      spec = [{{:"$1"}, [guard], [:"$1"]}]
      assert Etsunami.test_ms({1}, spec) == {:ok, 1}
      table = Etsunami.new(:table, [:public])
      Etsunami.insert(table, {1})
      assert Etsunami.select(table, spec) == [1]
      Etsunami.delete(table)
    end
  end

  # Compares exactly: `==` would take 1 for 1.0.
  defp both(term, spec) do
    if bits_cut?(term, spec), do: Etsunami.test_ms(term, spec), else: same(term, spec)
  end

  defp bits_cut?(term, spec) do
    text = inspect({term, spec}, limit: :infinity)
    text =~ "binary_part" and text =~ "size(" and Differences.applies?(:binary_part_of_bits)
  end

  defp same(term, spec) do
    expected = :ets.test_ms(term, spec)
    told = Etsunami.test_ms(term, spec)
    assert {term, spec, told_once(told)} === {term, spec, told_once(expected)}
    expected
  end

  # Where :ets may tell a fault twice, it counts once.
  defp told_once({:error, faults} = result) do
    if Differences.applies?(:faults_in_keys_of_maps),
      do: {:error, Enum.uniq(faults)},
      else: result
  end

  defp told_once(result), do: result
end
