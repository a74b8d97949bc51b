#!/usr/bin/env bash
# Runs a command in a root with a copy of this working tree at /etsunami:
#
#   ci/matrix/enter.sh ROOT [--bind DIR PLACE | --show DIR PLACE]... -- COMMAND ...
#
# --bind and --show put a directory of this machine at a place of the root, to be written or only
# to be read. All mounts live in a mount namespace and all processes in a process namespace of
# their own: whatever ends this script, an interrupt or SIGKILL included, ends and unmounts them.
set -euo pipefail

# The outer half: makes the namespaces, and kills them when it is asked to stop.
outside() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "A root of another system needs mounts and chroot: please run this as root." >&2
    exit 1
  fi
  if ! unshare --mount --pid --fork true 2>/dev/null; then
    echo "This machine lets even root make no namespaces (a container without CAP_SYS_ADMIN?)." >&2
    exit 1
  fi
  INSIDE=1 setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child -- "$0" "$@" &
  child=$!
  trap 'kill -KILL "$child" 2>/dev/null; wait "$child" 2>/dev/null; exit 130' INT TERM HUP
  wait "$child"
}

# Whatever is written into the tree is lost with the namespace.
mount_tree() {
  local tree common
  tree=$(cd "$(dirname "$0")/../.." && pwd -P)
  mkdir -p "$root/etsunami" "$root/mnt"
  mount -t tmpfs tmpfs "$root/mnt"
  mkdir "$root/mnt/upper" "$root/mnt/work"
  mount -t overlay -o "lowerdir=$tree,upperdir=$root/mnt/upper,workdir=$root/mnt/work" \
    overlay "$root/etsunami"
  # A linked work tree has its repository elsewhere.
  common=$(cd "$tree" && cd "$(git rev-parse --git-common-dir)" && pwd -P) || return 0
  [ "${common#"$tree"/}" != "$common" ] || show "$common" "$common"
}

mount_system() {
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  show /sys /sys
  for file in /etc/resolv.conf /etc/hosts; do
    [ ! -e "$file" ] || { [ -e "$root$file" ] || : >"$root$file"; mount --bind "$file" "$root$file"; }
  done
}

bind() {
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
}

show() {
  bind "$1" "$2"
  mount -o remount,bind,ro "$root$2"
}

inside() {
  unset INSIDE
  root=$1
  shift
  mount_system
  mount_tree
  while [ "$1" != -- ]; do
    "${1#--}" "$2" "$3"
    shift 3
  done
  shift
  exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

if [ -n "${INSIDE:-}" ]; then inside "$@"; else outside "$@"; fi
