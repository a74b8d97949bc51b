defmodule Etsunami.Model.SpecGen do
  @moduledoc """
  Generators of match specifications and patterns: mostly valid ones, with keys of the program.
  """

  import Etsunami.Model.Gen

  alias Etsunami.Differences
  alias Etsunami.Model.TermGen

  @doc "A match specification."
  def spec do
    clause = clause()

    frequency([
      {40, {:ms, [clause]}},
      {12, {:ms, [clause, clause]}},
      {2, {:ms, [clause, clause, clause]}},
      {4, {:ms, [{head(), [], [:"$_"]}]}},
      {1,
       {:deep,
        elements([[], :_, [{}], [{:_, [], []}], {:"$improper", [{{:"$1"}, [], [:"$_"]}], :a}, 17])}},
      {1, {:deep, elements([[{:_, :a, [:"$_"]}], [{:_, [], :a}], [{{:_}, [{:foo, 1}], [1]}]])}}
    ])
  end

  @doc "A pattern for `match` and its like."
  def pattern do
    frequency([
      {12, {:ms_pattern, head()}},
      {1, {:deep, TermGen.any()}}
    ])
  end

  @doc "A match specification for `select_replace/2`: most keep the key."
  def replacing do
    keeping = {:"$head", :"$1", [:"$2"]}
    value = expression()

    frequency([
      {6, {:ms_replace, :"$1", [:"$2"], guards(), [value]}},
      {3, {:ms_replace, {:"$pool", integer(0, 11)}, [:"$2"], [], [value]}},
      {2, {:ms, [{keeping, [], [:"$_"]}]}},
      {2, {:ms, [{head(), guards(), [:"$_"]}]}},
      {2, spec()}
    ])
  end

  defp clause, do: {head(), guards(), body()}

  # Heads

  defp head do
    frequency([
      {20, {:"$head", key_pattern(), list(value_pattern(), 3)}},
      {6, {:"$head", key_pattern(), [value_pattern()]}},
      {3, :_},
      {2, :"$1"},
      {1, elements([17, {}, %{}, [], :"$2"])}
    ])
  end

  defp key_pattern do
    frequency([
      {6, :"$1"},
      {3, :_},
      {4, {:"$pool", integer(0, 11)}},
      {2, {integer(0, 2), variable()}},
      {1, {variable(), variable()}},
      {1, TermGen.key()}
    ])
  end

  defp value_pattern do
    frequency([
      {8, variable()},
      {3, :_},
      {2, integer(-3, 9)},
      {1, TermGen.any()},
      {1, {variable(), variable()}},
      {1, [variable(), variable()]},
      {1, {:"$improper", [variable()], variable()}},
      {1, map({TermGen.number(), variable()}, fn {key, value} -> %{key => value} end)},
      {1, {:"$pool", integer(0, 11)}}
    ])
  end

  defp variable do
    frequency([{8, :"$1"}, {8, :"$2"}, {4, :"$3"}, {1, elements([:"$0", :"$10", :"$100", :"$x"])}])
  end

  # Expressions

  defp guards,
    do: frequency([{5, []}, {8, [guard()]}, {2, [guard(), guard()]}, {1, [expression()]}])

  defp body do
    frequency([
      {6, [:"$_"]},
      {3, [:"$$"]},
      {8, [expression()]},
      {3, [guard()]},
      {1, [expression(), expression()]},
      {4, [true]}
    ])
  end

  @compare [:==, :"=:=", :"/=", :"=/=", :<, :>, :>=, :"=<"]
  @types [:is_integer, :is_float, :is_number, :is_atom, :is_list, :is_tuple, :is_map] ++
           [:is_binary, :is_pid, :is_port, :is_reference, :is_function]
  @unary [:abs, :hd, :tl, :length, :size, :tuple_size, :map_size, :bit_size, :byte_size] ++
           [:round, :trunc, :float, :ceil, :floor, :bnot, :-, :+, :node]
  # Those that the running release knows in match specifications.
  defp unary, do: elements(Enum.filter(@unary, &known?({&1, 1})))
  defp known?(call), do: :ets.test_ms({}, [{:_, [], [call]}]) |> elem(0) == :ok

  @binary [:+, :-, :*, :/, :div, :rem, :band, :bor, :bxor, :bsl, :bsr]

  defp guard do
    atom = atom()
    simple = comparison(atom)
    nested = comparison(frequency([{3, atom}, {2, call(atom)}]))
    either = frequency([{5, simple}, {3, nested}, {3, {elements(@types), atom}}])

    frequency([
      {12, either},
      {2, {elements([:andalso, :orelse, :and, :or, :xor]), either, either}},
      {1, {elements([:andalso, :orelse]), either, either, either}},
      {1, {:not, either}},
      {1, {:is_record, atom, elements([:a, :ok, :foo]), integer(1, 3)}},
      {1, {:is_map_key, atom, atom}},
      {1, atom},
      {1, invalid()}
    ])
  end

  defp comparison(type), do: {elements(@compare), type, type}

  defp expression do
    atom = atom()
    call = frequency([{4, call(atom)}, {2, atom}, {1, guard()}])
    frequency([{5, atom}, {6, call}, {3, build(call)}, {2, call(call)}])
  end

  defp call(type) do
    frequency([
      {6, {unary(), type}},
      {8, {elements(@binary), type, type}},
      {3, {:element, integer(0, 4), type}},
      {1, {:map_get, type, type}},
      {1, {:binary_part, type, integer(-1, 2), integer(-1, 2)}},
      {1, elements([{:self}, {:node}])},
      {1, {:const, TermGen.any()}}
    ])
  end

  # `{{...}}` makes a tuple; a list or map is made of expressions, too.
  defp build(type) do
    oneof([
      map(list(type, 3), fn values -> {List.to_tuple(values)} end),
      list(type, 3),
      map({key_of_map(type), type}, fn {key, value} -> %{key => value} end),
      {:"$improper", [type], type}
    ])
  end

  # Before OTP 27 a map with constant values and computed keys overruns the stack of the matcher
  # of `:ets`, and the virtual machine dies sooner or later.
  defp key_of_map(type) do
    if Differences.applies?(:faults_in_keys_of_maps), do: integer(-3, 9), else: type
  end

  defp atom do
    frequency([
      {10, variable()},
      {2, :"$_"},
      {2, :"$$"},
      {6, integer(-3, 9)},
      {2, {:const, TermGen.number()}},
      {2, {:const, {:"$pool", integer(0, 11)}}},
      {1, elements([1.5, 0.0, "binary", :ok, true, false, [], %{a: 1}])}
    ])
  end

  defp invalid do
    elements([{:foo, 1}, {:+, 1}, {:element, 1}, {}, {:"$1"}, {:==, 1}, {1, 2}, {:and}, {:const}])
  end
end
