# A mixed load for a long time, see ci/soak.sh. MINUTES=30 SEED=1 NAME=soak-today
{:ok, _modules, []} =
  __DIR__ |> Path.join("lib/*.ex") |> Path.wildcard() |> Kernel.ParallelCompiler.compile()

Etsunami.Soak.Runner.main(System.get_env())
