#!/usr/bin/env bash
# Do random programs, sequential and parallel ones, find what :ets lets them find?
# SEED=1 COMMANDS=1000000 ci/model.sh; a program that failed once more: SEED=1 PROGRAM=17
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh otp/proper/ebin/proper.beam:erlang-proper
export MIX_ENV=test
mix compile --warnings-as-errors
exec mix run --no-start test/model/run.exs
