# Hostile calls of the whole API, made of bytes; see ci/fuzz.sh.
#
#     SEED=1 SECONDS_EACH=60 mix run --no-start test/fuzz/api_fuzz.exs     programs of one seed
#     FILE=fuzz/artifacts/api.bin mix run --no-start test/fuzz/api_fuzz.exs    one that failed
#
# The bytes of the program that runs are in that file, should the virtual machine end.
{:ok, _modules, []} =
  __DIR__ |> Path.join("lib/*.ex") |> Path.wildcard() |> Kernel.ParallelCompiler.compile()

Etsunami.Fuzz.Runner.main(System.get_env())
