#!/usr/bin/env bash
# Installs the peers that the bench measures, if they are missing or the lockfile has other versions, and type-checks
# the sources that use them, which the type check of everything else leaves out.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! [ bench/node_modules/.package-lock.json -nt bench/package-lock.json ]; then
  echo 'installing the peers of the bench' >&2
  npm ci --prefix bench --no-fund --no-audit
fi
npx --no-install tsc -p bench/tsconfig.json
