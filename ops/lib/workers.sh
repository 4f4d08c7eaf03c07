# shellcheck shell=bash
# Workers of a script, in its folder `workers_dir`: started, killed, started again, stopped, each by its process id.
# It starts nothing but `fleet run`, and ends nothing that does not carry its mark. The script that sources it says what `say` does.
# shellcheck disable=SC2154

# Those that Prometheus looks at (ops/prometheus/targets.json).
ports=(9464 9465 9466 9467 9468 9469 9470 9471 9472 9473)

pid_of() { cat "$workers_dir/$1-$2.pid" 2>/dev/null; }

# A recorded process that does not carry the mark is not ours, and is never touched.
is_ours() { # PID
  grep -qszxF "FLEET_OPS_WORKER=$workers_dir" "/proc/$1/environ"
}

free_port() {
  local port
  for port in "${ports[@]}"; do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  echo 0
}

start_worker() { # ROLE NUMBER
  local name=$1-$2 port
  mkdir -p "$workers_dir"
  port=$(free_port)
  : >"$workers_dir/$name.log"
  FLEET_OPS_WORKER=$workers_dir FLEET_HTTP=127.0.0.1:$port FLEET_LOG=info "$fleet" run --role "$1" >"$workers_dir/$name.log" 2>&1 </dev/null &
  echo $! >"$workers_dir/$name.pid"
  say worker "$2 of $1: process $!"
  await_port "$name" $!
}

# Until it listens, so that the next one takes another port.
await_port() { # NAME PID
  local end=$((SECONDS + 30))
  until grep -q 'serving metrics and health at' "$workers_dir/$1.log"; do
    kill -0 "$2" 2>/dev/null || die "a worker ended at once: $(tail -n 1 "$workers_dir/$1.log")"
    [ "$SECONDS" -lt "$end" ] || die "a worker does not serve HTTP after 30 s (log: $workers_dir/$1.log)"
    sleep 0.05
  done
}

address_of() { sed -n 's,.*serving metrics and health at \(http://[0-9.:]*\).*,\1,p' "$1"; }

# Until every one has joined its group and reached its servers.
await_workers() {
  local log end=$((SECONDS + 60))
  for log in "$workers_dir"/*-[12].log; do
    until curl -sf -m 3 -o /dev/null "$(address_of "$log")/readyz"; do
      workers_live || die "a worker ended: $(last_words)"
      [ "$SECONDS" -lt "$end" ] || die "a worker is not ready after 60 s: $(curl -s -m 3 "$(address_of "$log")/readyz") (log: $log)"
      sleep 0.2
    done
  done
}

workers_live() {
  local file
  for file in "$workers_dir"/*.pid; do
    dead=$file
    kill -0 "$(<"$file")" 2>/dev/null || return 1
  done
}

last_words() { tail -n 1 "${dead%.pid}.log"; }

kill_worker() { # ROLE NUMBER
  local pid
  pid=$(pid_of "$1" "$2")
  is_ours "$pid" && kill -KILL "$pid"
  # Its code says that it was killed, no more.
  wait "$pid" 2>/dev/null || true
}

stop_workers() {
  local file pid end=$((SECONDS + 35))
  for file in "$workers_dir"/*.pid; do
    [ -f "$file" ] && pid=$(<"$file") && is_ours "$pid" && kill -TERM "$pid"
  done
  for file in "$workers_dir"/*.pid; do
    [ -f "$file" ] || continue
    pid=$(<"$file")
    while is_ours "$pid" && [ "$SECONDS" -lt "$end" ]; do sleep 0.1; done
    is_ours "$pid" && { say worker "process $pid still there after 35 s: killed"; kill -KILL "$pid"; }
    rm -f "$file"
  done
}

# Of a run that was itself killed.
end_leftover_workers() {
  stop_workers
  rm -f "$workers_dir"/*.log
}
