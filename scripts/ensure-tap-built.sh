#!/usr/bin/env bash
# Builds tap for the plugins that .taprc names, where it was built for others: as installed, it was. By itself it would do so
# as late as in the middle of the first run, which would still go by the plugins it began with.
set -euo pipefail

grep -q @tapjs/typescript node_modules/@tapjs/test/test-built/dist/esm/index.js || exit 0
npx --no-install tap build >/dev/null
