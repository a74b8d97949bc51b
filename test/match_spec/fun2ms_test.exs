defmodule Etsunami.Fun2msTest.Point do
  defstruct x: 0, y: {0}, label: :_
end

defmodule Etsunami.Fun2msTest.Guards do
  defguard adult(age) when is_integer(age) and age >= 18

  # A variable of the macro is another one than that of the same name around it.
  defmacro head_with_own_variable(pattern) do
    quote do: {x, unquote(pattern), x}
  end
end

defmodule Etsunami.Fun2msTest do
  use ExUnit.Case, async: true

  alias Etsunami.Fun2msTest.Point

  require Etsunami
  require Integer
  require Record

  import Etsunami.Fun2msTest.Guards

  Record.defrecordp(:user, name: "nobody", age: 0)

  @pair {:attribute, [1]}

  defp run(spec, objects) do
    :ets.match_spec_run(objects, :ets.match_spec_compile(spec))
  end

  # The Erlang fun by the parse transform of ETS.
  defp erlang(source) do
    {:ok, tokens, _end} = :erl_scan.string(String.to_charlist(source <> "."))
    {:ok, [{:fun, _line, {:clauses, clauses}}]} = :erl_parse.parse_exprs(tokens)
    :ms_transform.transform_from_shell(:ets, clauses, X: 5)
  end

  defp elixir(source) do
    {spec, _bindings} =
      Code.eval_string("require Etsunami; x = 5; _ = x; Etsunami.fun2ms(#{source})")

    spec
  end

  @same [
    {"fn a -> a end", "fun(A) -> A end"},
    {"fn _ -> true end", "fun(_) -> true end"},
    {"fn {a, _b} -> a end", "fun({A, _B}) -> A end"},
    {"fn {_, _} = o -> o end", "fun({_, _} = O) -> O end"},
    {"fn o = {a, _} -> {o, a} end", "fun(O = {A, _}) -> {O, A} end"},
    {"fn {} -> {} end", "fun({}) -> {} end"},
    {"fn {a, a} -> [a, {a} | a] end", "fun({A, A}) -> [A, {A} | A] end"},
    {"fn {a, {b, [c | d]}} -> [d, c, b, a] end", "fun({A, {B, [C | D]}}) -> [D, C, B, A] end"},
    {"fn {a, [1, 2 | b], 'ab' ++ c} -> {a, b, c} end",
     "fun({A, [1, 2 | B], \"ab\" ++ C}) -> {A, B, C} end"},
    {"fn {a, %{k: v}} -> %{a => v, z: {1, 2}} end",
     "fun({A, \#{k := V}}) -> \#{A => V, z => {1, 2}} end"},
    {"fn {a} when a > x and is_list(a) -> x end",
     "fun({A}) when A > X andalso is_list(A) -> X end"},
    {"fn {a} when a > x when a === 1 or a !== 2 -> {:ok, x} end",
     "fun({A}) when A > X; A =:= 1 orelse A =/= 2 -> {ok, X} end"},
    {"fn {a, b} when not (a <= b) and a != b -> b end",
     "fun({A, B}) when not (A =< B) andalso A /= B -> B end"},
    {"fn {a, 1.5, \"bin\", -7, 'text'} -> {a, 1.5, \"bin\", -7, 'text'} end",
     "fun({A, 1.5, <<\"bin\">>, -7, \"text\"}) -> {A, 1.5, <<\"bin\">>, -7, \"text\"} end"},
    {"fn {a} -> {:\"$1\", :_, a} end", "fun({A}) -> {'$1', '_', A} end"},
    {"fn {a} -> hd(a); abs(a) + length(a) * 2 - div(a, 3) / rem(a, 4) end",
     "fun({A}) -> hd(A), abs(A) + length(A) * 2 - (A div 3) / (A rem 4) end"},
    {"fn {a} when is_map(a) and is_map_key(a, :k) -> map_size(a) end",
     "fun({A}) when is_map(A) andalso is_map_key(k, A) -> map_size(A) end"},
    {"fn {a} -> {self(), node(), node(a), elem(a, 0)} end",
     "fun({A}) -> {self(), node(), node(A), element(1, A)} end"},
    {"fn {a, b} -> Bitwise.band(a, Bitwise.bsl(b, 1)) end",
     "fun({A, B}) -> A band (B bsl 1) end"},
    {"fn {a} when a == 1 -> :one; {_} -> object() end",
     "fun({A}) when A == 1 -> one; ({_}) -> object() end"}
  ]

  for {{elixir, erlang}, index} <- Enum.with_index(@same) do
    test "as ms_transform: #{index} #{elixir}" do
      assert elixir(unquote(elixir)) == erlang(unquote(erlang))
    end
  end

  test "bindings" do
    assert Etsunami.fun2ms(fn {_a, _b} -> bindings() end) == [{{:"$1", :"$2"}, [], [:"$$"]}]
    spec = Etsunami.fun2ms(fn {_a, :_, _b, ^%{}} -> bindings() end)
    assert run(spec, [{1, :_, 2, %{}}]) == [[1, 2]]
  end

  test "names of parts" do
    spec =
      Etsunami.fun2ms(fn {{_, b} = pair, [_ | [_ | _] = rest], %{1 => {c} = value}} ->
        {pair, rest, value, b, c}
      end)

    assert [{{{:_, :"$1"}, [:_ | [:_ | :_]], %{1 => {:"$2"}}}, [], [_body]}] = spec
    object = {{1, 2}, [3, 4, 5], %{1 => {6}, 2 => 7}}
    assert run(spec, [object, {{1, 2}, [3], %{1 => {6}}}]) == [{{1, 2}, [4, 5], {6}, 2, 6}]
  end

  test "pinned values are matched exactly" do
    for value <- [1, {:a, [1]}, "b", :_, :"$1", :"$_", {:_, 1}, [1 | :"$2"], %{}, {%{a: 1}}, nil] do
      spec = Etsunami.fun2ms(fn {a, ^value, [b | ^{value, 1}]} -> {a, b} end)
      assert run(spec, [{1, value, [2 | {value, 1}]}]) == [{1, 2}]
      assert run(spec, [{1, %{a: 1, b: 2}, [2 | {value, 1}]}]) == []
      assert run(spec, [{1, :other, [2 | {:other, 1}]}]) == []
    end

    # What means itself stands in the head, where it limits the search.
    id = {:user, 7}
    assert [{{{:user, 7}, :"$1"}, [], [:"$1"]}] = Etsunami.fun2ms(fn {^id, v} -> v end)
    key = "k"
    assert [{{%{"k" => :"$1"}}, [], _}] = Etsunami.fun2ms(fn {%{^key => v}} -> v end)
  end

  test "literals that would mean something else" do
    spec = Etsunami.fun2ms(fn {:_, {:"$1", a}} -> {a, :"$1", :_, :"$_"} end)
    assert run(spec, [{:_, {:"$1", 1}}]) == [{1, :"$1", :_, :"$_"}]
    assert run(spec, [{1, {:"$1", 1}}, {:_, {1, 1}}]) == []
  end

  test "values from outside" do
    limit = {1, :"$1"}
    map = %{min: 3}
    spec = Etsunami.fun2ms(fn {a, b} when a == limit and b > map.min -> {limit, ^map.min} end)
    assert run(spec, [{limit, 4}, {limit, 3}, {1, 4}]) == [{limit, 3}]

    # The head has its own variables.
    a = 1
    assert Etsunami.fun2ms(fn {a} -> a end) == [{{:"$1"}, [], [:"$1"]}]
    assert Etsunami.fun2ms(fn {_b} -> a end) == [{{:"$1"}, [], [{:const, a}]}]

    assert Etsunami.fun2ms(fn {_} -> "a: #{a}" end) == [{{:_}, [], [{:const, "a: 1"}]}]
    assert Etsunami.fun2ms(fn {_} -> ^Enum.map([a], &(&1 + 1)) end) == [{{:_}, [], [const: [2]]}]
  end

  test "macros" do
    spec = Etsunami.fun2ms(fn {name, age} when adult(age) and not is_nil(name) -> name end)
    assert run(spec, [{"a", 18}, {"b", 17}, {nil, 18}, {"c", 18.0}]) == ["a"]

    spec = Etsunami.fun2ms(fn {n} when Integer.is_odd(n) and n in [1, 2, 3] -> n end)
    assert run(spec, for(n <- 0..5, do: {n})) == [1, 3]

    spec = Etsunami.fun2ms(fn {n} when n in 2..8//3 or n not in 0..9 -> n end)
    assert run(spec, for(n <- 0..10, do: {n})) == [2, 5, 8, 10]

    x = 5
    spec = Etsunami.fun2ms(fn head_with_own_variable(y) when y > x -> y end)
    assert run(spec, [{1, 6, 1}, {1, 6, 2}, {1, 5, 1}]) == [6]
  end

  test "attributes, sigils, modules and binaries" do
    spec = Etsunami.fun2ms(fn {@pair, ~w(a b), Map, "a" <> "b", <<1, 2::4>>} -> @pair end)
    assert spec == [{{@pair, ["a", "b"], Map, "ab", <<1, 2::4>>}, [], [{{:attribute, [1]}}]}]

    assert Etsunami.fun2ms(fn {__MODULE__} -> __MODULE__ end) == [
             {{__MODULE__}, [], [__MODULE__]}
           ]
  end

  test "records" do
    spec =
      Etsunami.fun2ms(fn user(name: name) = user when user(user, :age) > 3 ->
        user(name: name, age: 1)
      end)

    assert run(spec, [{:user, "a", 4}, {:user, "b", 3}, {:other, "c", 5}]) == [{:user, "a", 1}]
  end

  test "structs" do
    spec = Etsunami.fun2ms(fn {%Point{x: x}} -> %Point{y: x} end)
    assert run(spec, [{%Point{x: 1}}, {%{x: 1}}]) == [%Point{y: 1}]
    spec = Etsunami.fun2ms(fn {%name{x: 1}} -> name end)
    assert run(spec, [{%Point{x: 1}}, {%Point{x: 2}}, {%{__struct__: 1, x: 1}}]) == [Point]
    spec = Etsunami.fun2ms(fn {p} when is_struct(p, Point) and p.x > 1 -> p.x end)
    assert run(spec, [{%Point{x: 1}}, {%Point{x: 2}}, {1}]) == [2]
  end

  test "an alternative may fail" do
    spec = Etsunami.fun2ms(fn {a} when hd(a) == 1 when is_atom(a) -> a end)
    assert run(spec, [{[1]}, {:a}, {2}]) == [[1], :a]
  end

  test "functions of newer releases" do
    assert [{_, _, [{:max, :"$1", {:min, 1, 2}}]}] =
             Etsunami.fun2ms(fn {a} -> max(a, min(1, 2)) end)

    assert [{_, [{:tuple_size, :"$1"}], _}] = Etsunami.fun2ms(fn {a} when tuple_size(a) -> 1 end)

    assert [{_, [{:is_integer, :"$1", 1, 2}], _}] =
             Etsunami.fun2ms(fn {a} when :erlang.is_integer(a, 1, 2) -> 1 end)
  end

  # The fn starts in line 2, and what is wrong stands in line 3.
  @wrong [
    {"fn\n a, b -> a end", "one argument, not 2"},
    {"fn\n -> 1 end", "one argument, not 0"},
    {"\n &foo/1", "takes a fn literal, not &foo/1"},
    {"fn\n %{a: 1} -> 1 end", "is a tuple or a variable, not %{a: 1}"},
    {"fn\n [a] = b -> {a, b} end", "is a tuple or a variable, not [a] = b"},
    {"fn {a,\n \"a\" <> b} -> {a, b} end", "a binary cannot be matched in parts: \"a\" <> b"},
    {"fn {a,\n {_, _} = {_, a}} -> a end", "two patterns"},
    {"fn {a,\n %{:_ => b}} -> {a, b} end", "no key for a map in a head: :_"},
    {"fn {a,\n %{c => b}} -> {a, b} end", "no key for a map in a head: c"},
    {"fn {a,\n String.upcase(a)} -> a end",
     "no pattern of a match specification: String.upcase(a)"},
    {"fn {a,\n %Range{begin: b}} -> {a, b} end", "unknown key :begin for struct Range"},
    {"fn {a}\n when String.valid?(a) -> a end", "String.valid?(a) cannot be computed"},
    {"fn {a} ->\n foo(a) end", "foo(a) cannot be computed"},
    {"fn {a} ->\n a.b() end", "a.b() cannot be computed"},
    {"fn {a} ->\n a.(1) end", "a.(1) cannot be computed"},
    {"fn {a} ->\n a ++ [1] end", "a ++ [1] cannot be computed"},
    {"fn {a} ->\n if(a, do: 1) end", "cannot be computed"},
    {"fn {a} ->\n b = a end", "b = a cannot be computed"},
    {"fn {a} ->\n fn -> a end end", "cannot be computed"},
    {"fn {a} ->\n %{a | b: 1} end", "cannot be updated"},
    {"fn {a} ->\n %Range{a | step: 1} end", "no struct of a match specification"},
    {"fn {a} ->\n \"<\#{a}>\" end", "cannot be made of what was matched"},
    {"fn {a} ->\n {a, _} end", "_ has no value"},
    {"fn {a} when\n a in [1 | a] -> a end", "invalid right argument for operator \"in\""},
    {"fn {a} when\n a in a -> a end", "invalid right argument for operator \"in\""}
  ]

  for {{source, message}, index} <- Enum.with_index(@wrong) do
    test "compile error #{index}: #{inspect(source)}" do
      source = "require Etsunami\nEtsunami.fun2ms(#{unquote(source)})"
      error = assert_raise CompileError, fn -> Code.eval_string(source, [], file: "wrong.ex") end
      assert error.description =~ unquote(message)
      assert {error.file, error.line} == {"wrong.ex", 3}
    end
  end

  test "variables that are nowhere" do
    source = "require Etsunami\n\nEtsunami.fun2ms(fn {a} ->\n {a, nowhere} end)"

    # Newer releases of Elixir print what is wrong, and raise that it has been printed.
    printed =
      ExUnit.CaptureIO.capture_io(:stderr, fn ->
        error = assert_raise CompileError, fn -> Code.eval_string(source, []) end
        send(self(), {:raised, Exception.message(error)})
      end)

    assert_received {:raised, message}
    assert printed <> message =~ ~r/undefined (variable|function) "?nowhere/
    assert printed <> message =~ "nofile:4"
  end
end
