# shellcheck shell=bash
# What the scripts of ops/ stand on: where things are, words to people, tools that must be there, the binary.
# Sourced by them. It starts no server (ops/stack does), and knows no test, topic or role.
# shellcheck disable=SC2034 # the scripts that source it use its variables
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive CARGO_TERM_COLOR=never PATH="$PATH:/usr/sbin:/sbin"

ops=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
root=$(dirname "$ops")
me=$(readlink -f "$0")
me=${me#"$root/"}
run_dir=${FLEET_RUN_DIR:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/fleet}
tools_dir=$run_dir/tools
servers_dir=$run_dir/servers
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$run_dir/target}

# ---- words to people -------------------------------------------------------------------------------------------------

die() { # could not run
  printf '%s: %s\n' "$me" "$1" >&2
  exit 2
}

since() { # a time as $EPOCHREALTIME gave it
  local tenths=$(((${EPOCHREALTIME/./} - ${1/./}) / 100000))
  echo "$((tenths / 10)).$((tenths % 10)) s"
}

# ---- tools -----------------------------------------------------------------------------------------------------------

apt_get() {
  mkdir -p "$servers_dir" && flock "$servers_dir/apt.lock" apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

# A test that fails where the package is missing, and the package. Old package lists are fetched anew and tried once more.
need_package() { # PACKAGE COMMAND...
  local package=$1 log
  shift
  "$@" >/dev/null 2>&1 && return
  { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; } || die "needs the Debian package $package: as root, apt-get install $package"
  mkdir -p "$run_dir" || die "cannot write to $run_dir: set FLEET_RUN_DIR to a folder that can be"
  log=$run_dir/$package.log
  printf '%-10s  %s\n' tools "installing the Debian package $package"
  { apt_get install -y --no-install-recommends "$package" || { apt_get update && apt_get install -y --no-install-recommends "$package"; }; } \
    >"$log" 2>&1 </dev/null || die "could not install the Debian package $package: apt-get install $package (log: $log)"
}

need_component() { # of the Rust toolchain
  cargo "${2:-$1}" --version >/dev/null 2>&1 && return
  printf '%-10s  %s\n' tools "adding the component $1 to the Rust toolchain"
  rustup component add "$1" >/dev/null 2>&1 && return
  printf '%s: the Rust toolchain has no %s: rustup component add %s\n' "$me" "$1" "$1" >&2
  return 1
}

# What building the program takes, beside a Rust toolchain.
need_build_tools() {
  command -v cargo >/dev/null || die "cargo is not on the PATH: install a Rust toolchain (rustup.rs)"
  need_package build-essential sh -c 'command -v cc && command -v make'
  need_package pkg-config pkg-config --version
  need_package libssl-dev pkg-config --exists openssl
}

# ---- the stack -------------------------------------------------------------------------------------------------------

stack_variables=(FLEET_BROKERS FLEET_REGISTRY_URL FLEET_MYSQL_URL FLEET_REDIS_URL FLEET_PROMETHEUS_URL)

# Settings of workers that a shell holds from earlier work would change what is tried here.
forget_leftovers() { # VARIABLE... to be kept beside those of the stack
  local name kept
  kept=" FLEET_RUN_DIR FLEET_STACK FLEET_STACK_PORT FLEET_STACK_MYSQL_BUFFER FLEET_DEBIAN_MIRROR ${stack_variables[*]} $* "
  for name in ${!FLEET_@}; do
    [[ $kept == *" $name "* ]] && continue
    printf '%-10s  %s\n' setting "ignored here: $name"
    unset "$name"
  done
}

take_addresses() {
  local exports
  exports=$("$ops/stack" env) || die "the servers have no addresses: run ops/stack up"
  eval "$exports"
}

# An address with another path: for MySQL the database, for Redis its number.
with_path() { # URL PATH
  sed -E "s|^([a-z]+://[^/?]*)(/[^?]*)?|\1/$2|" <<<"$1"
}

# What speaks to the servers here. ops/stack brings it for those that it starts; whose servers are given may have none of it.
need_server_clients() {
  need_package mariadb-client mariadb --version
  need_package redis-tools redis-cli --version
  need_package curl curl --version
}

# Deletes every topic of a namespace, by Kafka's own tool.
delete_topics() { # NAMESPACE
  local jars log=$run_dir/delete-topics.log
  "$ops/stack" fetch kafka >/dev/null || return 1
  jars=("$servers_dir"/kafka-*/lib)
  java -XX:TieredStopAtLevel=1 -cp "${jars[0]}/*" org.apache.kafka.tools.TopicCommand --bootstrap-server "$FLEET_BROKERS" \
    --delete --if-exists --topic "$1\..*" >"$log" 2>&1 && return
  printf '%s: topics %s.* of %s are not deleted: %s\n' "$me" "$1" "$FLEET_BROKERS" "$(grep -m 1 . "$log")" >&2
  return 1
}

# Deletes every subject of a namespace from the registry.
delete_subjects() { # NAMESPACE
  local subject
  curl -sf "$FLEET_REGISTRY_URL/subjects" | tr -d '[]" ' | tr ',' '\n' | grep "^$1\." | while read -r subject; do
    curl -sf -o /dev/null -X DELETE "$FLEET_REGISTRY_URL/subjects/$subject"
  done
}

# Runs statements on the server of FLEET_MYSQL_URL; plain tab-separated rows come out.
sql() { # STATEMENTS [DATABASE]
  mysql_client --batch --skip-column-names -e "$@"
}

mysql_client() {
  local url=${FLEET_MYSQL_URL#*://} user=root password=
  url=${url%%[/?]*}
  if [[ $url == *@* ]]; then
    user=${url%%@*} url=${url#*@}
    [[ $user == *:* ]] && password=${user#*:} user=${user%%:*}
  fi
  MYSQL_PWD=$password mariadb --no-defaults --protocol=tcp -h "${url%:*}" -P "${url##*:}" -u "$user" --default-character-set=utf8mb4 "$@"
}
