#!/usr/bin/env bash
# Builds Etsunami for the OTP suites into _build/otp, with a library that counts what it holds and
# otherwise is the one that ships. ci/counting-library.sh FEATURES
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --package etsunami_nif --features "${1:?usage: counting-library.sh FEATURES}" \
  --target-dir target/count
library=target/count/release/libetsunami_nif.so
[ -e "$library" ] || library=${library%.so}.dylib
MIX_ENV=otp ETSUNAMI_NIF_PATH=$library mix compile
