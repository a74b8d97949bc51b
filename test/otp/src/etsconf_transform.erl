%% Parse transform: points an OTP test suite at another implementation of the ets interface.
%%
%% Compile options: {etsconf_target, Module}; {etsconf_divide, N} (fewer iterations in the cases
%% that use syrup_factor/0); etsconf_all_atoms (rename every atom ets: for suites that use it as
%% a tag and as a module name at the same time); {etsconf_report, File}.
%%
%% Rewritten:
%%   ets:F(..), ets:Var(..), fun ets:F/A                 -> Target
%%   apply/spawn*(ets, ..), local_fun(ets, FunName, ..)  -> Target
%%   {ets, _, _} and {ets, _, _, _} (functions, stack entries, patterns) -> Target
%% Kept: ets:fun2ms/1 (compile time), types, ets as a plain atom (erlang:memory(ets), ...).
%%
%% For a target other than ets, what looks into the emulator's own tables is made neutral: the
%% relaxations that README.md lists.
-module(etsconf_transform).
-export([parse_transform/2]).

parse_transform(Forms, Opts) ->
    Target = proplists:get_value(etsconf_target, Opts, ets),
    put(etsconf_target, Target),
    put(etsconf_divide, proplists:get_value(etsconf_divide, Opts, 1)),
    put(etsconf_all_atoms, proplists:get_bool(etsconf_all_atoms, Opts)),
    put(etsconf_log, #{}),
    New = [form(F) || F <- Forms],
    report(proplists:get_value(etsconf_report, Opts), erase(etsconf_log)),
    New.

report(undefined, _) -> ok;
report(File, Log) ->
    Lines = [io_lib:format("~-40s ~p~n", [K, N]) || {K, N} <- lists:sort(maps:to_list(Log))],
    file:write_file(File, Lines).

count(What) ->
    L = get(etsconf_log),
    put(etsconf_log, L#{What => maps:get(What, L, 0) + 1}).

target() -> get(etsconf_target).
relax() -> target() =/= ets.

%% ---- forms -------------------------------------------------------------------

form({function, L, syrup_factor, 0, _}) ->
    N = {integer, L, get(etsconf_divide)},
    {function, L, syrup_factor, 0, [{clause, L, [], [], [N]}]};
form({function, L, Name, Arity, _} = F) ->
    put(etsconf_fun, {Name, Arity}),
    case relax() andalso replacement(Name, Arity) of
        Src when is_list(Src) ->
            count("replaced " ++ atom_to_list(Name)),
            {ok, Toks, _} = erl_scan:string(lists:flatten(Src), L),
            {ok, New} = erl_parse:parse_form(Toks),
            New;
        _ ->
            {function, L, Name, Arity, expr(element(5, F))}
    end;
form({attribute, _, record, _} = F) -> expr(F);
form(F) -> F.

%% Helpers of ets_SUITE which inspect emulator internals, with neutral replacements.
replacement(etsmem, 0) ->
    io_lib:format("etsmem() -> etsconf_rt:mem(~p).", [target()]);
replacement(verify_etsmem, 1) ->
    io_lib:format("verify_etsmem(M) -> wait_for_test_procs(), etsconf_rt:verify_mem(~p, M).",
                  [target()]);
replacement(get_kept_objects, 1) ->
    io_lib:format("get_kept_objects(T) -> etsconf_rt:kept_objects(~p, T).", [target()]);
replacement(num_of_buckets, 1) -> "num_of_buckets(_) -> 0.";
replacement(verify_table_load, 1) -> "verify_table_load(_) -> ok.";
replacement(_, _) -> false.

%% ---- expressions (generic bottom-up walk over the abstract code) ---------------

expr(T) when is_tuple(T) ->
    case relax() andalso relaxed(get(etsconf_fun), T) of
        {replace, What, New} -> count("relaxed: " ++ What), New;
        false -> xnode(list_to_tuple([expr(E) || E <- tuple_to_list(T)]))
    end;
expr([H | T]) -> [expr(H) | expr(T)];
expr(X) -> X.

%% suite/0 asks for a hook which only exists inside an OTP build tree
xnode({tuple, L, [{atom, L1, ct_hooks}, _]}) ->
    {tuple, L, [{atom, L1, ct_hooks}, {nil, L1}]};
xnode({remote, L, {atom, L1, ets}, {atom, _, F} = Name}) when F =/= fun2ms ->
    hit("remote call", {remote, L, {atom, L1, target()}, Name});
xnode({remote, L, {atom, L1, ets}, {var, _, _} = Name}) ->
    hit("remote call", {remote, L, {atom, L1, target()}, Name});
xnode({'fun', L, {function, {atom, L1, ets}, F, A}}) ->
    hit("external fun", {'fun', L, {function, {atom, L1, target()}, F, A}});
xnode({call, L, Fn, [{atom, L1, ets}, Second | Rest]} = C) ->
    case is_apply(Fn) orelse is_ets_function(Second) of
        true -> hit("ets as argument", {call, L, Fn, [{atom, L1, target()}, Second | Rest]});
        false -> C
    end;
xnode({call, L, Fn, [A, {atom, L1, ets}, {atom, _, _} = F | Rest]} = C) ->  % check_badarg/4
    case is_ets_function(F) of
        true -> hit("ets as argument", {call, L, Fn, [A, {atom, L1, target()}, F | Rest]});
        false -> C
    end;
xnode({tuple, L, [{atom, L1, ets}, _, _ | More] = [_ | Rest]}) when length(More) =< 1 ->
    hit("tuple {ets,_,_}", {tuple, L, [{atom, L1, target()} | Rest]});
xnode({remote, L, {atom, L1, M}, {atom, _, fun2ms} = Name} = R) ->
    case M =:= target() of
        true -> {remote, L, {atom, L1, ets}, Name};
        false -> R
    end;
xnode({atom, L, ets} = A) ->
    case get(etsconf_all_atoms) of
        true -> hit("atom", {atom, L, target()});
        false -> A
    end;
xnode(Other) -> Other.

hit(What, New) -> count(What), New.

is_apply({atom, _, F}) -> is_apply_name(F);
is_apply({remote, _, {atom, _, erlang}, {atom, _, F}}) -> is_apply_name(F);
is_apply(_) -> false.

is_apply_name(F) ->
    lists:member(F, [apply, spawn, spawn_link, spawn_monitor, spawn_opt, hibernate]).

is_ets_function({atom, _, F}) -> lists:keymember(F, 1, ets:module_info(exports));
is_ets_function(_) -> false.

%% ---- relaxations ---------------------------------------------------------------
%% relaxed(CurrentFunction, Node) -> {replace, What, NewNode} | false

%% ets-only switches of the emulator become no-ops, others pass through
relaxed(_, {call, L, {remote, L1, {atom, L2, erts_debug}, {atom, _, F} = Name}, Args})
  when F =:= set_internal_state; F =:= get_internal_state ->
    {replace, "erts_debug:" ++ atom_to_list(F),
     {call, L, {remote, L1, {atom, L2, etsconf_rt}, Name}, expr(Args)}};
%% bucket statistics (undocumented)
relaxed(_, {call, L, {remote, _, {atom, _, ets}, {atom, _, info}}, [T, {atom, _, stats}]}) ->
    {replace, "ets:info(_,stats)", rt(L, stats, [expr(T)])};
%% only the functions of the real ets API count
relaxed(_, {call, L, {remote, _, {atom, _, ets}, {atom, _, module_info}}, [{atom, _, exports}]}) ->
    {replace, "ets:module_info(exports)", rt(L, exports, [{atom, L, target()}])};
%% ets:info(_, binary): addresses and reference counts of off-heap binaries
relaxed({info_do, 1}, {match, L, _, {call, _, {atom, _, ets_info}, [_, {atom, _, binary} | _]}}) ->
    {replace, "info(_,binary)", {atom, L, ok}};
%% error_info: the innermost stack entry without its file and line
relaxed({ets_apply, 3}, {match, L, P, {call, _, {atom, _, hd}, [Stk]}}) ->
    {replace, "stack entry", {match, L, expr(P), rt(L, stack_entry, [Stk])}};
%% yield counts during ets:delete/1 and during owner exit
relaxed({delete_large_tab_2, 5}, {call, L, {remote, _, {atom, _, ct}, {atom, _, fail}}, _}) ->
    {replace, "yield count", {atom, L, ok}};
relaxed({verify_rescheduling_exit, 6}, {match, L, {atom, _, true}, {op, _, '>=', _, _}}) ->
    {replace, "yield count", {atom, L, ok}};
relaxed({delete_all_objects_trap, 2}, {call, L, {remote, _, {atom, _, ct}, {atom, _, fail}}, _}) ->
    {replace, "trap detection", {atom, L, false}};
%% 'ETS-TRANSFER' is sent before the dead owner's 'EXIT' (links) and before the 'DOWN' of
%% monitors older than the library's own one. A resource's monitor or destructor runs later.
relaxed({heir_do, 1}, {cons, _, {atom, _, link}, Tail}) ->
    {replace, "heir order", expr(Tail)};
relaxed({give_away_do, 1}, {match, L, Pattern, {call, _, {atom, _, receive_any}, []}}) ->
    {replace, "heir order",
     {'receive', L, [{clause, L, [expr(Pattern)], [], [{atom, L, ok}]}]}};
%% what was deleted lets go of its references soon, and not in the call
relaxed({compress_magic_ref, 1},
        {match, L, {var, _, 'StaleRef'} = P, {call, _, {atom, _, binary_to_term}, [Text]}}) ->
    {replace, "reference let go", {match, L, P, rt(L, stale, [Text])}};
relaxed(_, _) -> false.

rt(L, F, Args) -> {call, L, {remote, L, {atom, L, etsconf_rt}, {atom, L, F}}, Args}.
