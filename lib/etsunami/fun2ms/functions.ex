defmodule Etsunami.Fun2ms.Functions do
  @moduledoc false

  # The functions that match specifications of tables may call, and what they are called in Elixir.

  @types ~w(atom binary bitstring boolean float function integer list map number pid port)a ++
           ~w(reference tuple)a

  @erlang [
            {0, ~w(self node)a},
            {1, Enum.map(@types, &:"is_#{&1}")},
            {1, ~w(abs hd tl length size map_size bit_size byte_size tuple_size node round)a},
            {1, ~w(trunc ceil floor float + - bnot not)a},
            {2, ~w(+ - * / div rem band bor bxor bsl bsr < =< > >= == /= =:= =/=)a},
            {2, ~w(and or xor andalso orelse max min element map_get is_map_key)a},
            {2, ~w(is_function binary_part)a},
            {3, ~w(is_record binary_part is_integer)a}
          ]
          |> Enum.flat_map(fn {arity, names} -> Enum.map(names, &{&1, arity}) end)
          |> MapSet.new()

  # Of the other functions of Kernel, those that are called as in Erlang are the same.
  @kernel %{
    {:<=, 2} => :"=<",
    {:!=, 2} => :"/=",
    {:===, 2} => :"=:=",
    {:!==, 2} => :"=/=",
    {:is_map_key, 2} => {:is_map_key, :swapped},
    {:elem, 2} => {:element, :from_zero}
  }

  @bitwise %{
    {:&&&, 2} => :band,
    {:|||, 2} => :bor,
    {:"^^^", 2} => :bxor,
    {:<<<, 2} => :bsl,
    {:>>>, 2} => :bsr,
    {:"~~~", 1} => :bnot
  }

  @doc """
  The name of a function in match specifications, and how its arguments are to be arranged.
  """
  @spec find(module, atom, arity) :: {:ok, atom, :same | :swapped | :from_zero} | :error
  def find(:erlang, name, arity), do: erlang(name, arity)

  def find(Kernel, name, arity) do
    case @kernel do
      %{{^name, ^arity} => {function, arrange}} -> {:ok, function, arrange}
      %{{^name, ^arity} => function} -> {:ok, function, :same}
      _other -> if exported?(Kernel, name, arity), do: erlang(name, arity), else: :error
    end
  end

  def find(Bitwise, name, arity) do
    case @bitwise do
      %{{^name, ^arity} => function} -> {:ok, function, :same}
      _other -> if exported?(Bitwise, name, arity), do: erlang(name, arity), else: :error
    end
  end

  def find(_module, _name, _arity), do: :error

  defp erlang(name, arity) do
    if MapSet.member?(@erlang, {name, arity}), do: {:ok, name, :same}, else: :error
  end

  defp exported?(module, name, arity), do: {name, arity} in module.__info__(:functions)

  @doc """
  The arguments in the order of match specifications.
  """
  @spec arrange([Macro.t()], :same | :swapped | :from_zero) :: [Macro.t()]
  def arrange(arguments, :same), do: arguments
  def arrange([first, second], :swapped), do: [second, first]
  def arrange([tuple, index], :from_zero) when is_integer(index), do: [index + 1, tuple]
  def arrange([tuple, index], :from_zero), do: [{:{}, [], [:+, index, 1]}, tuple]
end
