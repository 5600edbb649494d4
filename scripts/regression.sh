#!/usr/bin/env bash
# Runs a round trip with PostgreSQL's own regression database: its tests leave behind the most unusual objects.
#
#   scripts/regression.sh [--keep] [--program FILE] [--source DIR] [--database-only]
#
#   --keep           keep the folder with the server, the databases and all output
#   --program FILE   the program to try (default: target/release/stacksnap, else target/debug/stacksnap)
#   --source DIR     an unpacked source of PostgreSQL 15 and its server headers below DIR (default: fetched from the
#                    machine's own Debian sources; needs apt-get, dpkg-dev and gcc)
#   --database-only  stop when the database exists, and print how to connect to it (with --keep)
#
# It creates the database (the files of src/test/regress/sql in the order of parallel_schedule, one session each) and
# restores it with pg_restore -j2 as the reference. Then: create, restore into an empty database, diff, drill, damage,
# restore in place, diff, undo. pg_dump -s of our result and of pg_restore's must be equal, and our verdicts must agree.
# All files are in one new folder below TMPDIR and are removed. Exit code 0: equal, except for what is named.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { usage_of "${BASH_SOURCE[0]}" >&2; exit 64; }

keep='' program='' source_dir='' database_only=''
while [ $# -gt 0 ]; do
    case $1 in
        --keep) keep=1; shift ;;
        --database-only) database_only=1; shift ;;
        --program | --source) [ $# -ge 2 ] || usage; if [ "$1" = --program ]; then program=$2; else source_dir=$2; fi; shift 2 ;;
        *) usage ;;
    esac
done
for file in "$program" "$repo/target/release/stacksnap" "$repo/target/debug/stacksnap"; do
    if [ -n "$file" ] && [ -x "$file" ]; then program=$file; break; fi
done
[ -x "${program:-}" ] || die 'no program: cargo build --release first'

