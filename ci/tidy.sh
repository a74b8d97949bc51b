#!/usr/bin/env bash
# Is the structure of the Rust sources what ARCHITECTURE.md says? Layers, circles between files, the
# length of files and functions, and primitives of the standard library outside of `sync`.
# ci/tidy/src/rules.rs says what is allowed.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR=$PWD/target/tidy
cargo run --quiet --locked --manifest-path ci/tidy/Cargo.toml -- .
