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
  there then or later. `tab2list/1`, `foldl/3` and `foldr/3` need no such care, nor do `select/2`
  and its like; their continuations may be used any time. All of them visit a key that stays in the
  table exactly once, even if its object is replaced meanwhile, and a key that comes or goes at most
  once. None of them shows the table as it was at one moment.

  ## Differences from `:ets`

  The functions behave as in the newest release of Erlang/OTP, whichever runs:

    * `insert/2` of a list puts objects of one key into a bag in the order of the list (`:ets`
      does so again since OTP 25.3)
    * `lookup_element/4` (OTP 26), `first_lookup/1`, `last_lookup/1`, `next_lookup/2`,
      `prev_lookup/2` and `update_element/4` (OTP 27) are there, as is the option `{:heir, pid}`
      without data (OTP 28)
    * a default object of `update_counter/4` or `update_element/4` that has fewer elements than
      the key position is always an error, even where the key exists (OTP 29)
    * functions that do several things to a table, such as `tab2file/3` and `table/2`, stay with it
      even if its name is given to another one meanwhile (OTP 28.3)

  Besides,

    * `new/2` knows the additional option `:engine`, and `info/2` the items `:engine` and `:stats`
    * `:ets` knows nothing of the tables here: they appear neither in `:ets.all/0` nor in the
      memory that `:erlang.memory(:ets)` counts
    * an heir may get `:"ETS-TRANSFER"` after the `:EXIT` or `:DOWN` of the owner instead of before;
      the table is its own as soon as it has seen either
    * `:memory` of `info/2` is a function of the contents of the table
  """

  alias Etsunami.{Dets, ErrorInfo, Filling, Native, Options, QlcTable, Shell, TabFile}

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

  @typedoc """
  A list of clauses `{head, guards, body}`, as `:ets` takes them.

  The head is a pattern for objects, see `t:match_pattern/0`. Each guard is an expression that has
  to give `true`; the last expression of the body is the result.
  """
  @type match_spec :: [{match_pattern, guards :: [term], body :: [term]}]

  @typedoc """
  A tuple that may contain variables (`:"$1"`, `:"$2"`, …) and wildcards (`:_`); or just a variable
  or wildcard.
  """
  @type match_pattern :: atom | tuple

  @typedoc """
  A match specification that `match_spec_compile/1` has compiled.
  """
  @opaque compiled_match_spec :: reference

  @typedoc """
  Where `select/3`, `match/3` and their like have come to.
  """
  @type continuation :: :"$end_of_table" | tuple

  # Calls the native library on behalf of a public function. An error is raised from the frame of
  # that function and with its own arguments, as the explanation of the exception needs them; they
  # are those of the native function where nothing else is said.
  defmacrop native(call, arguments \\ nil) do
    given = Macro.var(:given, __MODULE__)
    unused = if arguments, do: quote(do: _ = unquote(given))

    quote do
      try do
        unquote(call)
      catch
        :error, {:etsunami_error, reason, cause, unquote(given)} ->
          unquote(unused)
          unquote(failure(arguments || given, __CALLER__))
      end
    end
  end

  # The same for a native function that answers its error, as those do that are called for one object
  # or key. A `try` costs more than a look at the answer, because the arguments are kept over the call
  # for an error that hardly ever comes. An answer that only looks like an error comes in one.
  defmacrop answer(call) do
    quote do
      case unquote(call) do
        {:etsunami_error, :answer, _none, answer} ->
          answer

        {:etsunami_error, reason, cause, given} ->
          unquote(failure(quote(do: given), __CALLER__))

        answer ->
          answer
      end
    end
  end

  # Raises for the `reason` and `cause` of the macros above.
  defp failure(arguments, %{function: {function, _arity}}) do
    quote do
      info = ErrorInfo.for_cause(unquote(function), cause)
      :erlang.error(reason, unquote(arguments), error_info: info)
    end
  end

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

  defp bad_argument, do: :erlang.error({:etsunami_error, :badarg, :none, []})

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
  def lookup(table, key), do: answer(Native.lookup(table, key))

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
    answer(Native.lookup_element(table, key, position))
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
    answer(Native.lookup_element(table, key, position, default))
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
  def member(table, key), do: answer(Native.member(table, key))

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
  def insert(table, objects), do: answer(Native.insert(table, objects))

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
  def insert_new(table, objects), do: answer(Native.insert_new(table, objects))

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
  def take(table, key), do: answer(Native.take(table, key))

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
  def delete(table, key), do: answer(Native.delete_key(table, key))

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
  def delete_object(table, object), do: answer(Native.delete_object(table, object))

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
    answer(Native.update_counter(table, key, operation))
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
    answer(Native.update_counter(table, key, operation, default))
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
  def update_element(table, key, change), do: answer(Native.update_element(table, key, change))

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
    answer(Native.update_element(table, key, change, default))
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
  def first(table), do: answer(Native.first(table))

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
  def last(table), do: answer(Native.last(table))

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
  def next(table, key), do: answer(Native.next(table, key))

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
  def prev(table, key), do: answer(Native.prev(table, key))

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
  def tab2list(table) do
    native(finish(Native.select(table, [{:_, [], [:"$_"]}], 0, false)), [table])
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

  # Most keys hold one object, for which the way through a list function would be the longer half.
  defp fold_from(direction, {key, [object]}, function, acc, table)
       when is_function(function, 2) do
    acc = function.(object, acc)
    fold_from(direction, onward(direction, table, key), function, acc, table)
  end

  defp fold_from(:foldl, {key, objects}, function, acc, table) do
    acc = :lists.foldl(function, acc, objects)
    fold_from(:foldl, onward(:foldl, table, key), function, acc, table)
  end

  defp fold_from(:foldr, {key, objects}, function, acc, table) do
    acc = :lists.foldr(function, acc, objects)
    fold_from(:foldr, onward(:foldr, table, key), function, acc, table)
  end

  defp onward(:foldl, table, key), do: Native.next_lookup(table, key)
  defp onward(:foldr, table, key), do: Native.prev_lookup(table, key)

  defp start(:foldl, table), do: Native.first_lookup(table)
  defp start(:foldr, table), do: Native.last_lookup(table)

  ## Matching

  @doc """
  Returns the results of a match specification for all objects of the table.

  Each object is matched with the heads of the specification, one after the other. The body of the
  first clause whose head matches and whose guards are all true gives the result. In an
  `:ordered_set` the results come in the order of the keys; in a bag those of one key in the order
  of insertion.

  Where the specification binds the key, or in an `:ordered_set` its beginning or its bounds, only
  those objects are looked at; `explain/2` tells. Otherwise the time is proportional to the number
  of objects. Others may change the table meanwhile: see "Traversal" in the module's
  documentation.

  Raises `ArgumentError` if the table does not exist or is not readable, or if the specification
  is not valid.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :c}])
      iex> Etsunami.select(table, [{{:"$1", :"$2"}, [{:>, :"$1", 1}], [:"$2"]}])
      [:b, :c]

  """
  @doc group: :match
  @spec select(table, match_spec) :: [term]
  def select(table, spec) do
    native(finish(Native.select(table, spec, 0, false)), [table, spec])
  end

  @doc """
  As `select/2`, but returns at most `limit` results, and a continuation that leads to the next
  ones by `select/1`.

  Returns `:"$end_of_table"` if there are no results. A continuation can be used any time and any
  number of times while the table exists, whatever happens to the table; it keeps nothing alive
  and nothing locked. In an `:ordered_set` each chunk but the last has exactly `limit` results.

  Raises `ArgumentError` as `select/2` does, and if the limit is not a positive integer.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :c}])
      iex> {[1, 2], continuation} = Etsunami.select(table, [{{:"$1", :_}, [], [:"$1"]}], 2)
      iex> Etsunami.select(continuation)
      {[3], :"$end_of_table"}

  """
  @doc group: :match
  @spec select(table, match_spec, limit :: pos_integer) ::
          {[term], continuation} | :"$end_of_table"
  def select(table, spec, limit) do
    native(chunk(table, spec, limit, false), [table, spec, limit])
  end

  @doc """
  Returns the next results, after those of `select/3` or `select/1`.

  Raises `ArgumentError` if the table does not exist or is not readable, or if the argument is no
  continuation.

  ## Examples

      iex> Etsunami.select(:"$end_of_table")
      :"$end_of_table"

  """
  @doc group: :match
  @spec select(continuation) :: {[term], continuation} | :"$end_of_table"
  def select(continuation), do: native(go_on(continuation), [continuation])

  @doc """
  As `select/2`, but from the last key of an `:ordered_set` to the first. For other types there is
  no difference.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :c}])
      iex> Etsunami.select_reverse(table, [{{:"$1", :_}, [], [:"$1"]}])
      [3, 2, 1]

  """
  @doc group: :match
  @spec select_reverse(table, match_spec) :: [term]
  def select_reverse(table, spec) do
    native(finish(Native.select(table, spec, 0, true)), [table, spec])
  end

  @doc """
  As `select/3`, but from the last key of an `:ordered_set` to the first.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :c}])
      iex> {[3, 2], continuation} = Etsunami.select_reverse(table, [{{:"$1", :_}, [], [:"$1"]}], 2)
      iex> Etsunami.select_reverse(continuation)
      {[1], :"$end_of_table"}

  """
  @doc group: :match
  @spec select_reverse(table, match_spec, limit :: pos_integer) ::
          {[term], continuation} | :"$end_of_table"
  def select_reverse(table, spec, limit) do
    native(chunk(table, spec, limit, true), [table, spec, limit])
  end

  @doc """
  Returns the next results, after those of `select_reverse/3`. The same as `select/1`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}])
      iex> {[2], continuation} = Etsunami.select_reverse(table, [{{:"$1", :_}, [], [:"$1"]}], 1)
      iex> {[1], continuation} = Etsunami.select_reverse(continuation)
      iex> Etsunami.select_reverse(continuation)
      :"$end_of_table"

  """
  @doc group: :match
  @spec select_reverse(continuation) :: {[term], continuation} | :"$end_of_table"
  def select_reverse(continuation), do: native(go_on(continuation), [continuation])

  @doc """
  Counts the objects for which a match specification gives `true`.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :a}])
      iex> Etsunami.select_count(table, [{{:_, :a}, [], [true]}])
      2

  """
  @doc group: :match
  @spec select_count(table, match_spec) :: non_neg_integer
  def select_count(table, spec) do
    native(count(Native.select_count(table, spec), &Native.select_count/4), [table, spec])
  end

  @doc """
  Deletes the objects for which a match specification gives `true`, and returns their number.

  Each object is looked at and deleted in one atomic step. The function as a whole is not atomic.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :a}])
      iex> Etsunami.select_delete(table, [{{:_, :a}, [], [true]}])
      2
      iex> Etsunami.tab2list(table)
      [{2, :b}]

  """
  @doc group: :match
  @spec select_delete(table, match_spec) :: non_neg_integer
  def select_delete(table, spec) do
    native(count(Native.select_delete(table, spec), &Native.select_delete/4), [table, spec])
  end

  @doc """
  Replaces the objects that a match specification matches by its results, and returns their number.

  Each object is looked at and replaced in one atomic step. The function as a whole is not atomic.

  Raises `ArgumentError` if the table is a `:bag`, and if it cannot be seen from the specification
  that it keeps the key: the body has to be a tuple whose key is what the head has matched there,
  or `:"$_"`.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}])
      iex> Etsunami.select_replace(table, [{{:"$1", :a}, [], [{{:"$1", :new}}]}])
      1
      iex> Etsunami.lookup(table, 1)
      [{1, :new}]

  """
  @doc group: :match
  @spec select_replace(table, match_spec) :: non_neg_integer
  def select_replace(table, spec) do
    native(count(Native.select_replace(table, spec), &Native.select_replace/4), [table, spec])
  end

  @doc """
  Returns, for each object that matches a pattern, the list of its variables' values in the order
  of their numbers.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a, 10}, {2, :b, 20}, {3, :a, 30}])
      iex> Etsunami.match(table, {:"$2", :a, :"$1"})
      [[10, 1], [30, 3]]

  """
  @doc group: :match
  @spec match(table, match_pattern) :: [[term]]
  def match(table, pattern) do
    native(finish(Native.select(table, variables(pattern), 0, false)), [table, pattern])
  end

  @doc """
  As `match/2`, but returns at most `limit` results, and a continuation that leads to the next
  ones by `match/1`. See `select/3`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :a}])
      iex> {results, _continuation} = Etsunami.match(table, {:"$1", :a}, 1)
      iex> results
      [[1]]

  """
  @doc group: :match
  @spec match(table, match_pattern, limit :: pos_integer) ::
          {[[term]], continuation} | :"$end_of_table"
  def match(table, pattern, limit) do
    native(chunk(table, variables(pattern), limit, false), [table, pattern, limit])
  end

  @doc """
  Returns the next results, after those of `match/3`. The same as `select/1`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :a}])
      iex> {[[1]], continuation} = Etsunami.match(table, {:"$1", :a}, 1)
      iex> {results, _continuation} = Etsunami.match(continuation)
      iex> results
      [[3]]

  """
  @doc group: :match
  @spec match(continuation) :: {[term], continuation} | :"$end_of_table"
  def match(continuation), do: native(go_on(continuation), [continuation])

  @doc """
  Returns the objects that match a pattern.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :a}])
      iex> Etsunami.match_object(table, {:_, :a})
      [{1, :a}, {3, :a}]

  """
  @doc group: :match
  @spec match_object(table, match_pattern) :: [object]
  def match_object(table, pattern) do
    native(finish(Native.select(table, objects(pattern), 0, false)), [table, pattern])
  end

  @doc """
  As `match_object/2`, but returns at most `limit` objects, and a continuation that leads to the
  next ones by `match_object/1`. See `select/3`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :a}])
      iex> {objects, _continuation} = Etsunami.match_object(table, {:_, :a}, 1)
      iex> objects
      [{1, :a}]

  """
  @doc group: :match
  @spec match_object(table, match_pattern, limit :: pos_integer) ::
          {[object], continuation} | :"$end_of_table"
  def match_object(table, pattern, limit) do
    native(chunk(table, objects(pattern), limit, false), [table, pattern, limit])
  end

  @doc """
  Returns the next objects, after those of `match_object/3`. The same as `select/1`.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :a}])
      iex> {[{1, :a}], continuation} = Etsunami.match_object(table, {:_, :a}, 1)
      iex> {objects, _continuation} = Etsunami.match_object(continuation)
      iex> objects
      [{3, :a}]

  """
  @doc group: :match
  @spec match_object(continuation) :: {[term], continuation} | :"$end_of_table"
  def match_object(continuation), do: native(go_on(continuation), [continuation])

  @doc """
  Deletes the objects that match a pattern. Returns `true`.

  ## Examples

      iex> table = Etsunami.new(:table, [])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}, {3, :a}])
      iex> Etsunami.match_delete(table, {:_, :a})
      iex> Etsunami.tab2list(table)
      [{2, :b}]

  """
  @doc group: :match
  @spec match_delete(table, match_pattern) :: true
  def match_delete(table, pattern)
  def match_delete(table, :_), do: native(Native.delete_all_objects(table), [table, :_])

  def match_delete(table, pattern) do
    spec = [{pattern, [], [true]}]
    native(count(Native.select_delete(table, spec), &Native.select_delete/4), [table, pattern])
    true
  end

  @doc """
  Tells where `select/2` and its like look for the objects that a match specification may match.

  Returns a map with

    * `:access` - `:lookup` if only certain keys are looked up, `:ranges` if only the objects in
      certain ranges of an `:ordered_set` are looked at, `:scan` if all objects are
    * `:keys` - the keys (of `:lookup`)
    * `:ranges` - a list of ranges `{low, high}` (of `:ranges`). An end is `{:>=, key}` or
      `{:>, key}`, `{:"=<", key}` or `{:<, key}`, or `:none`. Inside such a key, `:"$least"` and
      `:"$greatest"` stand for what is below and above all terms
    * `:reasons` - for each clause, why

  It is the very plan that a search has; what matches is decided by the specification.

  Raises `ArgumentError` as `select/2` does.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.explain(table, [{{{:user, :"$1"}, :_}, [{:>, :"$1", 10}], [:"$_"]}])
      %{
        access: :ranges,
        ranges: [{{:>, {:user, 10}}, {:"=<", {:user, :"$greatest"}}}],
        reasons: ["the first elements of the key are bound, and guards limit the next one"]
      }
      iex> Etsunami.explain(table, [{{:_, :a}, [], [:"$_"]}])
      %{access: :scan, reasons: ["nothing binds or limits the key"]}

  """
  @doc group: :match
  @spec explain(table, match_spec) :: %{
          required(:access) => :lookup | :ranges | :scan,
          required(:reasons) => [String.t()],
          optional(:keys) => [key],
          optional(:ranges) => [{low :: term, high :: term}]
        }
  def explain(table, spec) do
    case native(Native.explain(table, spec)) do
      {:lookup, keys, reasons} -> %{access: :lookup, keys: keys, reasons: reasons}
      {:ranges, ranges, reasons} -> %{access: :ranges, ranges: ranges, reasons: reasons}
      {:scan, [], reasons} -> %{access: :scan, reasons: reasons}
    end
  end

  defp variables(pattern), do: [{pattern, [], [:"$$"]}]
  defp objects(pattern), do: [{pattern, [], [:"$_"]}]

  defp chunk(table, spec, limit, reverse?) when is_integer(limit) and limit > 0 do
    finish(Native.select(table, spec, limit, reverse?))
  end

  # The table is looked at first.
  defp chunk(table, _spec, _limit, reverse?), do: Native.select(table, [], -1, reverse?)

  defp go_on(:"$end_of_table"), do: :"$end_of_table"

  # A list may be anything but improper. It is looked at here, where it is empty as a rule, and not
  # each time that a search goes on.
  defp go_on({_table, _at, _limit, _compiled, [_ | _] = list, _got} = continuation) do
    finish(Native.select(put_elem(continuation, 4, proper(list))))
  end

  defp go_on({_table, _key, _end, _limit, _compiled, [_ | _] = list, _, _got} = continuation) do
    finish(Native.select(put_elem(continuation, 5, proper(list))))
  end

  defp go_on(continuation), do: finish(Native.select(continuation))

  defp proper(list), do: if(List.improper?(list), do: :improper, else: list)

  # A search whose time is up goes on with another call, so that others have their turn between.
  defp finish({:more, continuation}), do: finish(Native.select(continuation))
  defp finish({:reverse, list}), do: :lists.reverse(list)
  defp finish({:reverse, list, continuation}), do: {:lists.reverse(list), continuation}
  defp finish(answer), do: answer

  defp count({:more, table, compiled, cursor, number}, go_on) do
    count(go_on.(table, compiled, cursor, number), go_on)
  end

  defp count(number, _go_on), do: number

  ## Match specifications

  @doc """
  Compiles a match specification, for `match_spec_run/2`.

  Raises `ArgumentError` if it is not valid.

  ## Examples

      iex> compiled = Etsunami.match_spec_compile([{{:"$1", :_}, [], [:"$1"]}])
      iex> Etsunami.is_compiled_ms(compiled)
      true

  """
  @doc group: :match_spec
  @spec match_spec_compile(match_spec) :: compiled_match_spec
  def match_spec_compile(spec), do: native(Native.match_spec_compile(spec))

  @doc """
  Tells if a term is a compiled match specification, and is so here and now: one that has been
  sent to another node or written to a file is not any more.

  ## Examples

      iex> Etsunami.is_compiled_ms([{:_, [], [true]}])
      false

  """
  @doc group: :match_spec
  @spec is_compiled_ms(term) :: boolean
  def is_compiled_ms(term), do: native(Native.is_compiled_ms(term))

  @doc """
  Returns the results of a compiled match specification for the terms of a list that it matches,
  in the order of the list.

  Raises `ArgumentError` if the list is not a proper one, or if the specification is not compiled.

  ## Examples

      iex> compiled = Etsunami.match_spec_compile([{{:"$1", :"$2"}, [{:>, :"$1", 1}], [:"$2"]}])
      iex> Etsunami.match_spec_run([{1, :a}, {2, :b}, :other, {3, :c}], compiled)
      [:b, :c]

  """
  @doc group: :match_spec
  @spec match_spec_run([term], compiled_match_spec) :: [term]
  def match_spec_run(list, compiled), do: native(run(list, compiled, []), [list, compiled])

  defp run(list, compiled, before) do
    case Native.match_spec_run(list, compiled, before) do
      {:more, list, before} -> run(list, compiled, before)
      results -> :lists.reverse(results)
    end
  end

  @doc """
  Makes a continuation usable again that has lost its compiled match specification, because it was
  sent to another node or written to a file.

  The specification is that of the call that the continuation comes from. A continuation that can
  be used as it is stays as it is.

  ## Examples

      iex> table = Etsunami.new(:table, [:ordered_set])
      iex> Etsunami.insert(table, [{1, :a}, {2, :b}])
      iex> spec = [{{:"$1", :_}, [], [:"$1"]}]
      iex> {[1], continuation} = Etsunami.select(table, spec, 1)
      iex> Etsunami.repair_continuation(continuation, spec) == continuation
      true

  """
  @doc group: :match_spec
  @spec repair_continuation(continuation, match_spec) :: continuation
  def repair_continuation(:"$end_of_table", _spec), do: :"$end_of_table"

  def repair_continuation({_table, _key, _end, chunk, compiled, list, reverse, got} = whole, spec)
      when is_integer(chunk) and is_list(list) and is_integer(reverse) and is_integer(got) do
    repair(whole, 4, compiled, spec)
  end

  def repair_continuation({_table, position, chunk, compiled, list, got} = whole, spec)
      when is_integer(position) and is_integer(chunk) and is_list(list) and is_integer(got) do
    repair(whole, 3, compiled, spec)
  end

  defp repair(continuation, index, compiled, spec) do
    if is_compiled_ms(compiled) do
      continuation
    else
      put_elem(continuation, index, match_spec_compile(spec))
    end
  end

  @doc """
  Turns a `fn` into a match specification, while the program is compiled.

  The `fn` is never called: it says in Elixir what the match specification says in terms. It takes
  one argument, the object, and may have several clauses. To be used after `require Etsunami`.

      iex> Etsunami.fun2ms(fn {name, age} when age >= 18 -> name end)
      [{{:"$1", :"$2"}, [{:>=, :"$2", 18}], [:"$1"]}]

  ## Patterns

  The head is a tuple or a variable. Tuples, lists, maps, structs and literals may stand in a tuple
  as in any pattern; binaries cannot be matched in parts. A variable that stands there twice must
  have the same value. `name = pattern` names the whole object or a part of it.

      iex> Etsunami.fun2ms(fn {_id, %{type: :user}} = object -> object end)
      [{{:"$1", %{type: :user}}, [], [:"$_"]}]

  `^` puts a value into the pattern: that of a variable, or of any expression in parentheses. It is
  matched exactly, maps as well.

      iex> id = {:user, 7}
      iex> Etsunami.fun2ms(fn {^id, value} -> value end)
      [{{{:user, 7}, :"$1"}, [], [:"$1"]}]

  ## Guards and bodies

  They may call the functions that match specifications know: those that Elixir allows in guards,
  and `max/2` and `min/2`. Macros are expanded, among them those of `defguard` and `Record`, and
  `in` with a list or range. `x.field` is the value of a key in a map. Several `when`s are
  alternatives, as in a `fn`. A body gives a term that may be built of variables, tuples, lists, maps
  and structs; of several expressions the last one counts.

      iex> Etsunami.fun2ms(fn {key, n} when n in 1..3 or is_nil(n) -> {key, n + 1} end)
      [
        {{:"$1", :"$2"},
         [
           {:orelse, {:andalso, {:is_integer, :"$2"}, {:andalso, {:>=, :"$2", 1}, {:"=<", :"$2", 3}}},
            {:==, :"$2", nil}}
         ], [{{:"$1", {:+, :"$2", 1}}}]}
      ]

  A variable that is not of the head stands for the value that it has where the macro is called, and
  so does `^(expression)` for whatever the expression gives there.

      iex> limit = 18
      iex> Etsunami.fun2ms(fn {_, age} when age > limit and age < ^(2 * limit) -> age end)
      [
        {{:_, :"$1"}, [{:andalso, {:>, :"$1", {:const, 18}}, {:<, :"$1", {:const, 36}}}],
         [:"$1"]}
      ]

  `object()` is the object, `bindings()` the list of the values of all variables.

  A call that fails in a guard makes the clause fail; in a body it has the value `:EXIT`, where a `fn`
  would fail.

  ## Errors

  `CompileError`, with the line, if something cannot be said by a match specification.
  """
  @doc group: :match_spec
  defmacro fun2ms(fun), do: Etsunami.Fun2ms.quoted(fun, __CALLER__)

  @doc """
  Tries a match specification on a term, or tells what is wrong with it.

  Returns `{:ok, result}`, where `result` is `false` if the term does not match, or
  `{:error, faults}`. A fault is `{:error, text}`, with a charlist.

  ## Examples

      iex> Etsunami.test_ms({:a, 1}, [{{:"$1", :"$2"}, [{:is_atom, :"$1"}], [:"$2"]}])
      {:ok, 1}
      iex> Etsunami.test_ms({:a, 1}, [{{:b, :_}, [], [true]}])
      {:ok, false}
      iex> {:error, [{:error, text}]} = Etsunami.test_ms({:a}, [{{:_}, [], [:"$1"]}])
      iex> to_string(text)
      "Variable $1 is unbound."

  """
  @doc group: :match_spec
  @spec test_ms(tuple, term) :: {:ok, term} | {:error, [{:error, charlist}]}
  def test_ms(tuple, spec) do
    case native(Native.match_spec_lint(spec), [tuple, spec]) do
      [] -> {:ok, [tuple] |> match_spec_run(match_spec_compile(spec)) |> Enum.at(0, false)}
      faults -> {:error, faults}
    end
  end

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
    * `:stats` - figures of the implementation, as they may change with any version. Those that begin
      with `pending` are of all tables, see `info/0`

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
  Returns figures of the library as a whole.

    * `:tables` - how many tables there are
    * `:pending_bytes`, `:pending_items` - what was replaced, taken or deleted and waits to be freed
      until no call can still be reading it. Bytes include large binaries that the objects hold
    * `:pending_age_us` - how long the oldest of it has waited, in microseconds
    * `:reclamation_stalled` - `true` if the operating system has withdrawn what reclamation relies
      on (`membarrier`): memory is not freed any more, and the node should be restarted
    * `:vm_terms` - `:layout` if terms are read and made in the VM's memory, `:interface` if by its
      public interface alone, as on a release that was not verified

  Takes constant time, but for a look at each table.

  ## Examples

      iex> %{reclamation_stalled: false, pending_bytes: bytes} = Etsunami.info()
      iex> is_integer(bytes)
      true

  """
  @doc group: :info
  @spec info() :: %{
          tables: non_neg_integer,
          pending_bytes: non_neg_integer,
          pending_items: non_neg_integer,
          pending_age_us: non_neg_integer,
          reclamation_stalled: boolean,
          vm_terms: :layout | :interface
        }
  def info, do: Map.new(Native.library())

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

  ## Files, `:dets` and `:qlc`

  @doc """
  Writes the table to a file, in the format of `:ets`.

  It is `tab2file/3` without options.

  ## Examples

      iex> file = System.tmp_dir!() |> Path.join("etsunami_moons_1.tab") |> String.to_charlist()
      iex> table = Etsunami.new(:moons, [])
      iex> Etsunami.insert(table, [{:io, 1}, {:europa, 2}])
      iex> Etsunami.tab2file(table, file)
      :ok
      iex> {:ok, copy} = :ets.file2tab(file)
      iex> :ets.lookup(copy, :europa)
      [{:europa, 2}]
      iex> File.rm!(file)
      :ok

  """
  @doc group: :files
  @spec tab2file(table, :file.name()) :: :ok | {:error, reason :: term}
  def tab2file(table, file), do: tab2file(table, file, [])

  @doc """
  Writes the table to a file, in the format of `:ets`.

  A file of that name is replaced. As in `:ets`, the name is a list of characters or an atom, not
  a binary. `:ets.file2tab/2` can read the file as well as `file2tab/2`, and the other way round.

  Other processes may write to the table meanwhile. A key that stays in the table is in the file
  exactly once, even if its object is replaced; one that comes or goes at most once. The file need
  not show the table as it was at one moment. If something fails, there is no file.

  Returns `{:error, :badtab}` if there is no such table, and fails with `ArgumentError` if the
  calling process may not read it. What `:file` and `:disk_log` complain about is returned as
  `{:error, reason}`.

  ## Options

    * `{:extended_info, [:object_count | :md5sum]}` - what is written for the option `:verify` of
      `file2tab/2`: how many objects there are, and the MD5 sum of the contents. By default there
      is only the size that the table had in the beginning
    * `{:sync, boolean}` - whether the function returns only when the operating system has
      written everything to the disk, `false` by default

  ## Examples

      iex> file = System.tmp_dir!() |> Path.join("etsunami_moons_2.tab") |> String.to_charlist()
      iex> table = Etsunami.new(:moons, [])
      iex> Etsunami.tab2file(table, file, extended_info: [:md5sum], sync: true)
      :ok
      iex> {:ok, info} = Etsunami.tabfile_info(file)
      iex> info[:extended_info]
      [:md5sum]
      iex> Etsunami.tab2file(:no_such_table, file)
      {:error, :badtab}

  """
  @doc group: :files
  @spec tab2file(table, :file.name(), [option]) :: :ok | {:error, reason :: term}
        when option: {:extended_info, [:object_count | :md5sum]} | {:sync, boolean}
  def tab2file(table, file, options) do
    TabFile.Writer.write(__MODULE__, identify(table), file, options)
  end

  @doc """
  Makes a table from a file that `tab2file/3` has written, here or in `:ets`.

  It is `file2tab/2` without options.

  ## Examples

      iex> file = System.tmp_dir!() |> Path.join("etsunami_moons_3.tab") |> String.to_charlist()
      iex> original = :ets.new(:moons, [:ordered_set])
      iex> :ets.insert(original, [{:io, 1}, {:europa, 2}])
      iex> :ets.tab2file(original, file)
      iex> {:ok, table} = Etsunami.file2tab(file)
      iex> Etsunami.tab2list(table)
      [{:europa, 2}, {:io, 1}]
      iex> File.rm!(file)
      :ok

  """
  @doc group: :files
  @spec file2tab(:file.name()) :: {:ok, table} | {:error, reason :: term}
  def file2tab(file), do: file2tab(file, [])

  @doc """
  Makes a table from a file that `tab2file/3` has written, here or in `:ets`.

  The table belongs to the calling process. Name, type, access, key position, `:named_table`,
  `:compressed`, `:read_concurrency` and `:write_concurrency` are those of the table that was
  written; it has no heir, and the default engine.

  Returns `{:error, :cannot_create_table}` if the name of a named table is in use,
  `{:error, {:read_error, reason}}` if the file cannot be read, and `{:error, :badfile}` if it is
  something else. Fails with `ArgumentError` if the file contains something that is not an object.
  No table is left over when anything has failed.

  ## Options

    * `{:verify, boolean}` - whether the file has to be complete and unharmed, `false` by default.
      Without it, what is broken is left out. With it, the error is `:badfile`,
      `:invalid_object_count` or `:checksum_error`
    * `{:table, table}` - a table to insert the objects into, instead of a new one. It is deleted
      when anything fails

  ## Examples

      iex> file = System.tmp_dir!() |> Path.join("etsunami_moons_4.tab") |> String.to_charlist()
      iex> table = Etsunami.new(:moons, [])
      iex> Etsunami.insert(table, {:io, 1})
      iex> Etsunami.tab2file(table, file, extended_info: [:object_count])
      iex> {:ok, copy} = Etsunami.file2tab(file, verify: true)
      iex> Etsunami.lookup(copy, :io)
      [{:io, 1}]
      iex> File.rm!(file)
      :ok

  """
  @doc group: :files
  @spec file2tab(:file.name(), [option]) :: {:ok, table} | {:error, reason :: term}
        when option: {:verify, boolean} | {:table, table}
  def file2tab(file, options), do: TabFile.Reader.read(__MODULE__, file, options)

  @doc """
  Tells about the table in a file that `tab2file/3` has written, here or in `:ets`.

  The items are `:name`, `:type`, `:protection`, `:named_table`, `:keypos`, `:size`,
  `:extended_info`, and `:version`, the version of the format. The errors are those of
  `file2tab/2`.

  ## Examples

      iex> file = System.tmp_dir!() |> Path.join("etsunami_moons_5.tab") |> String.to_charlist()
      iex> table = Etsunami.new(:moons, [:bag])
      iex> Etsunami.tab2file(table, file)
      iex> {:ok, info} = Etsunami.tabfile_info(file)
      iex> {info[:name], info[:type], info[:size], info[:version]}
      {:moons, :bag, 0, {1, 0}}
      iex> File.rm!(file)
      :ok

  """
  @doc group: :files
  @spec tabfile_info(:file.name()) :: {:ok, keyword} | {:error, reason :: term}
  def tabfile_info(file) when is_list(file) or is_atom(file), do: TabFile.Reader.info(file)

  @doc """
  Replaces the contents of a `:dets` table by those of the table.

  Returns the name of the `:dets` table, and raises what `:dets` complains about. As with `:ets`,
  the process of the `:dets` table reads the objects, so that a private table with more than a few
  of them cannot be copied.

  ## Examples

      iex> file = System.tmp_dir!() |> Path.join("etsunami_moons_1.dets") |> String.to_charlist()
      iex> {:ok, dets} = :dets.open_file(:doc_to_dets, file: file)
      iex> table = Etsunami.new(:moons, [])
      iex> Etsunami.insert(table, {:io, 1})
      iex> Etsunami.to_dets(table, dets)
      :doc_to_dets
      iex> :dets.lookup(dets, :io)
      [{:io, 1}]
      iex> {:dets.close(dets), File.rm!(file)}
      {:ok, :ok}

  """
  @doc group: :files
  @spec to_dets(table, dets) :: dets when dets: :dets.tab_name()
  def to_dets(table, dets) do
    case Dets.write(__MODULE__, identify(table), dets) do
      :ok -> dets
      {:error, reason} -> :erlang.error(reason, [table, dets])
    end
  end

  @doc """
  Inserts the objects of a `:dets` table into the table.

  What is in the table already stays, unless it has the same key. Raises what `:dets` complains
  about. Each object is inserted on its own.

  ## Examples

      iex> file = System.tmp_dir!() |> Path.join("etsunami_moons_2.dets") |> String.to_charlist()
      iex> {:ok, dets} = :dets.open_file(:doc_from_dets, file: file)
      iex> :dets.insert(dets, {:io, 1})
      iex> table = Etsunami.new(:moons, [])
      iex> Etsunami.from_dets(table, dets)
      true
      iex> Etsunami.lookup(table, :io)
      [{:io, 1}]
      iex> {:dets.close(dets), File.rm!(file)}
      {:ok, :ok}

  """
  @doc group: :files
  @spec from_dets(table, :dets.tab_name()) :: true
  def from_dets(table, dets) do
    case Dets.read(__MODULE__, identify(table), dets) do
      :ok -> true
      {:error, reason} -> :erlang.error(reason, [table, dets])
    end
  end

  @doc """
  Replaces the contents of the table by the objects that a function brings.

  The table is emptied. Then the function is called with `:read`, and returns
  `{objects, function}` with the function to be called next, or `:end_of_input`. If it returns
  anything else, the process exits with that. If an object cannot be inserted, the last function
  is called with `:close`, and the process exits with the reason.

  Others see how the table is filled: each object is inserted on its own.

  ## Examples

      iex> table = Etsunami.new(:squares, [:ordered_set])
      iex> last = fn :read -> :end_of_input end
      iex> Etsunami.init_table(table, fn :read -> {[{1, 1}, {2, 4}], last} end)
      true
      iex> Etsunami.tab2list(table)
      [{1, 1}, {2, 4}]

  """
  @doc group: :files
  @spec init_table(table, (:read | :close -> result)) :: true
        when result: :end_of_input | {[object], (:read | :close -> term)} | term
  def init_table(table, function), do: Filling.replace(__MODULE__, identify(table), function)

  @doc """
  Makes a query handle for the table, to be used with `:qlc`.

  It is `table/2` without options.

  ## Examples

      iex> table = Etsunami.new(:moons, [:ordered_set])
      iex> Etsunami.insert(table, [{:io, 1}, {:europa, 2}])
      iex> :qlc.e(Etsunami.table(table))
      [{:europa, 2}, {:io, 1}]

  """
  @doc group: :files
  @spec table(table) :: :qlc.query_handle()
  def table(table), do: table(table, [])

  @doc """
  Makes a query handle for the table, to be used with `:qlc`.

  A query looks up keys instead of scanning the table if it says what they are. The table is fixed
  while the query runs.

  ## Options

    * `{:traverse, :select}` - the query scans the table with `select/3`, which takes the filter
      of the query as a match specification; the default
    * `{:traverse, {:select, match_spec}}` - the query is about what the match specification makes
      of the objects
    * `{:traverse, :first_next}`, `{:traverse, :last_prev}` - the query goes from key to key with
      `first/1` and `next/2`, or `last/1` and `prev/2`
    * `{:n_objects, count}` - how many objects `select/3` brings at once, 100 by default

  Others are those of `:qlc.table/2`. Fails with `ArgumentError` if an option is wrong.

  ## Examples

      iex> table = Etsunami.new(:moons, [:ordered_set])
      iex> Etsunami.insert(table, [{:io, 1}, {:europa, 2}])
      iex> :qlc.e(Etsunami.table(table, traverse: :last_prev))
      [{:io, 1}, {:europa, 2}]

  """
  @doc group: :files
  @spec table(table, option | [option]) :: :qlc.query_handle()
        when option: {:n_objects, :default | pos_integer} | {:traverse, method} | tuple,
             method: :first_next | :last_prev | :select | {:select, list}
  def table(table, options) do
    case QlcTable.new(__MODULE__, identify(table), table, options) do
      {:ok, handle} -> handle
      :error -> :erlang.error(:badarg, [table, options])
    end
  end

  ## On the terminal

  @doc """
  Prints a list of all tables: identifier or name, name, type, size, memory in words, and owner.

  ## Examples

      iex> table = Etsunami.new(:moons, [])
      iex> list = ExUnit.CaptureIO.capture_io(fn -> Etsunami.i() end)
      iex> list =~ "moons" and Etsunami.delete(table)
      true

  """
  @doc group: :info
  @spec i() :: :ok
  def i, do: Shell.list(__MODULE__)

  @doc """
  Shows a table on the terminal, in pages of 40 lines of up to 80 characters.

  It asks what to do next: `c` or an empty line shows the next page, `q` ends the function, `p5`
  prints the fifth object at its full length, `/text` shows the objects that match a regular
  expression, and `k` deletes the table.

  ## Examples

      iex> table = Etsunami.new(:moons, [])
      iex> Etsunami.insert(table, {:io, 1})
      iex> ExUnit.CaptureIO.capture_io("q\\n", fn -> Etsunami.i(table) end) =~ "<1   > {io,1}"
      true

  """
  @doc group: :info
  @spec i(table) :: :ok
  def i(table), do: i(table, 40)

  @doc """
  Shows a table on the terminal as `i/1` does it, in pages of a given height.

  ## Examples

      iex> table = Etsunami.new(:moons, [])
      iex> Etsunami.insert(table, {:io, 1})
      iex> ExUnit.CaptureIO.capture_io("q\\n", fn -> Etsunami.i(table, 10) end) =~ "<1   > {io,1}"
      true

  """
  @doc group: :info
  @spec i(table, pos_integer) :: :ok
  def i(table, height), do: i(table, height, 80)

  @doc """
  Shows a table on the terminal as `i/1` does it, in pages of a given height and width.

  ## Examples

      iex> table = Etsunami.new(:moons, [])
      iex> Etsunami.insert(table, {:io, 1})
      iex> ExUnit.CaptureIO.capture_io("q\\n", fn -> Etsunami.i(table, 10, 40) end) =~ "<1   > {io,1}"
      true

  """
  @doc group: :info
  @spec i(table, pos_integer, pos_integer) :: :ok
  def i(table, height, width), do: Shell.browse(__MODULE__, identify(table), height, width)
end
