#!/usr/bin/env bash
# Do OTP's own ETS suites pass with Etsunami, without a leak? ci/otp-suite.sh [case ...]
#
# By default the quick selection with a tenth of the iterations; FULL=1 runs everything, and
# SUITES="select_SUITE ..." only these. OTP_SRC names an unpacked OTP source; without it Debian's
# is fetched. FEATURES are further cargo features of the library. A library that ETSUNAMI_NIF_PATH
# names is taken as it is, and leaks are not looked for; PRELOAD is loaded into the virtual machine
# before all else, ERL_OPTIONS are further options of it.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${TARGET:-Elixir.Etsunami}
suites=${SUITES:-ets_SUITE ets_tough_SUITE fixtable_SUITE select_SUITE ms_transform_SUITE match_spec_SUITE}

options=(--target "$target" --erl-flags "+S 4:4 ${ERL_OPTIONS:-}" --out "${OUT:-test/otp/out}")
[ -n "${FULL:-}" ] || options+=(--quick --divide 10 --timeout 300)
for suite in $suites; do options+=(--suite "$suite"); done

ci/setup.sh ct_run:erlang-common-test otp/common_test/include/ct.hrl:erlang-dev xz:xz-utils dpkg-source:dpkg-dev
otp=${OTP_SRC:-$(test/otp/get-source.sh "${XDG_CACHE_HOME:-$HOME/.cache}/etsunami/otp-source")}
if [ "$target" != ets ]; then
  build=${MIX_BUILD_PATH:-_build/otp}
  if [ -n "${ETSUNAMI_NIF_PATH:-}" ]; then
    MIX_ENV=otp mix compile
  else
    ci/counting-library.sh "${FEATURES:-count_memory}"
    options+=(--mem Elixir.Etsunami.Held:at_rest)
  fi
  elixir=$(elixir -e 'IO.puts(:code.lib_dir(:elixir))')
  options+=(--pa "$build/lib/etsunami/ebin" --pa "$elixir/ebin")
fi
[ -z "${PRELOAD:-}" ] || export LD_PRELOAD=$PRELOAD
exec test/otp/etsconf --otp "$otp" "${options[@]}" "$@"
