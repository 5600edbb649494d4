#!/usr/bin/env bash
# A sample, the other half of start_full_stack.sh: let a running snapshot end, then stop the stack.
#
#   scripts/stop_full_stack.sh [PROJECT]
#
# STACK_WAIT   for how many seconds a snapshot is waited for (default 60). After that it is left to fail by itself:
#              what is half done is never taken for a snapshot.
set -euo pipefail

cd "${1:-.}"

step() { printf '\n%s\n' "$*"; }
compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }

step '1. A snapshot that is under way'
lock=${STACKSNAP_ROOT:-supabase_backups}/.stacksnap.lock
if [ ! -e "$lock" ] || ! command -v flock >/dev/null; then
    echo '   none'
elif flock --wait "${STACK_WAIT:-60}" "$lock" true; then
    echo '   none, or it has ended'
else
    echo "   still running after ${STACK_WAIT:-60} s: it will fail and say so (stacksnap logs latest)"
fi

step '2. Supabase'
if [ -f supabase/config.toml ] && command -v supabase >/dev/null; then
    supabase stop || echo '   supabase stop failed: going on'
else
    echo '   passed over'
fi

step '3. Docker'
if { [ -f docker-compose.yml ] || [ -f compose.yaml ]; } && docker info >/dev/null 2>&1; then
    compose stop
else
    echo '   passed over'
fi

step 'Stopped.'
