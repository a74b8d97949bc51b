#!/usr/bin/env bash
# Does AddressSanitizer see memory used after it was freed, or beyond its end?
# ci/sanitize.sh [test file ...], or PART=engine::batch ci/sanitize.sh for these tests of the core alone,
# or WHOLE=1 ci/sanitize.sh for all Elixir tests, and the quick selection of OTP's suites
#
# The unit and model tests of the core run with it, and then Elixir tests (those named below, or
# the arguments) with the library built so; gcc's libasan is loaded into the VM for that. In either
# a planted use after free must be reported first. Optimized Rust is looked at as well as possible;
# what the VM allocates for itself is not watched.
set -euo pipefail
cd "$(dirname "$0")/.."
platform=$(rustc -vV | sed -n 's/^host: //p')
if ! compgen -G "$(rustc --print target-libdir)/*_rt.asan.a" >/dev/null; then
  echo "This Rust comes without AddressSanitizer (one installed by rustup has it): nothing is checked." >&2
  exit
fi
runtime=$(realpath "$(gcc -print-file-name=libasan.so)")
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# The sanitizer is not stable in rustc; the pinned compiler has it all the same.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$PWD/target/asan
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# Addresses are resolved to lines.
export CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_PROFILE_RELEASE_STRIP=none
# Found leaks would be those of the VM: leaks have checks of their own (ci/otp-suite.sh).
export ASAN_OPTIONS=detect_leaks=0:log_path=$logs/report

instrumented() {
  RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes --cfg etsunami_weaken" \
    cargo "$1" --locked --target "$platform" "${@:2}"
}

# Was there a report of what was planted? Whatever else has failed is no evidence.
reported() {
  grep -qs 'heap-use-after-free' "$logs"/report.* || { cat "$logs"/* >&2; return 1; }
  rm -f "$logs"/report.*
}

library() {
  instrumented build --release --package etsunami_nif --features system_allocator
  cp "target/asan/$platform/release/libetsunami_nif.so" "$logs/library.so"
}

# Elixir tests with that library. The tools are compiled without the sanitizer, which would only
# slow them down, and run with it.
elixir_tests() {
  export MIX_ENV=test MIX_BUILD_PATH=$PWD/_build/asan ETSUNAMI_NIF_PATH=$logs/library.so
  mix compile --warnings-as-errors
  # Frames of instrumented code are larger than those that the stacks of schedulers are made for.
  ERL_FLAGS="+sss 1024 +sssdcpu 1024 +sssdio 1024" LD_PRELOAD=$runtime \
    mix test --no-compile --exclude subject:ets "$@"
}

# OTP's suites with that library. Cases that compare times mean nothing here.
otp_suites() {
  MIX_BUILD_PATH=$PWD/_build/asan-otp ETSUNAMI_NIF_PATH=$logs/library.so PRELOAD=$runtime OUT=test/otp/out-asan \
    ERL_OPTIONS="+sss 1024 +sssdcpu 1024 +sssdio 1024" ci/otp-suite.sh
}

tests=("$@")
[ $# -gt 0 ] || tests=(
  test/parity/{read,write,update,traverse,select,continuation,fixation,list_insert,lifecycle,owner}_test.exs
  test/{keeper,term,table}_test.exs test/concurrency/kill_test.exs
)

if ETSUNAMI_WEAKEN=UseAfterFree instrumented test --package etsunami --lib objects_keep \
  >"$logs/planted" 2>&1 || ! reported; then
  echo "a use after free in the core was NOT reported" >&2
  exit 1
fi
echo "a use after free in the core: reported"
if [ -n "${PART:-}" ]; then
  instrumented test --package etsunami --lib "$PART"
  exit
fi
instrumented test --package etsunami --lib

library
if ETSUNAMI_WEAKEN=UseAfterFree elixir_tests test/parity/write_test.exs >"$logs/planted" 2>&1 || ! reported; then
  echo "a use after free in the library was NOT reported" >&2
  exit 1
fi
echo "a use after free in the library: reported"
[ -z "${WHOLE:-}" ] || tests=(test)
elixir_tests "${tests[@]}" || { cat "$logs"/report.* >&2 2>/dev/null; exit 1; }
[ -z "${WHOLE:-}" ] || otp_suites || { cat "$logs"/report.* >&2 2>/dev/null; exit 1; }
