#!/usr/bin/env bash
# Measures stacksnap against PostgreSQL's own tools on the same data: in one run, in rotated order, with medians.
#
#   scripts/bench.sh [--data b|pgbench|tables] [--size N] [--rounds 3] [--pg 15|18] [--jobs 2] [--naive]
#                    [--restore] [--out FILE.tsv] [--program FILE] [--only abcdefghijk]
#
#   --data b         about SIZE megabytes in 60 tables, one of them 60 % (default, 1000)
#   --data pgbench   pgbench -s SIZE (100)
#   --data tables    SIZE tiny tables (5000)
#
# a  pg_dump -Fd -jN with the codec of the snapshot's archive     d  stacksnap create: archive, SQL, CSV and all the rest
# b  pg_dump -Fd -jN with its default compression                 e  stacksnap verify --level read
# c  the naive sequence: pg_dump -Fc, pg_dump, one psql \copy a   f  stacksnap create --if-changed, with nothing changed
#    table, catalog queries, sha256sum (with --naive: it is slow)
#
# With --restore, of that snapshot (each into a new database on the same server, without roles' passwords being set):
# g  pg_restore -jN of its archive                                i  create --verify restore of the same data: snapshot, then
# h  stacksnap restore --no-proof into an empty database             a restore into a throw-away server and the proof
# j  restore in place of one small table that was dropped         k  the proof alone, as restore reports it
#
# Wall time, CPU time and peak memory are from /usr/bin/time: CPU of a program with all its children, memory of its
# largest process (for d that may be pg_dump). "server" is the CPU time of the server's processes meanwhile. All files
# are in one new folder below TMPDIR and are removed. Compare ratios within one run only.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { usage_of "${BASH_SOURCE[0]}" >&2; exit 64; }

data=b size='' rounds=3 major=15 jobs=2 out='' program='' only=''
while [ $# -gt 0 ]; do
    case $1 in
        --naive) only=${only}abcdef; shift; continue ;;
        --restore) only=${only}dghijk; shift; continue ;;
        --data | --size | --rounds | --pg | --jobs | --out | --program | --only) [ $# -ge 2 ] || usage ;;
        *) usage ;;
    esac
    case $1 in
        --data) data=$2 ;;
        --size) size=$2 ;;
        --rounds) rounds=$2 ;;
        --pg) major=$2 ;;
        --jobs) jobs=$2 ;;
        --out) out=$2 ;;
        --program) program=$2 ;;
        --only) only=$2 ;;
    esac
    shift 2
done
case $data in
    b) size=${size:-1000} ;;
    pgbench) size=${size:-100} ;;
    tables) size=${size:-5000} ;;
    *) usage ;;
esac
only=${only:-abdef}
case $only in *[ghijk]*) case $only in *d*) ;; *) die 'g to k need d: the snapshot that they restore' ;; esac ;; esac

