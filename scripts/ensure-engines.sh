#!/usr/bin/env bash
# Unpacks the servers that grantd is tested on, from the Debian suites that have them, without installing anything.
# Usage: ensure-engines.sh [NAME …], all of them without a name. Prints the folder of each, whose programs are called redis-server
# and redis-cli whatever the engine: a PATH that begins with it runs the tests on that engine.
set -euo pipefail

declare -A suites=([redis-7]=bookworm [redis-8]=trixie [valkey-8]=trixie [valkey-9]=forky)
declare -A packages=([redis-7]=redis-server [redis-8]=redis-server [valkey-8]=valkey-server [valkey-9]=valkey-server)
order=(redis-7 redis-8 valkey-8 valkey-9)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
here=$(cd "$(dirname "$0")/.." && pwd)/node_modules/.cache/engines

# The mirror that this machine takes its packages from.
mirror_of() {
  apt-get indextargets --format '$(SITE)' | grep -m1 -E '/debian/?$'
}

# apt with a state of its own, so that the packages of another suite do not meet those that are installed.
unpack() {
  local name=$1 suite=${suites[$1]} package=${packages[$1]} folder=$here/$1
  local state=$folder/apt
  rm -rf "$folder"
  mkdir -p "$state"/{lists/partial,cache/archives/partial,none} "$folder/bin"
  : >"$state/status"
  echo "deb [signed-by=$keyring] $(mirror_of) $suite main" >"$state/sources.list"
  cat >"$state/apt.conf" <<CONF
Dir::State "$state";
Dir::State::status "$state/status";
Dir::State::lists "$state/lists";
Dir::Cache "$state/cache";
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "$state/none";
Dir::Etc::preferencesparts "$state/none";
Acquire::Languages "none";
APT::Sandbox::User "$(id -un)";
Debug::NoLocking "true";
CONF
  APT_CONFIG=$state/apt.conf apt-get update -qq
  APT_CONFIG=$state/apt.conf apt-get install -y -qq --no-install-recommends --download-only "$package" >/dev/null
  local archive
  for archive in "$state"/cache/archives/*.deb; do dpkg -x "$archive" "$folder/root"; done
  rm -rf "$state" "$folder"/root/{etc,var,usr/share,usr/lib/systemd}

  local libraries loader program kind
  libraries=$(dirname "$(find "$folder/root/usr/lib" -name 'libc.so.6' | head -1)")
  loader=$(find "$folder/root" -name 'ld-linux*' | head -1)
  for kind in server cli; do
    program=${package%-server}-$kind
    printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' \
      "$loader" "$libraries" "$folder/root/usr/bin/$program" >"$folder/bin/redis-$kind"
    chmod 755 "$folder/bin/redis-$kind"
  done
}

for name in "${@:-${order[@]}}"; do
  [ -n "${suites[$name]:-}" ] || { echo "there is no engine $name; there are ${order[*]}" >&2; exit 2; }
  [ -x "$here/$name/bin/redis-server" ] || unpack "$name" >&2
  # What cannot run is told here, and not by a hundred tests.
  "$here/$name/bin/redis-server" --version >&2
  echo "$here/$name/bin"
done
