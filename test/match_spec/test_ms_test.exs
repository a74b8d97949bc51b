defmodule Etsunami.TestMsTest do
  use ExUnit.Case, async: true

  alias Etsunami.Specs

  @moduletag :library

  test "faults are told as :ets tells them" do
    told =
      for _number <- 1..3000 do
        spec = Specs.broken()

        faults =
          case :ets.test_ms({}, spec) do
            {:ok, _result} -> []
            {:error, faults} -> faults
          end

        assert {spec, Etsunami.Native.match_spec_lint(spec)} == {spec, faults}
        length(faults)
      end

    # Most of them are broken, and in several places.
    assert Enum.count(told, &(&1 > 0)) > 2000
    assert Enum.count(told, &(&1 > 2)) > 200
  end
end