work=$(make_work_dir bench)
clean() {
    stop_servers "$work/pg"
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

need_build_tools
[ -x /usr/bin/time ] || apt_install time
if [ -z "$program" ]; then
    say 'building with --release'
    (cd "$repo" && cargo build --quiet --release --locked)
    program=$(target_dir)/release/stacksnap
fi
case $program in */release/*) ;; *) say "NOT A RELEASE BUILD: $program" ;; esac

load() {
    case $data in
        b) "$repo/fixtures/load.sh" bench_b "$size" ;;
        tables) "$repo/fixtures/load.sh" many_tables "$size" ;;
        pgbench) "$bin/pgbench" -i -q -s "$size" >/dev/null 2>&1 ;;
    esac
    # The first reader must not pay for hint bits and dirty pages of the load.
    "$bin/psql" -Xq -c 'VACUUM (ANALYZE)' -c CHECKPOINT
}

say "loading data $data, size $size, into PostgreSQL $major"
start_server "$work/pg" "$major"
bin=$STACKSNAP_TEST_BIN
target="host=$PGHOST port=$PGPORT user=$PGUSER" # the password is in the environment
case $data in
    b) one_table='DROP TABLE bench.t05 CASCADE' ;;
    pgbench) one_table='DROP TABLE pgbench_branches' ;;
    tables) one_table='SELECT 1' ;;
esac
ask() { "$bin/psql" -XAtq -v ON_ERROR_STOP=1 -c "$1"; }
load
postmaster=$(ask "SELECT pg_catalog.pg_read_file('postmaster.pid', 0, 16)" | head -n 1)
tick=$(getconf CLK_TCK)

# zstd if this client was built with it, as stacksnap chooses; else gzip:1 (-Z1, which 15 understands too).
codec=gzip:1 codec_option=-Z1
if [ "$major" -ge 16 ] && "$bin/pg_dump" -Fd --compress=zstd:1 --schema-only --no-sync -f "$work/probe" 2>/dev/null; then
    codec=zstd:1 codec_option=--compress=zstd:1
fi
rm -rf "$work/probe"

cat >"$work/naive" <<'NAIVE'
set -euo pipefail
bin=$1 to=$2
mkdir -p "$to/csv"
"$bin/pg_dump" -Fc -f "$to/database.dump"
"$bin/pg_dump" -f "$to/database.sql"
"$bin/psql" -XAtq -c "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1" >"$to/tables"
while IFS= read -r table; do
    "$bin/psql" -Xq -c "\\copy (SELECT * FROM $table) TO '$to/csv/$table.csv' CSV HEADER"
done <"$to/tables"
"$bin/psql" -XAtq -o "$to/policies" -c 'SELECT * FROM pg_policies'
"$bin/psql" -XAtq -o "$to/functions" -c "SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND prokind <> 'a'"
"$bin/psql" -XAtq -o "$to/roles" -c 'SELECT * FROM pg_roles' -c 'SELECT * FROM pg_auth_members'
cd "$to" && find . -type f ! -name SHA256SUMS -print0 | xargs -0 sha256sum >SHA256SUMS
NAIVE

stacksnap() { "$program" --root "$work/out/root" "$@"; }

run_side() { # side: what is measured, replaced by /usr/bin/time
    case $1 in
        a) set -- "$bin/pg_dump" -Fd "-j$jobs" "$codec_option" -f "$work/out/a" ;;
        b) set -- "$bin/pg_dump" -Fd "-j$jobs" -f "$work/out/b" ;;
        c) set -- bash "$work/naive" "$bin" "$work/out/c" ;;
        d) set -- "$program" --root "$work/out/root" -q create --verify none --jobs "$jobs" --pg-bin "$bin" ;;
        e) set -- "$program" --root "$work/out/root" -q verify latest --level read ;;
        f) set -- "$program" --root "$work/out/root" -q create --verify none --if-changed --jobs "$jobs" --pg-bin "$bin" ;;
        g) set -- "$bin/pg_restore" "-j$jobs" -d bench_g "$work/out/root/comprehensive_backup_LATEST/complete_database_with_data.dump" ;;
        h) set -- "$program" --root "$work/out/root" -o json restore latest --to "$target dbname=bench_h" --confirm bench_h \
            --no-safety-snapshot --no-proof --jobs "$jobs" ;;
        i) set -- "$program" --root "$work/out/root" -q create --verify restore --jobs "$jobs" --pg-bin "$bin" ;;
        j) set -- "$program" --root "$work/out/root" -o json restore latest --to "$target dbname=$PGDATABASE" \
            --confirm "$PGDATABASE" --no-safety-snapshot --no-proof --jobs "$jobs" ;;
        k) set -- "$program" --root "$work/out/root" -o json restore latest --to "$target dbname=bench_h" --confirm bench_h \
            --no-safety-snapshot --replace-other-project --jobs "$jobs" ;;
    esac
    /usr/bin/time -q -o "$work/time" -f '%e %U %S %M' "$@" >"$work/said" 2>&1
}

server_ticks() { # of all processes that have ended, and of those that have not
    local pid total
    total=$(sed 's/^.*) //' "/proc/$postmaster/stat" | awk '{ print $12 + $13 + $14 + $15 }')
    for pid in $(tr ' ' '\n' 2>/dev/null <"/proc/$postmaster/task/$postmaster/children"); do
        total=$((total + $(sed 's/^.*) //' "/proc/$pid/stat" 2>/dev/null | awk '{ print $12 + $13 }' || echo 0)))
    done
    echo "$total"
}

# Sequential scans of each table, and how many more than one create needs: stored generated columns, which no dump
# holds, are read a second time. A materialized view, which pg_dump does not read, is read once.
scans() {
    ask "SELECT s.relid, s.seq_scan, CASE WHEN c.relkind <> 'm' AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attgenerated = 's' AND NOT a.attisdropped) THEN 1 ELSE 0 END
        FROM pg_catalog.pg_stat_user_tables s JOIN pg_catalog.pg_class c ON c.oid = s.relid
        WHERE c.relkind <> 'm' OR c.relispopulated ORDER BY s.relid"
}

# The counters of a session that has ended may appear a moment later.
check_scans() {
    local report=
    for _ in 1 2 3 4 5 6; do
        scans >"$work/scans.after"
        report=$(paste -d'|' "$work/scans.before" "$work/scans.after" | awk -F'|' '
            $1 != $4 { odd++; next } { n[$5 - $2 - $6]++; tables++ }
            END { printf "%d", tables; for (k in n) printf " %dx:%d", k, n[k]; if (odd) printf " changed:%d", odd }')
        case $report in "${report%% *} 1x:${report%% *}") break ;; esac
        sleep 0.5
    done
    echo "$report" >>"$work/scans"
}

measure() { # side, round
    local code=0 before after wanted=' 0 '
    case $1 in d | i | k) wanted=' 0 3 ' ;; f) wanted=' 75 ' ;; h | j) wanted=' 0 3 15 ' ;; esac
    case $1 in
        g | h) "$bin/dropdb" --if-exists "bench_$1" && "$bin/createdb" -T template0 "bench_$1" ;;
        j) "$bin/psql" -Xq -c "$one_table" ;;
    esac
    if [ "$1" = d ]; then scans >"$work/scans.before"; fi
    # Pending writes of the previous side must not count for this one.
    "$bin/psql" -Xq -c CHECKPOINT
    sync
    before=$(server_ticks)
    run_side "$1" || code=$?
    after=$(server_ticks)
    case $wanted in
        *" $code "*) ;;
        *) cat "$work/said" >&2; die "$1 ended with $code" ;;
    esac
    if [ "$1" = d ]; then check_scans; fi
    if [ "$1" = k ]; then # only the proof counts, not the comparison for the plan
        proof_ms=$(grep -o '"rows_compared":[0-9]*,"duration_ms":[0-9]*' "$work/said" | tail -n 1 | grep -o '[0-9]*$')
        awk -v ms="$proof_ms" '{ $1 = ms / 1000; print }' "$work/time" >"$work/time.k" && mv "$work/time.k" "$work/time"
    fi
    awk -v side="$1" -v round="$2" -v code="$code" -v server="$(((after - before) * 1000 / tick))" -v head="$data\t$size\t$major" \
        -v bytes="$(du -sb "$work/out" | cut -f1)" '{ printf "%s\t%s\t%d\t%s\t%s\t%s\t%.3f\t%s\t%s\t%s\n", head, side, round, $1, $2, $3, server / 1000, $4, bytes, code }' \
        "$work/time" >>"$work/rows.tsv"
    awk -v side="$1" -v round="$2" '{ printf "  round %d  %s  %8.2f s\n", round, side, $1 }' "$work/time" >&2
}

# The sides that create something, in an order that rotates with each round. Sides that read a snapshot follow it.
makers=$(printf '%s' "$only" | tr -cd abcd)
printf 'data\tsize\tpg\tside\tround\twall_s\tuser_s\tsys_s\tserver_s\trss_kib\tbytes\texit\n' >"$work/rows.tsv"
for ((round = 1; round <= rounds; round++)); do
    for ((at = 0; at < ${#makers}; at++)); do
        side=${makers:$(((at + round - 1) % ${#makers})):1}
        rm -rf "$work/out"
        mkdir "$work/out"
        measure "$side" "$round"
        if [ "$side" = d ]; then
            codec_found=$(stacksnap show "$(basename "$(find "$work/out/root" -maxdepth 1 -name 'comprehensive_backup_2*' -type d)")" -o json |
                sed -n 's/.*"codec":"\([^"]*\)".*/\1/p')
            case $only in *e*) measure e "$round" ;; esac
            case $only in *f*) measure f "$round" ;; esac
            # g and h swap places from round to round.
            restores=gh
            if [ $((round % 2)) -eq 0 ]; then restores=hg; fi
            for other in ${restores:0:1} ${restores:1:1} k j i; do
                case $only in *"$other"*) measure "$other" "$round" ;; esac
            done
        fi
    done
