#!/usr/bin/env bash
# Do the core and the API hold for inputs that nobody thought of? ci/fuzz.sh [target ...]
#
# Each target of fuzz/ runs under libFuzzer and AddressSanitizer, and then hostile calls of the
# whole API (target "api"), for FUZZ_SECONDS each. New inputs stay in fuzz/target/corpus, failing ones in
# fuzz/artifacts. An input again: cargo fuzz run TARGET FILE with RUSTC_BOOTSTRAP=1; for the API see
# test/fuzz/api_fuzz.exs.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
targets=("$@")
[ $# -gt 0 ] || targets=(term_order match_spec hash_table ca_tree skip_list api)
command -v cargo-fuzz >/dev/null || cargo install --locked --version 0.13.2 cargo-fuzz

api() {
  export MIX_ENV=test
  mix compile --warnings-as-errors
  SECONDS_EACH=$seconds mix run --no-start test/fuzz/api_fuzz.exs
}

# libFuzzer keeps new inputs in the first folder only. Atoms of the models are never freed.
fuzz() {
  local kept=fuzz/target/corpus/$1
  mkdir -p "$kept"
  RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz "$1" "$kept" "fuzz/corpus/$1" -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -detect_leaks=0 -print_final_stats=1
}

for target in "${targets[@]}"; do
  echo "== $target"
  if [ "$target" = api ]; then api; else fuzz "$target"; fi
done
