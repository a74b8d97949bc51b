# With ETSUNAMI_SUBJECT=ets the tests are tried on :ets alone, which proves the tests themselves.
only_ets? = System.get_env("ETSUNAMI_SUBJECT") == "ets"

# A library that does not load is one clear error here, and not one in each test.
unless only_ets?, do: Code.ensure_loaded!(Etsunami.Native)

without_library = if only_ets?, do: [{:subject, Etsunami}, :library], else: []
# Faults can be planted only in a library that was built for it: see `ci/faults.sh`.
without_faults = if only_ets? or not Etsunami.Faults.available?(), do: [:faults], else: []
excluded = without_library ++ without_faults ++ [:dependency, :broken_commit, :heavy]

seed = :rand.uniform(1_000_000)
ExUnit.start(seed: seed, exclude: excluded)
IO.puts("Tests run with --seed #{ExUnit.configuration()[:seed]}")
