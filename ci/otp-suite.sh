#!/usr/bin/env bash
# Do OTP's own ETS suites pass with Etsunami, without a leak? ci/otp-suite.sh [case ...]
#
# By default the quick selection with a tenth of the iterations; FULL=1 runs everything, and
# SUITES="select_SUITE ..." only these. OTP_SRC names an unpacked OTP source; without it Debian's
# is fetched. FEATURES are further cargo features of the library.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${TARGET:-Elixir.Etsunami}
suites=${SUITES:-ets_SUITE ets_tough_SUITE fixtable_SUITE select_SUITE ms_transform_SUITE match_spec_SUITE}

options=(--target "$target" --erl-flags "+S 4:4" --out "${OUT:-test/otp/out}")
[ -n "${FULL:-}" ] || options+=(--quick --divide 10 --timeout 300)
for suite in $suites; do options+=(--suite "$suite"); done

ci/setup.sh ct_run:erlang-common-test otp/common_test/include/ct.hrl:erlang-dev xz:xz-utils dpkg-source:dpkg-dev
otp=${OTP_SRC:-$(test/otp/get-source.sh "${XDG_CACHE_HOME:-$HOME/.cache}/etsunami/otp-source")}
if [ "$target" != ets ]; then
  ci/counting-library.sh "${FEATURES:-count_memory}"
  elixir=$(elixir -e 'IO.puts(:code.lib_dir(:elixir))')
  options+=(--pa _build/otp/lib/etsunami/ebin --pa "$elixir/ebin" --mem Elixir.Etsunami.Held:at_rest)
fi
exec test/otp/etsconf --otp "$otp" "${options[@]}" "$@"
