#!/usr/bin/env bash
# A demo of the whole cycle: a database, a snapshot, verification, a restore elsewhere, and a damaged copy that is
# refused.
#
#   scripts/demo.sh            builds stacksnap, starts two servers of its own, and removes everything at the end
#
# On Debian it installs what is missing (compiler, PostgreSQL 15). It reads and changes nothing of yours.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

work=$(make_work_dir demo)
clean() {
    stop_servers "$work/source" "$work/target"
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

heading 'Build'
need_build_tools
(cd "$repo" && cargo build --quiet --locked)
PATH="$(target_dir)/debug:$PATH"
stacksnap version

# Prints the command as a user would type it, and runs it. `expect 'CODE ..'` before it allows exit codes other than 0.
show() {
    printf '\n$ %s\n' "$*"
    local code=0
    "$@" || code=$?
    case " $wanted " in
        *" $code "*) [ "$code" -eq 0 ] || echo "(exit $code)" ;;
        *) die "ended with $code, not with ${wanted// / or }: $*" ;;
    esac
    ended=$code
}
ended=0 wanted=0
expect() {
    wanted=$1
    shift
    "$@"
    wanted=0
}

heading 'A Supabase-shaped database: PostgreSQL 15, 23 tables, 88 policies, 6 users, 73 edge functions'
export STACKSNAP_PG_OWNER=$$
"$repo/scripts/pg.sh" sweep
start_server "$work/source" 15
PATH="$STACKSNAP_TEST_BIN:$PATH"
"$repo/fixtures/load.sh" stack app
# For the tests, one stored object has a name that leads out of its folder; no storage service would have a file for it.
psql -Xq -c "SET storage.allow_delete_query = 'true'" -c "DELETE FROM storage.objects WHERE name LIKE '%..%'"
copy_of_fixture_project "$work/project"
cd "$work/project"
# As on the platform: the role postgres is not a superuser.
export PGUSER=postgres
export STACKSNAP_SEAL='only for this demo'
cat >stacksnap.toml <<'TOML'
schema = 1
[snapshot]
seal_passphrase = { env = "STACKSNAP_SEAL" }   # for the secrets of vault
[projects.demo]
project_dir = "."
storage_dir = "storage"                        # the files of Storage lie outside of the database
TOML
# Files as the storage service stores them: tenant/bucket/name/version.
psql -XAtq -F '|' -c "SELECT pg_catalog.concat_ws('/', 'stub', bucket_id, name, version),
    coalesce(metadata ->> 'size', '0') FROM storage.objects" | while IFS='|' read -r file size; do
    mkdir -p "storage/$(dirname "$file")"
    head -c "$size" /dev/zero >"storage/$file"
done
echo "loaded, with a project folder: $(find . -type f | wc -l) files"
began=$SECONDS

heading 'Take a snapshot'
expect '0 3' show stacksnap create --label BEFORE_MIGRATION
complete=$ended

heading 'List and show it'
show stacksnap list
show stacksnap show BEFORE_MIGRATION
show ls supabase_backups/comprehensive_backup_BEFORE_MIGRATION/

heading 'Verify every file and every row'
show stacksnap verify BEFORE_MIGRATION --level read

heading 'Restore it elsewhere, with only the folder, bash, psql and pg_restore'
rows_of() { # row counts of each table, and counts of other objects, in $PGDATABASE
    psql -XAtq -v ON_ERROR_STOP=1 <<'SQL'
SET client_min_messages = warning;
SELECT pg_catalog.format('SELECT %L, count(*) FROM %I.%I', 'rows of ' || n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C" \gexec
SELECT 'policies', count(*) FROM pg_catalog.pg_policy;
SELECT 'functions', count(*) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';
SELECT 'triggers', count(*) FROM pg_catalog.pg_trigger WHERE NOT tgisinternal;
SELECT 'cron jobs', count(*) FROM cron.job;
SELECT 'large objects', count(*) FROM pg_catalog.pg_largeobject_metadata;
SELECT 'roles', count(*) FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_';
SELECT 'password hashes: ' || md5(string_agg(id || encrypted_password, ',' ORDER BY id)), count(*) FROM auth.users;
SQL
}
PGUSER=supabase_admin rows_of >"$work/before"
start_server "$work/target" 15
psql -Xq -c 'CREATE DATABASE restored'
export PGDATABASE=restored PGUSER=supabase_admin
snapshot=$(readlink supabase_backups/comprehensive_backup_BEFORE_MIGRATION)
allow=()
if [ "$complete" -ne 0 ]; then allow=(--allow-partial); fi
expect '0 3' show "supabase_backups/$snapshot/restore_complete_backup.sh" --confirm restored "${allow[@]}"

heading 'Is the restored database equal?'
rows_of >"$work/after"
printf '%-44s %10s %10s\n' '' source restored
paste -d'|' "$work/before" "$work/after" | awk -F'|' '
    $1 ~ /^rows of (public\.|auth\.(users|identities)$)/ || $1 !~ /^rows of/ { printf "%-44s %10s %10s%s\n", substr($1, 1, 44), $2, $4, $2 == $4 ? "" : "   DIFFERENT" }
    $1 ~ /^rows of/ { tables++; rows += $2 }
    END { printf "%-44s %10d\n%-44s %10d\n", "tables in all", tables, "rows in all", rows }'
if ! diff -u "$work/before" "$work/after" >"$work/difference"; then
    grep '^[-+][^-+]' "$work/difference" || true
    die 'the counts of the restored database differ from its source'
fi
echo 'equal: every table, and everything that was counted'

heading 'Damage one byte of a copy'
cp -R supabase_backups damaged
file=$(find "damaged/$snapshot/complete_database_with_data.dump" -name '[0-9]*.dat*' -size +0 -printf '%s %p\n' | sort -rn | head -n 1 | cut -d' ' -f2-)
middle=$(($(stat -c %s "$file") / 2))
byte=$(od -An -tu1 -j "$middle" -N 1 "$file")
# shellcheck disable=SC2059 # the byte is the format
printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$file" bs=1 seek="$middle" conv=notrunc status=none
echo "byte $middle of $file: one bit flipped"
expect 13 show stacksnap --root damaged verify "$snapshot"
expect 13 show "damaged/$snapshot/restore_complete_backup.sh" --dry-run "${allow[@]}"

heading "Done in $((SECONDS - began)) s (after the build). Everything it created is removed."
