#!/usr/bin/env bash
# Checks the source without a server: format, lints, scripts, compose file, architecture.
#
#   scripts/check.sh          everything; on Debian missing tools are installed; those that cannot be are reported as skipped
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo"

skipped=() failed=()

# step NAME COMMAND ..: a step that fails does not stop the others. Commands of a function end with `|| return 1`,
# because `set -e` has no effect inside an `if`.
step() {
    local name=$1
    shift
    heading "$name"
    if ! "$@"; then failed+=("$name"); fi
}

needs_tool() { # PROGRAM COMMAND ..: the Debian package has the program's name
    local tool=$1
    shift
    if want "$tool" "$tool"; then "$@"; else skipped+=("$tool"); fi
}

scripts_of_repo() {
    local file
    # No targets of links, and no files that a build or a run left behind.
    find . \( -path ./target -o -path ./.git -o -path ./supabase_backups \) -prune -o -type f ! -name '*.hbs' -print |
        while IFS= read -r file; do
            if LC_ALL=C head -n 1 "$file" | grep -aqE '^(#!.*[/ ](ba|da)?sh( |$)|# shellcheck shell=)'; then
                echo "$file"
            fi
        done
}

check_scripts() {
    local list=() file
    while IFS= read -r file; do list+=("$file"); done < <(scripts_of_repo | sort)
    shellcheck -x "${list[@]}" || return 1
    echo "${#list[@]} scripts"
}

# Checks the restore script as it is rendered, with harmless values for the placeholders.
check_template() {
    local template=templates/restore_complete_backup.sh.hbs
    if grep -oE '\{\{[^}]*\}\}' $template | grep -vE '^\{\{\{?(#each [a-z_]+|/each|[a-z_]+)$|^\{\{\{?(#each [a-z_]+|/each|[a-z_]+)\}\}$'; then
        say "$template contains a placeholder that this check does not know"
        return 1
    fi
    sed -E -e 's/^\{\{\{[a-z_]+\}\}\}$//' -e 's/\{\{#each [a-z_]+\}\}\{\{this\}\} \{\{\/each\}\}/'"'a' 'b'"'/' \
        -e 's/\{\{[a-z_]+\}\}/'"'1'"'/g' $template | shellcheck -x - || return 1
    echo "$template, rendered"
}

check_compose() {
    docker-compose -f docker-compose.yml config -q || return 1
    POSTGRES_PASSWORD='with "quotes" and $$' docker-compose -f docker-compose.yml config -q || return 1
    echo docker-compose.yml
}

need_build_tools
step 'cargo fmt --check' cargo fmt --check
step 'cargo clippy --all-targets -- -D warnings' cargo clippy --quiet --locked --all-targets -- -D warnings
step 'shellcheck' needs_tool shellcheck check_scripts
step 'shellcheck of the restore script' needs_tool shellcheck check_template
step 'docker-compose config' needs_tool docker-compose check_compose
step 'architecture' cargo test --quiet --locked --test architecture

heading "checked in $SECONDS s"
[ ${#skipped[@]} -eq 0 ] || printf 'SKIPPED, not installed and not installable: %s\n' "${skipped[@]}"
[ ${#failed[@]} -eq 0 ] || { printf 'FAILED: %s\n' "${failed[@]}"; exit 1; }
echo 'all checks passed'
