%% What transformed suites call in place of the emulator (see etsconf_transform).
-module(etsconf_rt).
-export([mem/1, verify_mem/2, set_internal_state/2, get_internal_state/1,
         stats/1, kept_objects/2, exports/1, stack_entry/1, stale/1]).

%% Leak check for a foreign target: the list of live tables, plus whatever
%% ETSCONF_MEM=Mod:Fun reports (e.g. bytes held by the native library).
mem(Target) -> {lists:sort(Target:all()), user_mem()}.

user_mem() ->
    case os:getenv("ETSCONF_MEM") of
        false -> none;
        MF -> [M, F] = [list_to_atom(S) || S <- string:split(MF, ":")], M:F()
    end.

verify_mem(Target, Before) -> verify_mem(Target, Before, 60).

verify_mem(Target, {Tabs, Mem} = Before, Tries) ->
    case mem(Target) of
        Before -> ok;
        _ when Tries > 0 -> timer:sleep(50), verify_mem(Target, Before, Tries - 1);
        {Tabs2, Mem2} ->
            io:format("Leak check: tables left ~p, tables gone ~p, mem ~p -> ~p~n",
                      [Tabs2 -- Tabs, Tabs -- Tabs2, Mem, Mem2]),
            ct:fail("Failed memory check")
    end.

%% Switches which only concern the emulator's own ETS do nothing.
set_internal_state(K, _) when K =:= ets_force_trap; K =:= ets_force_split;
                              K =:= ets_debug_random_split_join -> notsup;
set_internal_state(K, V) -> available(fun() -> erts_debug:set_internal_state(K, V) end).

get_internal_state(flxctr_memory_usage) -> notsup;
get_internal_state(K) -> available(fun() -> erts_debug:get_internal_state(K) end).

%% Some cases switch the access off at their end; the suite relies on its memory check
%% (replaced here) to switch it on again.
available(Fun) ->
    try Fun() catch error:undef ->
        erts_debug:set_internal_state(available_internal_state, true),
        Fun()
    end.

stats(_Tab) -> no_stats.

%% How many objects the table keeps although they are deleted, because it is fixed.
kept_objects(Target, Tab) ->
    case Target:info(Tab, stats) of
        Figures when is_list(Figures) -> proplists:get_value(kept_objects, Figures, 0);
        _ -> 0
    end.

exports(Target) ->
    Api = ets:module_info(exports),
    [FA || FA <- Target:module_info(exports), lists:member(FA, Api)].

%% The innermost stack entry, its info reduced to error_info.
stack_entry([{M, F, A, Info} | _]) -> {M, F, A, [E || {error_info, _} = E <- Info]}.

%% The reference to an atomics array of which nothing should be left. A process of its own looks,
%% because whoever holds the reference keeps the array alive.
stale(Text) -> stale(Text, 60).

stale(Text, Tries) ->
    Look = fun() -> exit(try atomics:info(binary_to_term(Text)) catch error:badarg -> gone end) end,
    {Pid, Monitor} = spawn_monitor(Look),
    receive
        {'DOWN', Monitor, process, Pid, End} when End =:= gone; Tries =:= 0 -> binary_to_term(Text);
        {'DOWN', Monitor, process, Pid, _} -> timer:sleep(50), stale(Text, Tries - 1)
    end.
