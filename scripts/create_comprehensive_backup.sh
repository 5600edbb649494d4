#!/usr/bin/env bash
# Takes a complete snapshot with `stacksnap create`, with a banner.
#
#   scripts/create_comprehensive_backup.sh                              the database of DATABASE_URL, .env or stacksnap.toml
#   scripts/create_comprehensive_backup.sh --label BEFORE_MIGRATION     arguments go to stacksnap create
#
# The exit code is that of stacksnap create: 0 complete, 3 done with named gaps, 75 nothing to do, else it failed
# (README, exit codes). SNAPSHOT_PROGRAM=/path/to/stacksnap sets the program, instead of the release build, the PATH or
# cargo. You may copy it into a project: it needs no other file if stacksnap is on the PATH.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

if [ -n "${SNAPSHOT_PROGRAM:-}" ]; then
    stacksnap=("$SNAPSHOT_PROGRAM")
elif [ -x "${CARGO_TARGET_DIR:-$repo/target}/release/stacksnap" ]; then
    stacksnap=("${CARGO_TARGET_DIR:-$repo/target}/release/stacksnap")
elif command -v stacksnap >/dev/null; then
    stacksnap=(stacksnap)
elif command -v cargo >/dev/null && [ -f "$repo/Cargo.toml" ]; then
    stacksnap=(cargo run --quiet --release --manifest-path "$repo/Cargo.toml" --)
else
    echo 'create_comprehensive_backup.sh: no stacksnap found: build it (cargo build --release) or put it on the PATH' >&2
    exit 1
fi

# Output for programs gets no banner.
for argument in "$@"; do
    case $argument in
        -o | -o?* | --output | --output=* | -q | --quiet | -h | --help) exec "${stacksnap[@]}" create "$@" ;;
    esac
done

cat <<'BANNER'
╔══════════════════════════════════════════════════════════╗
║  📦 COMPREHENSIVE BACKUP - ZERO DATA LOSS GUARANTEE      ║
╚══════════════════════════════════════════════════════════╝

BANNER
exec "${stacksnap[@]}" create "$@"
