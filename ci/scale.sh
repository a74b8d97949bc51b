#!/usr/bin/env bash
# How do the engines scale on a bigger machine? Links target/scale/etsunami-scale, a static program
# that is copied there and started: ./etsunami-scale leaves scale-results/scale.{csv,html}.
# ci/scale.sh run [options of the program] starts it here.
set -euo pipefail
cd "$(dirname "$0")/.."
# By musl where both its target and its compiler are there, otherwise by a static glibc.
target=x86_64-unknown-linux-gnu
[ "$(uname -m)" = x86_64 ] || target=$(rustc -vV | sed -n 's/^host: //p')
musl=${target%-gnu}-musl
if command -v musl-gcc >/dev/null && [ -d "$(rustc --print target-libdir --target "$musl")" ]; then
  target=$musl
fi
export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
CARGO_TARGET_DIR=target cargo build --release --locked --manifest-path benches/scale/Cargo.toml --target "$target"
mkdir -p target/scale
cp "target/$target/release/etsunami-scale" target/scale/
# A program that would look for libraries on the other machine is no use there.
if readelf -d target/scale/etsunami-scale | grep -q NEEDED; then
  echo "target/scale/etsunami-scale is not static" >&2
  exit 1
fi
if [ "${1:-}" = run ]; then
  shift
  exec target/scale/etsunami-scale "$@"
fi
echo "Made target/scale/etsunami-scale ($target). Copy it, and start it there: ./etsunami-scale"
