defmodule Etsunami.TermTest do
  # The codec and the term order of the native core against the VM: the VM is the model. With
  # ETSUNAMI_PORTABLE=1 the same tests try the path for VMs whose words are not as assumed.
  use ExUnit.Case, async: false
  @moduletag :library

  import Bitwise
  alias Etsunami.{Differences, Native}

  # Both were run a hundred times as large when the codec was written.
  @pairs 20_000
  @terms 5_000

  # Random terms

  @atoms [:a, :b, :ab, :"", true, nil, :ünï, :ω, :Ω, :日本, :"\u{10ffff}", Elixir.Enum]

  defp integer do
    edge =
      Enum.random([0, 0, 1 <<< 31, 1 <<< 53, 1 <<< 59, 1 <<< 63, 1 <<< 64, 1 <<< 128, 1 <<< 2048])

    Enum.random([1, -1]) * (edge + Enum.random(-2..2))
  end

  defp float do
    case :rand.uniform(8) do
      1 -> 0.0
      2 -> -0.0
      3 -> Enum.random([1, -1]) * 1.0e300
      4 -> :rand.normal()
      5 -> 5.0e-324
      _ -> (integer_below_float_limit() + Enum.random([0, 0, 0.5])) * 1.0
    end
  end

  defp integer_below_float_limit do
    edge = Enum.random([0, 0, 1 <<< 31, 1 <<< 53, 1 <<< 59, 1 <<< 63, 1 <<< 64])
    Enum.random([1, -1]) * (edge + Enum.random(-2..2))
  end

  defp binary, do: Enum.random(["", "a", "ab", "b", "abcdefgh", "abcdefghi", :rand.bytes(40)])

  defp bits do
    size = Enum.random([1, 3, 7, 9, 63, 65, 1001])
    <<bits::bitstring-size(size), _::bitstring>> = :rand.bytes(126)
    bits
  end

  defp node_name, do: Enum.random(["a@host", "b@host", "ω@host"])

  defp from_node(tag, rest) do
    name = node_name()
    :erlang.binary_to_term(<<131, tag, rest.(<<119, byte_size(name), name::binary>>)::binary>>)
  end

  defp small, do: Enum.random(0..2)
  defp remote_pid, do: from_node(88, &<<&1::binary, small()::32, small()::32, 1 + small()::32>>)
  defp remote_port, do: from_node(120, &<<&1::binary, small()::64, 1 + small()::32>>)

  defp remote_reference do
    from_node(90, &<<3::16, &1::binary, 1 + small()::32, small()::32, small()::32, small()::32>>)
  end

  defp closure, do: fun_over(Enum.random([1, 2, :a, {1, "x"}]))
  defp fun_over(x), do: fn y -> {x, y} end

  defp leaf do
    case :rand.uniform(16) do
      n when n in 1..3 -> integer()
      n when n in 4..5 -> float()
      n when n in 6..7 -> Enum.random(@atoms)
      n when n in 8..9 -> binary()
      10 -> bits()
      11 -> Enum.random([self(), Process.whereis(:init), remote_pid(), remote_pid()])
      12 -> Enum.random([hd(Port.list()), List.last(Port.list()), remote_port()])
      13 -> Enum.random([make_ref(), Process.get(:reference), remote_reference()])
      14 -> Enum.random([&Enum.map/2, &:lists.map/2, closure(), closure(), &fun_over/1])
      15 -> Enum.random([[], {}, %{}])
      16 -> small()
    end
  end

  defp term(0), do: leaf()

  defp term(depth) do
    case :rand.uniform(10) do
      n when n in 1..4 -> leaf()
      n when n in 5..6 -> List.to_tuple(terms(depth))
      n when n in 7..8 -> terms(depth)
      9 -> Enum.reduce(terms(depth), leaf(), &[&1 | &2])
      10 -> map(depth)
    end
  end

  defp terms(depth), do: for(_ <- 1..Enum.random(1..4)//1, do: term(depth - 1))

  defp map(depth) do
    size = Enum.random([1, 2, 3, 4, 40])
    inner = if size > 4, do: 0, else: depth - 1
    for _ <- 1..size, into: %{}, do: {term(inner), term(inner)}
  end

  # A term that differs a little, or not at all.
  defp variant(term) do
    case {:rand.uniform(3), term} do
      {1, _} -> term
      {_, n} when is_integer(n) and abs(n) < 1 <<< 1000 -> Enum.random([n * 1.0, n + 1, n])
      {_, x} when is_float(x) -> Enum.random([trunc(x), -x, x])
      {_, t} when is_tuple(t) and t != {} -> put_elem(t, 0, variant(elem(t, 0)))
      {_, [head | tail]} -> Enum.random([[variant(head) | tail], [head | variant(tail)]])
      {_, m} when is_map(m) and map_size(m) > 0 -> variant_map(m)
      {_, b} when is_binary(b) -> Enum.random([b <> "x", <<b::binary, 1::1>>, b])
      {_, _} -> leaf()
    end
  end

  defp variant_map(map) do
    {key, value} = Enum.random(map)

    case :rand.uniform(2) do
      1 -> Map.put(map, key, variant(value))
      2 -> map |> Map.delete(key) |> Map.put(variant(key), value)
    end
  end

  defp pair do
    a = term(3)
    {a, if(:rand.uniform(4) == 1, do: term(3), else: variant(a))}
  end

  # The same term, bit for bit: `=:=` does not tell 0.0 from -0.0 on every release.
  defp same?(a, b), do: a === b and :erlang.term_to_binary(a) == :erlang.term_to_binary(b)

  defp round_trip(term) do
    {as_key, as_value} = Native.codec_roundtrip(term)

    as_key === term and as_value === term and key_bits(as_key) == key_bits(term) and
      same?(as_value, term)
  end

  # A map that comes back from a key may iterate in another order on releases where the order of
  # atom keys is not that of their text, but it is the same map.
  defp key_bits(term), do: :erlang.term_to_binary(term, [:deterministic])

  setup do
    :rand.seed(:exsss, ExUnit.configuration()[:seed])
    Process.put(:reference, make_ref())
    :ok
  end

  defp agree(name, native, vm, a, b) do
    unless native == {vm, vm, vm} do
      flunk("#{name}: #{inspect(native)}, not #{vm} for\n#{inspect(a)}\n#{inspect(b)}")
    end
  end

  # See `:order_of_maps_in_keys` of the differences.
  defp own_order?(term) do
    Differences.applies?(:order_of_maps_in_keys) and System.otp_release() >= "26" and
      map_in_key?(term, false)
  end

  defp map_in_key?(map, true) when is_map(map), do: true

  defp map_in_key?(map, false) when is_map(map) do
    map_in_key?(Map.keys(map), true) or map_in_key?(Map.values(map), false)
  end

  defp map_in_key?(tuple, key?) when is_tuple(tuple), do: map_in_key?(Tuple.to_list(tuple), key?)
  defp map_in_key?([a | b], key?), do: map_in_key?(a, key?) or map_in_key?(b, key?)
  defp map_in_key?(_other, _key?), do: false

  test "random terms come back bit for bit" do
    for _ <- 1..@terms do
      term = term(4)
      assert round_trip(term)
    end
  end

  test "order and equality of random pairs are the VM's" do
    for _ <- 1..@pairs do
      {a, b} = pair()
      order = if a == b, do: 0, else: if(a < b, do: -1, else: 1)
      unless own_order?({a, b}), do: agree("order", Native.codec_compare(a, b), order, a, b)
      agree("=:=", Native.codec_equal(a, b), a === b, a, b)
    end
  end

  test "equal terms have equal hashes, stored or looked up" do
    for _ <- 1..@terms do
      {a, b} = pair()
      {probe, stored} = Native.codec_hash(a, 42)
      assert probe == stored
      if a === b, do: assert(Native.codec_hash(b, 42) == {probe, stored})
    end
  end

  test "the edges of integers" do
    for bits <- [1, 31, 32, 58, 59, 60, 61, 62, 63, 64, 65, 127, 128, 2039, 2040, 2048, 100_000],
        delta <- -2..2,
        sign <- [1, -1] do
      assert round_trip(sign * ((1 <<< bits) + delta))
    end
  end

  test "binaries and bit strings of every size, at every offset" do
    bytes = :rand.bytes(300)

    for size <- [0, 1, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1000, 2047], offset <- 0..8 do
      <<_::size(offset), bits::bitstring-size(size), _::bitstring>> = bytes
      assert round_trip(bits)
    end
  end

  test "big binaries, shared, unaligned and inside values" do
    big = :rand.bytes(100_000)
    <<_::3, unaligned::binary-size(50_000), _::bitstring>> = big

    for term <- [big, unaligned, binary_part(big, 1, 70_000), {1, [big], %{a: unaligned}}] do
      assert round_trip(term)
      copy = :erlang.binary_to_term(:erlang.term_to_binary(term))
      assert Native.codec_equal(term, copy) == {true, true, true}
      assert Native.codec_compare(term, copy) == {0, 0, 0}
    end
  end

  test "a million levels of nesting" do
    lists = Enum.reduce(1..1_000_000, [], fn _, inner -> [inner] end)
    tuples = Enum.reduce(1..1_000_000, {}, fn _, inner -> {inner, 1} end)
    maps = Enum.reduce(1..100_000, %{}, fn i, inner -> %{inner => i, a: 1} end)

    for term <- [lists, tuples] do
      assert {key, value} = Native.codec_roundtrip(term)
      assert key === term and value === term
    end

    assert {key, value} = Native.codec_roundtrip(maps)
    assert map_size(key) == 2 and map_size(value) == 2
  end

  test "long lists and large maps" do
    for term <- [Enum.to_list(1..300_000), Map.new(1..50_000, &{{&1, "k"}, [&1]})] do
      assert round_trip(term)
    end
  end

  test "an object takes a block of its own length" do
    # Header and elements, of which most objects have few.
    for words <- 2..8, do: assert({words, Native.codec_block(words)} == {words, 8 * words})
    assert Native.codec_block(100) < 8 * 115
  end

  test "maps inside keys have one form, however they were built" do
    pairs =
      for i <- 1..100, do: {Enum.random([i, i * 1.0, {i}, [i], "#{i}"]), %{{i} => i, i => 1}}

    hashes = for _ <- 1..20, do: Native.codec_hash(Map.new(Enum.shuffle(pairs)), 7)
    assert [{hash, hash}] = Enum.uniq(hashes)
  end

  test "equal closures made in two processes are one key" do
    make = fn -> fun_over({1, "x"}) end
    other = Task.await(Task.async(make))
    assert other === make.()
    assert Native.codec_equal(other, make.()) == {true, true, true}
    assert Native.codec_hash(other, 1) == Native.codec_hash(make.(), 1)
  end

  test "references of resources come back as the same resource" do
    counters = :counters.new(1, [])
    {key, value} = Native.codec_roundtrip(counters)
    :counters.add(key, 1, 1)
    :counters.add(value, 1, 1)
    assert :counters.get(counters, 1) == 2
  end

  test "environments are freed with the terms in them" do
    closure = fun_over(Enum.to_list(1..1000))
    keep = fn -> for _ <- 1..1_000, do: Native.codec_roundtrip(closure) end
    keep.()
    :erlang.garbage_collect()
    before = :erlang.memory(:total)
    keep.()
    :erlang.garbage_collect()
    assert :erlang.memory(:total) - before < 2_000_000
  end
end
