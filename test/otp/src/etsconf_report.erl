%% The table of verdicts, printed and written as Markdown.
-module(etsconf_report).
-export([write/2]).

%% Returns the number of cases that failed.
write(Results, #{out := Out, target := Target}) ->
    Rows = [{Suite, Case, Verdict, Took, Reason}
            || {Suite, Verdicts} <- Results, {Case, Verdict, Took, Reason} <- Verdicts],
    Summary = [summary(Suite, Verdicts) || {Suite, Verdicts} <- Results],
    Bad = [{Suite, Case} || {Suite, Case, Verdict, _, _} <- Rows, bad(Verdict)],
    File = filename:join(Out, "verdicts.md"),
    ok = file:write_file(File, unicode:characters_to_binary(
                                 [head(Target), Summary, "\n", table(Rows)])),
    io:format("~n~ts", [Summary]),
    [io:format("failed: ~0p~n", [Bad]) || Bad =/= []],
    io:format("table: ~ts~n", [File]),
    length(Bad).

bad(Verdict) -> lists:member(Verdict, [failed, crashed, timeout]).

summary(Suite, Verdicts) ->
    Count = fun(Wanted) -> length([x || {_, Verdict, _, _} <- Verdicts, Verdict =:= Wanted]) end,
    io_lib:format("~s: ~p passed, ~p failed, ~p crashed, ~p timed out, ~p skipped, "
                  "~p inapplicable; ~.1f s~n",
                  [Suite | [Count(V) || V <- [passed, failed, crashed, timeout, skipped,
                                              inapplicable]]]
                  ++ [lists:sum([Took || {_, _, Took, _} <- Verdicts]) / 1000]).

head(Target) ->
    {{Year, Month, Day}, _} = calendar:universal_time(),
    io_lib:format("# OTP's suites against ~s~n~nOTP ~s, ~4..0w-~2..0w-~2..0w~n~n",
                  [Target, erlang:system_info(otp_release), Year, Month, Day]).

table(Rows) ->
    ["| suite | case | verdict | s | reason |\n| --- | --- | --- | --- | --- |\n"
     | [row(Row) || Row <- Rows]].

row({Suite, Case, Verdict, Took, Reason}) ->
    Why = case Verdict of passed -> ""; _ -> etsconf_verdict:first_line(Reason) end,
    io_lib:format("| ~s | ~s | ~s | ~.2f | ~ts |~n",
                  [Suite, Case, Verdict, Took / 1000, string:replace(Why, "|", "\\|", all)]).
