#!/usr/bin/env bash
# Is every source file formatted?
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
mix format --check-formatted
