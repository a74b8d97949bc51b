defmodule Etsunami.Model.Step do
  @moduledoc """
  One command, called on both sides and compared.
  """

  alias Etsunami.Differences
  alias Etsunami.Model.{Arguments, Law, Sides}

  # Functions whose second argument is a key.
  @keyed [:lookup, :lookup_element, :member, :take, :delete, :update_counter, :update_element] ++
           [:next, :prev, :next_lookup, :prev_lookup]

  @doc """
  Takes a step in the calling process. The answer has the outcome of both sides, whether they
  agree, and whether a key was asked for that is there.
  """
  def take({function, arguments}, context, pool) do
    both = Enum.map(arguments, &Arguments.resolve(&1, context, pool))
    for_model = Enum.map(both, &elem(&1, 0))
    for_subject = Enum.map(both, &elem(&1, 1))
    keyed = keyed(function, for_model, context)
    model = Sides.outcome(:model, function, for_model)
    subject = Sides.outcome(:subject, function, for_subject)
    align(function, model, subject)

    %{
      function: function,
      arguments: {for_model, for_subject},
      keyed: keyed,
      model: model,
      subject: subject,
      verdict: verdict(function, both, for_model, context, model, subject)
    }
    |> slim()
  end

  # What changes in a hash table during a search may come before the place of one side, and after
  # that of the other; so one may be at the end earlier.
  defp verdict(_function, [{:"$end_of_table", rest}], _, %{type: type}, _model, _subject)
       when type != :ordered_set and is_tuple(rest),
       do: :ok

  defp verdict(_function, [{rest, :"$end_of_table"}], _, %{type: type}, _model, _subject)
       when type != :ordered_set and is_tuple(rest),
       do: :ok

  # A continuation of `:ets` is of no use in a hash table that has shrunk meanwhile.
  defp verdict(function, [_continuation], [_], context, {:raised, :error, :badarg, _}, {:ok, _})
       when function in [:select, :match, :match_object, :select_reverse] and
              context.type in [:set, :bag, :duplicate_bag] do
    if readable?(context.model), do: :ok, else: {:differ, "only the model raises"}
  end

  defp verdict(function, _both, for_model, context, model, subject) do
    Law.compare(function, for_model, context, model, subject)
  end

  defp readable?(table) do
    :ets.info(table, :protection) in [:public, :protected] or :ets.info(table, :owner) == self()
  end

  # An older release reads the objects of a key into a bag from the end of a list; here the model
  # takes over the order that the subject has them in, as far as the objects are the same.
  defp align(:file2tab, {:ok, {:ok, model}}, {:ok, {:ok, subject}}) do
    keypos = :ets.info(model, :keypos)

    if Differences.applies?(:bag_list_order) and :ets.info(model, :type) in [:bag, :duplicate_bag] do
      for key <- model |> :ets.tab2list() |> Enum.map(&elem(&1, keypos - 1)) |> Enum.uniq(),
          objects = Etsunami.lookup(subject, key),
          Law.same_objects(:ets.lookup(model, key), objects) == :ok do
        :ets.delete(model, key)
        Enum.each(objects, &:ets.insert(model, &1))
      end
    end
  end

  defp align(_function, _model, _subject), do: :ok

  @doc "Whether a call asks for a key, and for one that is there."
  def keyed(function, [_table, key | _], context) when function in @keyed do
    if context.model != nil and Arguments.member?(context.model, key),
      do: :present,
      else: :absent
  end

  def keyed(_function, _arguments, _context), do: :not_keyed

  # What nobody will look at need not be copied to the one who asked.
  @needed [:new, :rename, :file2tab, :select, :match, :match_object, :select_reverse]

  defp slim(%{verdict: :ok, function: function} = step) when function not in @needed do
    Map.drop(step, [:arguments, :model, :subject])
  end

  defp slim(step), do: step
end
