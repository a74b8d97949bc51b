%% The suites, where they stand in OTP's source, and which of their cases are to be run.
-module(etsconf_cases).
-export([source/2, transform_options/1, all/1, wanted/2, inapplicable/3]).

%% {directory, cases or all, options of the parse transform}
suite(ets_SUITE) -> {"lib/stdlib/test", all, []};
suite(ets_tough_SUITE) -> {"lib/stdlib/test", all, []};
suite(fixtable_SUITE) -> {"lib/stdlib/test", all, [etsconf_all_atoms]};
suite(select_SUITE) -> {"lib/stdlib/test", all, [etsconf_all_atoms]};
%% Of these two suites only some cases call ets at run time.
suite(ms_transform_SUITE) -> {"lib/stdlib/test", [binary_bifs, float_1_function], []};
suite(match_spec_SUITE) -> {"erts/emulator/test", [bad_match_spec_bin, fpe], []}.

%% The suite's file without its extension.
source(Suite, Otp) ->
    {Dir, _, _} = suite(Suite),
    filename:join([Otp, Dir, Suite]).

transform_options(Suite) ->
    element(3, suite(Suite)).

%% All cases of a suite that has been loaded.
all(Suite) ->
    case suite(Suite) of
        {_, all, _} -> expand(Suite:all(), groups(Suite));
        {_, Cases, _} -> Cases
    end.

groups(Suite) ->
    case erlang:function_exported(Suite, groups, 0) of
        true -> Suite:groups();
        false -> []
    end.

expand(Entries, Groups) ->
    lists:flatmap(fun(Entry) -> expand_one(Entry, Groups) end, Entries).

expand_one({group, Group}, Groups) ->
    {_, _, Entries} = lists:keyfind(Group, 1, Groups),
    expand(Entries, Groups);
expand_one({group, Group, _}, Groups) -> expand_one({group, Group}, Groups);
expand_one({Group, _, Entries}, Groups) when is_atom(Group) -> expand(Entries, Groups);
expand_one(Case, _) when is_atom(Case) -> [Case].

%% The cases named on the command line, or all but the slow ones.
wanted(Suite, #{cases := [], quick := Quick} = Options) ->
    Slow = case Quick of
               true -> [Case || {{S, Case}, _Seconds} <- listed("slow.terms", Options), S =:= Suite];
               false -> []
           end,
    all(Suite) -- Slow;
wanted(Suite, #{cases := Cases}) ->
    [Case || Case <- Cases, lists:member(Case, all(Suite))].

%% Those of the wanted cases that look into the emulator, with the reason.
inapplicable(_, _, #{target := ets}) -> [];
inapplicable(_, _, #{all := true}) -> [];
inapplicable(Suite, Wanted, Options) ->
    [{Case, Reason} || {S, Case, Reason} <- listed("inapplicable.terms", Options),
                       S =:= Suite, lists:member(Case, Wanted)].

listed(File, #{home := Home}) ->
    {ok, Terms} = file:consult(filename:join(Home, File)),
    Terms.
