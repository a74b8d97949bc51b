#!/usr/bin/env bash
# Where is unsafe code? A line for each source file that has some: unsafe blocks, functions (traits and
# foreign blocks included) and impls, and the sums, tests apart. What argues each of them is looked
# after by clippy (ci/clippy.sh): no block or impl without SAFETY, no public function without # Safety.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files 'native/*.rs' | LC_ALL=C sort | xargs awk '
  FNR == 1 { files[++n] = FILENAME }
  {
    line = $0
    # Comments and texts may speak of it.
    gsub(/"([^"\\]|\\.)*"/, "", line)
    sub(/\/\/.*/, "", line)
    while (match(line, /(^|[^a-z_])unsafe[ \t]*(\{|impl|fn|extern|trait|$)/)) {
      what = substr(line, RSTART, RLENGTH)
      line = substr(line, RSTART + RLENGTH)
      if (what ~ /impl/) impls[FILENAME]++
      else if (what ~ /(fn|extern|trait)/) functions[FILENAME]++
      else blocks[FILENAME]++
    }
  }
  function row(name, b, f, i) { printf "| %-52s | %6d | %9d | %5d |\n", name, b, f, i }
  END {
    printf "| %-52s | %6s | %9s | %5s |\n", "file", "blocks", "functions", "impls"
    print "| --- | ---: | ---: | ---: |"
    for (k = 1; k <= n; k++) {
      f = files[k]
      group = f ~ /(\/tests\/|_tests\/|_test\.rs$)/ ? "tests" : f ~ /etsunami_nif/ ? "boundary" : "core"
      total[group]++
      sum[group, 1] += blocks[f]; sum[group, 2] += functions[f]; sum[group, 3] += impls[f]
      if (blocks[f] + functions[f] + impls[f] == 0) continue
      row(f, blocks[f], functions[f], impls[f])
      with[group]++
    }
    split("core boundary tests", groups, " ")
    for (k = 1; k <= 3; k++) {
      g = groups[k]
      row(sprintf("**%s**, %d of %d files", g, with[g], total[g]), sum[g, 1], sum[g, 2], sum[g, 3])
    }
  }'
