#!/usr/bin/env bash
# What can be said about the source without a server: format, lints, scripts, compose file, architecture.
#
#   scripts/check.sh          everything; what is missing on Debian is installed, what cannot be is said as skipped
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$repo"

skipped=() failed=()

# step NAME COMMAND ..: one that fails does not hide the others. Commands of a function end with `|| return 1`, since
# `set -e` does not reach into an `if`.
step() {
    local name=$1
    shift
    heading "$name"
    if ! "$@"; then failed+=("$name"); fi
}

needs_tool() { # PROGRAM COMMAND ..: the program's package has its name
    local tool=$1
    shift
    if want "$tool" "$tool"; then "$@"; else skipped+=("$tool"); fi
}

scripts_of_repo() {
    local file
    # Not the targets of links, and nothing that a build or a run left behind.
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

# The restore script as it is rendered, with harmless values in the places of the template.
check_template() {
    local template=templates/restore_complete_backup.sh.hbs
    if grep -oE '\{\{[^}]*\}\}' $template | grep -vE '^\{\{\{?(#each [a-z_]+|/each|[a-z_]+)$|^\{\{\{?(#each [a-z_]+|/each|[a-z_]+)\}\}$'; then
        say "$template holds something that this check does not know"
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
[ ${#skipped[@]} -eq 0 ] || printf 'SKIPPED, not installed and not to be had: %s\n' "${skipped[@]}"
[ ${#failed[@]} -eq 0 ] || { printf 'FAILED: %s\n' "${failed[@]}"; exit 1; }
echo 'nothing wrong'
