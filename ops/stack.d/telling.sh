# shellcheck shell=bash disable=SC2154
# What ops/stack says of an instance: `env` and `status`. Sourced by it; changes nothing and takes no lock.

print_env() {
  local server variable any=
  for server in "${all[@]}"; do
    variable=$(of "$server" variable)
    if given "$server"; then
      printf 'export %s=%q\n' "$variable" "${!variable}"
    elif belongs "$server"; then
      printf 'export %s=%q\n' "$variable" "$(url_of "$server")"
    else
      printf '# %s: not up in instance %s\n' "$server" "$instance"
      continue
    fi
    any=1
  done
  [ -n "$any" ] || { printf 'ops/stack: instance %s was never up: run ops/stack up\n' "$instance" >&2; return 1; }
}

# Prints state, address, version, pid and time of start, tab-separated.
inspect() {
  local server=$1 variable address version state=down pid=- since=-
  variable=$(of "$server" variable)
  address=127.0.0.1:$(port_of "$server") version=$(version_of "$server")
  if given "$server"; then
    address=$(address_of_given "$variable") version=-
    state="unreachable, given by $variable"
    listens "${address%:*}" "${address##*:}" && state="ready, given by $variable"
  elif ! belongs "$server"; then
    state=absent address=-
  elif in_docker || running "$server"; then
    in_docker || { pid=$(pid_of "$server") since=$(date -Is -r "$(dir_of "$server")/pid"); }
    state="not ready"
    "${server}_answers" "${address#*:}" && state=ready
  fi
  printf '%s\t%s\t%s\t%s\t%s\n' "$state" "$address" "$version" "$pid" "$since"
}

status() {
  local server state address version pid since all_ready=true any='' rows=() json=()
  [ $# = 0 ] || [ "$*" = --json ] || die "status takes nothing but --json"
  for server in "${all[@]}"; do
    IFS=$'\t' read -r state address version pid since < <(inspect "$server")
    rows+=("$(printf '%-10s  %-12s  %-15s  %-7s  %-25s  %s' "$server" "$version" "$address" "$pid" "$since" "$state")")
    json+=("$(json_of "$server" "$state" "$address" "$version" "$pid" "$since")")
    [ "$state" = absent ] && continue
    any=1
    [[ $state == ready* ]] || all_ready=false
  done
  [ -n "$any" ] || all_ready=false
  if [ "$*" = --json ]; then
    printf '{"instance":"%s","dir":"%s","ready":%s,"servers":[%s]}\n' \
      "$instance" "$home" "$all_ready" "$(IFS=, && echo "${json[*]}")"
  else
    printf '%-10s  %-12s  %-15s  %-7s  %-25s  %s\n' SERVER VERSION ADDRESS PID SINCE "STATE (instance $instance, $home)"
    printf '%s\n' "${rows[@]}"
  fi
  [ "$all_ready" = true ]
}

json_of() { # SERVER STATE ADDRESS VERSION PID SINCE: what is not known is null
  local text=$1 ready=false
  [[ $2 == ready* ]] && ready=true
  text=$(printf '{"name":"%s","state":"%s","ready":%s,"address":"%s","version":"%s","pid":%s,"since":"%s"}' \
    "$1" "$2" "$ready" "$3" "$4" "${5/#-/null}" "$6")
  echo "${text//\"-\"/null}"
}
