%% Runs suites: all cases in one virtual machine under ct_run. If the machine dies, or a case
%% takes too long, that case is settled and a new machine goes on with the others.
-module(etsconf_run).
-export([suites/1]).

%% Returns the number of cases that failed.
suites(#{suite := []} = Options) ->
    suites(Options#{suite := [ets_SUITE]});
suites(#{suite := Suites, list := true} = Options) ->
    [begin
         etsconf_build:suite(Suite, Options),
         [io:format("~s~n", [Case]) || Case <- etsconf_cases:wanted(Suite, Options)]
     end || Suite <- Suites],
    0;
suites(#{suite := Suites, cases := Named} = Options) ->
    [etsconf_build:suite(Suite, Options) || Suite <- Suites],
    case Named -- lists:append([etsconf_cases:all(Suite) || Suite <- Suites]) of
        [] ->
            Results = [{Suite, suite(Suite, Options)}
                       || Suite <- Suites, etsconf_cases:wanted(Suite, Options) =/= []],
            etsconf_report:write(Results, Options);
        Unknown ->
            io:format("no such case in ~0p: ~0p~n", [Suites, Unknown]),
            length(Unknown)
    end.

suite(Suite, #{target := Target} = Options) ->
    Wanted = etsconf_cases:wanted(Suite, Options),
    Inapplicable = etsconf_cases:inapplicable(Suite, Wanted, Options),
    Run = [Case || Case <- Wanted, not lists:keymember(Case, 1, Inapplicable)],
    io:format("~n~s, target ~s: ~p cases, ~p inapplicable~n",
              [Suite, Target, length(Run), length(Inapplicable)]),
    Results = batches(Suite, Run, [], 1, Options),
    Results ++ [{Case, inapplicable, 0, Reason} || {Case, Reason} <- Inapplicable].

batches(_, [], Settled, _, _) ->
    lists:append(lists:reverse(Settled));
batches(Suite, Cases, Settled, Round, Options) ->
    Done = machine(Suite, Cases, Round, Options),
    case [Case || Case <- Cases, not lists:keymember(Case, 1, Done)] of
        Cases ->
            io:format("the virtual machine made no progress, see ~ts~n",
                      [console(Suite, Round, Options)]),
            Lost = [{Case, crashed, 0, "did not start"} || Case <- Cases],
            batches(Suite, [], [Lost | Settled], Round, Options);
        Left ->
            batches(Suite, Left, [Done | Settled], Round + 1, Options)
    end.

%% One virtual machine for a list of cases; returns the verdicts of those that it settled.
machine(Suite, Cases, Round, #{out := Out} = Options) ->
    Events = filename:join(Out, io_lib:format("~s.~w.events", [Suite, Round])),
    ok = file:write_file(Events, <<>>),
    Console = console(Suite, Round, Options),
    {ok, Copy} = file:open(Console, [write, raw]),
    Port = open_port({spawn_executable, os:find_executable("ct_run")},
                     [{args, arguments(Suite, Cases, Events, Options)},
                      {env, environment(Options)}, {cd, Out},
                      exit_status, stderr_to_stdout, binary]),
    End = watch(#{port => Port, copy => Copy, events => Events, started => now_ms(),
                  limit => 1000 * maps:get(timeout, Options)}, 0),
    file:close(Copy),
    etsconf_verdict:all(Events, End, Console).

arguments(Suite, Cases, Events, #{out := Out, build := Build}) ->
    Logs = filename:join(Out, "ct_logs"),
    ok = filelib:ensure_dir(filename:join(Logs, "x")),
    Arguments = ["-noinput", "-sname", "etsconf" ++ os:getpid(), "-dir", Build,
                 "-suite", atom_to_list(Suite), "-no_auto_compile", "-logdir", Logs,
                 "-ct_hooks", "etsconf_hook", io_lib:format("~0p", [lists:flatten(Events)]),
                 "-case" | [atom_to_list(Case) || Case <- Cases]],
    [lists:flatten(Argument) || Argument <- Arguments].

%% ERL_AFLAGS also reaches the peer nodes that some cases start.
environment(#{out := Out, build := Build, pa := Pa, 'erl-flags' := Flags} = Options) ->
    Paths = lists:append([" -pa '" ++ Dir ++ "'" || Dir <- [Build | Pa]]),
    [{"ERL_AFLAGS", lists:flatten([Flags, Paths])},
     {"ERL_CRASH_DUMP", filename:join(Out, "erl_crash.dump")},
     {"ERL_CRASH_DUMP_SECONDS", "20"},
     {"ETSCONF_PARENT", os:getpid()},
     {"ETSCONF_DIVIDE", integer_to_list(maps:get(divide, Options))}]
        ++ [{"ETSCONF_MEM", Hook} || Hook <- [maps:get(mem, Options)], is_list(Hook)].

console(Suite, Round, #{out := Out}) ->
    filename:join(Out, io_lib:format("~s.~w.console", [Suite, Round])).

%% Copies the machine's output, prints verdicts as they come, ends the machine when a case is
%% over its limit.
watch(#{port := Port, copy := Copy, events := Events} = Watch, Shown) ->
    receive
        {Port, {data, Data}} ->
            ok = file:write(Copy, Data),
            watch(Watch, Shown);
        {Port, {exit_status, Status}} ->
            _ = etsconf_verdict:show(Events, Shown),
            {exited, Status}
    after 500 ->
            Now = etsconf_verdict:show(Events, Shown),
            case overdue(Watch, Now) of
                false -> watch(Watch, Now);
                true -> kill(Port), timed_out
            end
    end.

overdue(#{events := Events, started := Started, limit := Limit}, Shown) ->
    case etsconf_verdict:running_since(Events) of
        none when Shown > 0 -> false;
        none -> now_ms() - Started > Limit;
        Since -> now_ms() - Since > Limit
    end.

kill(Port) ->
    {os_pid, Pid} = erlang:port_info(Port, os_pid),
    os:cmd("kill -9 " ++ integer_to_list(Pid)),
    receive {Port, {exit_status, _}} -> ok after 10000 -> ok end.

now_ms() ->
    erlang:system_time(millisecond).
