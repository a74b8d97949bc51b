#!/usr/bin/env bash
# Do the library and its tests hold on every release of Erlang/OTP that we can lay hands on?
#
# Runs the Elixir tests, those as a dependency, and OTP's own suites with the release of this
# machine, and with that of Debian trixie in a root made by debootstrap; prints one table for each.
# RELEASES="here trixie" says which, FULL=1 takes OTP's suites whole. Needs root, for the root.
# With arguments, these are a command that is run there instead: RELEASES=trixie ci/matrix.sh iex
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/etsunami
out=$PWD/.matrix
releases=${RELEASES:-here trixie}

# Sets sysroot to the Rust of this machine, which the roots get to see; theirs is too old.
rust() {
  sysroot=$(realpath "$(rustc --print sysroot)")
  if [ "$sysroot" = /usr ]; then
    echo "The Rust of this machine belongs to its system and cannot be shown to another one;" \
      "please install one by rustup (https://rustup.rs)." >&2
    exit 1
  fi
  cargo fetch --quiet --locked
}

# Sets mounts: what of this machine is shown where in a root, and where the root builds.
mounts() {
  local cargo=${CARGO_HOME:-$HOME/.cargo} build=$1 results=$2 name
  mounts=(--show "$sysroot" /opt/rust --bind "$results" /etsunami/.matrix)
  for name in registry git; do
    [ ! -d "$cargo/$name" ] || mounts+=(--show "$cargo/$name" "/opt/cargo/$name")
  done
  for name in _build target; do
    mkdir -p "$build/$name"
    mounts+=(--bind "$build/$name" "/etsunami/$name")
  done
}

# in_root SUITE COMMAND ...: runs it in this working tree as the root sees it.
in_root() {
  local suite=$1 home=$cache/debian-$1 root name passed=()
  shift
  mkdir -p "$home"
  exec {lock}>"$home/lock"
  flock --nonblock "$lock" || { echo "waiting for another run with Debian $suite" >&2; flock "$lock"; }
  root=$(ci/matrix/root.sh "$suite")
  mounts "$home/build/${PWD//\//-}" "$out/$suite"
  rm -rf --one-file-system "$root/tmp"
  mkdir -m 1777 "$root/tmp"
  for name in $(compgen -e | grep -E '^(FULL|CARGO_PROFILE_.*)$'); do passed+=("$name=${!name}"); done
  ci/matrix/enter.sh "$root" "${mounts[@]}" -- env "${passed[@]}" \
    PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin CARGO_HOME=/opt/cargo CARGO_NET_OFFLINE=true \
    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' \
    sh -c 'cd /etsunami && exec "$@"' sh "$@"
}

if [ "$releases" != here ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "The matrix needs roots of other Debian releases, and so debootstrap, mounts and chroot:" \
      "please run it as root, or RELEASES=here for this machine's release alone." >&2
    exit 1
  fi
  ci/setup.sh debootstrap:debootstrap
  rust
fi

if [ $# -gt 0 ]; then
  for release in $releases; do
    if [ "$release" = here ]; then "$@"; else mkdir -p "$out/$release"; (in_root "$release" "$@"); fi
  done
  exit
fi

broken=0
for release in $releases; do
  rm -rf "${out:?}/$release"
  mkdir -p "$out/$release"
  case $release in
    here) ci/matrix/checks.sh "$out/here" || broken=1 ;;
    *) (in_root "$release" ci/matrix/checks.sh .matrix "Debian $release") || broken=1 ;;
  esac
done
for release in $releases; do
  echo
  cat "$out/$release/result.md"
done | tee "$out/result.md"
exit "$broken"
