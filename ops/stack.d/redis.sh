# shellcheck shell=bash disable=SC2034,SC2154
# Redis 7: Debian's redis-check-rdb is the server when it is called by the name redis-server, and its package starts no service.
# Sourced by ops/stack, which says what each function is for.

redis_tree=redis
redis_offset=4
redis_variable=FLEET_REDIS_URL
redis_what="a link to the server in the Debian package redis-tools"

redis_url() { echo "redis://127.0.0.1:$1/0"; }

redis_need() { need redis redis-check-rdb redis-tools; }

redis_fetch() {
  ln -s "$(command -v redis-check-rdb)" "$1/redis-server" &&
    "$1/redis-server" --version | sed -n 's/.* v=\([^ ]*\).*/\1/p' >"$1/version" && [ -s "$1/version" ]
}

redis_prepare() { :; }

# Without set-proc-title the server would write over the mark by which ops/stack knows it.
redis_command() {
  command=("$1/redis-server" --port "$3" --bind 127.0.0.1 --dir "$2" --save '' --appendonly no --set-proc-title no)
}

redis_answers() { [ "$(timeout 3 redis-cli -h 127.0.0.1 -p "$1" ping 2>/dev/null)" = PONG ]; }
