#!/usr/bin/env bash
# Makes the root of a Debian release with Erlang and Elixir where it is missing, and prints its
# folder: ci/matrix/root.sh SUITE. It stays in the user's cache, so that this is done once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
suite=${1:?usage: root.sh SUITE}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/etsunami/debian-$suite
root=$cache/root
packages=(ca-certificates elixir erlang-base erlang-common-test erlang-dev gcc git libc6-dev
  dpkg-dev xz-utils)

# Where this machine's apt gets Debian from, if it is a Debian.
mirror() {
  local codename
  codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") || return 0
  apt-get --print-uris update 2>/dev/null | sed -n "s|^'\(.*\)/dists/$codename/.*|\1|p" | head -n 1
}

base() {
  local from script=()
  from=$(mirror)
  from=${from:-http://deb.debian.org/debian}
  # An older debootstrap does not know the name of a newer release, whose script is the same.
  [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=(/usr/share/debootstrap/scripts/sid)
  echo "making a root of Debian $suite" >&2
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  # What debootstrap mounts goes with it, however it ends.
  unshare --mount --pid --fork --kill-child -- \
    debootstrap --variant=minbase "$suite" "$root" "$from" "${script[@]}" >&2
}

install() {
  echo "installing in it: ${packages[*]}" >&2
  "$here/enter.sh" "$root" -- sh -ec '
    export DEBIAN_FRONTEND=noninteractive
    dpkg --configure -a
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@"
    apt-get clean' sh "${packages[@]}" >&2
}

if [ "$(id -u)" -ne 0 ]; then
  echo "Making and entering a root of Debian $suite needs debootstrap, mounts and chroot:" \
    "please run this as root." >&2
  exit 1
fi
if [ ! -e "$cache/base" ]; then
  base
  : >"$cache/base"
fi
if [ "$(cat "$cache/packages" 2>/dev/null)" != "${packages[*]}" ]; then
  install
  echo "${packages[*]}" >"$cache/packages"
fi
echo "$root"
