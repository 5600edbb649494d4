# shellcheck shell=bash
# Shared code of the scripts: messages, required packages, the build, throw-away servers. Sourced, never run.
#
# A script that sources this sets `set -euo pipefail`. Nothing here asks a question; what cannot be installed is
# reported.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

heading() {
    if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then printf '\n\033[1m== %s\033[0m\n' "$*"; else printf '\n== %s\n' "$*"; fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo -n "$@"
    else return 1; fi
}

# Installs Debian packages; false if that is not possible.
try_apt() {
    command -v apt-get >/dev/null || return 1
    say "installing $*"
    if as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >/dev/null 2>&1; then return 0; fi
    # The package lists of a fresh machine are empty or old.
    as_root apt-get update -q >/dev/null 2>&1 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >&2
}

apt_install() {
    command -v apt-get >/dev/null || die "missing: $*. Install it by hand, there is no apt-get here"
    try_apt "$@" || die "missing: $*. Installing it needs root or sudo without a password: apt-get install $*"
}

# need PROGRAM PACKAGE: fails if the program is missing and cannot be installed.
need() { command -v "$1" >/dev/null || apt_install "$2"; }

# want PROGRAM PACKAGE: returns false, with a message, if the program is missing and cannot be installed.
want() {
    command -v "$1" >/dev/null || try_apt "$2" || true
    command -v "$1" >/dev/null || { say "no $1 (Debian: $2)"; return 1; }
}

# Requires cargo in the version that Cargo.toml asks for, and a C compiler for crates with C code.
need_build_tools() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$repo/Cargo.toml")
    if ! command -v cargo >/dev/null && [ -x "${HOME:-}/.cargo/bin/cargo" ]; then PATH="$HOME/.cargo/bin:$PATH"; fi
    command -v cargo >/dev/null ||
        die "missing: cargo $wanted or newer. Install Rust with rustup, then run this again"
    found=$(cd "$repo" && cargo --version | cut -d' ' -f2)
    if [ "$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
        die "cargo is $found, and $wanted or newer is needed: rustup update stable"
    fi
    need cc build-essential
}

target_dir() { echo "${CARGO_TARGET_DIR:-$repo/target}"; }

# Creates a folder that the server's user can enter too, which may differ from ours.
make_work_dir() { # name
    local dir
    dir=$(mktemp -d "${TMPDIR:-/tmp}/stacksnap-$1.XXXXXX")
    chmod 755 "$dir"
    echo "$dir"
}

# start_server DIR MAJOR [ARGUMENTS]: exports the connection variables. The server is stopped by `pg.sh stop DIR`, or by
# the next `pg.sh sweep` if this script was killed.
start_server() {
    local exports
    exports=$(STACKSNAP_PG_OWNER=$$ "$repo/scripts/pg.sh" start "$@")
    eval "$exports"
}

stop_servers() { # DIR ..
    local dir
    for dir in "$@"; do
        if [ -d "$dir" ]; then "$repo/scripts/pg.sh" stop "$dir"; fi
    done
}

# Tests must not change the fixture's files in the repository.
copy_of_fixture_project() { cp -R "$repo/fixtures/project" "$1"; }

# The lines of a script's header comment that begin with three blanks: its usage.
usage_of() { # file
    sed -n '2,/^[^#]/{/^#   /p}' "$1" | cut -c3-
}
