%% Compiles a suite from OTP's source, with every use of ets turned to the target.
-module(etsconf_build).
-export([suite/2]).

suite(Suite, #{otp := Otp, build := Build, target := Target, divide := Divide}) ->
    Source = etsconf_cases:source(Suite, Otp),
    [compile(Helper, Build, []) || Helper <- helpers(Otp)],
    compile(Source ++ ".erl", Build,
            [{i, filename:dirname(Source)}, {parse_transform, etsconf_transform},
             {etsconf_target, Target}, {etsconf_divide, Divide},
             {etsconf_report, filename:join(Build, atom_to_list(Suite) ++ ".rewrites")}
             | etsconf_cases:transform_options(Suite)]),
    link_data(Source ++ "_data", filename:join(Build, atom_to_list(Suite) ++ "_data")),
    {module, Suite} = code:load_file(Suite),
    check(Suite, Build, Target).

%% What suites call of each other; not every release has all of it.
helpers(Otp) ->
    Names = ["erts_test_utils.erl", "trace_sessions.erl"],
    [File || Name <- Names,
             File <- [filename:join([Otp, "erts/emulator/test", Name])], filelib:is_file(File)].

compile(Source, Build, Options) ->
    case compile:file(Source, [{outdir, Build}, return_errors, debug_info | Options]) of
        {ok, _} -> ok;
        Error -> io:format("cannot compile ~ts: ~tp~n", [Source, Error]), halt(2)
    end.

%% Common Test looks for a suite's data beside its beam file.
link_data(Data, Link) ->
    _ = file:delete(Link),
    _ = filelib:is_dir(Data) andalso file:make_symlink(Data, Link),
    ok.

%% A call of the real ets that is left would test the wrong module.
check(_, _, ets) -> ok;
check(Suite, Build, _) ->
    {ok, {_, [{imports, Imports}]}} =
        beam_lib:chunks(filename:join(Build, atom_to_list(Suite)), [imports]),
    case [{F, A} || {ets, F, A} <- Imports, F =/= fun2ms] of
        [] -> ok;
        Left -> io:format("~s still calls the real ets: ~0p~n", [Suite, Left]), halt(2)
    end.
