#!/usr/bin/env bash
# Do the unit, model and documentation tests of the Rust crates pass?
set -euo pipefail
cd "$(dirname "$0")/.."
# The benchmarks test their adapters when they run; ci/clippy.sh compiles them.
cargo test --workspace --exclude etsunami_engines --exclude etsunami_scale --locked
