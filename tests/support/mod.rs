//! What the test programs share; each of them includes this folder as its module `support`.
//!
//! The server is the one that `scripts/pg.sh start` printed variables for. Nothing is skipped without one: a test panics
//! and says what to run. Tests of one program run beside each other on this server, in turns (`turns.rs`).
#![allow(
    dead_code,
    unused_imports,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::print_stdout,
    clippy::print_stderr
)]

pub mod archive;
pub mod cluster;
pub mod collector;
pub mod commands;
pub mod compare;
pub mod database;
pub mod handmade;
pub mod manifests;
pub mod network;
pub mod place;
pub mod processes;
pub mod restored;
pub mod sessions;
pub mod snapshot;
pub mod throw_away;
pub mod tls_server;
pub mod turns;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use cluster::{Cluster, EVERYTHING, client, server};
pub use database::{Access, Database, fill};
pub use place::{Place, Ran, Started, assert_verified, last_log};
pub use snapshot::Snapshot;
pub use turns::alone;

/// A file of this package.
pub fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The program that is tested.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_stacksnap"))
}

/// A program with nothing of our environment but the search path, and nothing to read.
pub fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    // Each `create` would start a throw-away server: tests of that ask for it.
    command.env("STACKSNAP_VERIFY", "none");
    command
}

/// Standard output; fails with both.
#[track_caller]
pub fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same without white space at the end.
#[track_caller]
pub fn success(command: &mut Command) -> String {
    ok(command).trim_end().to_string()
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn read(folder: &Path, name: &str) -> String {
    let place = folder.join(name);
    let bytes = std::fs::read(&place).unwrap_or_else(|e| panic!("{}: {e}", place.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every file below a folder as text.
pub fn all_text_below(folder: &Path) -> String {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten().filter(|e| e.file_type().is_file());
    files.map(|e| String::from_utf8_lossy(&std::fs::read(e.path()).unwrap()).into_owned()).collect()
}

/// Waits until `fine`, or fails.
#[track_caller]
pub fn wait_until(what: &str, mut fine: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fine() {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn signal(pid: u64, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Every file below the folder of this `main.rs` is a module of it: cargo says nothing about one that is not.
#[track_caller]
pub fn assert_no_file_is_forgotten(main: &str) {
    let main = repo(main);
    let folder = main.parent().unwrap();
    let mut forgotten = Vec::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "rs") || path == main {
            continue;
        }
        let beside = path.parent().unwrap();
        let parent = if beside == folder { main.clone() } else { beside.with_extension("rs") };
        let declared = format!("mod {};", path.file_stem().unwrap().to_str().unwrap());
        let text = std::fs::read_to_string(&parent).unwrap_or_default();
        if !text.lines().any(|line| line.trim_start_matches("pub ") == declared) {
            forgotten.push(format!("{}: no `{declared}` in {}", path.display(), parent.display()));
        }
    }
    assert!(forgotten.is_empty(), "tests that nobody runs:\n{}", forgotten.join("\n"));
}
