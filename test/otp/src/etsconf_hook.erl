%% Common Test hook: one Erlang term per event, appended to the file given as option.
-module(etsconf_hook).
-export([id/1, init/2, pre_init_per_testcase/4, post_end_per_testcase/5,
         on_tc_fail/4, on_tc_skip/4]).

id(_) -> etsconf_hook.

init(_Id, Opts) ->
    Proc = "/proc/" ++ os:getenv("ETSCONF_PARENT"),
    filelib:is_dir(Proc) andalso spawn(fun() -> guard(Proc) end),
    {ok, lists:flatten([Opts])}.

%% Do not outlive the driver.
guard(Proc) ->
    timer:sleep(2000),
    case file:read_file_info(Proc) of
        {ok, _} -> guard(Proc);
        {error, _} -> erlang:halt(1, [{flush, false}])
    end.

pre_init_per_testcase(_Suite, Case, Config, File) ->
    log(File, {start, Case, now_ms()}),
    {[{ets_tough_SUITE_iters, 5000 div divisor()} | Config], File}.

divisor() -> list_to_integer(os:getenv("ETSCONF_DIVIDE", "1")).

post_end_per_testcase(_Suite, Case, Config, Return, File) ->
    log(File, {done, Case, now_ms(), proplists:get_value(tc_status, Config, ok)}),
    {Return, File}.

on_tc_fail(_Suite, Case, Reason, File) -> log(File, {failed, name(Case), Reason}), File.
on_tc_skip(_Suite, Case, Reason, File) -> log(File, {skipped, name(Case), Reason}), File.

name({Case, _Group}) -> Case;
name(Case) -> Case.

now_ms() -> erlang:system_time(millisecond).

log(File, Event) ->
    Text = io_lib:format("~0tp.~n", [printable(Event)]),
    ok = file:write_file(File, unicode:characters_to_binary(Text), [append]).

%% Reasons may hold terms which cannot be read back (pids, refs, funs): keep them as text.
printable({start, _, _} = E) -> E;
printable({done, C, T, ok}) -> {done, C, T, ok};
printable({done, C, T, {S, R}}) -> {done, C, T, {S, text(R)}};
printable({done, C, T, _}) -> {done, C, T, ok};
printable({S, C, R}) -> {S, C, text(R)}.

text(R) -> lists:flatten(io_lib:format("~0tP", [R, 25])).
