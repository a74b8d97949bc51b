#!/usr/bin/env bash
# Do the long checks run here, and find nothing at first sight? ci/smoke.sh [fuzz api soak sanitize]
#
# A bounded part of each: the bodies of the fuzz targets over the corpus and a thousand more inputs,
# without libFuzzer's search; hostile calls of the API for ten seconds; twenty seconds of the mixed
# load, whose memory is not judged; AddressSanitizer over one module of the core.
set -euo pipefail
cd "$(dirname "$0")/.."
parts=("$@")
[ $# -gt 0 ] || parts=(fuzz api soak sanitize)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Linked with libFuzzer's main function, which runs files that it is given: neither cargo-fuzz nor an
# unstable option of the compiler is needed. The same inputs each time.
fuzz() {
  ci/setup.sh c++:g++ perl:perl-base
  local target built=target/fuzz-smoke
  cargo build --locked --manifest-path fuzz/Cargo.toml --target-dir "$built"
  perl -e 'srand 7; for $n (1..1000) { open F, ">:raw", "$ARGV[0]/random-$n" or die;
    print F chr int rand 256 for 1..4 * $n; close F or die }' "$work"
  for target in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$target" .rs)
    "$built/debug/$target" "fuzz/corpus/$target"/* "$work"/random-* >"$work/log" 2>&1 ||
      { tail -40 "$work/log" >&2; echo "fuzz target $target fails" >&2; exit 1; }
    echo "fuzz target $target: $(grep -c '^Executed' "$work/log") inputs"
  done
}

api() { FUZZ_SECONDS=10 ci/fuzz.sh api; }

soak() {
  mkdir -p benches/results/tmp
  MINUTES=0.34 NAME=tmp/smoke ci/soak.sh
}

sanitize() { PART=engine::batch ci/sanitize.sh; }

for part in "${parts[@]}"; do
  echo "== $part"
  "$part"
done
