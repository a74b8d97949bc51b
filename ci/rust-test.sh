#!/usr/bin/env bash
# Do the unit, model and documentation tests of the Rust crates pass?
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --workspace --locked
# Features are additive: with all of them the units hold as well.
cargo test --package etsunami --lib --all-features --locked
