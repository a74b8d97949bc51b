#!/usr/bin/env bash
# Do the Elixir library, its documentation examples and its tests work?
set -euo pipefail
cd "$(dirname "$0")/.."
export MIX_ENV=test
mix compile --warnings-as-errors
mix test --warnings-as-errors "$@"