done

heading "data $data, size $size, PostgreSQL $major, -j$jobs, $rounds rounds, $(nproc) cores, $(ask "SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(pg_catalog.current_database()))")"
awk -F'\t' -v codec="$codec" '
    function median(list, n,   i, j, t) {
        for (i = 2; i <= n; i++) { t = list[i]; for (j = i - 1; j >= 1 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    function of(side, column,   i, list) { for (i = 1; i <= n[side]; i++) list[i] = v[side, column, i]; return median(list, n[side]) }
    function ratio(top, below) { if (n[top] && n[below]) printf "%-58s %6.2f\n", name[top] " / " name[below], wall[top] / wall[below] }
    NR > 1 { n[$4]++; for (c = 6; c <= 11; c++) v[$4, c, n[$4]] = $c
             if (!($4 in low) || $6 + 0 < low[$4]) low[$4] = $6 + 0; if ($6 + 0 > high[$4]) high[$4] = $6 + 0
             if ($10 + 0 > peak[$4]) peak[$4] = $10 + 0 }
    END {
        name["a"] = "a pg_dump, " codec; name["b"] = "b pg_dump, its default"; name["c"] = "c naive sequence"
        name["d"] = "d create"; name["e"] = "e verify --level read"; name["f"] = "f create --if-changed, unchanged"
        printf "%-34s %8s %17s %8s %8s %9s %10s\n", "", "wall s", "range", "cpu s", "server s", "peak MiB", "folder MB"
        name["g"] = "g pg_restore"; name["h"] = "h restore, empty target"; name["i"] = "i create and drill"
        name["j"] = "j restore in place, one table"; name["k"] = "k the proof alone"
        for (i = 1; i <= 11; i++) {
            s = substr("abcdefghijk", i, 1); if (!n[s]) continue
            wall[s] = of(s, 6)
            printf "%-34s %8.2f %8.2f-%8.2f %8.2f %8.2f %9.1f %10.0f\n", name[s], wall[s], low[s], high[s], of(s, 7) + of(s, 8), of(s, 9), peak[s] / 1024, of(s, 11) / 1e6
        }
        print ""
        ratio("d", "a"); ratio("d", "b"); ratio("c", "d"); ratio("e", "d")
        ratio("h", "g"); ratio("j", "h"); ratio("k", "h"); ratio("i", "c")
    }' "$work/rows.tsv"
if [ -s "$work/scans" ]; then
    printf '\ntables, and how many of them create read once (1x), in each round: %s\n' "$(paste -sd, "$work/scans")"
    awk '$2 != "1x:" $1 || NF > 2 { bad = 1 } END { exit bad }' "$work/scans" || die 'a table was not read exactly once'
fi
if [ -n "${codec_found:-}" ] && [ "$codec_found" != "$codec" ]; then say "a was measured with $codec, but the snapshot has $codec_found: d/a compares two things"; fi
if [ -n "$out" ]; then cp "$work/rows.tsv" "$out"; say "every single run is in $out"; fi
