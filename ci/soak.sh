#!/usr/bin/env bash
# Does a mixed load for MINUTES (30) leave everything whole, memory flat and latencies as they were?
# Writes benches/results/soak-DATE.{csv,svg}; NAME names them otherwise, SEED chooses the load.
set -euo pipefail
cd "$(dirname "$0")/.."
# As it ships: the optimized library, and none of the tests' modules.
export MIX_ENV=prod
mix compile
exec mix run --no-start test/soak/soak.exs
