#!/usr/bin/env bash
# Brings what the tests run against and npm does not have: a real Redis, nginx, and docker-compose to read the stack's file.
set -euo pipefail

packages=()
command -v redis-server >/dev/null || packages+=(redis-server)
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || packages+=(nginx-light)
command -v docker-compose >/dev/null || packages+=(docker-compose)
[ "${#packages[@]}" -eq 0 ] && exit 0

echo "installing ${packages[*]} for the tests" >&2
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
