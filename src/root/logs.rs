//! Logs of runs: `logs/<run>.log` in the root folder, and the link `logs/<snapshot>.log` to the log of the run.
//!
//! Invariant: a log is a new private file (0600); a link's target is a plain run name in the same folder. A log
//! outlives its snapshot and is never part of it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::folder::folder_in;
use crate::model::failure::{Failure, Result};
use crate::model::ids::SnapshotName;
use crate::model::run::RunId;
use crate::snapshot::layout::ROOT_LOGS_DIR;

const ENDING: &str = ".log";

/// The log of a run, relative to the root folder.
pub fn relative(run: &RunId) -> String {
    format!("{ROOT_LOGS_DIR}/{run}{ENDING}")
}

/// The log of a run.
pub fn place(root: &Path, run: &RunId) -> PathBuf {
    root.join(relative(run))
}

/// Opens the log of a run for appending; creates it if needed.
pub fn open_for_writing(root: &Path, run: &RunId) -> Result<File> {
    folder_in(root, ROOT_LOGS_DIR)?;
    let path = place(root, run);
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(&path);
    opened.map_err(|e| Failure::from(e).context(format!("cannot write the log {}", path.display())))
}

/// Links the log under the name of the snapshot that the run created.
pub fn link(root: &Path, snapshot: &SnapshotName, run: &RunId) -> Result<()> {
    let place = root.join(ROOT_LOGS_DIR).join(format!("{snapshot}{ENDING}"));
    match std::os::unix::fs::symlink(format!("{run}{ENDING}"), &place) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            Err(Failure::from(e).context(format!("cannot create the link {}", place.display())))
        }
        _ => Ok(()),
    }
}

/// The run that created a snapshot, if its log still exists.
pub fn run_of(root: &Path, snapshot: &SnapshotName) -> Option<RunId> {
    let target = std::fs::read_link(root.join(ROOT_LOGS_DIR).join(format!("{snapshot}{ENDING}"))).ok()?;
    RunId::parse(target.to_str()?.strip_suffix(ENDING)?)
}

/// Every run that has a log, newest first.
pub fn runs(root: &Path) -> Vec<RunId> {
    let Ok(listing) = std::fs::read_dir(root.join(ROOT_LOGS_DIR)) else { return Vec::new() };
    let mut runs: Vec<RunId> = listing
        .flatten()
        .filter(|item| item.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|item| RunId::parse(item.file_name().to_str()?.strip_suffix(ENDING)?))
        .collect();
    runs.sort_by(|a, b| b.cmp(a));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_log_is_private_and_found_by_its_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunId::at("2026-01-30T12:00:05Z".parse().unwrap(), 7);
        let name = SnapshotName::at("2026-01-30T12:00:06Z".parse().unwrap(), 1);
        open_for_writing(dir.path(), &run).unwrap();
        link(dir.path(), &name, &run).unwrap();
        assert_eq!(run_of(dir.path(), &name), Some(run.clone()));
        assert_eq!(runs(dir.path()), vec![run.clone()]);
        let mode = std::fs::metadata(place(dir.path(), &run)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let hostile = SnapshotName::at("2026-01-30T12:00:07Z".parse().unwrap(), 1);
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join(format!("logs/{hostile}.log"))).unwrap();
        assert_eq!(run_of(dir.path(), &hostile), None);
    }
}
