#!/usr/bin/env bash
# A sample, the counterpart of start_full_stack.sh: waits for a running snapshot, then stops the stack.
#
#   scripts/stop_full_stack.sh [PROJECT]
#
# STACK_WAIT   how many seconds to wait for a snapshot (default 60). After that it fails by itself: a snapshot that is
# not complete is never taken for one.
set -euo pipefail

cd "${1:-.}"

step() { printf '\n%s\n' "$*"; }
compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }

step '1. Running snapshot'
lock=${STACKSNAP_ROOT:-supabase_backups}/.stacksnap.lock
if [ ! -e "$lock" ] || ! command -v flock >/dev/null; then
    echo '   none'
elif flock --wait "${STACK_WAIT:-60}" "$lock" true; then
    echo '   none, or it has ended'
else
    echo "   still running after ${STACK_WAIT:-60} s: it will fail, see: stacksnap logs latest"
fi

step '2. Supabase'
if [ -f supabase/config.toml ] && command -v supabase >/dev/null; then
    supabase stop || echo '   supabase stop failed: going on'
else
    echo '   skipped'
fi

step '3. Docker'
if { [ -f docker-compose.yml ] || [ -f compose.yaml ]; } && docker info >/dev/null 2>&1; then
    compose stop
else
    echo '   skipped'
fi

step 'Stopped.'
