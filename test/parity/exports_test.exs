defmodule Etsunami.Parity.ExportsTest do
  # `Etsunami` has what `:ets` has, and what more it has stands here.
  use ExUnit.Case, async: true

  @moduletag :library

  @recorded_file Path.expand("../support/exports.exs", __DIR__)
  @external_resource @recorded_file
  @recorded @recorded_file |> Code.eval_file() |> elem(0)

  # Functions of the virtual machine for the module `:ets` itself. `fun2ms/1` is a macro here.
  @internal [
    internal_delete_all: 2,
    internal_request_all: 0,
    internal_select_delete: 2,
    match_spec_run_r: 3
  ]
  @macros [fun2ms: 1]

  @own [explain: 2, info: 0]

  test "the functions of OTP 29 are there, and no others but a few of our own" do
    expected = ((@recorded -- @internal) -- @macros) ++ @own
    functions = Etsunami.__info__(:functions)
    assert expected -- functions == [], "missing"
    assert functions -- expected == [], "unexpected"
    assert Etsunami.__info__(:macros) == @macros
  end

  test "each function of the running release is there" do
    running = :ets.module_info(:exports) -- [module_info: 0, module_info: 1]
    here = Etsunami.__info__(:functions) ++ Etsunami.__info__(:macros)
    assert (running -- here) -- @internal == []
  end

  test "the record has each function of the running release" do
    running = :ets.module_info(:exports) -- [module_info: 0, module_info: 1]
    assert running -- @recorded == []
  end

  test "each function has documentation and a type" do
    {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(Etsunami)

    for {{kind, name, arity}, _, _, doc, _} <- docs, kind in [:function, :macro] do
      assert is_map(doc), "no documentation of #{name}/#{arity}"
    end

    {:ok, specs} = Code.Typespec.fetch_specs(Etsunami)
    specified = Enum.map(specs, fn {function, _specs} -> function end)
    assert Etsunami.__info__(:functions) -- specified == []
  end
end
