defmodule Etsunami.KeeperTest do
  # What a stored term keeps alive, and for how long.
  use ExUnit.Case, async: false
  @moduletag :library

  defp closure(x), do: fn -> x end

  defp collect do
    for pid <- Process.list(), do: :erlang.garbage_collect(pid)
    :ok
  end

  defp table, do: Etsunami.new(:keeper, [:set, :public])

  test "a counters reference lives while the table is its only holder" do
    tab = table()

    Task.await(
      Task.async(fn ->
        counters = :counters.new(1, [])
        :counters.put(counters, 1, 42)
        Etsunami.insert(tab, [{:counters, counters}, {:closure, closure(counters)}])
        Etsunami.insert(tab, {counters, :key})
        true
      end)
    )

    collect()
    [{:counters, counters}] = Etsunami.lookup(tab, :counters)
    assert :counters.get(counters, 1) == 42
    [{:closure, closure}] = Etsunami.lookup(tab, :closure)
    assert closure.() == counters
    assert Etsunami.lookup(tab, counters) == [{counters, :key}]
    :counters.add(counters, 1, 1)
    assert :counters.get(closure.(), 1) == 43
  end

  test "big binaries are held, not copied, and let go" do
    tab = table()
    big = :rand.bytes(5_000_000)
    before = :erlang.memory(:binary)
    for i <- 1..50, do: Etsunami.insert(tab, {i, big})
    assert :erlang.memory(:binary) - before < 1_000_000
    assert Etsunami.lookup(tab, 50) == [{50, big}]
    assert :binary.referenced_byte_size(elem(hd(Etsunami.lookup(tab, 7)), 1)) == 5_000_000
  end

  test "a deleted binary is let go" do
    tab = table()
    for i <- 1..20, do: Etsunami.insert(tab, {i, :rand.bytes(1_000_000)})
    collect()
    held = :erlang.memory(:binary)
    Etsunami.delete_all_objects(tab)
    assert let_go?(held - 19_000_000, 100)
  end

  test "a counters array is let go with its last object" do
    for hold <- [& &1, &closure/1], forget <- [:delete, :delete_all_objects, :take, :insert] do
      tab = table()
      text = Task.await(Task.async(fn -> hold_array(tab, hold) end))
      collect()
      assert array?(text)
      forget(forget, tab)
      assert eventually(fn -> not array?(text) end, 100), "#{forget} leaves the array alive"
    end
  end

  # Its text is not the reference, and keeps nothing alive.
  defp hold_array(tab, hold) do
    array = :atomics.new(1000, [])
    Etsunami.insert(tab, {:key, hold.(array)})
    :erlang.term_to_binary(array)
  end

  defp forget(:insert, tab), do: Etsunami.insert(tab, {:key, :other})
  defp forget(:delete_all_objects, tab), do: Etsunami.delete_all_objects(tab)

  defp forget(function, tab) do
    Task.await(Task.async(fn -> apply(Etsunami, function, [tab, :key]) && true end))
  end

  defp array?(text) do
    look = fn ->
      try do
        is_map(:atomics.info(:erlang.binary_to_term(text)))
      rescue
        ArgumentError -> false
      end
    end

    Task.await(Task.async(look))
  end

  defp eventually(_condition, 0), do: false

  defp eventually(condition, tries) do
    condition.() or
      (
        collect()
        Process.sleep(20)
        eventually(condition, tries - 1)
      )
  end

  defp let_go?(_limit, 0), do: false

  defp let_go?(limit, tries) do
    collect()

    if :erlang.memory(:binary) < limit do
      true
    else
      Process.sleep(20)
      let_go?(limit, tries - 1)
    end
  end

  test "references, pids and closures stay the same when the node gets a name" do
    tab = table()
    terms = [make_ref(), closure(self()), :atomics.new(1, [])]
    # The portable path stores local pids and ports with the name that the node had.
    portable? = System.get_env("ETSUNAMI_PORTABLE") == "1"
    terms = if portable?, do: terms, else: [self(), hd(Port.list()) | terms]
    terms = [List.to_tuple(terms) | terms]
    for {term, i} <- Enum.with_index(terms), do: Etsunami.insert(tab, {term, i, term})
    assert node() == :nonode@nohost
    # Without a listener no port mapper is needed.
    options = %{name_domain: :shortnames, dist_listen: false}
    assert {:ok, _} = :net_kernel.start(:etsunami_keeper@localhost, options)
    assert node() == :etsunami_keeper@localhost

    for {term, i} <- Enum.with_index(terms) do
      assert [{key, ^i, value}] = Etsunami.lookup(tab, term)
      assert key === term and value === term
    end
  after
    :net_kernel.stop()
  end

  test "closures and references are keys, whichever process made them" do
    tab = table()
    reference = make_ref()
    remote = :erlang.binary_to_term(<<131, 90, 3::16, 119, 3, "a@b", 1::32, 2::32, 3::32, 4::32>>)
    keys = [closure({1, "x"}), reference, remote, {remote, [closure(%{a: 1})]}, &Enum.map/2]
    for {key, i} <- Enum.with_index(keys), do: Etsunami.insert(tab, {key, i})

    found = fn -> for key <- keys, do: Etsunami.lookup_element(tab, key, 2) end
    assert Task.await(Task.async(found)) == Enum.to_list(0..4)
    remade = Task.async(fn -> Etsunami.lookup_element(tab, closure({1, "x"}), 2) end)
    assert Task.await(remade) == 0
  end
end
