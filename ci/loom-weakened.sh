#!/usr/bin/env bash
# Do the loom models notice a broken protocol? Each cargo feature weaken_* breaks one, in up to
# three lines, and some model must fail with it. A comment "fails: loom_name" behind the feature
# in Cargo.toml names the model to run; without it all of them run.
set -euo pipefail
cd "$(dirname "$0")/.."
manifest=native/etsunami/Cargo.toml
unnoticed=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for feature in $(sed -n 's/^\(weaken_[a-z0-9_]*\) *=.*/\1/p' "$manifest"); do
  model=$(sed -n "s/^$feature *=.*# *fails: *\(loom_[a-z0-9_]*\).*/\1/p" "$manifest")
  # A variant that does not compile would fail for the wrong reason.
  ci/loom.sh --features "$feature" --no-run >"$log" 2>&1 || { cat "$log"; exit 1; }
  if LOOM_MODEL="${model:-loom_}" ci/loom.sh --features "$feature" >"$log" 2>&1; then
    unnoticed+=("$feature")
    echo "$feature: NOT noticed"
  elif grep -Eq '^test result: FAILED|signal: ' "$log"; then
    echo "$feature: noticed by $(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | tr '\n' ' ')"
  else
    cat "$log"
    exit 1
  fi
done
[ ${#unnoticed[@]} -eq 0 ] || { echo "no model fails with: ${unnoticed[*]}" >&2; exit 1; }
