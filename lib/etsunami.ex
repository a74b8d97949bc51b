defmodule Etsunami do
  @moduledoc """
  In-memory tables with the interface and the guarantees of `:ets`, written in Rust.

  A table holds tuples, called objects. One element of each, the first unless `:keypos` says
  otherwise, is its key. Every process of the node can use a table, as far as its owner lets it;
  nothing is sent to another process for that.

      iex> table = Etsunami.new(:sessions, [:set, :public, write_concurrency: true])
      iex> Etsunami.insert(table, [{"k1", 1}, {"k2", %{any: :term}}])
      true
      iex> Etsunami.update_counter(table, "k1", {2, 5})
      6
      iex> Etsunami.lookup(table, "k2")
      [{"k2", %{any: :term}}]

  ## Coming from `:ets`

  The functions are called as those of `:ets` are and answer alike: the same order of arguments,
  the same terms, the same exceptions with the same explanations. From Erlang the module is
  `'Elixir.Etsunami'`. A table is known by a reference, or by an atom if it is named; the tables
  of `:ets` and of `Etsunami` are worlds apart, so the same name may be used in both.

  ## Types of tables

    * `:set` - one object per key; keys are compared by `===`
    * `:ordered_set` - one object per key; keys are compared by `==`, so that `1` and `1.0` are
      the same key, and traversed in the order of terms
    * `:bag` - any number of different objects per key
    * `:duplicate_bag` - any number of objects per key, equal ones among them

  ## Owners and heirs

  A table belongs to the process that made it, and it is deleted when that process ends. Whoever
  has seen the owner's `:EXIT` or `:DOWN` finds the table gone. The owner may give it to another
  process with `give_away/3`, or name an heir with the option `:heir`.

  The owner also decides who may use the table: nobody else (`:private`), everybody for reading
  (`:protected`, the default), everybody (`:public`).

  ## Concurrency

  Each function that works on a single object is atomic and isolated: it is done wholly or not at
  all, and nobody sees a state in between. So are `insert/2` and `insert_new/2` of a list,
  `update_counter/3` and `update_element/3` with several operations, and `delete_all_objects/1`.

  Reading takes no lock. A reader never waits for a writer, nor for a table that grows, shrinks
  or is being cleared, nor for the insertion of a long list.

  ## Traversal

  `first/1`, `next/2` and their like go from key to key. They fail with `ArgumentError` at a key
  that is not in the table, unless the table has been fixed by `safe_fixtable/2` and the key was
  there then or later. `tab2list/1`, `foldl/3` and `foldr/3` need no such care. All of them visit
  a key that stays in the table exactly once, even if its object is replaced meanwhile, and a key
  that comes or goes at most once. None of them shows the table as it was at one moment.

  ## Differences from `:ets`

  The functions behave as in the newest release of Erlang/OTP, whichever runs:

    * `insert/2` of a list puts objects of one key into a bag in the order of the list (`:ets`
      does so again since OTP 25.3)
    * `lookup_element/4` (OTP 26), `first_lookup/1`, `last_lookup/1`, `next_lookup/2`,
      `prev_lookup/2` and `update_element/4` (OTP 27) are there, as is the option `{:heir, pid}`
      without data (OTP 28)
    * a default object of `update_counter/4` or `update_element/4` that has fewer elements than
      the key position is always an error, even where the key exists (OTP 29)

  Besides,

    * `new/2` knows the additional option `:engine`, and `info/2` the items `:engine` and `:stats`
    * `:ets` knows nothing of the tables here: they appear neither in `:ets.all/0` nor in the
      memory that `:erlang.memory(:ets)` counts
    * `:memory` of `info/2` is a function of the contents of the table
  """

  alias Etsunami.{ErrorInfo, Native, Options}

  @typedoc """
  A table: its identifier, or its name if it is a named table.
  """
  @type table :: reference | atom

  @type key :: term

  @typedoc """
  What a table stores, with the key as one of its elements.
  """
  @type object :: tuple

  @typedoc """
  The place of an element in an object. The first has position 1.
  """
  @type position :: pos_integer

  @type type :: :set | :ordered_set | :bag | :duplicate_bag
  @type access :: :public | :protected | :private
  @type heir :: {:heir, :none} | {:heir, pid} | {:heir, pid, data :: term}

  @type option ::
          type
          | access
          | :named_table
          | {:keypos, position}
          | heir
          | {:write_concurrency, boolean | :auto}
          | {:read_concurrency, boolean}
          | {:decentralized_counters, boolean}
          | :compressed
          | {:engine, :ca_tree | :skip_list}

  @typedoc """
  Adds to the element at a position. A sum beyond the threshold (below it, if the increment is
  negative) is replaced by the last number.
  """
  @type counter_operation ::
          {position, increment :: integer}
          | {position, increment :: integer, threshold :: integer, set_value :: integer}

  # How many objects a scan brings along with one call.
  @chunk 500

  # Calls the native library on behalf of a public function. An error is raised from the frame of
  # that function and with its own arguments, as the explanation of the exception needs them; they
  # are those of the native function where nothing else is said.
  defmacrop native(call, arguments \\ nil) do
    arguments = arguments || call |> Macro.decompose_call() |> arguments()

    quote do
      try do
        unquote(call)
      catch
        :error, {:etsunami_error, reason, cause} ->
          :erlang.error(reason, unquote(arguments), error_info: ErrorInfo.for_cause(cause))
      end
    end
  end

  defp arguments({_module, _function, arguments}), do: arguments

  ## Tables and owners

  @doc """
  Makes a table that belongs to the calling process.

  Returns the name if the table is a named one, and otherwise an identifier, which is a reference.

  ## Options

  They are those of `:ets`. Of several options of a kind, the last one counts.

    * `:set`, `:ordered_set`, `:bag`, `:duplicate_bag` - the type, `:set` by default
    * `:public`, `:protected`, `:private` - who may use the table: everybody, everybody for
      reading (the default), nobody but the owner
    * `:named_table` - the table can be referred to by its name
    * `{:keypos, position}` - which element of an object is the key, 1 by default
    * `{:heir, pid, data}` - the process that inherits the table when the owner ends. It receives
      `{:"ETS-TRANSFER", table, owner, data}`
    * `{:heir, pid}` - the same, without a message
    * `{:heir, :none}` - no heir; the default
    * `{:engine, :ca_tree | :skip_list}` - the data structure of an `:ordered_set`. It does not
      change what a table does, only how long it takes:
        * `:ca_tree` - a contention-adapting search tree, the default. Keys lie side by side in
          leaves, so looking up and walking is fast and takes little memory. Writers of
          neighbouring keys may wait for each other
        * `:skip_list` - a lock-free skip list. Writers of different keys do not wait for each
          other, whatever thread is suspended; but every key is a node of its own, so looking up,
          walking and above all `prev/2`, `last/1` and searches backwards touch more memory

  Checked and reported by `info/2`, but without effect, as a table adapts by itself, are
  `{:write_concurrency, boolean | :auto}`, `{:read_concurrency, boolean}`,
  `{:decentralized_counters, boolean}` and `:compressed`.

  ## Examples

      iex> table = Etsunami.new(:scores, [:ordered_set, :public])
      iex> is_reference(table)
      true

      iex> Etsunami.new(:my_named_table, [:named_table])
      :my_named_table

  """
  @doc group: :table
  @spec new(atom, [option]) :: table
  def new(name, options), do: native(create(name, Options.new(options)), [name, options])

  defp create(name, {:ok, %Options{} = options}) when is_atom(name) do
    Native.new_table(
      name,
      options.named?,
      options.type,
      options.access,
      options.keypos,
      options.heir,
      Options.native(options)
    )
  end

  defp create(_name, _options), do: bad_argument()

  defp bad_argument, do: :erlang.error({:etsunami_error, :badarg, :none})

  @doc """
  Deletes a table with everything in it.

  The table is gone when the function returns, however large it was; its memory is freed in the
  background.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.delete(table)
      true
      iex> Etsunami.info(table)
      :undefined

  """
  @doc group: :table
  @spec delete(table) :: true
  def delete(table), do: native(Native.delete_table(table))

  @doc """
  Changes the name of a table.

  Returns the new name if the table is a named one, and otherwise its identifier. A named table
  cannot be referred to by its old name any longer.

  ## Examples

      iex> table = Etsunami.new(:draft, [:named_table])
      iex> Etsunami.rename(table, :fair_copy)
      :fair_copy
      iex> Etsunami.whereis(:draft)
      :undefined

  """
  @doc group: :table
  @spec rename(table, atom) :: table
  def rename(table, name), do: native(Native.rename(table, name))

  @doc """
  Makes another process of this node the owner of the table.

  The process receives `{:"ETS-TRANSFER", table, giver, gift}`. Only the owner can give a table
  away. An heir is not changed by it.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> parent = self()
      iex> child = spawn(fn -> receive do message -> send(parent, message) end end)
      iex> Etsunami.give_away(table, child, :a_gift)
      true
      iex> receive do {:"ETS-TRANSFER", ^table, ^parent, gift} -> gift end
      :a_gift

  """
  @doc group: :table
  @spec give_away(table, pid, term) :: true
  def give_away(table, pid, gift), do: native(Native.give_away(table, pid, gift))

  @doc """
  Changes options of a table.

  Only the owner can do it. The heir can be changed with the option `:heir` as in `new/2`, and
  the access with `{:protection, access}`; either at most once in a list.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.setopts(table, {:heir, self(), :data})
      true
      iex> Etsunami.info(table, :heir) == self()
      true

  """
  @doc group: :table
  @spec setopts(table, option | [option]) :: true
        when option: heir | {:protection, access}
  def setopts(table, options), do: native(set(table, Options.set(options)), [table, options])

  defp set(table, {:ok, heir, access}), do: Native.setopts(table, heir, access)

  # A table that cannot be changed is the first thing to complain about.
  defp set(table, :error) do
    Native.setopts(table, :keep, :keep)
    bad_argument()
  end

  @doc """
  Fixes a table for traversal with `first/1` and `next/2` and their like, or releases it.

  As long as a table is fixed, `next/2` and `prev/2` go on even from a key that has been deleted
  meanwhile. A process that has fixed a table several times has to release it as many times; a
  table is also released by the end of the process.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1}, {2}, {3}])
      iex> Etsunami.safe_fixtable(table, true)
      true
      iex> Etsunami.delete(table, 1)
      iex> Etsunami.next(table, 1)
      2
      iex> Etsunami.safe_fixtable(table, false)
      true

  """
  @doc group: :table
  @spec safe_fixtable(table, boolean) :: true
  def safe_fixtable(table, fix?), do: native(Native.safe_fixtable(table, fix?))

  ## Reading

  @doc """
  Returns the objects with a key, in the order of their insertion.

  There is at most one in a `:set` or an `:ordered_set`.

  ## Examples

      iex> table = Etsunami.new(:table, [:bag])
      iex> Etsunami.insert(table, [{:fruit, :pear}, {:fruit, :fig}])
      iex> Etsunami.lookup(table, :fruit)
      [{:fruit, :pear}, {:fruit, :fig}]
      iex> Etsunami.lookup(table, :root)
      []

  """
  @doc group: :read
  @spec lookup(table, key) :: [object]
  def lookup(table, key), do: native(Native.lookup(table, key))

  @doc """
  Returns one element of the object with a key.

  For a bag it is the list of that element of all the objects with the key. Fails with
  `ArgumentError` if the key is not in the table, or if an object has no such element.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, {:moon, 3_474, :km})
      iex> Etsunami.lookup_element(table, :moon, 2)
      3474

  """
  @doc group: :read
  @spec lookup_element(table, key, position) :: term | [term]
  def lookup_element(table, key, position) do
    native(Native.lookup_element(table, key, position))
  end

  @doc """
  Returns one element of the object with a key, or a default if the key is not in the table.

  Fails with `ArgumentError` if there is an object but it has no such element.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.lookup_element(table, :moon, 2, :unknown)
      :unknown

  """
  @doc group: :read
  @spec lookup_element(table, key, position, default) :: term | [term] | default
        when default: term
  def lookup_element(table, key, position, default) do
    native(Native.lookup_element(table, key, position, default))
  end

  @doc """
  Tells whether a key is in the table.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, {:moon})
      iex> Etsunami.member(table, :moon)
      true

  """
  @doc group: :read
  @spec member(table, key) :: boolean
  def member(table, key), do: native(Native.member(table, key))

  ## Writing

  @doc """
  Inserts an object, or all the objects of a list.

  An object replaces the one with the same key in a `:set` or an `:ordered_set`. A `:bag` stays as
  it is if it has an equal object already.

  A list is inserted as a whole: nobody sees a part of it, and if one of its elements is not an
  object, then none is inserted. Of several objects with the same key, the last one stays.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, {:a, 1})
      true
      iex> Etsunami.insert(table, [{:a, 2}, {:b, 1}])
      true
      iex> Etsunami.lookup(table, :a)
      [{:a, 2}]

  """
  @doc group: :write
  @spec insert(table, object | [object]) :: true
  def insert(table, objects), do: native(Native.insert(table, objects))

  @doc """
  Inserts an object, or all the objects of a list, if none of their keys is in the table.

  Returns `false` without any change if one of the keys is there, for bags as well.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert_new(table, {:a, 1})
      true
      iex> Etsunami.insert_new(table, [{:a, 2}, {:b, 1}])
      false
      iex> Etsunami.tab2list(table)
      [{:a, 1}]

  """
  @doc group: :write
  @spec insert_new(table, object | [object]) :: boolean
  def insert_new(table, objects), do: native(Native.insert_new(table, objects))

  @doc """
  Removes the objects with a key and returns them, in one step.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, {:a, 1})
      iex> Etsunami.take(table, :a)
      [{:a, 1}]
      iex> Etsunami.take(table, :a)
      []

  """
  @doc group: :write
  @spec take(table, key) :: [object]
  def take(table, key), do: native(Native.take(table, key))

  @doc """
  Deletes all objects with a key.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, {:a, 1})
      iex> Etsunami.delete(table, :a)
      true
      iex> Etsunami.member(table, :a)
      false

  """
  @doc group: :write
  @spec delete(table, key) :: true
  def delete(table, key), do: native(Native.delete_key(table, key))

  @doc """
  Deletes exactly this object; others with the same key stay.

  All its copies are deleted from a `:duplicate_bag`.

  ## Examples

      iex> table = Etsunami.new(:table, [:bag])
      iex> Etsunami.insert(table, [{:a, 1}, {:a, 2}])
      iex> Etsunami.delete_object(table, {:a, 1})
      true
      iex> Etsunami.lookup(table, :a)
      [{:a, 2}]

  """
  @doc group: :write
  @spec delete_object(table, object) :: true
  def delete_object(table, object), do: native(Native.delete_object(table, object))

  @doc """
  Deletes all objects of a table, in one step.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, [{:a, 1}, {:b, 2}])
      iex> Etsunami.delete_all_objects(table)
      true
      iex> Etsunami.info(table, :size)
      0

  """
  @doc group: :write
  @spec delete_all_objects(table) :: true
  def delete_all_objects(table), do: native(Native.delete_all_objects(table))

  ## Updating

  @doc """
  Adds to counters in the object with a key, and returns the new values.

  The operation is `{position, increment}` or `{position, increment, threshold, set_value}`, the
  increment alone for the element after the key, or a list of such tuples. A list is done in its
  order and as a whole: if one of its operations fails, none is done. A list answers with a list.

  Fails with `ArgumentError` if the key is not in the table, if an element is not an integer or
  is the key, or if the table is a bag.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, {:visits, 10, 0})
      iex> Etsunami.update_counter(table, :visits, 1)
      11
      iex> Etsunami.update_counter(table, :visits, {2, 5, 15, 0})
      0
      iex> Etsunami.update_counter(table, :visits, [{2, 1}, {3, -2}])
      [1, -2]

  """
  @doc group: :update
  @spec update_counter(table, key, integer | counter_operation) :: integer
  @spec update_counter(table, key, [counter_operation]) :: [integer]
  def update_counter(table, key, operation) do
    native(Native.update_counter(table, key, operation))
  end

  @doc """
  Adds to counters as `update_counter/3` does, in a default object if the key is not in the table.

  The default becomes the object of that key, with its own key element replaced by it.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.update_counter(table, :visits, 1, {:default, 100})
      101
      iex> Etsunami.lookup(table, :visits)
      [{:visits, 101}]

  """
  @doc group: :update
  @spec update_counter(table, key, integer | counter_operation, default :: object) :: integer
  @spec update_counter(table, key, [counter_operation], default :: object) :: [integer]
  def update_counter(table, key, operation, default) do
    native(Native.update_counter(table, key, operation, default))
  end

  @doc """
  Replaces elements of the object with a key.

  The change is `{position, value}` or a list of such pairs, which is done in its order and as a
  whole. Returns `false` if the key is not in the table.

  Fails with `ArgumentError` if a position is that of the key or outside the object, or if the
  table is a bag.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, {:moon, :new, 0})
      iex> Etsunami.update_element(table, :moon, [{2, :full}, {3, 1.0}])
      true
      iex> Etsunami.lookup(table, :moon)
      [{:moon, :full, 1.0}]
      iex> Etsunami.update_element(table, :sun, {2, :full})
      false

  """
  @doc group: :update
  @spec update_element(table, key, change | [change]) :: boolean
        when change: {position, value :: term}
  def update_element(table, key, change), do: native(Native.update_element(table, key, change))

  @doc """
  Replaces elements as `update_element/3` does, in a default object if the key is not in the
  table.

  The default becomes the object of that key, with its own key element replaced by it.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.update_element(table, :moon, {2, :full}, {:default, :new, 0})
      true
      iex> Etsunami.lookup(table, :moon)
      [{:moon, :full, 0}]

  """
  @doc group: :update
  @spec update_element(table, key, change | [change], default :: object) :: true
        when change: {position, value :: term}
  def update_element(table, key, change, default) do
    native(Native.update_element(table, key, change, default))
  end

  ## Traversing

  @doc """
  Returns the first key of the table, or `:"$end_of_table"`.

  It is the least one in an `:ordered_set`; the other types have an order of their own.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.first(table)
      :"$end_of_table"
      iex> Etsunami.insert(table, [{2}, {1}])
      iex> Etsunami.first(table)
      1

  """
  @doc group: :traverse
  @spec first(table) :: key | :"$end_of_table"
  def first(table), do: native(Native.first(table))

  @doc """
  Returns the last key of an `:ordered_set`, or `:"$end_of_table"`.

  For the other types it is the same as `first/1`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2}, {1}])
      iex> Etsunami.last(table)
      2

  """
  @doc group: :traverse
  @spec last(table) :: key | :"$end_of_table"
  def last(table), do: native(Native.last(table))

  @doc """
  Returns the key after a key, or `:"$end_of_table"`.

  An `:ordered_set` answers for any term. The other types fail with `ArgumentError` if the key is
  not in the table, see `safe_fixtable/2`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2}, {1}])
      iex> Etsunami.next(table, 1)
      2
      iex> Etsunami.next(table, 2)
      :"$end_of_table"

  """
  @doc group: :traverse
  @spec next(table, key) :: key | :"$end_of_table"
  def next(table, key), do: native(Native.next(table, key))

  @doc """
  Returns the key before a key of an `:ordered_set`, or `:"$end_of_table"`.

  For the other types it is the same as `next/2`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2}, {1}])
      iex> Etsunami.prev(table, 2)
      1

  """
  @doc group: :traverse
  @spec prev(table, key) :: key | :"$end_of_table"
  def prev(table, key), do: native(Native.prev(table, key))

  @doc """
  Returns the first key of the table together with its objects.

  It is `first/1` and `lookup/2` in one step.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2, :b}, {1, :a}])
      iex> Etsunami.first_lookup(table)
      {1, [{1, :a}]}

  """
  @doc group: :traverse
  @spec first_lookup(table) :: {key, [object]} | :"$end_of_table"
  def first_lookup(table), do: native(Native.first_lookup(table))

  @doc """
  Returns the last key of an `:ordered_set` together with its objects.

  It is `last/1` and `lookup/2` in one step.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2, :b}, {1, :a}])
      iex> Etsunami.last_lookup(table)
      {2, [{2, :b}]}

  """
  @doc group: :traverse
  @spec last_lookup(table) :: {key, [object]} | :"$end_of_table"
  def last_lookup(table), do: native(Native.last_lookup(table))

  @doc """
  Returns the key after a key together with its objects.

  It is `next/2` and `lookup/2` in one step.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2, :b}, {1, :a}])
      iex> Etsunami.next_lookup(table, 1)
      {2, [{2, :b}]}
      iex> Etsunami.next_lookup(table, 2)
      :"$end_of_table"

  """
  @doc group: :traverse
  @spec next_lookup(table, key) :: {key, [object]} | :"$end_of_table"
  def next_lookup(table, key), do: native(Native.next_lookup(table, key))

  @doc """
  Returns the key before a key of an `:ordered_set` together with its objects.

  It is `prev/2` and `lookup/2` in one step.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2, :b}, {1, :a}])
      iex> Etsunami.prev_lookup(table, 2)
      {1, [{1, :a}]}

  """
  @doc group: :traverse
  @spec prev_lookup(table, key) :: {key, [object]} | :"$end_of_table"
  def prev_lookup(table, key), do: native(Native.prev_lookup(table, key))

  @doc """
  Returns the objects of one slot of the table.

  The slots are numbered from 0. The slot after the last one is `:"$end_of_table"`, and any
  further one fails with `ArgumentError`. The objects of all slots are the objects of the table.
  In an `:ordered_set` each object has a slot of its own.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2}, {1}])
      iex> Etsunami.slot(table, 0)
      [{1}]
      iex> Etsunami.slot(table, 2)
      :"$end_of_table"

  """
  @doc group: :traverse
  @spec slot(table, non_neg_integer) :: [object] | :"$end_of_table"
  def slot(table, index), do: native(Native.slot(table, index))

  @doc """
  Returns all objects of the table, those of an `:ordered_set` in the order of their keys.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{2, :b}, {1, :a}])
      iex> Etsunami.tab2list(table)
      [{1, :a}, {2, :b}]

  """
  @doc group: :traverse
  @spec tab2list(table) :: [object]
  def tab2list(table), do: native(collect(identify(table), :start), [table])

  defp collect(table, cursor) do
    case Native.scan(table, cursor, :forward, @chunk) do
      {objects, cursor} -> objects ++ collect(table, cursor)
      :"$end_of_table" -> []
    end
  end

  # A traversal stays with its table, even if the name is given to another one meanwhile.
  defp identify(name) when is_atom(name) do
    case Native.whereis(name) do
      :undefined -> name
      table -> table
    end
  end

  defp identify(table), do: table

  @doc """
  Calls a function with each object and the result of the call before, from the first key to the
  last.

  The function may change the table: it sees each object as it is when its turn comes.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}])
      iex> Etsunami.foldl(fn {_key, value}, acc -> [value | acc] end, [], table)
      [:b, :a]

  """
  @doc group: :traverse
  @spec foldl((object, acc -> acc), acc, table) :: acc when acc: term
  def foldl(function, acc, table) do
    native(fold(:foldl, function, acc, identify(table)), [function, acc, table])
  end

  @doc """
  Calls a function with each object and the result of the call before, from the last key of an
  `:ordered_set` to the first.

  For the other types the keys come in the same order as with `foldl/3`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}])
      iex> Etsunami.foldr(fn {_key, value}, acc -> [value | acc] end, [], table)
      [:a, :b]

  """
  @doc group: :traverse
  @spec foldr((object, acc -> acc), acc, table) :: acc when acc: term
  def foldr(function, acc, table) do
    native(fold(:foldr, function, acc, identify(table)), [function, acc, table])
  end

  # Goes from key to key, so that the function meets no object that it has deleted itself. The
  # table is fixed, since it may delete the one at hand, too.
  defp fold(direction, function, acc, table) do
    Native.safe_fixtable(table, true)

    try do
      fold_from(direction, start(direction, table), function, acc, table)
    after
      Native.safe_fixtable(table, false)
    end
  end

  defp fold_from(_direction, :"$end_of_table", _function, acc, _table), do: acc

  defp fold_from(:foldl, {key, objects}, function, acc, table) do
    acc = :lists.foldl(function, acc, objects)
    fold_from(:foldl, Native.next_lookup(table, key), function, acc, table)
  end

  defp fold_from(:foldr, {key, objects}, function, acc, table) do
    acc = :lists.foldr(function, acc, objects)
    fold_from(:foldr, Native.prev_lookup(table, key), function, acc, table)
  end

  defp start(:foldl, table), do: Native.first_lookup(table)
  defp start(:foldr, table), do: Native.last_lookup(table)

  ## Information

  @doc """
  Tells about a table, or returns `:undefined` if there is none of that name or identifier.

  ## Examples

      iex> table = Etsunami.new(:moons, [:bag, keypos: 2])
      iex> info = Etsunami.info(table)
      iex> {info[:name], info[:type], info[:keypos], info[:size]}
      {:moons, :bag, 2, 0}

  """
  @doc group: :info
  @spec info(table) :: keyword | :undefined
  def info(table), do: native(Native.info(table))

  @doc """
  Tells one thing about a table, or returns `:undefined` if there is none of that name or
  identifier.

  ## Items

    * `:id` - the identifier of the table
    * `:name` - its name, whether it is a named table or not
    * `:named_table` - whether it can be referred to by its name
    * `:type`, `:protection`, `:keypos`, `:read_concurrency`, `:write_concurrency`,
      `:decentralized_counters`, `:compressed` - the options of `new/2` as they are in force
    * `:owner`, `:heir` - the pids, or `:none` for no heir
    * `:node` - the node of the table
    * `:size` - the number of objects. Exact when nobody is writing, and it never shrinks while
      objects are only inserted
    * `:memory` - what the objects and the table take, in words. A function of the contents
    * `:fixed` - whether the table is fixed by some process
    * `:safe_fixed`, `:safe_fixed_monotonic_time` - `{time, [{pid, count}]}` with the time of the
      first fixation and the processes that hold the table, or `false`
    * `:engine` - the data structure: `:hash_table`, or that of an `:ordered_set`, see `new/2`
    * `:stats` - figures of the implementation, as they may change with any version

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, [{1}, {2}])
      iex> Etsunami.info(table, :size)
      2

  """
  @doc group: :info
  @spec info(table, atom) :: term | :undefined
  def info(table, :stats), do: native(Native.stats(table), [table, :stats])
  def info(table, item), do: native(Native.info(table, item))

  @doc """
  Returns all tables of the node: the named ones by their names, the others by identifier.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> table in Etsunami.all()
      true

  """
  @doc group: :info
  @spec all() :: [table]
  def all, do: native(Native.all())

  @doc """
  Returns the identifier of a named table, or `:undefined`.

  ## Examples

      iex> Etsunami.new(:whereis_example, [:named_table])
      iex> :whereis_example |> Etsunami.whereis() |> is_reference()
      true
      iex> Etsunami.whereis(:no_such_table)
      :undefined

  """
  @doc group: :info
  @spec whereis(atom) :: reference | :undefined
  def whereis(name), do: native(Native.whereis(name))
end
