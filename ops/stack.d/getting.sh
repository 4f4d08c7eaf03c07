# shellcheck shell=bash disable=SC2154
# How ops/stack gets the servers' programs: Debian packages, Maven artifacts, a Debian tree. Sourced by it.
# A server's own part of this is in its file; nothing here knows where a program will run.

why() { # the line of a log that says most about a failure
  { grep -m 1 -E '^E: |^\[ERROR\] |\[ERROR\]|[Ee]xception|rror:|not permitted|denied' "$1" || tail -n 1 "$1"; } 2>/dev/null | cut -c 1-240
}

# Whatever fails may fail for old package lists, or for none: then they are fetched, and it is tried once more.
apt_get() {
  local run=(flock "$servers_dir/apt.lock" apt-get -q -o DPkg::Lock::Timeout=300)
  "${run[@]}" "$@" || { "${run[@]}" update && "${run[@]}" "$@"; }
}

maven() { flock "$servers_dir/maven.lock" mvn -B -Dstyle.color=never "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:${1#*:}" "${@:2}"; }

need() { # SERVER COMMAND PACKAGE
  local log=$servers_dir/$1.log
  command -v "$2" >/dev/null && return
  command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] ||
    trouble "$1" "needs the command $2 (Debian package $3), which only root can install, with apt-get" || return
  say "$1" "installing the Debian package $3"
  apt_get install -y --no-install-recommends "$3" >"$log" 2>&1 ||
    trouble "$1" "could not install the Debian package $3: $(why "$log") (all of it: $log)"
}

debian_mirror() {
  local found
  [ -n "${FLEET_DEBIAN_MIRROR:-}" ] && echo "$FLEET_DEBIAN_MIRROR" && return
  # Without package lists apt knows no origins.
  [ -n "$(apt-get indextargets)" ] || flock "$servers_dir/apt.lock" apt-get -q update >&2
  # shellcheck disable=SC2016 # apt's placeholder, not bash's
  found=$(apt-get indextargets 'Origin: Debian' 'Created-By: Packages' --format '$(REPO_URI)' | grep -v security | head -n 1)
  [ -n "$found" ] && echo "$found" && return
  echo "E: apt has no Debian mirror among its sources: set FLEET_DEBIAN_MIRROR" >&2
  return 1
}

# A tree is complete once it bears its name: it is filled under another, so what was cut short is seen and done again.
fetch() {
  local server=$1 tree log began=$EPOCHREALTIME
  tree=$(tree_of "$server") log=$servers_dir/$server.log
  [ -f "$tree/version" ] && return
  (
    flock 8
    [ -f "$tree/version" ] && exit
    [ -e "$tree.part" ] && say "$server" "an unfinished download is here: doing it again"
    rm -rf --one-file-system "$tree" "$tree.part" && mkdir -p "$tree.part" || exit 2
    say "$server" "fetching $(of "$server" what)"
    if with_progress "$server" "$tree.part" "$log" && mv "$tree.part" "$tree"; then
      say "$server" "fetched $(version_of "$server") in $(seconds_since "$began")"
    else
      trouble "$server" "fetching $(of "$server" what) failed: $(why "$log") (all of it: $log)"
    fi
  ) 8>"$servers_dir/$server.lock"
}

last_line() { # without colours and the paths of addresses
  tail -n 1 "$1" | sed 's/\x1b\[[0-9;]*m//g; s/\r//g; s,https*://[^ ]*/,,' | cut -c 1-80
}

with_progress() { # SERVER TREE LOG: says every five seconds how far it is
  local server=$1 tree=$2 log=$3 job began=$SECONDS next=$((SECONDS + 5))
  "${server}_fetch" "$tree" >"$log" 2>&1 8>&- 9>&- &
  job=$!
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2
    [ "$SECONDS" -lt "$next" ] && continue
    say "$server" "  $((SECONDS - began)) s, $(du -sm "$tree" 2>/dev/null | cut -f 1) MB: $(last_line "$log")"
    next=$((SECONDS + 5))
  done
  wait "$job"
}

