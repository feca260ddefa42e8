#!/usr/bin/env bash
# Installs what the bench measures the service against, where it is missing or another version is locked by now, and checks the
# sources that use it, which the check of everything else leaves out.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! [ bench/node_modules/.package-lock.json -nt bench/package-lock.json ]; then
  echo 'installing the peers of the bench' >&2
  npm ci --prefix bench --no-fund --no-audit
fi
npx --no-install tsc -p bench/tsconfig.json
