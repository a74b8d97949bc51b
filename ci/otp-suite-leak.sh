#!/usr/bin/env bash
# Do the OTP suites notice a leak? One case, with a library that never frees one object: it must
# fail by its check of memory.
set -euo pipefail
cd "$(dirname "$0")/.."
out=test/otp/out-leak
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ETSUNAMI_WEAKEN=LeakOneObject RUSTFLAGS="--cfg etsunami_weaken" SUITES=ets_SUITE OUT=$out ci/otp-suite.sh lookup_order >"$log" 2>&1; then
  echo "a leak of one object was NOT noticed" >&2
  exit 1
fi
grep -q 'lookup_order .*Failed memory check' "$log" || { cat "$log"; exit 1; }
echo "a leak of one object: noticed by lookup_order"
