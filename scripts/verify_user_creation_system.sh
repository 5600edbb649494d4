#!/usr/bin/env bash
# The health check after a restore: can users be created, do hashes verify, do the triggers on auth.users fire, are
# roles and row security in place?
#
#   scripts/verify_user_creation_system.sh [options]        the database that the PG* variables name
#
# It needs bash and psql. Everything runs in one transaction that is always rolled back; only sequence values are used
# up. You may copy it into a project: it needs no other file.
set -euo pipefail
export LC_ALL=C PGAPPNAME=verify_user_creation_system
unset PSQL_PAGER PAGER

usage() {
    cat <<'HELP'
usage: verify_user_creation_system.sh [options]

The database is named by PGHOST, PGPORT, PGUSER, PGDATABASE (PGSERVICE, PGPASSFILE and PGPASSWORD work as with psql).
A local Supabase stack:
  PGHOST=127.0.0.1 PGPORT=54322 PGUSER=postgres PGPASSWORD=postgres PGDATABASE=postgres ./verify_user_creation_system.sh

  --no-create         do not try to create a user: use it if a trigger on auth.users calls out of the
                      database, which no rollback can undo
  --profile TABLE     a table where a new user has to appear, e.g. public.profiles; without it, tables that a row
                      appeared in are only named
  --min-users N       fail when there are fewer users than N
  --min-policies N    fail when there are fewer policies than N
  --allow-rls-off T   a table (schema.name) that may be without row security; may be given several times
  --psql PROGRAM      which psql (default: the one on the PATH)
  -q, --quiet         only what is wrong
  -h, --help          this text

exit codes: 0 healthy, 1 something is wrong (each line with FAIL says what), 12 this role may not look or try,
64 usage, 69 the server does not answer, 127 no psql
HELP
}

die() { # exit code, text
    printf 'verify_user_creation_system: %s\n' "$2" >&2
    exit "$1"
}

psql=psql create=1 profile='' min_users=0 min_policies=0 quiet=0 allowed=()
while [ $# -gt 0 ]; do
    case $1 in
        --no-create) create=0 ;;
        -q | --quiet) quiet=1 ;;
        --profile | --min-users | --min-policies | --allow-rls-off | --psql)
            [ $# -ge 2 ] || die 64 "$1 needs a value"
            case $1 in
                --profile) profile=$2 ;;
                --min-users) min_users=$2 ;;
                --min-policies) min_policies=$2 ;;
                --allow-rls-off) allowed+=("$2") ;;
                *) psql=$2 ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) die 64 "unknown option (see --help): ${1//[^[:print:]]/?}" ;;
    esac
    shift
done
case $min_users$min_policies in *[!0-9]*) die 64 '--min-users and --min-policies take a number' ;; esac
command -v "$psql" >/dev/null || die 127 "no $psql: install the PostgreSQL client, or name one with --psql"

run_psql() { "$psql" -X -q -A -t -w -P pager=off -v ON_ERROR_STOP=1 -v VERBOSITY=terse -v SHOW_CONTEXT=never "$@"; }
# Values are passed as psql variables, and psql quotes them (:'name').
ask() { run_psql "${@:2}" <<<"SET search_path = ''; $1"; }

run_psql -c 'SELECT 1' >/dev/null || die 69 'the database does not answer (the line above says why): set PGHOST, PGPORT, PGUSER, PGDATABASE'

failed=0 denied=0
# Names in a line come from the database, so unprintable characters are replaced.
line() { printf '%-5s %s\n' "$1" "${2//[^[:print:]]/?}"; }
good() { [ "$quiet" -eq 1 ] || line ok "$1"; }
note() { [ "$quiet" -eq 1 ] || line note "$1"; }
bad() { failed=$((failed + 1)); line FAIL "$1"; }
cannot() { denied=$((denied + 1)); line '?' "$1"; }

# 1. The basis: auth.users exists and can be read.
if [ "$(ask "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'auth' AND c.relname = 'users')")" != t ]; then
    bad 'there is no table auth.users'
    exit 1
