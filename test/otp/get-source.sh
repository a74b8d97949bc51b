#!/usr/bin/env bash
# Unpacks the source of the running OTP release from Debian's source package and prints its
# folder: get-source.sh DIR. Apt gets lists of its own there; the machine's stay as they are.
set -euo pipefail
mkdir -p "${1:?usage: get-source.sh DIR}"
cd "$1"
unpacked() { find "$PWD" -maxdepth 1 -type d -name 'otp-OTP-*' -print -quit; }

if [ -z "$(unpacked)" ]; then
  if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian: please unpack OTP's source and name its folder by OTP_SRC." >&2
    exit 1
  fi
  version=$(dpkg-query -W -f '${source:Version}' erlang-base)
  mkdir -p apt/sources apt/lists/partial
  for list in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$list" ] || sed 's/^Types: deb$/Types: deb-src/' "$list" >"apt/sources/${list##*/}"
  done
  [ ! -s /etc/apt/sources.list ] || sed 's/^deb /deb-src /' /etc/apt/sources.list >apt/sources/main.list
  apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$PWD/apt/sources"
    -o "Dir::State::Lists=$PWD/apt/lists" -o APT::Sandbox::User=root)
  echo "fetching the source of OTP, version $version" >&2
  "${apt[@]}" update >&2
  "${apt[@]}" source --download-only "erlang=$version" >&2
  tar xf erlang_*.orig.tar.xz
fi
unpacked
