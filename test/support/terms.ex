defmodule Etsunami.Terms do
  @moduledoc """
  Terms of all kinds, for tests that put them into tables.
  """

  defmodule Struct do
    @moduledoc false
    defstruct [:a, :b, c: 1]
  end

  @doc """
  The terms by kind.
  """
  def by_kind do
    [
      integers: integers(),
      floats: floats(),
      atoms: atoms(),
      binaries: binaries(),
      bitstrings: bitstrings(),
      identifiers: identifiers(),
      functions: functions(),
      tuples: tuples(),
      lists: lists(),
      maps: maps()
    ]
  end

  @doc """
  All of them.
  """
  def all, do: by_kind() |> Keyword.values() |> Enum.concat()

  @doc """
  Terms near to each other, some of them equal by `==` alone.
  """
  def neighbours do
    numbers = [
      0,
      -0.0,
      0.0,
      1,
      1.0,
      -1,
      -1.0,
      2 ** 53,
      2.0 ** 53,
      2 ** 53 + 1,
      2 ** 70,
      2.0 ** 70
    ]

    more_numbers = [2 ** 60, -(2 ** 60), 2.0 ** 60, 1.5, 2 ** 1024, -(2 ** 1024), 1.0e308]
    keyed = for n <- [1, 1.0], value <- [1, 1.0], do: %{n => value}

    wrapped =
      for n <- [0, 0.0, -0.0, 1, 1.0, 2 ** 70, 2.0 ** 70],
          wrapped <- [{n}, [n], [:a | n], {:a, [n]}, %{a: n}],
          do: wrapped

    others = [
      :a,
      :aa,
      :b,
      :"",
      nil,
      "",
      "a",
      <<"a", 0>>,
      <<"a", 0::1>>,
      <<1::1>>,
      <<0::1>>,
      [],
      {},
      %{},
      ~c"a",
      [97 | 98],
      {1, 2},
      {2, 1},
      %{a: 1, b: 2},
      %{a: 2, b: 1},
      %{:a => 1, "a" => 1},
      %{1 => :a, 1.0 => :b},
      %{1 => :b, 1.0 => :a},
      self(),
      &Map.get/2,
      &Map.get/3
    ]

    numbers ++ more_numbers ++ keyed ++ wrapped ++ others ++ large_maps()
  end

  defp integers do
    for exponent <- [0, 7, 8, 16, 27, 28, 31, 32, 59, 60, 63, 64, 65, 127, 128, 1000, 20_000],
        near <- [-1, 0, 1],
        sign <- [1, -1],
        uniq: true,
        do: sign * (2 ** exponent + near)
  end

  defp floats do
    positive = [0.0, 1.0, 0.1, 1.5, 5.0e-324, 2.2250738585072014e-308, 1.7976931348623157e308]
    for float <- positive, sign <- [1.0, -1.0], do: sign * float
  end

  defp atoms do
    texts = ["", "a", "ok", "Elixir.Map", "with space", "ä", "ÿ", "Ω", "日本", "😀", "a\n\0b"]
    long = for char <- ["a", "ä", "Ω", "😀"], do: String.duplicate(char, 255)
    [true, false, nil, :_, :"$1", :"$end_of_table"] ++ Enum.map(texts ++ long, &String.to_atom/1)
  end

  @sizes [0, 1, 7, 8, 9, 31, 32, 63, 64, 65, 66, 127, 128, 255, 256, 257, 1023, 4096] ++
           [16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 1_000_000]

  defp binaries do
    whole = for size <- @sizes, do: :binary.copy(<<size::32, 171>>, div(size, 5) + 1)
    cut = for {binary, size} <- Enum.zip(whole, @sizes), do: binary_part(binary, 0, size)
    large = :binary.copy("0123456789", 10_000)
    parts = for size <- [0, 1, 64, 65, 5000], do: binary_part(large, 3, size)
    cut ++ parts ++ [String.duplicate("ü", 100)]
  end

  defp bitstrings do
    bits = :binary.copy(<<0xA5, 0x3C>>, 20_000)

    for size <- Enum.to_list(1..17) ++ [63, 65, 511, 513, 519, 521, 100_001, 300_001] do
      <<part::bitstring-size(size), _rest::bitstring>> = bits
      part
    end
  end

  defp identifiers do
    table = :ets.new(:terms, [])
    :ets.delete(table)

    [
      self(),
      spawn(fn -> :ok end),
      Process.group_leader(),
      make_ref(),
      :erlang.alias() |> tap(&:erlang.unalias/1),
      :counters.new(3, []),
      :atomics.new(1, []),
      table,
      hd(Port.list())
    ] ++ Enum.map(external(), &:erlang.binary_to_term/1)
  end

  # Pids, ports and references of another node, in the external format. The references differ in
  # their first numbers: OTP 25 hashes nothing else of them, and a map of its own cannot hold two
  # that are equal there.
  defp external do
    node = <<119, 10, "other@host">>

    [
      <<131, 88, node::binary, 100::32, 7::32, 3::32>>,
      <<131, 88, node::binary, 0xFFFFFFFF::32, 0xFFFFFFFF::32, 3::32>>,
      <<131, 89, node::binary, 9::32, 3::32>>,
      <<131, 120, node::binary, 9::64, 3::32>>,
      <<131, 90, 3::16, node::binary, 3::32, 1001::32, 1002::32, 1003::32>>,
      <<131, 90, 2::16, node::binary, 3::32, 2001::32, 2002::32>>,
      <<131, 90, 5::16, node::binary, 3::32, 3001::32, 3002::32, 3003::32, 3004::32, 3005::32>>
    ]
  end

  defp functions do
    large = Enum.to_list(1..100)
    reference = make_ref()

    [
      &Map.get/2,
      Function.capture(:no_such_module, :no_such_function, 7),
      fn -> :ok end,
      fn x -> {x, large} end,
      fn -> {reference, "binary", self()} end,
      fn -> fn -> large end end
    ]
  end

  defp tuples do
    [
      {},
      {1},
      {1.0},
      {:a, "b", [3], %{d: 4}},
      {{{{}}}, {}},
      List.to_tuple(Enum.to_list(1..255)),
      List.to_tuple(Enum.to_list(1..256)),
      List.to_tuple(Enum.to_list(1..20_000)),
      {self(), make_ref(), &Map.get/2},
      %Struct{a: {1}, b: "b"},
      {%Struct{}, %Struct{c: %Struct{}}}
    ]
  end

  defp lists do
    [
      [],
      [1],
      [[]],
      [[[], []], []],
      [1 | 2],
      [1, 2 | :tail],
      [[1 | 2] | [3 | 4]],
      [:a | "binary"],
      ~c"characters",
      Enum.to_list(1..10_000),
      Enum.map(1..1000, &{&1, "value #{&1}", [&1 * 1.0]}),
      [self(), make_ref(), 2 ** 100, 1.5],
      [a: 1, b: [c: 2]]
    ]
  end

  defp maps do
    [
      %{},
      %{a: 1},
      %{1 => :integer, 1.0 => :float},
      %{[] => {}, {} => [], %{} => %{}, "" => ""},
      %{a: %{b: %{c: %{}}}},
      %{self() => make_ref(), make_ref() => self()},
      %Struct{},
      Map.new(1..32, &{&1, &1}),
      Map.new(1..33, &{&1, &1}),
      Map.new(1..40, &{:"key#{&1}", &1}),
      Map.new(1..1000, &{{&1, "key"}, [&1]}),
      Map.new(1..50, &{&1 / 1, %{&1 => &1}})
    ] ++ large_maps()
  end

  defp large_maps do
    integers = Map.new(1..40, &{&1, 1})
    [integers, Map.put(integers, 41, 1), Map.new(1..40, &{&1 * 1.0, 1}), %{integers | 40 => 1.0}]
  end
end
