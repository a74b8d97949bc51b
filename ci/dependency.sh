#!/usr/bin/env bash
# Can other Mix projects use Etsunami as a dependency, library build included?
set -euo pipefail
cd "$(dirname "$0")/.."
MIX_ENV=test mix test --only dependency "$@"
