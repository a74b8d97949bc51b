#!/usr/bin/env bash
# Do the protocols hold when threads are taken off their cores, and in many more histories?
#
# COUNT histories of each of eight kinds of tables (12,500 by default), by a virtual machine with two
# schedulers for each core, so that holders of locks lose theirs; the tests of processes that race and
# die, ROUNDS times (3), in such a machine, too; a part of both with random delays at the steps of
# protocols; histories of a library whose list inserts are not atomic, which must be found out; all
# stress tests of the core, optimized, with and without delays; every loom model, and every weakened
# variant, which a model must notice (LOOM= leaves these out).
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

count=${COUNT:-12500}
rounds=${ROUNDS:-3}
HISTORIES=$count crowded --seed "$seed" test/linearizability_test.exs
crowded --only heavy
for round in $(seq "$rounds"); do
  crowded --seed $((seed + round)) test/concurrency test/parity/list_insert_test.exs
done

# With delays; one round of the races, which take their time as well.
export SEED=$seed ERL_FLAGS="+S $schedulers:$schedulers +SDcpu $schedulers:$schedulers"
DELAYS=16 HISTORIES=$((count / 10)) ci/faults.sh test/linearizability_test.exs
DELAYS=64 ci/faults.sh test/faults test/concurrency/{kill,select}_test.exs test/parity/list_insert_test.exs
WEAKEN=BatchCommit ci/faults.sh --only broken_commit test/linearizability_test.exs
unset ERL_FLAGS

export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
races() {
  HISTORIES=$count cargo test --release --locked -p etsunami --lib "$@" -- --nocapture \
    --test-threads "$schedulers" stress threads concurrent protocol scans updates_of readers histories churn
}
for round in $(seq "$rounds"); do
  races
  ETSUNAMI_DELAYS=$((seed + round)):64 races --features faults
done

if [ "${LOOM-all}" = all ]; then
  ci/loom.sh
  ci/loom-weakened.sh
fi
