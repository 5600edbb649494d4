//! `restores/<id>.json` in the root folder: the plan and the result of each restore. `undo` starts from it.
//!
//! Invariant: a record is reserved before the restore starts, and replaced atomically (write, fsync, rename). It is
//! private (0600) and never contains a secret: the target's host is a hash. It is read without following a link.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::folder::folder_in;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::left_out::LeftOut;
use crate::model::name::visible;
use crate::model::restore::{RestoreReport, RoleMade, TargetFacts};
use crate::snapshot::layout::ROOT_RESTORES_DIR;

pub const SCHEMA: &str = "stacksnap.v1.restore_record";
const PREFIX: &str = "restore_";
const ENDING: &str = ".json";
const RECORD_BYTES_MAX: u64 = 256 << 20;
/// Maximum number of restores that can start in one second.
const ATTEMPTS_MAX: u32 = 1000;

/// `restore_YYYYMMDD_HHMMSS` (UTC), with `_2`, `_3` … if the timestamp is already used. Safe in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RestoreId(String);

impl RestoreId {
    /// The ID for a moment; attempt 1 has no suffix.
    pub fn at(moment: Timestamp, attempt: u32) -> Self {
        let stamp = moment.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d_%H%M%S");
        if attempt <= 1 { Self(format!("{PREFIX}{stamp}")) } else { Self(format!("{PREFIX}{stamp}_{attempt}")) }
    }

    /// Parses an ID; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.strip_prefix(PREFIX)?.split('_').collect();
        let digits = |part: &str, least: usize, most: usize| {
            (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        };
        let fine = match parts[..] {
            [day, time] => digits(day, 8, 8) && digits(time, 6, 6),
            [day, time, attempt] => digits(day, 8, 8) && digits(time, 6, 6) && digits(attempt, 1, 4),
            _ => false,
        };
        fine.then(|| Self(text.to_string()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Sort key: the moment, then the attempt (`_10` after `_2`).
    fn age_key(&self) -> (String, u32) {
        let mut parts = self.0[PREFIX.len()..].splitn(3, '_');
        let stamp = format!("{}{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        (stamp, parts.next().and_then(|n| n.parse().ok()).unwrap_or(1))
    }
}

impl fmt::Display for RestoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far the restore got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreState {
    /// The target is unchanged so far: the safety snapshot is being taken.
    Preparing,
    /// The target is being written, or was being written when the process was killed.
    Running,
    Finished,
    Failed,
}

/// Why it failed: code, exit code and message as shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreFailure {
    pub code: String,
    pub exit: u8,
    pub message: String,
    /// Every object that could not be created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// The record of one restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRecord {
    pub schema: String,
    pub id: RestoreId,
    pub state: RestoreState,
    /// The name of the restored snapshot.
    pub snapshot: String,
    pub manifest_sha256: String,
    pub target: TargetFacts,
    pub plan_digest: String,
    pub one_transaction: bool,
    /// The name of the snapshot in the same root folder that `undo` restores.
    pub safety_snapshot: Option<String>,
    pub safety_manifest_sha256: Option<String>,
    /// The restore that this one undid.
    pub undo_of: Option<RestoreId>,
    /// The restore that undid this one.
    pub undone_by: Option<RestoreId>,
    /// Roles that the restore created on the server: `undo` drops them. Records of older versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles_made: Vec<RoleMade>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub failure: Option<RestoreFailure>,
    pub report: Option<RestoreReport>,
}

/// The path of a restore's record.
pub fn place(root: &Path, id: &RestoreId) -> PathBuf {
    root.join(ROOT_RESTORES_DIR).join(format!("{id}{ENDING}"))
}

/// Finds a free ID for `now` and creates its record with the result of `make`. Never overwrites a record.
pub fn reserve(root: &Path, now: Timestamp, make: impl FnOnce(RestoreId) -> RestoreRecord) -> Result<RestoreRecord> {
    let folder = folder_in(root, ROOT_RESTORES_DIR)?;
    let failed = |e: io::Error| Failure::from(e).context(format!("cannot write a record in {}", folder.display()));
    for attempt in 1..=ATTEMPTS_MAX {
        let id = RestoreId::at(now, attempt);
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let open =
            OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(place(root, &id));
        match open {
            Ok(_) => {
                let record = make(id);
                write(root, &record)?;
                return Ok(record);
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
    }
    Err(Failure::msg(FailureKind::Failed, format!("too many restores started in one second in {}", folder.display())))
}

/// Replaces a record atomically.
pub fn write(root: &Path, record: &RestoreRecord) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(record).map_err(anyhow::Error::new)?;
    text.push(b'\n');
    write_private(&place(root, &record.id), &text)
}

/// Writes a file (0600) by rename: afterwards it has either all its bytes or its previous content.
pub fn write_private(place: &Path, bytes: &[u8]) -> Result<()> {
    let folder = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let replace = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".stacksnap.").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(place).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    };
    replace().map_err(|e| Failure::from(e).context(format!("cannot write {}", visible(&place.to_string_lossy()))))
}

/// Reads one record. `NotFound` if there is none, `Integrity` if it cannot be parsed.
pub fn read(root: &Path, id: &RestoreId) -> Result<RestoreRecord> {
    let place = place(root, id);
    let shown = visible(&place.to_string_lossy());
    let read = || -> io::Result<String> {
        // NONBLOCK: do not block if a pipe is in its place.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut text = String::new();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&place)?;
        file.take(RECORD_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|e| {
        let kind = if e.kind() == ErrorKind::NotFound { FailureKind::NotFound } else { FailureKind::Failed };
        Failure::new(kind, e)
            .context(format!("cannot read the restore record {shown}"))
            .hint("to see the recorded restores, run: stacksnap undo")
    })?;
    let record: RestoreRecord = serde_json::from_str(&text).map_err(|e| {
        Failure::new(FailureKind::Integrity, e)
            .context(format!("the record {shown} is damaged"))
            .hint("the safety snapshot may still exist (label BEFORE_RESTORE): stacksnap list")
    })?;
    if record.schema == SCHEMA && record.id == *id {
        return Ok(record);
    }
    let text = format!("{shown} is not a record of {id} that this version can read");
    Err(Failure::msg(FailureKind::Configuration, text)
        .hint("use the version of stacksnap that wrote it, or a newer one"))
}

/// Every restore with a record, newest first; an unreadable record is listed with its error.
pub fn list(root: &Path) -> Vec<(RestoreId, Result<RestoreRecord>)> {
    let Ok(listing) = std::fs::read_dir(root.join(ROOT_RESTORES_DIR)) else { return Vec::new() };
    let mut ids: Vec<RestoreId> = listing
        .flatten()
        .filter(|item| item.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|item| RestoreId::parse(item.file_name().to_str()?.strip_suffix(ENDING)?))
        .collect();
    ids.sort_by_key(|id| std::cmp::Reverse(id.age_key()));
    ids.into_iter().map(|id| (id.clone(), read(root, &id))).collect()
}

#[cfg(test)]
#[path = "restores_tests.rs"]
mod tests;
