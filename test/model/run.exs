# Runs random programs on Etsunami and on :ets, see ci/model.sh.
{:ok, _modules, []} =
  __DIR__ |> Path.join("lib/*.ex") |> Path.wildcard() |> Kernel.ParallelCompiler.compile()

Etsunami.Model.Runner.main(System.get_env())
