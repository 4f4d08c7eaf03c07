# shellcheck shell=bash disable=SC2034,SC2154
# Apicurio Registry 2.6.13.Final, which speaks the Confluent API. Sourced by ops/stack, which says what each function is for.

registry_version=2.6.13.Final
registry_tree=registry-$registry_version
registry_offset=2
registry_variable=FLEET_REGISTRY_URL
registry_what="Apicurio Registry $registry_version (142 MB) with Maven"

registry_url() { echo "http://127.0.0.1:$1/apis/ccompat/v7"; }

registry_need() { need registry mvn maven && need registry java default-jre-headless && need registry curl curl; }

registry_fetch() {
  local name=apicurio-registry-app
  (cd "$1" && maven dependency:copy -Dartifact="io.apicurio:$name:$registry_version:tar.gz:all" -DoutputDirectory=.) &&
    tar -xzf "$1/$name-$registry_version-all.tar.gz" -C "$1" && rm "$1/$name-$registry_version-all.tar.gz" &&
    echo "$registry_version" >"$1/version"
}

registry_prepare() { :; }

# The ids live in an H2 file and are on disk before the answer is out (WRITE_DELAY=0): they survive kill -9.
registry_command() {
  local tree=$1 dir=$2 port=$3
  command=(java -Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8
    -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" -Dregistry.storage.kind=sql
    -Dquarkus.datasource.jdbc.url="jdbc:h2:file:$dir/h2;WRITE_DELAY=0"
    -Dquarkus.datasource.jdbc.initial-size=2 -Dquarkus.datasource.jdbc.min-size=2
    -jar "$tree/apicurio-registry-app-$registry_version-runner.jar")
}

registry_answers() { curl -sf -o /dev/null -m 3 "$(registry_url "$1")/subjects"; }
