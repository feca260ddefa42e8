#!/usr/bin/env bash
# Gets the versions of Node that grantd is tested on, from the npm registry, without installing anything.
# Usage: ensure-runtimes.sh [NAME …], all of them without a name. Prints the folder of each, whose program is called node: a PATH
# that begins with it runs the tests on that version.
set -euo pipefail

order=(node-20 node-22 node-24 node-26)
here=$(cd "$(dirname "$0")/.." && pwd)/node_modules/.cache/runtimes

for name in "${@:-${order[@]}}"; do
  [[ " ${order[*]} " == *" $name "* ]] || { echo "there is no runtime $name; there are ${order[*]}" >&2; exit 2; }
  folder=$here/$name
  if [ ! -x "$folder/node_modules/node/bin/node" ]; then
    mkdir -p "$folder"
    echo '{ "private": true }' >"$folder/package.json"
    # The package gets its program by a script.
    npm install --prefix "$folder" --no-fund --no-audit --silent --ignore-scripts=false "node@${name#node-}" >&2
  fi
  # What cannot run is told here, and not by a hundred tests.
  "$folder/node_modules/node/bin/node" --version >&2
  echo "$folder/node_modules/node/bin"
done
