# shellcheck shell=bash disable=SC2034,SC2016,SC2154
# MySQL 9 from Debian sid: unpacked into a tree of its own and run in a chroot there, with the instance's folder mounted at /d.
# Sourced by ops/stack, which says what each function is for.

mysql_tree=mysql
mysql_offset=3
mysql_variable=FLEET_MYSQL_URL
mysql_what="MySQL from Debian sid (560 MB unpacked) with debootstrap"

# In the clear: it listens on this machine alone, and what TLS costs would be measured as Fleet's own.
mysql_url() { echo "mysql://root@127.0.0.1:$1/fleet?ssl-mode=disabled"; }

mysql_need() {
  [ "$(id -u)" = 0 ] || trouble mysql "needs root for debootstrap and chroot" || return
  need mysql mariadb mariadb-client && need mysql debootstrap debootstrap
}

# The private mount name space takes whatever debootstrap mounts away with it, also when it is killed.
mysql_fetch() {
  local mirror
  mirror=$(debian_mirror) || return
  unshare -m debootstrap --variant=minbase --include=mysql-server-core sid "$1" "$mirror" &&
    rm -rf "$1"/var/cache/apt/archives/*.deb && mkdir "$1/d" &&
    chroot "$1" mysqld --version | sed -n 's/.*Ver \([^ ]*\).*/\1/p' >"$1/version" && [ -s "$1/version" ]
}

# Sets command to mysqld of tree $1, seeing the instance's folder $2 as /d. The mount ends with the process.
mysql_inside() {
  command=(unshare -m sh -c 'mount --bind "$2" "$1/d" && tree=$1 && shift 2 && exec chroot "$tree" mysqld "$@"' mysqld
    "$1" "$2" --defaults-file=/d/mysql.cnf --user=root --tmpdir=/d)
}

# A killed server leaves its socket's lock file behind; ops/stack has made sure that no server of ours runs here.
mysql_prepare() {
  local tree=$1 dir=$2 command
  cp "$parts/mysql.cnf" "$parts/mysql.init.sql" "$dir/" && rm -f "$dir"/mysql.sock*
  [ -d "$dir/data" ] && return
  rm -rf "$dir/data.part"
  mysql_inside "$tree" "$dir"
  "${command[@]}" --datadir=/d/data.part --initialize-insecure && mv "$dir/data.part" "$dir/data"
}

mysql_command() {
  local buffer=512M
  [ "$instance" = main ] && buffer=2G
  mysql_inside "$1" "$2"
  command+=(--datadir=/d/data --port="$3" --bind-address=127.0.0.1 --socket=/d/mysql.sock --pid-file=/d/mysqld.pid
    --init-file=/d/mysql.init.sql --innodb-buffer-pool-size="${FLEET_STACK_MYSQL_BUFFER:-$buffer}")
}

mysql_answers() {
  mariadb --no-defaults --protocol=tcp -h 127.0.0.1 -P "$1" -u root --connect-timeout=3 -e 'SELECT 1' fleet >/dev/null 2>&1
}
