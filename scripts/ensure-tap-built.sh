#!/usr/bin/env bash
# Builds tap for the plugins that .taprc names, unless it is built for them already; as installed, it is built for
# others. tap would otherwise rebuild itself in the middle of the first run and finish that run with the old plugins.
set -euo pipefail

grep -qE '@tapjs/(typescript|mock)' node_modules/@tapjs/test/test-built/dist/esm/index.js || exit 0
npx --no-install tap build >/dev/null
