#!/usr/bin/env bash
# Do terms come back unchanged, and tables answer as :ets does, through the public C interface alone?
set -euo pipefail
cd "$(dirname "$0")/.."
export ETSUNAMI_VM_TERMS=interface
exec ci/elixir.sh test/{term,map,value,binary,piece,keeper,asked_key}_test.exs test/parity
