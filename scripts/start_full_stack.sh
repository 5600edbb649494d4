#!/usr/bin/env bash
# A sample: starts the stack, takes a snapshot in the background, and goes on at once. Copy it and adapt it.
#
#   scripts/start_full_stack.sh [PROJECT]        PROJECT: the folder of the project (default: here)
#
# A step is skipped with a message if its tool or its file is missing. The hook is step 3: whatever happens to the
# snapshot, the start goes on.
#
# STACK_DATABASE   host:port that step 3 waits for (default 127.0.0.1:54322)
# STACK_WAIT       for how many seconds (default 60)
set -euo pipefail

scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "${1:-.}"

step() { printf '\n%s\n' "$*"; }
compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }

step '1. Docker'
if [ ! -f docker-compose.yml ] && [ ! -f compose.yaml ]; then
    echo '   no compose file here: skipped'
elif ! docker info >/dev/null 2>&1; then
    echo '   Docker does not answer: skipped (start Docker Desktop, or: systemctl start docker)'
else
    compose up -d
fi

step '2. Supabase'
if [ ! -f supabase/config.toml ]; then
    echo '   no supabase/config.toml here: skipped'
elif ! command -v supabase >/dev/null; then
    echo '   no supabase CLI: skipped'
else
    supabase start || echo '   supabase start failed: going on'
fi

step '3. Snapshot, in the background'
database=${STACK_DATABASE:-127.0.0.1:54322}
is_up() { (exec 3<>"/dev/tcp/${database%:*}/${database##*:}") 2>/dev/null; }
waited=0
until is_up || [ "$waited" -ge "${STACK_WAIT:-60}" ]; do
    sleep 1
    waited=$((waited + 1))
done
if is_up; then
    code=0
    "$scripts/create_comprehensive_backup.sh" --background --if-changed --min-interval 10m --lock-wait 30s --timeout 1h || code=$?
    case $code in
        0) ;;
        75) echo '   no new snapshot: none is needed' ;;
        *) echo "   NO SNAPSHOT (exit $code): the lines above say why. The start goes on." ;;
    esac
else
    echo "   $database does not answer: NO SNAPSHOT. The start goes on. (Another address: STACK_DATABASE=host:port)"
fi

step '4. Frontend'
if [ -f package.json ] && command -v npm >/dev/null; then
    echo '   put your own command here, for example: exec npm run dev'
else
    echo '   no package.json here: skipped'
fi

step 'Started.'
