defmodule Etsunami.Options do
  @moduledoc false

  # The options of `Etsunami.new/2` and `Etsunami.setopts/2`, accepted and combined as `:ets` does
  # it. In a list for `new/2` a later option overrides an earlier one of its kind, except that
  # `:set` and `:protected` name the defaults and change nothing. What `info/2` will tell about
  # concurrency is settled here too: a private table has none.

  # The names of the table are atoms, and positions are what fits into one word as an integer.
  @max_keypos 2 ** 59 - 1
  @min_locks 64
  @max_locks 32_768

  defstruct type: :set,
            access: :protected,
            named?: false,
            keypos: 1,
            heir: :none,
            engine: :default,
            read_concurrency: false,
            write_concurrency: false,
            decentralized_counters: :default,
            decentralized_by_default: false,
            compressed: false

  @type t :: %__MODULE__{
          type: Etsunami.Native.type(),
          access: Etsunami.Native.access(),
          named?: boolean,
          keypos: pos_integer,
          heir: Etsunami.Native.heir(),
          engine: :default | :ca_tree | :skip_list,
          read_concurrency: boolean,
          write_concurrency: boolean | :auto | {:debug_hash_fixed_number_of_locks, pos_integer},
          decentralized_counters: :default | boolean,
          decentralized_by_default: boolean,
          compressed: boolean
        }

  @doc """
  Reads the options of `new/2`.
  """
  @spec new(term) :: {:ok, t} | :error
  def new(options), do: options |> reduce(%__MODULE__{}) |> check()

  @doc """
  What the native library wants to know about the engine, concurrency and compression.
  """
  @spec native(t) :: Etsunami.Native.options()
  def native(%__MODULE__{} = options) do
    write_concurrency = if shared?(options), do: locks(options.write_concurrency), else: false

    {
      options.engine,
      options.access != :private and options.read_concurrency,
      write_concurrency,
      write_concurrency != false and decentralized?(options),
      options.compressed
    }
  end

  @doc """
  Reads the options of `setopts/2`: the new heir and the new access, each given at most once.
  """
  @spec set(term) ::
          {:ok, :keep | Etsunami.Native.heir(), :keep | Etsunami.Native.access()} | :error
  def set(option) when is_tuple(option), do: set([option], :keep, :keep)
  def set(options), do: set(options, :keep, :keep)

  defp set([], heir, access), do: {:ok, heir, access}

  defp set([{:protection, new} | rest], heir, :keep)
       when new in [:public, :protected, :private] do
    set(rest, heir, new)
  end

  defp set([option | rest], :keep, access) do
    with true <- known_to_setopts?(option), {:ok, heir} <- heir(option) do
      set(rest, heir, access)
    else
      _refused -> :error
    end
  end

  defp set(_options, _heir, _access), do: :error

  # `new/2` takes an heir without data on every release. Here the running release decides, because
  # OTP's own test suites before 28 insist that it is refused.
  defp known_to_setopts?({:heir, pid}) when is_pid(pid) do
    List.to_integer(:erlang.system_info(:otp_release)) >= 28
  end

  defp known_to_setopts?(_option), do: true

  # One option after the other

  defp reduce([], options), do: options

  defp reduce([option | rest], options) do
    case put(option, options) do
      %__MODULE__{} = options -> reduce(rest, options)
      :error -> :error
    end
  end

  defp reduce(_improper, _options), do: :error

  defp put(:set, options), do: options
  defp put(:ordered_set, options), do: decentralized(%{options | type: :ordered_set}, true)
  defp put(type, options) when type in [:bag, :duplicate_bag], do: %{options | type: type}
  defp put(:protected, options), do: options
  defp put(access, options) when access in [:public, :private], do: %{options | access: access}
  defp put(:named_table, options), do: %{options | named?: true}
  defp put(:compressed, options), do: %{options | compressed: true}

  defp put({:keypos, keypos}, options) when keypos in 1..@max_keypos do
    %{options | keypos: keypos}
  end

  defp put({:read_concurrency, read?}, options) when is_boolean(read?) do
    %{options | read_concurrency: read?}
  end

  defp put({:decentralized_counters, counters?}, options) when is_boolean(counters?) do
    %{options | decentralized_counters: counters?}
  end

  defp put({:write_concurrency, write}, options), do: put_write_concurrency(write, options)

  defp put({:engine, engine}, options) when engine in [:ca_tree, :skip_list] do
    %{options | engine: engine}
  end

  defp put(option, options) do
    with {:ok, heir} <- heir(option), do: %{options | heir: heir}
  end

  defp put_write_concurrency(false, options), do: %{options | write_concurrency: false}

  # Counters are decentralized by default where this option meets an ordered_set named before it.
  defp put_write_concurrency(true, %{type: :ordered_set} = options) do
    %{options | write_concurrency: true}
  end

  defp put_write_concurrency(true, options) do
    decentralized(%{options | write_concurrency: true}, false)
  end

  defp put_write_concurrency(:auto, options) do
    decentralized(%{options | write_concurrency: :auto}, true)
  end

  defp put_write_concurrency({:debug_hash_fixed_number_of_locks, locks} = write, options)
       when locks in 1..@max_locks do
    decentralized(%{options | write_concurrency: write}, true)
  end

  defp put_write_concurrency(_write, _options), do: :error

  defp decentralized(options, default?), do: %{options | decentralized_by_default: default?}

  defp heir({:heir, :none}), do: {:ok, :none}
  defp heir({:heir, pid}) when is_pid(pid) and node(pid) == node(), do: {:ok, {pid}}
  defp heir({:heir, pid, data}) when is_pid(pid) and node(pid) == node(), do: {:ok, {pid, data}}
  defp heir(_option), do: :error

  # What only all of them together tell

  # A number of locks means nothing to an ordered_set, an engine nothing to the other types.
  defp check(%{type: :ordered_set, write_concurrency: {_locks, _number}}), do: :error
  defp check(%{type: type, engine: e}) when type != :ordered_set and e != :default, do: :error
  defp check(%__MODULE__{} = options), do: {:ok, options}
  defp check(:error), do: :error

  # Asked only for tables that would be written concurrently.
  defp shared?(%{access: :private}), do: false
  defp shared?(%{write_concurrency: false}), do: false
  defp shared?(_options), do: :erlang.system_info(:schedulers) > 1

  defp decentralized?(%{decentralized_counters: :default} = options) do
    options.decentralized_by_default
  end

  defp decentralized?(options), do: options.decentralized_counters

  # `:ets` rounds the number down to a power of two, and up to its least one.
  defp locks({:debug_hash_fixed_number_of_locks, number}) do
    {:debug_hash_fixed_number_of_locks, power_of_two(number, @min_locks)}
  end

  defp locks(write_concurrency), do: write_concurrency

  defp power_of_two(number, power) when power * 2 > number, do: power
  defp power_of_two(number, power), do: power_of_two(number, power * 2)
end
