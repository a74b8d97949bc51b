#!/usr/bin/env bash
# Do the unit, model and documentation tests of the Rust crates pass?
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --workspace --locked
