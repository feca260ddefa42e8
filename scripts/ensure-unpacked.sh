#!/usr/bin/env bash
# Unpacks servers of other versions than the installed ones, from the Debian suites that have them, and installs nothing.
# Usage: ensure-unpacked.sh NAME …, or the name of a group: engines, proxies. Prints a folder for each, whose programs are called the
# same whatever the version (redis-server and redis-cli for every engine): a PATH that begins with it runs the tests on that one.
# Suites move on: one that has another version than the name asks for is told, and what it has is not kept.
set -euo pipefail

engines=(redis-7 redis-8 valkey-8 valkey-9)
proxies=(nginx-1.22 nginx-1.30 haproxy-2.6 haproxy-3 caddy-2 apache-2.4)
# Which suite has it, which packages, and what each of its programs is to be called.
declare -A sources=(
  [redis-7]='bookworm redis-server bin/redis-server=redis-server bin/redis-cli=redis-cli'
  [redis-8]='trixie redis-server bin/redis-server=redis-server bin/redis-cli=redis-cli'
  [valkey-8]='trixie valkey-server bin/valkey-server=redis-server bin/valkey-cli=redis-cli'
  [valkey-9]='forky valkey-server bin/valkey-server=redis-server bin/valkey-cli=redis-cli'
  [nginx-1.22]='bookworm nginx-light sbin/nginx=nginx'
  [nginx-1.30]='forky nginx sbin/nginx=nginx'
  [haproxy-2.6]='bookworm haproxy sbin/haproxy=haproxy'
  [haproxy-3]='forky haproxy sbin/haproxy=haproxy'
  [caddy-2]='forky caddy bin/caddy=caddy'
  [apache-2.4]='bookworm apache2-bin sbin/apache2=apache2'
)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
here=$(cd "$(dirname "$0")/.." && pwd)/node_modules/.cache/unpacked

# The mirror that this machine takes its packages from.
mirror() {
  apt-get indextargets --format '$(SITE)' | grep -m1 -E '/debian/?$'
}

# apt with a state of its own, so that the packages of another suite do not meet those that are installed.
unpack() {
  local folder=$here/$1 suite=$2 package=$3
  shift 3
  local state=$folder/apt
  rm -rf "$folder"
  mkdir -p "$state"/{lists/partial,cache/archives/partial,none} "$folder/bin"
  : >"$state/status"
  echo "deb [signed-by=$keyring] $(mirror) $suite main" >"$state/sources.list"
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

  local libraries loader program
  libraries=$(dirname "$(find "$folder/root" -name libc.so.6 -print -quit)")
  loader=$(find "$folder/root" -name 'ld-linux*' -print -quit)
  for program in "$@"; do
    printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' \
      "$loader" "$libraries" "$folder/root/usr/${program%%=*}" >"$folder/bin/${program#*=}"
    chmod 755 "$folder/bin/${program#*=}"
  done
}

# What a program says of itself. None of them knows all three options, and some say it on standard error.
version_of() {
  local option said
  for option in --version version -v; do
    said=$("$1" "$option" 2>&1) || continue
    grep -oE '[0-9]+(\.[0-9]+)+' <<<"$said" | head -n 1 || true
    return 0
  done
  return 1
}

names=()
for name in "$@"; do
  case $name in
    engines) names+=("${engines[@]}") ;;
    proxies) names+=("${proxies[@]}") ;;
    *) names+=("$name") ;;
  esac
done

for name in "${names[@]}"; do
  read -ra source <<<"${sources[$name]:-}"
  [ "${#source[@]}" -gt 0 ] || { echo "there is no $name; there are ${engines[*]} ${proxies[*]}" >&2; exit 2; }
  program=$here/$name/bin/${source[2]#*=}
  [ -x "$program" ] || unpack "$name" "${source[@]}" >&2
  # What cannot run is told here, and not by a hundred tests.
  version=$(version_of "$program") || { echo "$program does not run" >&2; exit 1; }
  if [[ $version. != "${name##*-}".* ]]; then
    echo "${source[0]} has ${name%-*} ${version:-of no version} in place of $name" >&2
    rm -rf "${here:?}/$name"
    exit 1
  fi
  echo "$here/$name/bin"
done
