#!/usr/bin/env bash
# Runs what a release is judged by, on the Erlang that is installed: ci/matrix/checks.sh OUT [TITLE].
# OUT gets the logs and a table, result.md; the exit status says whether nothing failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${1:?usage: checks.sh OUT [TITLE]}
mkdir -p "$out"
out=$(cd "$out" && pwd)
suites="ets_SUITE ets_tough_SUITE fixtable_SUITE select_SUITE ms_transform_SUITE match_spec_SUITE"
broken=0

# check LOG COMMAND ...: runs it with its output in OUT/LOG.log; sets status and seconds.
check() {
  local log=$out/$1.log
  echo "$title: $1" >&2
  SECONDS=0
  "${@:2}" >"$log" 2>&1 </dev/null
  status=$?
  seconds=$SECONDS
  [ "$status" -eq 0 ] || { broken=1; echo "$title: $1 failed, see $log" >&2; }
}

row() { printf '| %-28s | %6s | %6s | %12s | %7s | %4s |\n' "$@" >>"$out/result.md"; }

# counted LOG WORDS: the sum of the numbers before such words in ExUnit's last line.
counted() {
  grep -E '^[0-9].* tests?, ' "$1" | tail -n 1 | grep -oE "[0-9]+ ($2)" |
    awk '{ n += $1 } END { print n + 0 }'
}

# exunit LOG TITLE: a row of the table. Excluded tests are those of another row.
exunit() {
  local log=$out/$1.log all failed left skipped
  all=$(counted "$log" 'tests?|doctests?|properties|property')
  failed=$(counted "$log" 'failures?|invalid')
  skipped=$(counted "$log" skipped)
  left=$(counted "$log" 'excluded|skipped')
  if [ "$status" -eq 0 ] || [ "$failed" -gt 0 ]; then
    row "$2" "$((all - failed - left))" "$failed" - "$skipped" "$seconds"
  else
    row "$2" - broken - - "$seconds"
  fi
}

# Counts the verdicts of one suite in the table that the harness writes.
suite() {
  local verdicts=$out/otp/verdicts.md
  awk -F ' [|] ' -v suite="$1" '
    $1 == "| " suite { n[$4]++; ms += $5 }
    END {
      printf "%d %d %d %d %d\n", n["passed"], n["failed"] + n["crashed"] + n["timeout"],
        n["inapplicable"], n["skipped"], ms
    }' "$verdicts"
}

otp=$(erl -noshell -eval 'io:put_chars(erlang:system_info(otp_release)), halt().')
elixir=$(elixir -e 'IO.puts(System.version())')
title="OTP $otp, Elixir $elixir${2:+ ($2)}"
{
  printf '### %s\n\n' "$title"
  printf '| %-28s | %6s | %6s | %12s | %7s | %4s |\n' check passed failed inapplicable skipped s
  printf '| %s | ---: | ---: | ---: | ---: | ---: |\n' ----------------------------
} >"$out/result.md"

check elixir ci/elixir.sh
exunit elixir "ExUnit, doctests included"
check dependency ci/dependency.sh
exunit dependency "as a dependency (ExUnit)"

rm -rf "$out/otp"
SUITES=$suites OUT=$out/otp check suites ci/otp-suite.sh
for name in $suites; do
  if [ -e "$out/otp/verdicts.md" ]; then
    read -r passed failed inapplicable skipped seconds < <(suite "$name")
    row "OTP's $name" "$passed" "$failed" "$inapplicable" "$skipped" "$seconds"
  else
    row "OTP's $name" - broken - - -
  fi
done

{
  echo
  grep -hE '^ +[0-9]+\) (test|doctest) ' "$out/elixir.log" "$out/dependency.log" | sed 's/^ */- failed: /'
  awk -F ' [|] ' '$4 ~ /^(failed|crashed|timeout)$/ { print "- " $4 ": " substr($1, 3) ":" $2 }
    $4 == "inapplicable" { sub(/ [|]$/, "", $6); print "- inapplicable: " substr($1, 3) ":" $2 ": " $6 }' \
    "$out/otp/verdicts.md" 2>/dev/null
} >>"$out/result.md"
exit "$broken"