work=$(mktemp -d "${TMPDIR:-/tmp}/stacksnap-regression.XXXXXX")
chmod 755 "$work"
done_with() {
    "$repo/scripts/pg.sh" stop "$work/server" >/dev/null 2>&1 || true
    if [ -n "$keep" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
if [ -z "$database_only" ]; then trap done_with EXIT; fi

# Fetches the source of the server that the tests run on, with package lists of our own; the machine's lists are not
# changed.
fetch() {
    local parts=$work/apt/parts lists=$work/apt/lists version
    mkdir -p "$parts" "$lists" "$work/apt/cache" "$work/apt/source" "$work/apt/headers"
    find /etc/apt -maxdepth 2 -name '*.sources' | while read -r file; do
        sed -E 's/^Types:.*/Types: deb deb-src/' "$file" >"$parts/$(basename "$file")"
    done
    find /etc/apt -maxdepth 2 -name '*.list' | while read -r file; do
        sed -nE 's/^deb(-src)? (.*)/deb \2\ndeb-src \2/p' "$file" >"$parts/$(basename "$file")"
    done
    apt=(-qq -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$parts" -o "Dir::State::Lists=$lists"
        -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" update
    # A mirror may list a release that it does not have yet.
    for version in $(apt-cache "${apt[@]}" showsrc postgresql-15 | sed -n 's/^Version: //p' | sort -Vr); do
        (cd "$work/apt/source" && apt-get "${apt[@]}" source "postgresql-15=$version") >"$work/fetch.log" 2>&1 || continue
        (cd "$work/apt/headers" && apt-get "${apt[@]}" download "postgresql-server-dev-15=$version" "libpq-dev=$version") \
            >>"$work/fetch.log" 2>&1 || continue
        for package in "$work"/apt/headers/*.deb; do dpkg -x "$package" "$work/apt/source"; done
        source_dir=$work/apt/source
        return
    done
    die "cannot fetch the source of PostgreSQL 15: see $work/fetch.log"
}
[ -n "$source_dir" ] || fetch
regress=$(find "$source_dir" -type d -path '*/src/test/regress' | head -1)
headers=$(find "$source_dir" /usr/include/postgresql -type d -path '*/15/server' 2>/dev/null | head -1)
if [ ! -d "$regress" ] || [ ! -d "$headers" ]; then die "no src/test/regress or no server headers below $source_dir"; fi

# The server reads files of the tests, and may run as another user.
cp -R "$regress" "$work/regress"
mkdir -p "$work/regress/results"
gcc -O1 -fPIC -shared -I "$headers" -I "$(dirname "$(dirname "$headers")")" -o "$work/regress/regress.so" "$work/regress/regress.c"
chmod -R a+rX "$work/regress"
chmod a+rwx "$work/regress/results"

eval "$(STACKSNAP_PG_OWNER=0 "$repo/scripts/pg.sh" start "$work/server" 15 -o '-c max_prepared_transactions=10')"
bin=$STACKSNAP_TEST_BIN
psql() { command "$bin/psql" -X "$@"; }
psql -q -d postgres -c 'CREATE DATABASE regression TEMPLATE template0'
for setting in "lc_messages TO 'C'" "lc_monetary TO 'C'" "lc_numeric TO 'C'" "lc_time TO 'C'" "bytea_output TO 'hex'" \
    "timezone_abbreviations TO 'Default'"; do
    psql -q -d postgres -c "ALTER DATABASE regression SET $setting"
done
tests=$(sed -n 's/^test: //p' "$work/regress/parallel_schedule")
for name in $tests; do
    PG_ABS_SRCDIR=$work/regress PG_ABS_BUILDDIR=$work/regress PG_LIBDIR=$work/regress PG_DLSUFFIX=.so PGTZ=PST8PDT \
        PGDATESTYLE='Postgres, MDY' PGOPTIONS='-c intervalstyle=postgres_verbose' \
        psql -a -q -d regression -v HIDE_TABLEAM=on -v HIDE_TOAST_COMPRESSION=on \
        -f "$work/regress/sql/$name.sql" >"$work/regress/results/$name.out" 2>&1 || true
done
tables=$(psql -At -d regression -c "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384")
echo "regression database: $tables tables, $(wc -w <<<"$tests") files"
[ "$tables" -gt 600 ] || die "the tests created only $tables tables: see $work/regress/results"
if [ -n "$database_only" ]; then cat <<<"export PGHOST=$PGHOST PGPORT=$PGPORT PGUSER=$PGUSER PGPASSWORD=$PGPASSWORD; $work"; exit 0; fi

failed=0
fault() { echo "FAULT: $*"; failed=1; }
# Sorted and without trailing commas: columns of child tables may be in another order, which is reported.
dump_of() { "$bin/pg_dump" -s -d "$1" | sed -E '/^\\(un)?restrict /d; s/,$//' | sort; }
same() { diff <(dump_of "$1") <(dump_of "$2") >"$work/$3.diff" || fault "$3: pg_dump -s differs, see $work/$3.diff"; }
now_ms() { date +%s%3N; }
snap() { "$program" --root "$work/snapshots" "$@" >"$work/$said.log" 2>&1; }
step() { # NAME "CODES THAT ARE WELL" ARGUMENTS
    local said=$1 well=$2 code=0
    shift 2
    snap "$@" || code=$?
    case " $well " in *" $code "*) echo "$said: $code" ;; *) keep=1; tail -n 25 "$work/$said.log" | cut -c1-400; fault "$said ended with $code" ;; esac
}
target() { echo "host=$PGHOST port=$PGPORT user=$PGUSER dbname=$1"; }
source_of() { STACKSNAP_DB_URL=$(target "$1") step "${@:2}"; }

psql -q -d postgres -c 'CREATE DATABASE yardstick TEMPLATE template0' -c 'CREATE DATABASE ours TEMPLATE template0'
"$bin/pg_dump" -Fd -j2 -f "$work/yardstick" regression
before=$(now_ms)
"$bin/pg_restore" -j2 -d yardstick "$work/yardstick" || fault 'pg_restore itself failed'
pg_restore_ms=$(($(now_ms) - before))

source_of regression create 0 create
before=$(now_ms)
step restore '0 3' restore latest --to "$(target ours)" --confirm ours --no-proof --no-safety-snapshot
ours_ms=$(($(now_ms) - before))
echo "pg_restore -j2: $pg_restore_ms ms, stacksnap restore: $ours_ms ms"
same yardstick ours restored
cosmetic_only() { ! grep -E '^different: ' "$work/$1.log" | grep -qvE '^different: [0-9]+ cosmetic \(' || fault "$1: more than what is named"; }
source_of ours diff '0 4' diff latest live
cosmetic_only diff
step drill '0 3' drill latest

psql -q -d regression >"$work/damage.log" 2>&1 <<'SQL'
DROP TABLE onek CASCADE; DROP TABLE a_star CASCADE; ALTER TABLE tenk1 DROP COLUMN four CASCADE;
DELETE FROM tenk2 WHERE unique1 < 5000; DROP FUNCTION trigger_return_old() CASCADE; CREATE TABLE newcomer (id int);
SQL
dump_of regression >"$work/damaged"
snapshot=$(basename "$(readlink -f "$work/snapshots/comprehensive_backup_LATEST")")
step in_place '0 3' restore "$snapshot" --to "$(target regression)" --confirm regression
source_of regression diff_in_place '0 4' diff "$snapshot" live
cosmetic_only diff_in_place
same yardstick regression in_place
undo=$(grep -o 'restore_[0-9_]*' "$work/in_place.log" | head -1)
step undo '0 3' undo "$undo" --to "$(target regression)" --confirm regression
diff "$work/damaged" <(dump_of regression) >"$work/undone.diff" || fault "undo: pg_dump -s differs, see $work/undone.diff"
if [ "$failed" -ne 0 ]; then keep=1; fi
exit "$failed"
