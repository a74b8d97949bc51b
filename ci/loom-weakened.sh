#!/usr/bin/env bash
# Do the loom models notice a broken protocol? Each variant in native/etsunami/src/sync/weaken.rs
# breaks one, and a model that its comment names must fail with it. One build contains all variants.
# ci/loom-weakened.sh [variant ...]
set -euo pipefail
cd "$(dirname "$0")/.."
list=native/etsunami/src/sync/weaken.rs
export CFG="--cfg etsunami_weaken"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# What does not compile would fail for the wrong reason.
ci/loom.sh --no-run >"$log" 2>&1 || { cat "$log"; exit 1; }
variants=("$@")
[ $# -gt 0 ] || mapfile -t variants < <(sed -nE 's|^    ([A-Za-z]+), *// fails: .*|\1|p' "$list")
unnoticed=()
for variant in "${variants[@]}"; do
  model=$(sed -nE "s|^    $variant, *// fails: (loom_[a-z0-9_]*).*|\1|p" "$list")
  [ -n "$model" ] || { echo "$list: no line \"$variant, // fails: loom_...\"" >&2; exit 1; }
  if ETSUNAMI_WEAKEN=$variant LOOM_MODEL=$model ci/loom.sh >"$log" 2>&1; then
    unnoticed+=("$variant")
    echo "$variant: NOT noticed"
  elif grep -Eq '^test result: FAILED|signal: ' "$log"; then
    failed=$(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p; s/.*(\(signal: .*\))$/\1/p' "$log" | tr '\n' ' ')
    echo "$variant: noticed by $failed"
  else
    cat "$log"
    exit 1
  fi
done
[ ${#unnoticed[@]} -eq 0 ] || { echo "no model fails with: ${unnoticed[*]}" >&2; exit 1; }
