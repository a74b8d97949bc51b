#!/usr/bin/env escript
%% Records what the running release says of random specifications and objects:
%% record.escript Count Seed File
main([Count, Seed, File]) ->
    rand:seed(exsss, list_to_integer(Seed)),
    N = list_to_integer(Count),
    {ok, F} = file:open(File, [write]),
    [one(F) || _ <- lists:seq(1, N)],
    file:close(F).
one(F) ->
    NV = rand:uniform(4),
    {H, Obj} = head(NV),
    Vars = vars(H),
    Spec = [{H, [expr(rand:uniform(3), Vars) || _ <- lists:seq(1, rand:uniform(3) div 2)],
             [expr(rand:uniform(3), Vars) || _ <- lists:seq(1, rand:uniform(20) div 18 + 1)]}
            | case rand:uniform(3) of 1 -> [{'_', [], [second, {{'$_', {const, {x}}}}]}]; _ -> [] end],
    R = try erlang:match_spec_test(Obj, Spec, table) of
            {ok, Res, _, _} -> {ok, Res};
            {error, Es} -> {error, [M || {error, M} <- Es]}
        catch _:_ -> crash end,
    ok = io:format(F, "~w.~n~w.~n~w.~n", [Obj, Spec, case R of {error, L} -> {error, [list_to_binary(M) || M <- L]}; _ -> R end]).
vars(T) -> lists:usort(vars1(T)).
vars1(T) when is_atom(T) -> case atom_to_list(T) of "$"++[D] when D >= $0, D =< $9 -> [T]; _ -> [] end;
vars1(T) when is_tuple(T) -> lists:append([vars1(E) || E <- tuple_to_list(T)]);
vars1([A|B]) -> vars1(A) ++ vars1(B);
vars1(M) when is_map(M) -> vars1(maps:values(M));
vars1(_) -> [].
pick(L) -> lists:nth(rand:uniform(length(L)), L).
head(N) ->
    Obj = list_to_tuple([term(3) || _ <- lists:seq(1, N)]),
    {case rand:uniform(8) of 1 -> '_'; 2 -> '$1'; _ -> gen(Obj, 2) end, Obj}.
%% A pattern that often fits the term.
gen(T, D) ->
    case rand:uniform(10) of
        1 -> '_';
        X when X =< 5 -> pick(['$1','$2','$3','$1','$2','$3','$0','$7']);
        6 when D =< 0 -> T;
        7 -> term(1);
        _ -> inside(T, D - 1)
    end.
inside(T, D) when is_tuple(T) -> list_to_tuple([gen(E, D) || E <- tuple_to_list(T)]);
inside([A|B], D) -> [gen(A, D) | case rand:uniform(4) of 1 -> gen(B, D); _ -> inside(B, D) end];
inside(M, D) when is_map(M) ->
    maps:from_list([{K, gen(V, D)} || {K, V} <- maps:to_list(M), rand:uniform(4) > 1]);
inside(T, _) -> T.
term(0) -> leaf();
term(D) -> case rand:uniform(9) of
    1 -> list_to_tuple([term(D-1) || _ <- lists:seq(1, rand:uniform(4)-1)]);
    2 -> [term(D-1) || _ <- lists:seq(1, rand:uniform(4)-1)];
    3 -> [term(D-1) | leaf()];
    4 -> maps:from_list([{leaf(), term(D-1)} || _ <- lists:seq(1, rand:uniform(4)-1)]);
    _ -> leaf() end.
leaf() -> pick([0,1,2,3,-1,7,1.0,2.5,-3.5,0.5,-2.5,1 bsl 59, (1 bsl 59) - 1, -(1 bsl 59), 1 bsl 64, -(1 bsl 70) - 1, 123456789012345678901234567890,
    1 bsl 53, (1 bsl 53) + 1, 9007199254740992.0, 1.0e308, 1.0e22, 4.5e15,
    a, b, ok, true, false, true, false, [], {}, "ab", <<>>, <<"abc">>, <<1,2,3,4,5,6,7,8,9>>, <<5:3>>, <<1,2:4>>, #{}, #{a => 1}, {a, 1}, '']).
expr(0, Vars) -> atomic(Vars);
expr(D, Vars) ->
    E = fun() -> expr(D-1, Vars) end,
    case rand:uniform(26) of
        X when X =< 5 -> {pick(['<','=<','>','>=','==','/=','=:=','=/=']), E(), E()};
        X when X =< 9 -> {pick(['+','-','*','/','div','rem','band','bor','bxor']), E(), E()};
        10 -> {pick(['bsl','bsr']), E(), pick([0,1,-1,3,64,-64,100,E()])};
        X when X =< 13 -> {pick([is_atom,is_float,is_integer,is_list,is_number,is_pid,is_port,is_reference,is_tuple,is_map,is_binary,is_function]), E()};
        X when X =< 16 -> {pick([abs,hd,tl,length,size,map_size,bit_size,byte_size,round,trunc,float,'+','-','bnot','not',node]), E()};
        17 -> {element, pick([1,2,3,0,E()]), E()};
        18 -> pick([{map_get, E(), E()}, {is_map_key, E(), E()}, {is_record, E(), a, 2}, {is_record, E(), pick([a, ok, 1]), E()},
                    {binary_part, E(), {{E(), E()}}}, {binary_part, E(), pick([0,1,2]), pick([-1,0,1,2])}, {'xor', E(), E()}]);
        19 -> list_to_tuple([pick(['and','or','andalso','orelse','andthen']) | [E() || _ <- lists:seq(1, rand:uniform(4) - (rand:uniform(300) div 300))]]);
        20 -> {{E(), E()}};
        21 -> [E() || _ <- lists:seq(1, rand:uniform(3))];
        22 -> [E() | pick(['$$', [], x, E(), E(), {{a, E()}}])];
        23 -> maps:from_list([{leaf0(), E()} || _ <- lists:seq(1, rand:uniform(3)-1)]);
        24 -> {{list_to_tuple([E() || _ <- lists:seq(1, rand:uniform(4)-1)])}};
        _ -> atomic(Vars)
    end.
leaf0() -> pick([a, 1, 2.0, "k", <<"x">>]).
atomic(Vars) -> case rand:uniform(10) of
    X when X =< 5, Vars =/= [] -> pick(Vars);
    6 -> '$_'; 7 -> '$$'; 8 -> {const, term(2)};
    9 -> pick(lists:duplicate(250, 1) ++ ['$9', {a, b}, {}, {const}, {self, 1}, {'$1', 2}, {foo, 1}, {get_tcw}, {message, a}, {'and'}, {display, 1}, {is_atom}]);
    _ -> case leaf() of {} -> x; {a, 1} -> y; T -> T end end.
