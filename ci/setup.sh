#!/usr/bin/env bash
# Are the tools here? Installs on Debian what is missing, says so, and otherwise does nothing.
# A caller that needs more names it: ci/setup.sh COMMAND:PACKAGE otp/FILE:PACKAGE ...
set -euo pipefail

# Is there such a command, or such a file of an Erlang application?
present() {
  case $1 in
    otp/*) erl -noshell -eval "
      [App | Path] = filename:split(\"${1#otp/}\"),
      filelib:is_file(filename:join([code:lib_dir(list_to_atom(App)) | Path])) orelse halt(1),
      halt()." ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

missing=()
for need in erl:erlang-base mix:elixir git:git cc:gcc "$@"; do
  present "${need%%:*}" || missing+=("${need#*:}")
done
# The headers of the C library come without a command that one could look for.
[ -e /usr/include/stdlib.h ] || [ ! -e /etc/debian_version ] || missing+=(libc6-dev)

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "This is not Debian: please install ${missing[*]} by this system's own means." >&2
    exit 1
  fi
  echo "Missing here, installing by apt-get: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Please install ${missing[*]} as root." >&2; exit 1; }
    as_root=(sudo)
  fi
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    echo "They could not be installed." >&2
    exit 1
  fi
fi

if ! command -v cargo >/dev/null; then
  echo "Rust is missing: please install cargo 1.91 or newer, for example from https://rustup.rs." >&2
  exit 1
fi
otp=$(erl -noshell -eval 'io:put_chars(erlang:system_info(otp_release)), halt().')
if [ "$otp" -lt 25 ]; then
  echo "Etsunami needs Erlang/OTP 25 or newer; this is $otp." >&2
  exit 1
fi
