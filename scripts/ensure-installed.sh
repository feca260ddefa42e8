#!/usr/bin/env bash
# Installs Debian's packages for commands that npm does not bring, where they are missing: ensure-installed.sh COMMAND=PACKAGE …
set -euo pipefail

# nginx and its like are where an ordinary user's PATH does not look.
PATH=$PATH:/usr/sbin
packages=()
for pair in "$@"; do
  command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
done
[ "${#packages[@]}" -eq 0 ] && exit 0

echo "installing ${packages[*]}" >&2
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

# Debian starts each server that it installs. Nobody asked for one: tests start their own, on ports of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
