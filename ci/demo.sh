#!/usr/bin/env bash
# Does Etsunami answer like :ets on real data? Fetches apt's package indexes if this is a Debian
# machine without them, then runs demo/demo.exs, whose exit status says whether all answers agree.
set -euo pipefail
cd "$(dirname "$0")/.."

# One line for each package index that apt has on this machine.
indexes() {
  apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' 2>/dev/null || true
}

if command -v apt-get >/dev/null && [ -z "$(indexes)" ]; then
  echo "Apt has no package indexes on this machine: fetching them by apt-get update."
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq </dev/null \
    || echo "They cannot be fetched; going on with the packages known here."
fi

export MIX_ENV=prod
mix compile
exec mix run demo/demo.exs "$@"
