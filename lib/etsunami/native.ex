defmodule Etsunami.Native do
  @moduledoc false

  # The functions of the native library, and nothing else: arguments go over as they came, and an
  # error is `{:etsunami_error, reason, cause, arguments}`, which `Etsunami` turns into the exception
  # that `:ets` would raise. Most functions raise it; those of one object or key, and of the ends of
  # a walk, answer it.

  @compile {:autoload, false}
  @on_load :load
  @failure {__MODULE__, :failure}

  @type type :: :set | :ordered_set | :bag | :duplicate_bag
  @type access :: :public | :protected | :private
  @type heir :: :none | {pid} | {pid, term}
  # engine, read_concurrency, write_concurrency, decentralized_counters, compressed
  @type options :: {
          :default | :ca_tree | :skip_list,
          boolean,
          boolean | :auto | {:debug_hash_fixed_number_of_locks, pos_integer},
          boolean,
          boolean
        }
  @type cursor :: term

  @doc false
  def load do
    case :erlang.load_nif(path(), 0) do
      :ok -> :ok
      # The library has been loaded into this very module before.
      {:error, {:reload, _text}} -> :ok
      {:error, {reason, text}} -> refuse(:erlang.module_loaded(__MODULE__), reason, text)
    end
  end

  # A version that works stays. Where there is none, the module is loaded without its library, so
  # that each call can say why it fails.
  defp refuse(true, reason, text), do: {:error, {reason, text}}
  defp refuse(false, _reason, text), do: :persistent_term.put(@failure, to_string(text))

  defp path do
    priv = :code.priv_dir(:etsunami)

    # Where the working directory is called as the application, OTP 27 may take "." for it.
    priv =
      if is_list(priv) and :filelib.is_dir(priv), do: priv, else: beside(:code.which(__MODULE__))

    :filename.join(priv, ~c"libetsunami_nif")
  end

  # The directory of the beam file need not be called "etsunami-VSN/ebin".
  defp beside(beam), do: :filename.join([:filename.dirname(beam), ~c"..", ~c"priv"])

  # Tables and owners

  @spec new_table(atom, boolean, type, access, pos_integer, heir, options) :: Etsunami.table()
  def new_table(_name, _named?, _type, _access, _keypos, _heir, _options), do: stub()
  def delete_table(_table), do: stub()
  def rename(_table, _name), do: stub()
  def give_away(_table, _pid, _gift), do: stub()
  def setopts(_table, _heir, _access), do: stub()
  def safe_fixtable(_table, _fix?), do: stub()

  # Reading

  def lookup(_table, _key), do: stub()
  def lookup_element(_table, _key, _position), do: stub()
  def lookup_element(_table, _key, _position, _default), do: stub()
  def member(_table, _key), do: stub()

  # Writing

  def insert(_table, _objects), do: stub()
  def insert_new(_table, _objects), do: stub()
  def take(_table, _key), do: stub()
  def delete_key(_table, _key), do: stub()
  def delete_object(_table, _object), do: stub()
  def delete_all_objects(_table), do: stub()

  # Updating

  def update_counter(_table, _key, _update), do: stub()
  def update_counter(_table, _key, _update, _default), do: stub()
  def update_element(_table, _key, _spec), do: stub()
  def update_element(_table, _key, _spec, _default), do: stub()

  # Traversing

  def first(_table), do: stub()
  def last(_table), do: stub()
  def next(_table, _key), do: stub()
  def prev(_table, _key), do: stub()
  def first_lookup(_table), do: stub()
  def last_lookup(_table), do: stub()
  def next_lookup(_table, _key), do: stub()
  def prev_lookup(_table, _key), do: stub()
  def slot(_table, _index), do: stub()

  # Matching

  @typep more :: {:more, continuation :: tuple}
  @typep turned :: {:reverse, [term]} | {:reverse, [term], next :: term}

  @spec select(Etsunami.table(), Etsunami.match_spec(), non_neg_integer, boolean) ::
          [term] | {[term], term} | :"$end_of_table" | turned | more
  def select(_table, _spec, _chunk, _reverse?), do: stub()
  def select(_continuation), do: stub()

  @typep more_to_do :: {:more, reference, reference, cursor, non_neg_integer}

  @spec select_count(Etsunami.table(), Etsunami.match_spec()) :: non_neg_integer | more_to_do
  def select_count(_table, _spec), do: stub()
  def select_count(_table, _compiled, _cursor, _count), do: stub()
  def select_delete(_table, _spec), do: stub()
  def select_delete(_table, _compiled, _cursor, _count), do: stub()
  def select_replace(_table, _spec), do: stub()
  def select_replace(_table, _compiled, _cursor, _count), do: stub()

  @spec explain(Etsunami.table(), Etsunami.match_spec()) ::
          {:lookup | :ranges | :scan, [term], [String.t()]}
  def explain(_table, _spec), do: stub()

  def match_spec_compile(_spec), do: stub()
  def is_compiled_ms(_term), do: stub()
  def match_spec_run(_terms, _compiled, _before), do: stub()

  @spec match_spec_lint(term) :: [{:error, charlist}]
  def match_spec_lint(_spec), do: stub()

  # Information

  def info(_table), do: stub()
  def info(_table, _item), do: stub()
  def stats(_table), do: stub()

  @spec library() :: [{atom, term}]
  def library, do: stub()
  def all, do: stub()
  def whereis(_name), do: stub()

  # What the library holds: only in a library built with the cargo feature `count_memory`

  def held, do: stub()

  # Faults for tests: only in a library built with the cargo feature `faults`

  def plant_fault(_place, _passages), do: stub()
  def pull_fault, do: stub()
  def fault_points, do: stub()

  # The codec and the term order, for the tests

  def codec_roundtrip(_term), do: stub()
  def codec_compare(_a, _b), do: stub()
  def codec_equal(_a, _b), do: stub()
  def codec_hash(_term, _seed), do: stub()
  def codec_cost(_term, _times), do: stub()
  def codec_block(_words), do: stub()

  defp stub do
    case :persistent_term.get(@failure, nil) do
      # A function for tests, which this library does not have.
      nil -> :erlang.nif_error(:nif_not_loaded)
      text -> :erlang.nif_error(RuntimeError.exception(failure(text)))
    end
  end

  defp failure(text) do
    """
    the native library of Etsunami could not be loaded: #{text}

    It has to be a file for this operating system, processor and C library, in the priv directory \
    of the application (#{path()}), which an escript cannot have. "mix deps.compile etsunami --force" \
    builds it again.\
    """
  end
end
