#!/usr/bin/env bash
# Runs what a release is judged by, on the Erlang that is installed: ci/matrix/checks.sh OUT [TITLE].
# OUT gets the logs and a table, result.md; the exit status says whether nothing failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${1:?usage: checks.sh OUT [TITLE]}
mkdir -p "$out"
out=$(cd "$out" && pwd)
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

# One row for each suite in the table that the harness writes, and the seconds of its cases.
suites() {
  local verdicts=$out/otp/verdicts.md
  if [ ! -e "$verdicts" ]; then
    row "OTP's suites" - broken - - "$seconds"
    return
  fi
  awk -F ' [|] ' '
    /^[|] [a-z_]+_SUITE / {
      suite = substr($1, 3)
      if (!(suite in ms)) suites[++count] = suite
      n[suite, $3]++
      ms[suite] += $4
    }
    END {
      for (i = 1; i <= count; i++) {
        s = suites[i]
        print s, n[s, "passed"] + 0, n[s, "failed"] + n[s, "crashed"] + n[s, "timeout"],
          n[s, "inapplicable"] + 0, n[s, "skipped"] + 0, int(ms[s] + 0.5)
      }
    }' "$verdicts" | while read -r suite figures; do
    # shellcheck disable=SC2086
    row "OTP's $suite" $figures
  done
}

# What failed, and what is not expected, one line each.
notes() {
  echo
  grep -hE '^ +[0-9]+\) (test|doctest) ' "$out/elixir.log" "$out/dependency.log" |
    sed 's/^ */- failed: /'
  awk -F ' [|] ' '
    { case_name = substr($1, 3) ", " $2; sub(/ [|]$/, "", $5) }
    $3 ~ /^(failed|crashed|timeout)$/ {
      print "- " $3 ": " case_name ": " $5
    }
    $3 == "inapplicable" { print "- inapplicable: " case_name ": " $5 }
  ' "$out/otp/verdicts.md" 2>/dev/null
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
OUT=$out/otp check suites ci/otp-suite.sh
suites
notes >>"$out/result.md"
exit "$broken"
