//! `status.json` in the root folder: the current run, the last good snapshot, the last failure. For scripts and hooks.
//!
//! Invariant: it is replaced atomically (write, fsync, rename, fsync of the folder), so a reader never sees part of it;
//! it has no secret. It is information only: the program never decides by it (the lock and the manifests decide).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::model::failure::{Failure, Result};
use crate::model::ids::SnapshotName;
use crate::snapshot::layout::ROOT_STATUS;

pub const SCHEMA: &str = "stacksnap.v1.status";
const STATUS_MAX_BYTES: u64 = 1024 * 1024;

/// How the last run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Ok,
    Partial,
    Skipped,
    Failed,
}

/// A run in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningRun {
    pub run: String,
    pub pid: u32,
    pub started_at: Timestamp,
    pub background: bool,
    /// Relative to the root folder.
    pub log: String,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRun {
    pub run: String,
    pub state: RunState,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    pub snapshot: Option<SnapshotName>,
    pub log: String,
}

/// A complete snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodSnapshot {
    pub snapshot: SnapshotName,
    pub run: String,
    pub at: Timestamp,
}

/// An error, as shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRun {
    pub run: String,
    pub at: Timestamp,
    pub code: String,
    pub exit: u8,
    pub message: String,
    pub hint: Option<String>,
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub schema: String,
    /// Stale if its process was killed: only the lock tells whether the run is active.
    pub running: Option<RunningRun>,
    pub last_run: Option<EndedRun>,
    pub last_good: Option<GoodSnapshot>,
    pub last_failure: Option<FailedRun>,
}

impl Default for Status {
    fn default() -> Self {
        Self { schema: SCHEMA.to_string(), running: None, last_run: None, last_good: None, last_failure: None }
    }
}

/// Reads the status. A missing, damaged or foreign-version file gives an empty one (the next run writes it again).
pub fn read(root: &Path) -> Status {
    let read = || -> io::Result<Status> {
        let mut text = String::new();
        // NONBLOCK: do not block if a pipe is in its place.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(root.join(ROOT_STATUS))?;
        file.take(STATUS_MAX_BYTES).read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text)?)
    };
    read().ok().filter(|status| status.schema == SCHEMA).unwrap_or_default()
}

/// Replaces the status atomically.
pub fn write(root: &Path, status: &Status) -> Result<()> {
    let replace = || -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(status)?;
        text.push(b'\n');
        let mut file = tempfile::Builder::new().prefix(".status.").tempfile_in(root)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(root.join(ROOT_STATUS)).map_err(|e| e.error)?;
        File::open(root)?.sync_all()
    };
    replace().map_err(|e| Failure::from(e).context(format!("cannot write {}", root.join(ROOT_STATUS).display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_read_back_and_damage_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), Status::default());
        let status = Status {
            last_failure: Some(FailedRun {
                run: "run_x".into(),
                at: "2026-01-30T12:00:00Z".parse().unwrap(),
                code: "failed".into(),
                exit: 1,
                message: "m".into(),
                hint: None,
            }),
            ..Status::default()
        };
        write(dir.path(), &status).unwrap();
        assert_eq!(read(dir.path()), status);
        let mode = std::fs::metadata(dir.path().join(ROOT_STATUS)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
        std::fs::write(dir.path().join(ROOT_STATUS), "{\"schema\":").unwrap();
        assert_eq!(read(dir.path()), Status::default());
    }
}
