#!/usr/bin/env bash
# Does the Rust code compile without a warning, those of clippy included?
set -euo pipefail
cd "$(dirname "$0")/.."
cargo clippy --workspace --all-targets --locked -- -D warnings
CARGO_TARGET_DIR=target cargo clippy --manifest-path benches/Cargo.toml --workspace --all-targets --locked \
  -- -D warnings
