#!/usr/bin/env bash
# Installs the Debian packages of missing commands, and of missing files, that npm cannot install.
# Usage: ensure-installed.sh COMMAND_OR_PATH=PACKAGE …
set -euo pipefail

# nginx and similar servers are in /usr/sbin, which the PATH of an ordinary user lacks.
PATH=$PATH:/usr/sbin
packages=()
for pair in "$@"; do
  command -v "${pair%%=*}" >/dev/null || [[ $pair = /* && -e ${pair%%=*} ]] || packages+=("${pair#*=}")
done
[ "${#packages[@]}" -eq 0 ] && exit 0

echo "installing ${packages[*]}" >&2
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

# Debian starts each server that it installs. This policy prevents it, because tests start their own servers on free
# ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
