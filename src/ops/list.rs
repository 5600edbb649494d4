//! Lists the snapshots in a root folder, one row each, newest first.
//!
//! Invariant: every folder with a snapshot's name has a row, also partial, damaged and unfinished ones.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::ids::{LATEST, SnapshotName};
use crate::model::manifest::{Manifest, SnapshotKind};
use crate::model::schema_verification::SchemaOutcome;
use crate::root::folder::{Entry, EntryState, Root};
use crate::root::lock;
use crate::root::status;
use crate::root::status::{FailedRun, GoodSnapshot, RunningRun};

/// The state of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    Complete,
    /// Sealed, with gaps or partial on request.
    Incomplete,
    /// Being written by the run that holds the lock.
    Writing,
    /// Left behind by a dead run; the next `create` removes it.
    Stale,
    Unreadable,
}

/// One folder. `facts` is there if the manifest could be read.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub name: SnapshotName,
    pub state: RowState,
    pub latest: bool,
    /// Why it is unreadable.
    pub problem: Option<String>,
    #[serde(flatten)]
    pub facts: Option<Facts>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    pub label: Option<String>,
    pub kind: SnapshotKind,
    pub complete: bool,
    pub created_at: Timestamp,
    /// Milliseconds; negative if the clock was set back since.
    pub age_ms: i64,
    pub bytes: u64,
    pub tables: u64,
    pub rows: u64,
    pub users: Option<u64>,
    pub gaps: u64,
    /// The result of the schema verification; `None` for a snapshot of an older version, which had none.
    pub schema: Option<SchemaOutcome>,
    pub database: String,
    pub note: Option<String>,
}

/// The whole list, with the status file and the lock.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    pub root: String,
    pub snapshots: Vec<Row>,
    /// The run that is alive now.
    pub running: Option<RunningRun>,
    pub last_good: Option<GoodSnapshot>,
    /// The last failure, if no good snapshot followed it.
    pub last_failure: Option<FailedRun>,
}

pub fn list(root: &Root, now: Timestamp) -> Result<Listing> {
    let latest = root.link_target(LATEST);
    let held = lock::holder(root.path());
    let status = status::read(root.path());
    let running = status.running.filter(|r| held.as_ref().is_some_and(|h| h.run == r.run));
    let row = |entry: Entry| {
        let is_latest = latest.as_ref() == Some(&entry.name);
        row(entry, is_latest, held.is_some(), now)
    };
    let good_at = status.last_good.as_ref().map(|good| good.at);
    Ok(Listing {
        root: root.path().to_string_lossy().into_owned(),
        snapshots: root.entries()?.into_iter().map(row).collect(),
        running,
        last_failure: status.last_failure.filter(|failure| good_at.is_none_or(|at| failure.at >= at)),
        last_good: status.last_good,
    })
}

fn row(entry: Entry, latest: bool, held: bool, now: Timestamp) -> Row {
    let (state, problem, facts) = match entry.state {
        EntryState::Sealed(manifest) => {
            let state = if manifest.complete { RowState::Complete } else { RowState::Incomplete };
            (state, None, Some(facts(&manifest, now)))
        }
        EntryState::Partial => (if held { RowState::Writing } else { RowState::Stale }, None, None),
        EntryState::Unreadable(why) => (RowState::Unreadable, Some(why), None),
    };
    Row { name: entry.name, state, latest, problem, facts }
}

/// The facts of one manifest.
pub fn facts(manifest: &Manifest, now: Timestamp) -> Facts {
    Facts {
        label: manifest.label.clone(),
        kind: manifest.kind,
        complete: manifest.complete,
        created_at: manifest.created_at,
        age_ms: i64::try_from(now.duration_since(manifest.created_at).as_millis()).unwrap_or(i64::MAX),
        bytes: manifest.bytes_total(),
        tables: manifest.counts.get(Count::Tables.word()).copied().unwrap_or(manifest.tables.len() as u64),
        rows: manifest.rows_total(),
        users: manifest.counts.get(Count::Users.word()).copied(),
        gaps: manifest.gaps.len() as u64,
        schema: manifest.schema_verification.as_ref().map(|verified| verified.outcome),
        database: manifest.source.database.clone(),
        note: manifest.note.clone(),
    }
}
