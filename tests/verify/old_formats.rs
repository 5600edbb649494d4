//! Snapshots of every format that was ever released, as they were made: each can still be verified and read.
//!
//! They are never made anew. A new major version of the format gets a folder of its own beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folder of `fixtures/snapshots`, its snapshot, and what it holds: tables, rows.
const GOLDEN: [(&str, &str, u64, u64); 1] = [("v1", "comprehensive_backup_20261122_032645", 4, 81)];

fn snapshots() -> PathBuf {
    crate::support::repo("fixtures/snapshots")
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().flatten().map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn run(arguments: &[&str], snapshot: &Path) -> (i32, String) {
    let mut command = Command::new(crate::support::program());
    command.env_clear().env("HOME", "/nonexistent").env("PATH", "/usr/bin:/bin").current_dir(snapshots());
    let output = command.args(arguments).arg(snapshot).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn every_golden_snapshot_is_in_the_list_and_there() {
    assert_eq!(names_in(&snapshots()), GOLDEN.map(|(version, ..)| version));
    for (version, name, ..) in GOLDEN {
        assert_eq!(names_in(&snapshots().join(version)), [name]);
    }
    // The newest format has one too.
    let newest = format!("v{}", stacksnap::model::manifest::FORMAT.major);
    assert!(GOLDEN.iter().any(|(version, ..)| *version == newest), "no golden snapshot of {newest}");
}

#[test]
fn each_is_still_good_down_to_its_rows() {
    for (version, name, ..) in GOLDEN {
        let (code, text) = run(&["verify", "--level", "read"], &snapshots().join(version).join(name));
        assert_eq!(code, 0, "{version}: {text}");
    }
}

#[test]
fn each_can_still_be_shown() {
    for (version, name, tables, rows) in GOLDEN {
        let (code, text) = run(&["show", "-o", "json"], &snapshots().join(version).join(name));
        assert_eq!(code, 0, "{version}: {text}");
        let document: Value = serde_json::from_str(&text).unwrap();
        let manifest = &document["snapshot"];
        assert_eq!(manifest["id"], name, "{text}");
        assert_eq!((&manifest["counts"]["tables"], &manifest["counts"]["rows"]), (&tables.into(), &rows.into()));
        assert_eq!(manifest["complete"], true);
        let (code, text) = run(&["show"], &snapshots().join(version).join(name));
        assert_eq!(code, 0, "{version}: {text}");
        assert!(text.contains(name), "{text}");
    }
}
