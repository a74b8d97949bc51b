%% The table of verdicts, printed and written as Markdown.
-module(etsconf_report).
-export([write/2]).

%% Returns the number of cases that failed although they are expected to pass.
write(Results, #{out := Out, target := Target} = Options) ->
    Expected = etsconf_cases:expected(Options),
    Rows = [{Suite, Case, Verdict, Took, Reason, expected(Expected, Suite, Case)}
            || {Suite, Verdicts} <- Results, {Case, Verdict, Took, Reason} <- Verdicts],
    Summary = [summary(Suite, Rows) || {Suite, _} <- Results],
    Broken = [Case || {_, Case, Verdict, _, _, true} <- Rows, bad(Verdict)],
    Early = [Case || {_, Case, passed, _, _, false} <- Rows],
    File = filename:join(Out, "verdicts.md"),
    ok = file:write_file(File, unicode:characters_to_binary(
                                 [head(Target), Summary, "\n", table(Rows)])),
    io:format("~n~ts", [Summary]),
    note("expected to pass, but do not", Broken),
    note("pass, but are not expected to yet", Early),
    io:format("table: ~ts~n", [File]),
    length(Broken).

expected(all, _, _) -> true;
expected(Cases, Suite, Case) -> lists:member({Suite, Case}, Cases).

bad(Verdict) -> lists:member(Verdict, [failed, crashed, timeout]).

note(_, []) -> ok;
note(What, Cases) -> io:format("~p ~s: ~0p~n", [length(Cases), What, Cases]).

summary(Suite, Rows) ->
    Of = [{Verdict, Took, Expected} || {S, _, Verdict, Took, _, Expected} <- Rows, S =:= Suite],
    Count = fun(Wanted) -> length([x || {Verdict, _, _} <- Of, Verdict =:= Wanted]) end,
    Needed = [Verdict || {Verdict, _, true} <- Of],
    io_lib:format("~s: ~p of ~p expected cases pass; in all ~p passed, ~p failed, ~p crashed, "
                  "~p timed out, ~p skipped, ~p inapplicable; ~.1f s~n",
                  [Suite, length([x || passed <- Needed]), length(Needed), Count(passed),
                   Count(failed), Count(crashed), Count(timeout), Count(skipped),
                   Count(inapplicable), lists:sum([Took || {_, Took, _} <- Of]) / 1000]).

head(Target) ->
    {{Year, Month, Day}, _} = calendar:universal_time(),
    io_lib:format("# OTP's suites against ~s~n~nOTP ~s, ~4..0w-~2..0w-~2..0w~n~n",
                  [Target, erlang:system_info(otp_release), Year, Month, Day]).

table(Rows) ->
    ["| suite | case | expected | verdict | s | reason |\n| --- | --- | --- | --- | --- | --- |\n"
     | [row(Row) || Row <- Rows]].

row({Suite, Case, Verdict, Took, Reason, Expected}) ->
    Why = case Verdict of passed -> ""; _ -> etsconf_verdict:first_line(Reason) end,
    io_lib:format("| ~s | ~s | ~s | ~s | ~.2f | ~ts |~n",
                  [Suite, Case, case Expected of true -> "yes"; false -> "" end, Verdict,
                   Took / 1000, string:replace(Why, "|", "\\|", all)]).
