# shellcheck shell=bash
# How ops/test runs a check, counts it and tells of it. Sourced by it, after ground.sh. It knows no check.
# shellcheck disable=SC2154

# A check that hangs must not hold the rest.
longest=2400
# Seconds between two words about one that takes long.
patience=30
passed=0 failed=0 ignored=0
times=()
failures=()

say() { printf '%-10s  %s\n' "$1" "$2"; }

begin_checks() {
  mkdir -p "$run_dir/test" || die "cannot write to $run_dir: set FLEET_RUN_DIR to a folder that can be"
  find "$run_dir/test" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +
  logs=$(mktemp -d "$run_dir/test/$(date +%m%d-%H%M)-XXXX") || die "cannot write to $run_dir/test"
  began=$EPOCHREALTIME
  trap 'stop_job; exit 2' INT TERM
}

stop_job() {
  [ -z "${job:-}" ] || kill -TERM -- "-$job" 2>/dev/null
  [ -z "${stack_job:-}" ] || kill -TERM "$stack_job" 2>/dev/null
}

run_group() {
  local from=$EPOCHREALTIME
  group=$1
  "group_$1"
  times+=("$(printf '%-10s  %8s' "$1" "$(since "$from")")")
}

# Runs a command in a process group of its own, its words in a log, and counts what came of it.
check() { # NAME COMMAND...
  local name=$1 from=$EPOCHREALTIME log code
  shift
  log=$logs/$group-$((passed + failed)).log
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  job=$!
  set +m
  attend "$name" "$log"
  wait "$job"
  code=$?
  job=
  count "$code" "$log"
  [ "$code" = 0 ] && { say "$group" "ok, $(since "$from"): $name$counted"; return; }
  failures+=("$group: $name (log: $log)")
  say "$group" "FAILED, $(since "$from"): $name$counted"
  telling "$log" | sed 's/^/            | /'
  return 1
}

# A check that cannot even begin; why, was said.
failed_to_run() {
  failed=$((failed + 1))
  failures+=("$group: $1: could not run")
}

# Waits for the job, says every now and then how far it is, and ends it when its time is up.
attend() { # NAME LOG
  local from=$SECONDS next=$((SECONDS + patience))
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2
    [ "$SECONDS" -lt "$next" ] && continue
    next=$((SECONDS + patience))
    say "$group" "  $1, $((SECONDS - from)) s: $(tail -n 1 "$2" | cut -c 1-100)"
    [ $((SECONDS - from)) -lt "$longest" ] && continue
    echo "still at work after $longest s: ended" >>"$2"
    kill -KILL -- "-$job"
  done
}

# Adds what a log says of tests; a check that says nothing of tests is one itself.
count() { # CODE LOG
  local good bad skipped
  read -r good bad skipped < <(awk '/^test result:/ { good += $4; bad += $6; skipped += $8 } END { print good + 0, bad + 0, skipped + 0 }' "$2")
  counted=
  [ "$((good + bad))" = 0 ] || counted=" ($good passed, $bad failed)"
  [ "$1" = 0 ] && [ "$good" = 0 ] && good=1
  [ "$1" != 0 ] && [ "$bad" = 0 ] && bad=1
  passed=$((passed + good)) failed=$((failed + bad)) ignored=$((ignored + skipped))
}

# The part of a log that says most about a failure: what failed tests printed, else its end.
telling() {
  if grep -q '^failures:$' "$1"; then
    awk '/^failures:$/ { on = 1 } on' "$1" | head -n 120
  elif grep -qE '^(error|warning)' "$1"; then
    grep -E -A 12 '^(error|warning)' "$1" | head -n 60
  else
    tail -n 25 "$1"
  fi | grep -vE '^ +([0-9]+: |at )|^stack backtrace:|^note: Some details' | cut -c 1-240
}

end_checks() {
  local line
  echo
  printf '%s\n' "${times[@]}"
  printf '%-10s  %8s\n' together "$(since "$began")"
  [ "$ignored" = 0 ] || { failed=$((failed + ignored)); failures+=("$ignored ignored tests: none is allowed"); }
  for line in "${failures[@]}"; do echo "FAILED: $line"; done
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] || exit 1
  rm -rf "$logs"
}
