#!/usr/bin/env bash
# Brings what the bench drives and measures with and npm does not have: wrk and a real Redis.
set -euo pipefail

packages=()
command -v wrk >/dev/null || packages+=(wrk)
command -v redis-server >/dev/null || packages+=(redis-server)
[ "${#packages[@]}" -eq 0 ] && exit 0

echo "installing ${packages[*]} for the bench" >&2
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
