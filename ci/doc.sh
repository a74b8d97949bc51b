#!/usr/bin/env bash
# Does the documentation of the Rust crates build without a warning, a broken link for example?
set -euo pipefail
cd "$(dirname "$0")/.."
RUSTDOCFLAGS="-D warnings" cargo doc --package etsunami --no-deps --locked
# The boundary has no public interface: its documentation is for its engineers.
RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" \
  cargo doc --package etsunami_nif --no-deps --locked
