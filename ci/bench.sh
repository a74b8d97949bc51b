#!/usr/bin/env bash
# How does Etsunami compare with :ets here? ci/bench.sh full|quick|memory|hold|range [options of the script]
set -euo pipefail
cd "$(dirname "$0")/.."
script=benches/elixir/${1:?usage: ci/bench.sh full|quick|memory|hold|range}.exs
shift
export MIX_ENV=prod
mix compile
exec mix run "$script" "$@"
