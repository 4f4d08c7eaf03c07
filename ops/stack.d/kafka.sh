# shellcheck shell=bash disable=SC2034,SC2016,SC2154
# Kafka 4.1.0: one broker in KRaft mode, its jars from Maven. Sourced by ops/stack, which says what each function is for.

kafka_version=4.1.0
kafka_tree=kafka-$kafka_version
kafka_offset=0
kafka_variable=FLEET_BROKERS
kafka_what="Kafka $kafka_version (93 jars, 54 MB) with Maven"

kafka_url() { echo "127.0.0.1:$1"; }

kafka_need() { need kafka mvn maven && need kafka java default-jre-headless; }

kafka_fetch() {
  cp "$parts/kafka.pom.xml" "$1/pom.xml" &&
    (cd "$1" && maven dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib) &&
    echo "$kafka_version" >"$1/version"
}

kafka_prepare() {
  local tree=$1 dir=$2 port=$3 text
  text=$(<"$parts/kafka.properties.tmpl")
  text=${text//@PORT@/"$port"}
  text=${text//@CONTROLLER_PORT@/"$((port + 1))"}
  printf '%s\n' "${text//@DATA@/"$dir/data"}" >"$dir/server.properties"
  [ -f "$dir/data/meta.properties" ] && return
  rm -rf "$dir/data"
  java -XX:TieredStopAtLevel=1 -cp "$tree/lib/*" kafka.tools.StorageTool format --standalone \
    -t "$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | cut -c 1-22)" -c "$dir/server.properties"
}

kafka_command() {
  local tree=$1 dir=$2
  command=(java -Xms256m -Xmx1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20)
  [ "$instance" = main ] || command=(java -Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1)
  command+=(-Dfile.encoding=UTF-8 -Dlog4j2.configurationFile="$parts/kafka.log4j2.properties"
    -cp "$tree/lib/*" kafka.Kafka "$dir/server.properties")
}

# A Metadata request (version 1, no topics). The third word of the answer counts the brokers that are open for business.
kafka_answers() {
  local port=$1 answer
  answer=$({ timeout 3 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" &&
    printf "\0\0\0\016\0\003\0\001\0\0\0\001\377\377\0\0\0\0" >&3 && head -c 12 <&3 | od -An -tx1' "$port"; } 2>/dev/null)
  [[ ${answer// /} == ????????00000001000000?? && ${answer// /} != *00000000 ]]
}
