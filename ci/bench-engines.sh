#!/usr/bin/env bash
# How do the engines compare with other concurrent maps here? Writes benches/RESULTS.md.
# ci/bench-engines.sh [short] takes a quarter of an hour, a third of that if short.
set -euo pipefail
cd "$(dirname "$0")/.."
options=()
form="Long form: 20 samples in two seconds for each cell."
if [ "${1:-}" = short ]; then
  options=(--sample-size 10 --warm-up-time 0.2 --measurement-time 0.4 --nresamples 2000)
  form="Short form: 10 samples in 0.4 seconds for each cell."
fi
export CARGO_TARGET_DIR=$PWD/target
engines=(--locked --manifest-path benches/engines/Cargo.toml)
cargo test "${engines[@]}" --lib
cargo bench "${engines[@]}" --bench engines --no-run
rm -rf target/criterion
notes=$(mktemp)
trap 'rm -f "$notes"' EXIT
version() { awk -v name="$1" '$0 == "name = \"" name "\"" { getline; gsub(/"/, ""); print $3 }' benches/Cargo.lock; }
{
  echo "$form $(date +%F), $(rustc --version | cut -d' ' -f1,2),"
  echo "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, load average before the"
  echo "run $(cut -d' ' -f1-3 /proc/loadavg)."
  printf 'Peers:'
  for crate in papaya scc dashmap crossbeam-skiplist; do printf ' %s %s,' "$crate" "$(version $crate)"; done
  echo " and BTreeMap of the standard library."
} >"$notes"
cargo bench "${engines[@]}" --bench engines -- "${options[@]}"
echo "Load average after it: $(cut -d' ' -f1-3 /proc/loadavg)." >>"$notes"
cargo run --quiet "${engines[@]}" --bin report -- target/criterion "$notes" \
  >target/RESULTS.md
mv target/RESULTS.md benches/RESULTS.md
sed -n '/^## Rows/,$p' benches/RESULTS.md
