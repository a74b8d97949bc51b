defmodule Etsunami.Specs do
  @moduledoc """
  Random match specifications with objects that they often fit, and broken ones. They use only
  what the `:ets` of every supported release knows.
  """

  @variables [:"$1", :"$2", :"$3", :"$1", :"$2", :"$3", :"$0", :"$7"]

  @leaves [0, 1, 2, 3, -1, 7, 1.0, 2.5, -3.5, 0.5, -2.5, 1.0e22, 9_007_199_254_740_992.0, 1.0e308] ++
            [2 ** 59, 2 ** 59 - 1, -(2 ** 59), 2 ** 64, -(2 ** 70) - 1, 2 ** 53 + 1] ++
            [:a, :b, :ok, true, false, true, false, [], {}, ~c"ab", "", "abc", <<5::3>>] ++
            [<<1, 2::4>>, %{}, %{a: 1}, {:a, 1}, :"", "123456789"]

  # What no guard or body may hold.
  @faults [:"$9", :"$100", {:a, :b}, {}, {:const}, {:const, 1, 2}, {:self, 1}, {:"$1", 2}, {1, 2}] ++
            [{:foo, 1}, {:get_tcw}, {:set_tcw, 1}, {:set_tcw, 1, 2}, {:message, :a}, {:and}] ++
            [
              {:or},
              {:andalso},
              {:orelse},
              {:andthen},
              {:display, 1},
              {:is_atom},
              {:"with space", 1}
            ] ++
            [{:is_atom, 1, 2}, {:is_seq_trace}, {:caller}, {:silent, true}, {:trace, [], []}] ++
            [
              {:ünknown, 1},
              {:日本, 1, 2},
              {:"'", 1},
              {"binary", <<1>>, <<1::1>>},
              {[1 | 2], ~c"abc"}
            ] ++
            [{2 ** 100, 1.5, -0.5, %{a: [1]}}, {:const, ~c"string", "x", %{1 => {2}}}]

  @doc """
  An object and a specification.
  """
  def pair do
    size = :rand.uniform(4)
    object = List.to_tuple(for _element <- 1..size, do: term(3))
    head = one_of([:_, :"$1", near(object, 2), near(object, 2), near(object, 2), near(object, 3)])
    other = one_of([[], [], [{:_, [], [:second, {{:"$_", {:const, {:x}}}}]}]])
    {object, [clause(head) | other]}
  end

  defp clause(head) do
    variables = variables(head)
    guards = for _guard <- 1..one_of([0, 0, 1, 2])//1, do: expression(3, variables)
    body = for _expression <- 1..one_of([1, 1, 1, 2]), do: expression(3, variables)
    {head, guards, body}
  end

  @doc """
  A specification in which something is wrong, mostly.
  """
  def broken do
    {_object, spec} = pair()

    case :rand.uniform(10) do
      1 ->
        one_of([[], :spec, {}, 1, %{}, "spec", [spec | spec], spec ++ :tail, [:clause], [{1, 2}]])

      2 ->
        spec ++ one_of([[{:_, []}], [{:_, :guards, [true]}], [{:_, [], []}], [{:_, [], 1}]])

      3 ->
        [put_elem(hd(spec), 1, one_of([:guards, [true | false], {true}, [fault() | fault()]]))]

      4 ->
        [put_elem(hd(spec), 2, one_of([[], :body, [true | true], [fault() | fault()]]))]

      5 ->
        [
          put_elem(
            hd(spec),
            0,
            one_of([{%{:_ => 1}}, {1, %{:a => 1, :"$1" => 2}}, [%{:_ => :_}]])
          )
        ]

      _other ->
        put_faults(spec)
    end
  end

  # Faults in any of several expressions of any clause.
  defp put_faults(spec) do
    for {head, guards, body} <- spec do
      add = fn -> for _fault <- 1..one_of([0, 1, 2])//1, do: around(fault(), 2) end
      {head, guards ++ add.(), add.() ++ body}
    end
  end

  defp fault do
    case :rand.uniform(8) do
      1 ->
        {String.to_atom(String.duplicate(one_of(["x", "é", "😀"]), one_of([60, 87, 99, 255]))), 1}

      2 ->
        List.to_tuple(for _element <- 1..40, do: one_of([1, "abc", ~c"abc", -1.5]))

      3 ->
        {self(), make_ref(), &is_atom/1}

      _other ->
        one_of(@faults)
    end
  end

  # An expression with another one inside.
  defp around(part, 0), do: part

  defp around(part, depth) do
    around(
      one_of([
        part,
        {:is_atom, part},
        {:+, part, 1},
        {:element, 1, part},
        {:and, true, part, fault()},
        {:orelse, part, false},
        {:orelse, fault(), part, false},
        {{part, 1}},
        {{1, part, fault()}},
        [part, 1],
        [fault() | part],
        %{part => 1},
        %{part => part, {:foo, 1} => fault()},
        %{part => :"$_", {:self, 1} => 1},
        %{1 => part, 2 => fault()},
        %{%{part => 1} => 2},
        {:const, part}
      ]),
      depth - 1
    )
  end

  # A pattern that often fits the term.
  defp near(term, depth) do
    case :rand.uniform(10) do
      1 -> :_
      n when n <= 5 -> one_of(@variables)
      6 when depth <= 0 -> term
      7 -> term(1)
      _other -> inside(term, depth - 1)
    end
  end

  defp inside(term, depth) when is_tuple(term) do
    term |> Tuple.to_list() |> Enum.map(&near(&1, depth)) |> List.to_tuple()
  end

  defp inside([head | tail], depth) do
    [near(head, depth) | one_of([near(tail, depth), inside(tail, depth), inside(tail, depth)])]
  end

  defp inside(map, depth) when is_map(map) do
    for {key, value} <- map, :rand.uniform(4) > 1, into: %{}, do: {key, near(value, depth)}
  end

  defp inside(term, _depth), do: term

  defp variables(term) when is_tuple(term), do: term |> Tuple.to_list() |> variables()
  defp variables([head | tail]), do: variables(head) ++ variables(tail)
  defp variables(map) when is_map(map), do: map |> Map.values() |> variables()
  defp variables(atom) when atom in @variables, do: [atom]
  defp variables(_term), do: []

  @doc """
  A term of some kinds, not nested deeper than this.
  """
  def term(0), do: leaf()

  def term(depth) do
    case :rand.uniform(9) do
      1 -> List.to_tuple(terms(depth - 1))
      2 -> terms(depth - 1)
      3 -> [term(depth - 1) | leaf()]
      4 -> Map.new(terms(depth - 1), &{leaf(), &1})
      _other -> leaf()
    end
  end

  defp terms(depth), do: for(_term <- 1..(:rand.uniform(4) - 1)//1, do: term(depth))

  defp leaf, do: one_of(@leaves)

  @comparisons [:<, :"=<", :>, :>=, :==, :"/=", :"=:=", :"=/="]
  @operators [:+, :-, :*, :/, :div, :rem, :band, :bor, :bxor]
  @tests [:is_atom, :is_float, :is_integer, :is_list, :is_number, :is_pid, :is_port] ++
           [:is_reference, :is_tuple, :is_map, :is_binary, :is_function]
  @functions [:abs, :hd, :tl, :length, :size, :map_size, :bit_size, :byte_size, :round] ++
               [:trunc, :float, :+, :-, :bnot, :not, :node]

  defp expression(0, variables), do: atomic(variables)

  defp expression(depth, variables) do
    part = fn -> expression(depth - 1, variables) end
    parts = fn counts -> for _part <- 1..one_of(counts)//1, do: part.() end

    case :rand.uniform(24) do
      n when n <= 5 -> {one_of(@comparisons), part.(), part.()}
      n when n <= 8 -> {one_of(@operators), part.(), part.()}
      9 -> {one_of([:bsl, :bsr]), part.(), one_of([0, 1, -1, 3, 64, -64, 100, part.()])}
      n when n <= 12 -> {one_of(@tests), part.()}
      n when n <= 15 -> {one_of(@functions), part.()}
      16 -> {:element, one_of([1, 2, 3, 0, part.()]), part.()}
      17 -> of_several(part)
      18 -> List.to_tuple([one_of([:and, :or, :andalso, :orelse]) | parts.([1, 2, 3])])
      19 -> {List.to_tuple(parts.([0, 1, 2, 3]))}
      20 -> parts.([1, 2, 3])
      21 -> [part.() | one_of([:"$$", [], :x, part.(), part.(), {{:a, part.()}}])]
      22 -> Map.new(Enum.take_random([:a, 1, 2.0, "k"], one_of([0, 1, 2])), &{&1, part.()})
      _other -> atomic(variables)
    end
  end

  defp of_several(part) do
    one_of([
      {:map_get, part.(), part.()},
      {:is_map_key, part.(), part.()},
      {:is_record, part.(), :a, 2},
      {:is_record, part.(), one_of([:a, :ok, 1]), part.()},
      {:binary_part, part.(), {{part.(), part.()}}},
      {:binary_part, part.(), one_of([0, 1, 2]), one_of([-1, 0, 1, 2])},
      {:xor, part.(), part.()}
    ])
  end

  defp atomic(variables) do
    case :rand.uniform(9) do
      n when n <= 5 and variables != [] -> one_of(variables)
      6 -> :"$_"
      7 -> :"$$"
      8 -> {:const, term(2)}
      _other -> one_of(@leaves -- [{}, {:a, 1}])
    end
  end

  defp one_of(list), do: Enum.random(list)
end