fi
if [ "$(ask "SELECT has_schema_privilege('auth', 'USAGE') AND has_table_privilege('auth.users', 'SELECT')")" != t ]; then
    die 12 'this role may not read auth.users: use postgres or a superuser'
fi
users=$(ask 'SELECT count(*) FROM auth.users')
if [ "$users" -ge "$min_users" ]; then good "$users users"; else bad "$users users, at least $min_users expected"; fi

# 2. Roles.
check_roles() {
    local missing answer
    missing=$(ask "SELECT string_agg(name, ' ') FROM unnest(ARRAY['anon', 'authenticated', 'service_role', 'authenticator',
        'supabase_auth_admin', 'supabase_storage_admin']) name WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)")
    if [ -n "$missing" ]; then bad "roles are missing: $missing"; return; fi
    answer=$(ask "SELECT string_agg(r.rolname, ' ' ORDER BY r.rolname) FROM pg_catalog.pg_roles r
        WHERE r.rolname IN ('anon', 'authenticated', 'service_role') AND NOT pg_has_role('authenticator', r.oid, 'MEMBER')")
    [ -z "$answer" ] || bad "authenticator cannot become: $answer (GRANT ... TO authenticator)"
    [ "$(ask "SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = 'authenticator'")" = t ] || bad 'authenticator cannot log in'
    [ "$(ask "SELECT rolbypassrls OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'service_role'")" = t ] ||
        bad 'service_role does not bypass row security'
    answer=$(ask "SELECT string_agg(r.rolname, ' ') FROM pg_catalog.pg_roles r
        WHERE r.rolname IN ('anon', 'authenticated') AND (r.rolbypassrls OR r.rolsuper)")
    [ -z "$answer" ] || bad "row security does not hold for: $answer"
    answer=$(ask "SELECT string_agg(p, ' ') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
        WHERE NOT (has_schema_privilege('supabase_auth_admin', 'auth', 'USAGE') AND has_table_privilege('supabase_auth_admin', 'auth.users', p))")
    [ -z "$answer" ] || bad "supabase_auth_admin may not do this on auth.users: $answer"
    answer=$(ask "SELECT relrowsecurity AND NOT pg_has_role('supabase_auth_admin', relowner, 'USAGE') AND NOT
        (SELECT rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = 'supabase_auth_admin') FROM pg_catalog.pg_class WHERE oid = 'auth.users'::regclass")
    [ "$answer" != t ] || bad 'row security hides the users from supabase_auth_admin: it does not own auth.users'
}
before=$failed
check_roles
[ "$failed" -gt "$before" ] || good 'roles are there, authenticator can become them'

# 3. Row security.
check_row_security() {
    local counts off table name hidden
    counts=$(ask "SELECT count(*) FILTER (WHERE c.relrowsecurity), count(*) FROM pg_catalog.pg_class c
        WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p')")
    good "row security is on for ${counts%|*} of ${counts#*|} tables in public"
    off=$(ask "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY 1")
    while IFS= read -r table; do
        [ -n "$table" ] || continue
        hidden=0
        for name in ${allowed[@]+"${allowed[@]}"}; do [ "$name" != "$table" ] || hidden=1; done
        if [ "$hidden" -eq 1 ]; then note "$table has no row security, as allowed"; else bad "row security is off: $table"; fi
    done <<<"$off"
    counts=$(ask 'SELECT count(*) FROM pg_catalog.pg_policy')
    if [ "$counts" -ge "$min_policies" ] && [ "$counts" -gt 0 ]; then
        good "$counts policies"
    else
        bad "$counts policies, at least $((min_policies > 0 ? min_policies : 1)) expected"
    fi
    # A table with policies and row security disabled looks protected but is open.
    off=$(ask "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname <> 'public' AND NOT c.relrowsecurity AND EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) ORDER BY 1")
    while IFS= read -r table; do
        [ -z "$table" ] || bad "it has policies, and row security is off: $table"
    done <<<"$off"
}
check_row_security

# 4. Triggers on auth.users.
check_triggers() {
    local all off
    all=$(ask "SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = 'auth.users'::regclass AND NOT tgisinternal")
    off=$(ask "SELECT string_agg(quote_ident(tgname), ', ' ORDER BY tgname) FROM pg_catalog.pg_trigger
        WHERE tgrelid = 'auth.users'::regclass AND NOT tgisinternal AND tgenabled IN ('D', 'R')")
    if [ -n "$off" ]; then
        bad "triggers on auth.users are disabled: $off"
    elif [ "$all" -eq 0 ] && [ -n "$profile" ]; then
        bad 'there is no trigger on auth.users'
    elif [ "$all" -eq 0 ]; then
        note 'there is no trigger on auth.users'
    else
        good "$all triggers on auth.users, all enabled"
    fi
    off=$(ask "SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = 'auth.users'::regclass AND tgisinternal AND tgenabled <> 'O'")
    [ "$off" -eq 0 ] || bad "$off triggers of foreign keys on auth.users are disabled"
}
check_triggers

# 5. Hashes. They stay on the server; only yes or no is returned.
check_hashes() {
    local crypt answer kinds
    if [ "$(ask "SELECT has_column_privilege('auth.users', 'encrypted_password', 'SELECT')")" != t ]; then
        cannot 'this role may not read the hashes'
        return
    fi
    kinds=$(ask "SELECT string_agg(kind || ' ' || n, ', ' ORDER BY kind) FROM (
        SELECT CASE WHEN coalesce(encrypted_password, '') = '' THEN 'none' WHEN encrypted_password ~ '^\\\$2[aby]\\\$' THEN 'bcrypt'
                    WHEN encrypted_password ~ '^\\\$argon2' THEN 'argon2' WHEN encrypted_password ~ '^\\\$fbscrypt\\\$' THEN 'fbscrypt'
                    WHEN encrypted_password ~ '^[{]' THEN 'encrypted' ELSE 'unknown' END AS kind, count(*) AS n FROM auth.users GROUP BY 1) k")
    note "hashes: ${kinds:-none}"
    crypt=$(ask "SELECT quote_ident(n.nspname) || '.crypt' FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
             AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
        JOIN pg_catalog.pg_proc p ON p.oid = d.objid AND p.proname = 'crypt' JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE e.extname = 'pgcrypto'")
    if [ -z "$crypt" ]; then
        bad 'the extension pgcrypto is not installed: hashes cannot be made or verified in SQL'
        return
    fi
    answer=$(ask "SELECT count(*) FILTER (WHERE NOT (length(c) = 60 AND left(c, 29) = left(h, 29) AND c <> h)) || '|' || count(*) FROM (
        SELECT encrypted_password::text AS h, $crypt('definitely wrong', encrypted_password::text) AS c
        FROM (SELECT encrypted_password FROM auth.users WHERE encrypted_password LIKE '\$2a\$%' LIMIT 3) three) computed") || answer='broken|'
    case $answer in
        0\|0) note 'no bcrypt hash to try' ;;
        0\|*) good "hashes verify: a wrong password was refused by ${answer#*|} of ${answer#*|} tried" ;;
        *) bad 'a stored hash cannot be verified' ;;
    esac
}
check_hashes

# 6. Values that the auth service cannot read: NULL in a token column makes every login of that user fail (auth#1940).
check_tokens() {
    local column count query
    query=$(ask "SELECT string_agg(format('SELECT %L, count(*) FROM auth.users WHERE %I IS NULL', attname, attname), ' UNION ALL ')
        FROM pg_catalog.pg_attribute WHERE attrelid = 'auth.users'::regclass AND NOT attisdropped AND attname IN ('confirmation_token',
            'recovery_token', 'email_change', 'email_change_token_new', 'email_change_token_current', 'phone_change',
            'phone_change_token', 'reauthentication_token')")
    [ -n "$query" ] || return 0
    while IFS='|' read -r column count; do
        [ "$count" -eq 0 ] || bad "$count users cannot log in: auth.users.$column is NULL (set it to an empty text)"
    done <<<"$(ask "$query")"
}
check_tokens

# 7. Creates a user as the auth service would, and rolls everything back.
marker() { # the value of the last line NAME=value in the answer
    sed -n "s/^$1=//p" <<<"$answer" | tail -n 1
}

check_creation() {
    local role can crypt_call code=0 message
    if [ "$create" -eq 0 ]; then note 'no user was made: --no-create'; return; fi
    if [ "$(ask "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool")" = t ]; then
        cannot 'the server is read-only: no user was made'
        return
    fi
    # As supabase_auth_admin if this role may SET ROLE to it; else with its own rights.
    role=$(ask "SELECT CASE WHEN pg_has_role(current_user, oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
        THEN 'SET LOCAL ROLE supabase_auth_admin;' END FROM pg_catalog.pg_roles WHERE rolname = 'supabase_auth_admin'")
    if [ -z "$role" ]; then
        can=$(ask "SELECT has_table_privilege('auth.users', 'INSERT')")
        if [ "$can" != t ]; then cannot 'this role may neither become supabase_auth_admin nor insert into auth.users: no user was made'; return; fi
    fi
    crypt_call=$(ask "SELECT 'SELECT ' || quote_ident(n.nspname) || '.crypt(''right'', ' || quote_ident(n.nspname) || '.gen_salt(''bf'', 4)) AS hash'
        FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgcrypto'")
    # The hash is computed before the role changes, because the auth service computes it outside of the database.
    answer=$(ask "BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '30s';
        SELECT gen_random_uuid() AS id \gset
        ${crypt_call:-SELECT '' AS hash} \gset
        $role
        INSERT INTO auth.users (id, aud, role, email, encrypted_password, confirmation_token, recovery_token, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
        VALUES (:'id', 'authenticated', 'authenticated', 'probe-' || :'id' || '@verify.invalid', nullif(:'hash', ''), '', '',
                '{\"provider\": \"email\", \"providers\": [\"email\"]}', '{\"name\": \"probe\"}', now(), now());
        SELECT 'visible=' || count(*) FROM auth.users WHERE id = :'id';
        RESET ROLE;
        SELECT 'counted=' || current_setting('track_counts');
        SELECT 'rows=' || coalesce(string_agg(format('%I.%I', schemaname, relname), ', ' ORDER BY schemaname, relname), '')
        FROM pg_catalog.pg_stat_xact_user_tables WHERE n_tup_ins > 0 AND schemaname !~ '^pg_' AND relid <> 'auth.users'::regclass;
        ROLLBACK;
        SELECT 'left=' || count(*) FROM auth.users WHERE id = :'id';" 2>&1) || code=$?
    if [ "$code" -ne 0 ]; then
        message=$(sed -n 's/^.*\(ERROR\|FATAL\|error\): *//p' <<<"$answer" | head -n 1)
        bad "a user cannot be created: ${message:-psql ended with $code}"
        return
    fi
    [ "$(marker visible)" = 1 ] || bad 'the new user is not visible to the role that made it'
    [ "$(marker 'left')" = 0 ] || bad 'the rollback did not take the user back'
    good "a user can be created${role:+ by supabase_auth_admin}; it was taken back"
    if [ "$(marker counted)" = on ]; then
        check_profile "$(marker rows)"
    else
        cannot 'where rows appear was not seen: the server has track_counts off'
    fi
}

check_profile() { # tables that got a row
    local wanted
    if [ -z "$profile" ]; then
        if [ -n "$1" ]; then good "with a new user a row appears in: $1"; else note 'with a new user no row appears anywhere else'; fi
        return
    fi
    wanted=$(ask "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = to_regclass(:'t')" -v t="$profile") || wanted=''
    case ", $1, " in
        *", ${wanted:-?}, "*) good "with a new user a row appears in $wanted" ;;
        *) bad "with a new user no row appears in $profile (rows in: ${1:-no other table})" ;;
    esac
}
check_creation

if [ "$failed" -gt 0 ]; then
    line FAIL "$failed things are wrong"
    exit 1
fi
if [ "$denied" -gt 0 ]; then
    line '?' "nothing wrong was found, but $denied things could not be looked at"
    exit 12
fi
good 'users can be created, and what guards them is in place'
