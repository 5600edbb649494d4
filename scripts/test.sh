#!/usr/bin/env bash
# Runs all tests against real PostgreSQL servers that this script starts and stops.
#
#   scripts/test.sh                                everything, with PostgreSQL 15
#   scripts/test.sh --pg 15,16,17,18               the same with each of these servers
#   scripts/test.sh -- --test verify -- damage::   arguments after the first -- go to cargo test
#
# Works as root and as a user with sudo. On Debian it installs what is missing (compiler, pip, PostgreSQL 15). It does
# not install Rust (it prints how), and nothing where apt-get is missing.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo"

majors=15
while [ $# -gt 0 ]; do
    case $1 in
        --pg) [ $# -ge 2 ] || { usage_of "${BASH_SOURCE[0]}" >&2; exit 64; }; majors=$2; shift 2 ;;
        --) shift; break ;;
        *) usage_of "${BASH_SOURCE[0]}" >&2; exit 64 ;;
    esac
done

work=$(make_work_dir test)
clean() {
    stop_servers "$work"/pg-*
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

heading 'requirements'
need_build_tools
python3 -m pip --version >/dev/null 2>&1 || want pip3 python3-pip || true # for the servers of 16 and 18
want shellcheck shellcheck || true
want docker-compose docker-compose || true
scripts/pg.sh sweep
for major in ${majors//,/ }; do
    printf 'PostgreSQL %s: %s\n' "$major" "$(scripts/pg.sh install "$major")"
done
cargo --version

heading 'build'
cargo test --quiet --locked --no-run

failed=0
for major in ${majors//,/ }; do
    heading "tests, PostgreSQL $major"
    start_server "$work/pg-$major" "$major"
    # One failing test program must not stop the others.
    set +e
    cargo test --locked --no-fail-fast "$@" 2>&1 | tee -a "$work/output" | grep -vE '^(running 0 tests|$)'
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
    set -e
    stop_servers "$work/pg-$major"
done

heading 'totals'
if grep -E '^(test .* \.\.\. FAILED|error: (test failed|[0-9]+ target|could not compile))' "$work/output"; then failed=1; fi
awk '/^test result:/ { ok += $4; bad += $6; ignored += $8; programs++ }
    END { printf "%d passed, %d failed, %d ignored in %d test programs", ok, bad, ignored, programs; exit !programs }' "$work/output" ||
    { failed=1; printf ' (no test ran)'; }
# A module that was renamed must not be left out in silence: every MODULE:: that was asked for has run.
for filter in "$@"; do
    [[ $filter != *:: ]] || grep -qE "^test (.*::)?$filter" "$work/output" ||
        { failed=1; printf ' (no test of %s ran)' "$filter"; }
done
printf ', PostgreSQL %s, %s s: %s\n' "$majors" "$SECONDS" "$([ "$failed" -eq 0 ] && echo passed || echo FAILED)"
exit "$failed"
