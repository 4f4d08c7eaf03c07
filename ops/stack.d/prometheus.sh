# shellcheck shell=bash disable=SC2034,SC2154
# Prometheus: Debian's package, unpacked instead of installed, because an installed one starts a service.
# Sourced by ops/stack, which says what each function is for.

prometheus_tree=prometheus
prometheus_offset=5
prometheus_variable=FLEET_PROMETHEUS_URL
prometheus_what="Prometheus (19 MB) with apt-get"

prometheus_url() { echo "http://127.0.0.1:$1"; }

prometheus_need() { need prometheus curl curl; }

prometheus_fetch() {
  (cd "$1" && apt_get -o APT::Sandbox::User=root download prometheus && dpkg -x prometheus_*.deb . && rm prometheus_*.deb) &&
    "$1/usr/bin/prometheus" --version 2>&1 | sed -n 's/^prometheus, version \([^ ]*\).*/\1/p' >"$1/version" && [ -s "$1/version" ]
}

# The rules are this checkout's own, so that a reload reads what was edited. Target files that are there stay as they are.
prometheus_prepare() {
  local dir=$2 targets=$2/../prometheus-targets
  mkdir -p "$targets" && cp "$ops/prometheus/prometheus.yml" "$dir/" && ln -sfn "$ops/prometheus" "$dir/rules" || return
  [ -f "$targets/default.json" ] || cp "$ops/prometheus/targets.json" "$targets/default.json"
}

prometheus_command() {
  command=("$1/usr/bin/prometheus" --config.file="$2/prometheus.yml" --storage.tsdb.path="$2/data" --storage.tsdb.retention.time=7d
    --web.listen-address="127.0.0.1:$3" --web.enable-lifecycle)
}

prometheus_answers() { curl -sf -o /dev/null -m 3 "$(prometheus_url "$1")/-/ready"; }
