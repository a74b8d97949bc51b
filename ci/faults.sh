#!/usr/bin/env bash
# Does a call that panics, or gets no memory, in its middle leave everything else whole?
# ci/faults.sh [options of mix test]
#
# Builds the library with the cargo feature `faults`, by which tests plant such faults and delays,
# and runs the tests of test/faults with it. DELAYS=N: one in N passages of protocol steps is
# delayed meanwhile (SEED says which). WEAKEN names a variant of native/etsunami/src/sync/weaken.rs, with
# which the library is broken.
set -euo pipefail
cd "$(dirname "$0")/.."
# Quick to build: how fast it is does not matter.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
if [ -n "${WEAKEN:-}" ]; then
  export RUSTFLAGS="--cfg etsunami_weaken" ETSUNAMI_WEAKEN=$WEAKEN
fi
cargo build --release --locked --package etsunami_nif --features "${FEATURES:-faults}" \
  --target-dir target/faults
library=$PWD/target/faults/release/libetsunami_nif.so
[ -e "$library" ] || library=${library%.so}.dylib

export MIX_ENV=test MIX_BUILD_PATH=$PWD/_build/faults ETSUNAMI_NIF_PATH=$library
[ -z "${DELAYS:-}" ] || export ETSUNAMI_DELAYS=${SEED:-$RANDOM}:$DELAYS
# The core with the same faults, where freed memory is overwritten.
if [ $# -eq 0 ]; then
  cargo test --locked -p etsunami --features faults --test table_memory
  # Threads that work on each other's neighbours, with delays at the steps of protocols.
  ETSUNAMI_DELAYS=${SEED:-$RANDOM}:64 cargo test --locked -p etsunami --features faults --lib neighbours
  # And histories of threads, where readers see list inserts before their decision.
  ETSUNAMI_WEAKEN=BatchCommit RUSTFLAGS="--cfg etsunami_weaken" \
    cargo test --locked -p etsunami --features faults --lib histories
fi
tests=("$@")
[ $# -gt 0 ] || tests=(test/faults)
mix compile --warnings-as-errors
exec mix test --no-compile --exclude subject:ets "${tests[@]}"
