#!/usr/bin/env bash
# Do the concurrent protocols hold in every interleaving with at most two preemptions?
# LOOM_MODEL names a single one; arguments go to cargo test; CFG is further flags of rustc. The models run optimized, in a target folder of their own because
# the loom flag would otherwise throw away the ordinary build.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg loom ${CFG:-}" CARGO_TARGET_DIR="$PWD/target/loom"
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-2}"
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
cargo test -p etsunami --lib --release --locked "$@" -- "${LOOM_MODEL:-loom_}"
