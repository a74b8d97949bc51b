defmodule Etsunami.Model.Session do
  @moduledoc """
  The tables and actors of a running program, and the way of a command through them.

  | argument | meaning |
  | --- | --- |
  | `{:tab, i}` | one of the tables that are there, by the handle that `new` gave |
  | `{:tid, i}` | the same by its identifier |
  | `{:gone, i}` | a table that is no more, if there is one |
  | `{:continuation, function, i}` | what an earlier search has left over |
  """

  alias Etsunami.Differences
  alias Etsunami.Model.{Actor, Commands, Law}

  defstruct [:pool, :actors, tables: [], gone: [], continuations: %{}]

  defmodule Table do
    @moduledoc "One table on both sides: its handles, its identifiers, and what never changes."
    defstruct [:model, :subject, :model_tid, :subject_tid, :type, :keypos]
  end

  @nowhere %{model: nil, subject: nil, type: nil, keypos: 1}

  @doc "Starts the actors."
  def start(pool) do
    Process.put(__MODULE__, [])
    actors = for _ <- 1..Commands.actors(), do: start_actor(pool)
    %__MODULE__{pool: pool, actors: List.to_tuple(actors)}
  end

  defp start_actor(pool) do
    actor = Actor.start(pool)
    Process.put(__MODULE__, [actor | Process.get(__MODULE__)])
    actor
  end

  @doc """
  Ends all actors that the calling process has started, and with them all tables, of whatever
  program; `:ok`, or those tables of the subject that are left.
  """
  def stop do
    Enum.each(Process.get(__MODULE__), &Actor.kill/1)

    case Etsunami.all() do
      [] -> :ok
      left -> {:differ, "tables survive their owners: #{inspect(left)}"}
    end
  end

  @doc """
  Lets a command happen: `{:ok, session, step}`, or `{:differ, what}`.
  """
  def command(session, {_actor, {:kill, [i]}}), do: kill(session, i)

  def command(session, {actor, {function, arguments}}) do
    {arguments, table, rest} = tables(arguments, session)
    arguments = by_identifier(function, arguments, table)
    context = context(session, table, rest)
    pid = actor(actor, table, session)
    step = Actor.step(pid, {function, arguments}, context)
    keep_protection(function, table, session)

    with :ok <- step.verdict,
         :ok <- same_size(table),
         session = effect(session, step, table, rest),
         {:ok, session} <- settle(session, function) do
      {:ok, session, step}
    else
      {:differ, text} -> {:differ, describe(text, step, table, pid)}
    end
  end

  # The model may have forgotten what access there was.
  @yielding [:insert, :insert_new, :init_table, :delete_all_objects, :fill_from_dets]

  defp keep_protection(function, %Table{model_tid: tid} = table, session)
       when function in @yielding do
    expected = Etsunami.info(table.subject_tid, :protection)

    if :ets.info(tid, :protection) not in [expected, :undefined] and
         Differences.applies?(:protection_after_yield) do
      owner = actor(:owner, table, session)
      Actor.run(owner, fn _pool -> :ets.setopts(tid, {:protection, expected}) end)
    end
  end

  defp keep_protection(_function, _table, _session), do: :ok

  defp describe(text, step, table, pid) do
    step
    |> Map.take([:function, :arguments, :model, :subject])
    |> Map.merge(%{
      what: text,
      table: table,
      caller: pid
    })
  end

  # Which tables and continuations a command is about

  defp tables(arguments, session) do
    Enum.reduce(Enum.reverse(arguments), {[], nil, nil}, fn argument, {done, table, rest} ->
      case pick(argument, session) do
        {:table, %Table{} = found, sides} -> {[sides | done], found, rest}
        {:continuation, %{} = rest} -> {[rest.sides | done], rest.table, rest}
        :other -> {[argument | done], table, rest}
      end
    end)
  end

  defp pick({:tab, i}, session) do
    with_table(session, i, fn table -> {:sides, table.model, table.subject} end)
  end

  defp pick({:tid, i}, session) do
    with_table(session, i, fn table -> {:sides, table.model_tid, table.subject_tid} end)
  end

  defp pick({:gone, i}, %{gone: [_ | _] = gone}) do
    table = Enum.at(gone, rem(i, length(gone)))
    {:table, table, {:sides, table.model_tid, table.subject_tid}}
  end

  defp pick({:gone, i}, session), do: pick({:tab, i}, session)

  defp pick({:continuation, function, i}, session) do
    case session.continuations do
      %{^function => [_ | _] = left} -> {:continuation, Enum.at(left, rem(i, length(left)))}
      %{} -> {:continuation, %{sides: {:lit, :"$end_of_table"}, table: nil, function: function}}
    end
  end

  defp pick(_other, _session), do: :other

  # A continuation of the model would not stay with a named table, see `:continuation_by_name`.
  @chunked [:select, :select_reverse, :match, :match_object]

  defp by_identifier(function, [{:sides, model, s}, spec, limit], %Table{model: model} = table)
       when function in @chunked do
    [{:sides, table.model_tid, s}, spec, limit]
  end

  defp by_identifier(:drain, [name, {:sides, model, s} | rest], %Table{model: model} = table) do
    [name, {:sides, table.model_tid, s} | rest]
  end

  defp by_identifier(_function, arguments, _table), do: arguments

  # Mostly the table with the most objects, so that there is something to be found.
  defp with_table(%{tables: []}, _i, _sides), do: :other

  defp with_table(%{tables: tables}, i, sides) when i < 50 do
    table = Enum.max_by(tables, &:ets.info(&1.model_tid, :size))
    {:table, table, sides.(table)}
  end

  defp with_table(%{tables: tables}, i, sides) do
    table = Enum.at(tables, rem(i, length(tables)))
    {:table, table, sides.(table)}
  end

  defp context(session, table, rest) do
    of_table = if table, do: Map.take(table, [:model, :subject, :type, :keypos]), else: @nowhere

    Map.merge(of_table, %{
      actors: session.actors,
      handles: Enum.map(session.tables, &{&1.model, &1.subject}),
      tids: Enum.map(session.tables, &{&1.model_tid, &1.subject_tid}),
      continuation: rest,
      directory: Process.get(:model_directory)
    })
  end

  # The model says who the owner is.
  defp actor(:owner, nil, session), do: elem(session.actors, 0)

  defp actor(:owner, table, session) do
    case :ets.info(table.model_tid, :owner) do
      :undefined -> elem(session.actors, 0)
      owner -> owner
    end
  end

  defp actor(i, _table, session), do: elem(session.actors, i)

  defp same_size(nil), do: :ok

  defp same_size(table) do
    model = :ets.info(table.model_tid, :size)
    subject = Etsunami.info(table.subject_tid, :size)
    if model == subject, do: :ok, else: {:differ, "sizes #{inspect(model)}, #{inspect(subject)}"}
  end

  # What a command has changed

  defp effect(session, %{function: :new, model: {:ok, model}, subject: {:ok, subject}}, _, _) do
    %{session | tables: session.tables ++ [made(model, subject)]}
  end

  defp effect(session, %{function: :file2tab, model: {:ok, {:ok, model}}} = step, _, _) do
    {:ok, {:ok, subject}} = step.subject
    %{session | tables: session.tables ++ [made(model, subject)]}
  end

  defp effect(session, %{function: :rename, model: {:ok, model}, subject: {:ok, s}}, table, _) do
    renamed = %{table | model: model, subject: s}
    %{session | tables: Enum.map(session.tables, &if(same?(&1, table), do: renamed, else: &1))}
  end

  defp effect(session, %{model: {:ok, {_, model}}, subject: {:ok, {_, subject}}} = step, table, _)
       when step.function in @chunked do
    rest = %{sides: {:sides, model, subject}, table: table, function: step.function}

    update_in(
      session.continuations,
      &Map.update(&1, step.function, [rest], fn old -> Enum.take([rest | old], 5) end)
    )
  end

  defp effect(session, _step, _table, _rest), do: session

  defp same?(table, other), do: table.model_tid == other.model_tid

  defp made(model, subject) do
    %Table{
      model: model,
      subject: subject,
      model_tid: tid(:ets, model),
      subject_tid: tid(Etsunami, subject),
      type: :ets.info(model, :type),
      keypos: :ets.info(model, :keypos)
    }
  end

  defp tid(_ets, reference) when is_reference(reference), do: reference
  defp tid(ets, name), do: ets.whereis(name)

  # Events

  # An actor dies; another one takes its place.
  defp kill(session, i) do
    Actor.kill(elem(session.actors, i))
    session = %{session | actors: put_elem(session.actors, i, start_actor(session.pool))}

    with {:ok, session} <- settle(session, :kill), do: {:ok, session, %{function: :kill}}
  end

  # After what may end or move a table, both sides must have the same tables, of the same owners,
  # and the actors the same messages.
  defp settle(session, function) when function in [:kill, :delete, :give_away] do
    {there, gone} =
      Enum.split_with(session.tables, &(:ets.info(&1.model_tid, :owner) != :undefined))

    with :ok <- all(there, &same_owner/1),
         :ok <- all(gone, &gone?/1),
         :ok <- same_mail(session) do
      {:ok, %{session | tables: there, gone: Enum.take(gone ++ session.gone, 5)}}
    end
  end

  defp settle(session, _function), do: {:ok, session}

  defp all(tables, check), do: Enum.find_value(tables, :ok, &differ(check.(&1)))
  defp differ(:ok), do: nil
  defp differ(difference), do: difference

  defp same_owner(table) do
    items = [:owner, :heir]
    model = Enum.map(items, &:ets.info(table.model_tid, &1))
    subject = Enum.map(items, &Etsunami.info(table.subject_tid, &1))
    if model == subject, do: :ok, else: {:differ, "owners #{inspect(model)}, #{inspect(subject)}"}
  end

  defp gone?(table) do
    case Etsunami.info(table.subject_tid, :size) do
      :undefined -> :ok
      _there -> {:differ, "a table is there that should be gone: #{inspect(table)}"}
    end
  end

  # Each message about a table must come as often from one side as from the other. A named table
  # is called the same on both.
  @patience 30

  defp same_mail(session, mail \\ %{}, tries \\ 0) do
    mail =
      for actor <- Tuple.to_list(session.actors), message <- Actor.mail(actor), reduce: mail do
        mail -> Map.update(mail, {actor, side_blind(message, session)}, 1, &(&1 + 1))
      end

    cond do
      Enum.all?(mail, fn {_message, times} -> rem(times, 2) == 0 end) -> :ok
      tries == @patience -> {:differ, "messages to one side only: #{inspect(mail)}"}
      true -> Process.sleep(5) && same_mail(session, mail, tries + 1)
    end
  end

  defp side_blind({:"ETS-TRANSFER", handle, from, data}, session) do
    table = Enum.find(session.tables, &(handle in [&1.model, &1.subject]))
    {(table && table.model_tid) || handle, from, data}
  end

  @doc "Whether all tables have the same contents."
  def same_contents(session), do: all(session.tables, &same_contents(&1, session))

  defp same_contents(table, session) do
    owner = actor(:owner, table, session)

    case Actor.run(owner, fn _pool -> contents(table) end) do
      :ok -> :ok
      {:differ, text} -> {:differ, %{what: "contents: " <> text, table: table}}
    end
  end

  defp contents(%Table{type: :ordered_set} = table) do
    Law.identical(:ets.tab2list(table.model_tid), Etsunami.tab2list(table.subject_tid))
  end

  # The objects of a key have an order in the bags.
  defp contents(table) do
    model = :ets.tab2list(table.model_tid)
    keys = model |> Enum.map(&elem(&1, table.keypos - 1)) |> Enum.uniq()

    with :ok <- Law.same_objects(model, Etsunami.tab2list(table.subject_tid)) do
      Enum.find_value(keys, :ok, &differ(key_contents(table, &1)))
    end
  end

  defp key_contents(table, key) do
    Law.identical(:ets.lookup(table.model_tid, key), Etsunami.lookup(table.subject_tid, key))
  end
end
