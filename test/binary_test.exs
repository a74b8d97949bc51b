defmodule Etsunami.BinaryTest do
  # Long binaries in values are held by reference, as in ETS; see native/etsunami_nif/src/codec.
  use ExUnit.Case, async: false
  @moduletag :library

  @sizes [64, 65, 127, 255, 256, 257, 258, 500, 8191, 16_383, 16_384, 16_385, 100_000]

  # Without the layout of terms all but the longest are copied.
  @layout Etsunami.info().vm_terms == :layout

  defp table(type \\ :set), do: Etsunami.new(:binaries, [type, :public])

  # A new binary that nothing else refers to, and its equal inside of a much larger one.
  defp whole(size),
    do: :binary.copy(String.duplicate("0123456789", div(size, 10) + 1), 1) |> cut(size)

  defp cut(binary, size), do: :binary.copy(binary_part(binary, 0, size))

  defp slice(binary),
    do: binary_part(:binary.copy(binary, 40), 3 * byte_size(binary), byte_size(binary))

  defp unaligned(binary) do
    size = byte_size(binary)
    <<_::3, part::binary-size(size), _::5>> = <<5::3, binary::binary, 7::5>>
    part
  end

  # Equal binaries that are held, copied, or made anew by the VM.
  defp forms(size) do
    whole = whole(size)
    longer = binary_part(whole(size + 8), 0, size)
    [whole, slice(whole), unaligned(whole), longer, binary_part(whole <> "tail", 0, size)]
  end

  # The memory of binaries once nothing that is let go already is freed any more.
  defp settled do
    collect()
    before = :erlang.memory(:binary)
    Process.sleep(50)
    if :erlang.memory(:binary) < before, do: settled(), else: before
  end

  defp collect, do: for(pid <- Process.list(), do: :erlang.garbage_collect(pid))

  defp eventually(condition, tries \\ 200) do
    condition.() || (tries > 0 && Process.sleep(10) == :ok && eventually(condition, tries - 1))
  end

  test "binaries come back from wherever they stand in a value" do
    tab = table()

    for size <- @sizes, binary <- forms(size) do
      value =
        {binary, [binary, :x | binary], %{binary => 1, a: {binary}}, <<binary::binary, 1::3>>}

      Etsunami.insert(tab, {size, binary, value, binary})
      assert Etsunami.lookup(tab, size) === [{size, binary, value, binary}]
      assert Etsunami.lookup_element(tab, size, 2) === binary
      assert Etsunami.lookup_element(tab, size, 3) === value
      assert Etsunami.update_element(tab, size, {4, {binary}})
      assert Etsunami.take(tab, size) === [{size, binary, value, {binary}}]
    end
  end

  defp addresses do
    {:binary, binaries} = Process.info(self(), :binary)
    for {address, _size, _count} <- binaries, do: address
  end

  test "a binary is shared with whoever stored it and whoever looks it up" do
    tab = table()

    for size <- if(@layout, do: [257, 500, 20_000], else: [16_385, 20_000]) do
      binary = whole(size)
      Etsunami.insert(tab, {size, {binary}})
      [{_, {again}}] = Etsunami.lookup(tab, size)
      :erlang.garbage_collect()
      found = addresses()
      assert length(found) > length(Enum.uniq(found)), "#{size} bytes are not shared"
      assert again === binary
    end
  end

  # How many hold a binary of this size that this process has.
  defp holders(size) do
    {:binary, binaries} = Process.info(self(), :binary)
    Enum.find_value(binaries, fn {_, bytes, count} -> bytes == size && count end)
  end

  test "an object that takes another's place holds its binaries, each as often" do
    tab = table()
    binary = whole(23_456)
    :erlang.garbage_collect()
    alone = holders(23_456)
    Etsunami.insert(tab, {1, binary, {binary}, 0})
    assert holders(23_456) == alone + 2

    for n <- 1..100 do
      Etsunami.update_element(tab, 1, {4, {n}})
      Etsunami.update_counter(tab, 2, 1, {2, 0, binary, n})
      assert holders(23_456) >= alone + 3
    end

    assert eventually(fn -> :erlang.garbage_collect() && holders(23_456) == alone + 3 end)
    Etsunami.delete(tab)
    assert eventually(fn -> holders(23_456) == alone end)
    assert binary === whole(23_456)
  end

  if @layout do
    test "at least half of a binary is shared, less is copied" do
      tab = table()
      large = :binary.copy("0123456789", 100)

      for {size, held} <- [{70, 70}, {499, 499}, {500, 1000}, {999, 1000}] do
        Etsunami.insert(tab, {size, binary_part(large, 1000 - size, size)})
        binary = Etsunami.lookup_element(tab, size, 2)
        assert binary === binary_part(large, 1000 - size, size)
        assert :binary.referenced_byte_size(binary) == held
      end
    end
  end

  test "a binary that grows where it stands leaves what is stored as it was" do
    tab = table()

    grown =
      Enum.reduce(1..2000, <<>>, fn n, grown ->
        Etsunami.insert(tab, {n, grown})
        <<grown::binary, n::32>>
      end)

    for n <- 1..2000 do
      assert Etsunami.lookup_element(tab, n, 2) === binary_part(grown, 0, 4 * (n - 1))
    end
  end

  test "equal binaries are equal, however they stand" do
    for size <- @sizes, stored <- forms(size), asked <- forms(size) do
      tab = table()
      Etsunami.insert(tab, {1, stored, {stored}})
      assert Etsunami.match(tab, {:"$1", asked, {asked}}) == [[1]]
      assert Etsunami.match(tab, {:_, :"$1", {:"$1"}}) == [[stored]]
      guard = [{:"=:=", :"$1", asked}, {:>=, :"$1", asked}, {:"=<", :"$1", asked}]
      assert Etsunami.select_count(tab, [{{:_, :"$1", :_}, guard, [true]}]) == 1
      other = binary_part(asked, 0, size - 1) <> "x"
      assert Etsunami.match(tab, {:"$1", other, :_}) == []
      assert Etsunami.delete_object(tab, {1, other, {asked}})
      assert Etsunami.info(tab, :size) == 1
      assert Etsunami.delete_object(tab, {1, asked, {asked}})
      assert Etsunami.info(tab, :size) == 0
      Etsunami.delete(tab)
    end
  end

  test "large groups of a bag find equal binaries, however they stand" do
    for size <- [257, 500, 16_385], type <- [:bag, :duplicate_bag] do
      tab = table(type)
      fill = fn form -> for(n <- 1..200, do: {:key, n, {n, [form, %{a: form}]}, form}) end
      Etsunami.insert(tab, fill.(whole(size)))
      if type == :bag, do: for(form <- forms(size), do: Etsunami.insert(tab, fill.(form)))
      assert Etsunami.info(tab, :size) == 200

      for form <- forms(size), n <- [7, 200] do
        object = {:key, n, {n, [form, %{a: form}]}, form}
        assert Etsunami.delete_object(tab, object)
        assert Etsunami.info(tab, :size) == 199
        Etsunami.insert(tab, object)
      end
    end
  end

  test "a key in which a long binary stands finds its object from any other form" do
    for type <- [:set, :ordered_set], size <- [257, 500, 16_385] do
      tab = table(type)
      Etsunami.insert(tab, {{:key, whole(size)}, whole(size)})

      for form <- forms(size),
          do: assert(Etsunami.lookup(tab, {:key, form}) == [{{:key, form}, form}])

      keyed = {{:key, :"$1"}, :"$1"}
      assert Etsunami.select(tab, [{keyed, [], [:"$1"]}]) == [whole(size)]
      changed = [{keyed, [], [{{{{:key, :"$1"}}, {{:"$1", :"$1"}}}}]}]
      assert Etsunami.select_replace(tab, changed) == 1

      for form <- forms(size),
          do: assert(Etsunami.match(tab, {:"$1", {form, form}}) == [[{:key, form}]])
    end
  end

  test "a binary survives its object, its table and its maker" do
    tab = table()

    Task.await(
      Task.async(fn ->
        Etsunami.insert(tab, for(n <- 1..100, do: {n, whole(500) <> "#{n}", 0}))
        true
      end)
    )

    found = for n <- 1..100, do: Etsunami.lookup_element(tab, n, 2)
    for n <- 1..50, do: Etsunami.update_counter(tab, n, {3, 1})
    later = for n <- 1..100, do: Etsunami.lookup_element(tab, n, 2)
    Etsunami.delete(tab)
    collect()
    for n <- 1..200, do: Etsunami.insert(table(), {n, whole(500) <> "other"})
    expected = for n <- 1..100, do: whole(500) <> "#{n}"
    assert found == expected
    assert later == expected
  end

  test "a binary is let go once: with the last object or term that has it" do
    tab = table()
    keep = fn n -> {n, whole(50_000) <> "#{n}", {whole(600)}, 0} end
    before = settled()

    Task.await(
      Task.async(fn ->
        for n <- 1..200, do: Etsunami.insert(tab, keep.(n))
        for n <- 1..200, do: Etsunami.update_counter(tab, n, {4, 1})

        for n <- 1..200,
            do: Etsunami.update_element(tab, n, {3, Etsunami.lookup_element(tab, n, 2)})

        assert_raise ArgumentError, fn ->
          Etsunami.update_element(tab, 1, [{3, whole(500)}, {9, 1}])
        end

        for n <- 1..200, do: false = Etsunami.insert_new(tab, keep.(n))
        true
      end)
    )

    collect()
    assert :erlang.memory(:binary) - before > 9_000_000
    Etsunami.delete(tab)
    assert eventually(fn -> collect() && :erlang.memory(:binary) - before < 1_000_000 end)
  end

  # Which of these are encoded on the stack, and which not, is a matter of where the binary stands.
  for stands <- [:last, :before_immediates, :between, :before_compound, :nested, :twice] do
    test "what is refused or is there already lets its binary go: #{stands}" do
      object = &object(unquote(stands), &1, &2)
      before = settled()

      Task.await(
        Task.async(fn ->
          for type <- [:set, :bag, :duplicate_bag], n <- 1..100 do
            tab = table(type)
            kept = object.(n, whole(50_000))
            Etsunami.insert(tab, kept)
            assert Etsunami.lookup(tab, n) === [kept]
            refute Etsunami.insert_new(tab, object.(n, whole(50_000)))
            refute Etsunami.insert_new(tab, [object.(n, whole(50_000)), {0}])
            Etsunami.insert(tab, object.(n, whole(50_000)))
            Etsunami.delete_object(tab, object.(n, whole(50_001)))
            if type == :set, do: update(tab, n)
            Etsunami.delete(tab)
          end
        end)
      )

      assert eventually(fn -> collect() && :erlang.memory(:binary) - before < 1_000_000 end)
    end
  end

  defp object(:last, key, binary), do: {key, 0, binary}
  defp object(:before_immediates, key, binary), do: {key, binary, 0, :x}
  defp object(:between, key, binary), do: {key, {0}, binary, :x}
  defp object(:before_compound, key, binary), do: {key, binary, {0}}
  defp object(:nested, key, binary), do: {key, {binary}}
  defp object(:twice, key, binary), do: {key, binary, binary}

  defp update(tab, key) do
    refute Etsunami.update_element(tab, :missing, {2, whole(50_000)})
    assert catch_error(Etsunami.update_element(tab, key, {9, whole(50_000)})) == :badarg
    assert Etsunami.update_element(tab, key, {2, whole(50_002)})
    assert Etsunami.lookup_element(tab, key, 2) === whole(50_002)
  end
end
