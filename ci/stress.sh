#!/usr/bin/env bash
# Do the protocols hold when threads are taken off their cores, and in many more histories?
#
# COUNT histories of each kind of table (2,000 by default), by a virtual machine with two schedulers
# for each core, so that holders of locks lose theirs; the tests of processes that race and die, ROUNDS
# times (3), in such a machine, too; all stress tests of the core, optimized; every loom model, and
# every weakened variant, which a model must notice (LOOM= leaves these out).
set -euo pipefail
cd "$(dirname "$0")/.."
schedulers=$((2 * $(nproc)))
seed=${SEED:-$RANDOM}
export MIX_ENV=test
mix compile --warnings-as-errors

crowded() {
  ERL_FLAGS="+S $schedulers:$schedulers +SDcpu $schedulers:$schedulers" \
    mix test --exclude subject:ets "$@"
}

HISTORIES=${COUNT:-2000} crowded --seed "$seed" test/linearizability_test.exs
for round in $(seq "${ROUNDS:-3}"); do
  crowded --seed $((seed + round)) test/concurrency test/parity/list_insert_test.exs
done

export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
for round in $(seq "${ROUNDS:-3}"); do
  cargo test --release --locked -p etsunami --lib -- --test-threads "$schedulers" \
    stress threads concurrent protocol scans updates_of readers
done

if [ "${LOOM-all}" = all ]; then
  ci/loom.sh
  ci/loom-weakened.sh
fi
