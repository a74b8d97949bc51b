#!/usr/bin/env bash
# Do OTP's own ETS suites pass with Etsunami? ci/otp-suite.sh [case ...]
#
# By default the quick selection with a tenth of the iterations; FULL=1 runs everything, and
# SUITES="select_SUITE ..." other suites. OTP_SRC names an unpacked OTP source; without it Debian's
# is fetched. OUT names another folder for the results. Only the cases of test/otp/stage.terms
# decide the exit status unless cases are named.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${TARGET:-Elixir.Etsunami}
out=${OUT:-test/otp/out}

options=(--target "$target" --erl-flags "+S 4:4" --out "$out")
[ -n "${FULL:-}" ] || options+=(--quick --divide 10 --timeout 60)
[ $# -gt 0 ] || options+=(--expected test/otp/stage.terms)
for suite in ${SUITES:-ets_SUITE fixtable_SUITE}; do options+=(--suite "$suite"); done

ci/setup.sh ct_run:erlang-common-test otp/common_test/include/ct.hrl:erlang-dev xz:xz-utils dpkg-source:dpkg-dev
otp=${OTP_SRC:-$(test/otp/get-source.sh "${XDG_CACHE_HOME:-$HOME/.cache}/etsunami/otp-source")}
if [ "$target" != ets ]; then
  MIX_ENV=prod mix compile
  elixir=$(elixir -e 'IO.puts(:code.lib_dir(:elixir))')
  options+=(--pa _build/prod/lib/etsunami/ebin --pa "$elixir/ebin")
fi
exec test/otp/etsconf --otp "$otp" "${options[@]}" "$@"
