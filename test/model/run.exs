# Runs random programs on Etsunami and on :ets, see ci/model.sh.
lib = Path.join(__DIR__, "lib/**/*.ex")
{:ok, _modules, _warnings} = lib |> Path.wildcard() |> Kernel.ParallelCompiler.compile()
Etsunami.Model.Runner.main(System.get_env())
