#!/usr/bin/env bash
# Is every source file formatted?
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo fmt --manifest-path benches/Cargo.toml --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
cargo fmt --manifest-path ci/tidy/Cargo.toml --check
mix format --check-formatted
