//! What the test programs share. Each of them includes this folder as its module `support`.
#![allow(dead_code, clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout, clippy::print_stderr)]

pub mod catalog;
pub mod cli;
pub mod collector;
pub mod connect;
pub mod own_target;
pub mod restore;
pub mod restore_cli;
pub mod round;
pub mod sealed;
pub mod take;
pub mod verify;

use std::path::{Path, PathBuf};

/// A file of this package.
pub fn repo(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The program that is tested.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_stacksnap"))
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
