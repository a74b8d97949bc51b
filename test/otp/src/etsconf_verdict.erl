%% Verdicts from the events that the hook writes to a file while the cases run.
%%
%% A verdict is {Case, passed | failed | skipped | crashed | timeout, Milliseconds, Reason}.
-module(etsconf_verdict).
-export([all/3, show/2, running_since/1, first_line/1]).

%% The verdicts of a machine that has ended.
all(File, End, Console) ->
    Events = events(File),
    Lost = [lost(Case, Since, End, Console) || {Case, Since} <- running(Events)],
    [print(Verdict) || Verdict <- Lost],
    settled(Events) ++ Lost.

lost(Case, Since, End, Console) ->
    Verdict = case End of timed_out -> timeout; _ -> crashed end,
    Reason = lists:flatten(io_lib:format("~0p; ~ts", [End, tail(Console)])),
    {Case, Verdict, erlang:system_time(millisecond) - Since, Reason}.

%% Prints the verdicts that are not shown yet; returns how many are now.
show(File, Shown) ->
    Settled = settled(events(File)),
    [print(Verdict) || Verdict <- lists:nthtail(min(Shown, length(Settled)), Settled)],
    max(Shown, length(Settled)).

%% When the case in progress began.
running_since(File) ->
    case running(events(File)) of
        [{_, Since}] -> Since;
        [] -> none
    end.

running(Events) ->
    case [{Case, Time} || {start, Case, Time} <- Events] of
        [] -> [];
        Starts ->
            {Case, _} = Last = lists:last(Starts),
            Ended = [element(2, Event) || Event <- Events, element(1, Event) =/= start],
            [Last || not lists:member(Case, Ended)]
    end.

events(File) ->
    case file:consult(File) of
        {ok, Events} -> Events;
        {error, _} -> % a term is being written
            timer:sleep(50),
            events_again(file:consult(File))
    end.

events_again({ok, Events}) -> Events;
events_again({error, _}) -> [].

settled(Events) ->
    Ended = [element(2, Event) || Event <- Events, element(1, Event) =/= start],
    Cases = [Case || Case <- unique(Ended), not configuration(Case)],
    [verdict(Case, [Event || Event <- Events, element(2, Event) =:= Case]) || Case <- Cases].

configuration(Case) ->
    lists:member(Case, [init_per_suite, end_per_suite, init_per_group, end_per_group]).

%% A failure or skip that is reported after the end of the case overrides that end.
verdict(Case, Events) ->
    Took = milliseconds(Events),
    case {reason(failed, Events), reason(skipped, Events), lists:keyfind(done, 1, Events)} of
        {{ok, Reason}, _, _} -> {Case, failed, Took, Reason};
        {_, {ok, Reason}, _} -> {Case, skipped, Took, Reason};
        {_, _, {done, _, _, {failed, Reason}}} -> {Case, failed, Took, Reason};
        {_, _, {done, _, _, {_, Reason}}} -> {Case, skipped, Took, Reason};
        _ -> {Case, passed, Took, ""}
    end.

reason(Kind, Events) ->
    case lists:keyfind(Kind, 1, Events) of
        {Kind, _, Reason} -> {ok, Reason};
        false -> none
    end.

milliseconds(Events) ->
    case {[T || {start, _, T} <- Events], [element(3, E) || E <- Events, element(1, E) =:= done]} of
        {[Start | _], [_ | _] = Ends} -> lists:max(Ends) - Start;
        _ -> 0
    end.

print({Case, Verdict, Took, Reason}) ->
    Why = case Verdict of passed -> ""; _ -> first_line(Reason) end,
    io:format("~-40s ~-8s ~8.2f s  ~ts~n", [Case, Verdict, Took / 1000, Why]).

first_line(Reason) ->
    Words = string:lexemes(lists:flatten(Reason), " \n\t"),
    string:slice(lists:flatten(lists:join(" ", Words)), 0, 140).

tail(File) ->
    {ok, Text} = file:read_file(File),
    string:trim(binary_to_list(binary:part(Text, byte_size(Text), -min(150, byte_size(Text))))).

unique(List) ->
    lists:reverse(lists:foldl(fun add_new/2, [], List)).

add_new(Element, Seen) ->
    case lists:member(Element, Seen) of
        true -> Seen;
        false -> [Element | Seen]
    end.
