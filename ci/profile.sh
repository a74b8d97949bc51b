#!/usr/bin/env bash
# Where do the instructions of one lookup and of one insert go, layer by layer? Writes
# benches/profile/{lookup,insert}.txt. Counts of callgrind: no clock, so other work does not matter.
set -euo pipefail
cd "$(dirname "$0")/.."
ci/setup.sh valgrind:valgrind addr2line:binutils
# At fixed addresses, so that those of callgrind are those of the file.
export CARGO_TARGET_DIR="$PWD/target/profile"
# Addresses are resolved to lines.
export CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_PROFILE_RELEASE_STRIP=none
cargo build --release --locked --manifest-path benches/engines/Cargo.toml --bin one_call \
  --config 'build.rustflags = ["-Crelocation-model=static"]'
program=$CARGO_TARGET_DIR/release/one_call
mkdir -p benches/profile
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Counts for each address, from callgrind's output: "ADDRESS COUNT OBJECT FUNCTION".
counts() {
  awk '
    /^ob=/ { object = substr($0, 4) }
    /^fn=/ { name = substr($0, 4); gsub(/ /, "_", name) }
    /^calls=/ { inclusive = 1; next }
    /^0x/ { if (inclusive) inclusive = 0; else sum[$1 " " object " " name] += $NF }
    END { for (place in sum) { split(place, part, " ")
      if (sum[place] > 0) print part[1], sum[place], part[2], part[3] } }' "$1"
}

# The frames of each address, the innermost first: "ADDRESS" and then pairs of lines.
frames() { cut -d' ' -f1 "$1" | addr2line -e "$program" -a -i -f -C; }

# One table: an instruction belongs to the innermost function of the core that it was inlined into.
table() {
  awk -v calls="$2" '
    function layer(file) {
      if (file ~ /^table\//) return "table"
      if (file ~ /^engine\/[a-z_]*\.rs/) return "engine"
      if (file ~ /^engine\//) { split(file, part, "/"); return "engine " part[2] }
      if (file ~ /^term\//) return "term"
      if (file ~ /^reclaim\//) return "reclaim"
      return "sync"
    }
    function close_address(  where) {
      if (address == "") return
      if (file != "") where = layer(file)
      else if (outermost ~ /one_call\.rs|engines\/src/) where = "harness"
      else if (innermost ~ /mimalloc|\.c$/) where = "allocator"
      else where = "standard library"
      if (file == "") name = where
      sub(/<.*/, "", name); if (name ~ /^one_call/) name = "-"
      place[address] = where; called[address] = name " (" (file == "" ? innermost : file) ")"
    }
    FILENAME != "-" { count[$1] = $2; object[$1] = $3; outer[$1] = $4; next }
    /^0x[0-9a-f]+$/ {
      close_address()
      address = $0; sub(/^0x0*/, "0x", address); file = ""; name = ""; innermost = ""; line = 0; next
    }
    { line++ }
    line % 2 == 1 { last = $0; next }
    {
      path = $0; sub(/ .*/, "", path); sub(/:[0-9?]+$/, "", path); outermost = path
      short = path; sub(/.*\//, "", short)
      if (innermost == "") innermost = short
      if (file == "" && path ~ /native\/etsunami\/src\//) {
        file = path; sub(/.*native\/etsunami\/src\//, "", file); name = last
      }
    }
    END {
      close_address()
      for (a in count) {
        if (object[a] !~ /one_call$/) { where = "system library"; function_of = outer[a] }
        else { where = place[a]; function_of = called[a] }
        layers[where] += count[a]; functions[where "\t" function_of] += count[a]; total += count[a]
      }
      printf "  %8.1f  all\n", total / calls; fflush()
      for (l in layers) printf "  %8.1f  %s\n", layers[l] / calls, l | "sort -rn"
      close("sort -rn")
      print "  of which"; fflush()
      for (f in functions) if (functions[f] / calls >= 1.95) {
        split(f, part, "\t"); printf "  %8.1f  %-18s %s\n", functions[f] / calls, part[1], part[2] | "sort -rn"
      }
    }' "$1" -
}

profile() {
  echo "Instructions of one $1, by layer: the mean of the calls, as callgrind counts them."
  echo "Written by ci/profile.sh; $(rustc --version | cut -d' ' -f1,2), $(valgrind --version), release profile."
  echo "A table of 65,536 objects. What the boundary does (finding the table, encoding, decoding) is"
  echo "not in it, nor is the background thread, which frees. An instruction belongs to the innermost"
  echo "function of the core that it was inlined into (a dash: the compiler merged several). Functions"
  echo "below two instructions a call are left out."
  "$program" "$1" | while read -r case; do
    said=$(valgrind --tool=callgrind --callgrind-out-file="$work/out" --dump-instr=yes \
      --compress-pos=no --compress-strings=no --collect-atstart=no \
      --toggle-collect='*one_call::measured*' "$program" "$1" "$case" 2>"$work/log") ||
      { cat "$work/log" >&2; exit 1; }
    calls=${said#calls }; calls=${calls%%,*}
    counts "$work/out" >"$work/counts"
    printf '\n%s (%s)\n' "$case" "${said#*, }"
    frames "$work/counts" | table "$work/counts" "$calls"
  done
}

for what in lookup insert; do
  profile $what >"$work/$what.txt"
  mv "$work/$what.txt" benches/profile/
done
head -40 benches/profile/lookup.txt
