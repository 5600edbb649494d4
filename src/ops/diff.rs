//! `diff`: compares a snapshot with another one, or with a live database.
//!
//! Invariant: it only reads. A snapshot is used only after its checksums were verified, and a live database is read at
//! one instant. What was not compared is named, never counted as equal.

mod compared;
mod computed;
mod large_objects;
mod side;
mod tables;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::model::bootstrap;
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::difference::{ObjectDifference, Rules, Severity, compare, same_view_of_passwords};
use crate::model::failure::{Failure, Result};
use crate::model::index_state;
use crate::model::inventory::Inventory;
use crate::model::replication;
use crate::monitor::Monitor;
use crate::monitor::millis;

pub use crate::verify::rows::keys::{KEYS_SHOWN, KeyDifferences, KeyValues};
pub use compared::{NotCompared, RowChange, TableDifference};
use side::{Live, Side, Snapshot};

/// How much is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Objects, and only differences that concern security.
    Security,
    /// Objects. Values of sequences count as rows.
    Schema,
    /// Objects, and rows and fingerprint of each table. All rows of a live database are read.
    Rows,
    /// All of that, and the keys of rows that differ.
    Keys,
}

/// The right side.
#[derive(Debug)]
pub enum Other {
    Snapshot(PathBuf),
    Live(Box<ConnSpec>),
}

/// One comparison.
#[derive(Debug)]
pub struct DiffRequest {
    /// The folder of the snapshot on the left.
    pub left: PathBuf,
    pub right: Other,
    pub depth: Depth,
    /// Threads that verify, or connections that read.
    pub jobs: usize,
    /// How long to wait for a locked table of a live database.
    pub lock_wait: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SideKind {
    Snapshot,
    Live,
}

/// The source of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SideFacts {
    pub kind: SideKind,
    /// The name of the snapshot; `live` for a database.
    pub name: String,
    pub database: String,
    pub server_version: String,
    /// The instant that this side shows.
    pub taken_at: Timestamp,
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    pub left: SideFacts,
    pub right: SideFacts,
    pub depth: Depth,
    pub equal: bool,
    /// The servers have different major versions: see `model::difference::Rules`.
    pub across_majors: bool,
    /// Worst first.
    pub objects: Vec<ObjectDifference>,
    /// Sorted by name.
    pub tables: Vec<TableDifference>,
    /// The number of objects on the side that has more.
    pub objects_compared: u64,
    pub tables_compared: u64,
    /// Rows of the compared tables, on the left.
    pub rows_compared: u64,
    pub not_compared: Vec<NotCompared>,
    pub duration_ms: u64,
}

impl Diff {
    pub fn count(&self, severity: Severity) -> u64 {
        self.objects.iter().filter(|d| d.severity == severity).count() as u64
    }
}

/// Compares both sides. Errors: `Integrity` when a snapshot is damaged; connection errors for a live database.
pub async fn diff(request: &DiffRequest, monitor: &dyn Monitor, cancel: &Cancel) -> Result<Diff> {
    let work = work(request, monitor, cancel);
    tokio::select! {
        biased;
        reason = cancel.cancelled() => Err(Failure::msg(reason.failure_kind(), reason.sentence())),
        result = work => result,
    }
}

async fn work(request: &DiffRequest, monitor: &dyn Monitor, cancel: &Cancel) -> Result<Diff> {
    let clock = Instant::now();
    let mut left = tokio::task::block_in_place(|| Snapshot::open(&request.left, request.jobs, monitor))?;
    let mut right = match &request.right {
        Other::Snapshot(place) => {
            Side::Snapshot(Box::new(tokio::task::block_in_place(|| Snapshot::open(place, request.jobs, monitor))?))
        }
        Other::Live(spec) => Side::Live(Box::new(Live::open(spec, request.lock_wait, monitor).await?)),
    };
    bootstrap::align_with(right.inventory_mut(), &left.inventory);
    index_state::align_with(right.inventory_mut(), &left.inventory);
    replication::align_with(right.inventory_mut(), &left.inventory);
    replication::align_with(&mut left.inventory, right.inventory());
    if let Side::Live(live) = &mut right {
        live.align_with(&left.inventory).await?;
    }
    let passwords = same_view_of_passwords(&mut left.inventory.objects, &mut right.inventory_mut().objects);
    let rules = rules(request, &left, &right);
    let mut objects = compare(&left.inventory.objects, &right.inventory().objects, &rules);
    if request.depth == Depth::Security {
        objects.retain(|difference| difference.severity == Severity::Security);
    }
    let mut rows = if request.depth >= Depth::Rows {
        tables::compare_rows(request, &left, &right, monitor, cancel).await?
    } else {
        compared::Compared::default()
    };
    if request.depth >= Depth::Rows {
        match large_objects::compare_large_objects(&left, &right).await? {
            Ok(differing) => objects.extend(differing),
            Err(gap) => rows.not_compared.push(gap),
        }
        rows.not_compared.sort();
    }
    if passwords {
        let why = "the role that read one side may not see them".to_string();
        rows.not_compared.push(NotCompared { what: "passwords of roles".to_string(), why });
    }
    let count = |inventory: &Inventory| inventory.objects.len() as u64;
    Ok(Diff {
        left: left.facts(),
        right: right.facts(),
        depth: request.depth,
        equal: objects.is_empty() && rows.differences.is_empty(),
        across_majors: rules.across_majors,
        objects,
        tables: rows.differences,
        objects_compared: count(&left.inventory).max(count(right.inventory())),
        tables_compared: rows.tables,
        rows_compared: rows.rows,
        not_compared: rows.not_compared,
        duration_ms: millis(clock.elapsed()),
    })
}

fn rules(request: &DiffRequest, left: &Snapshot, right: &Side) -> Rules {
    let (was, is) = (&left.manifest.source, right.source());
    let same_server = was.system_identifier.is_some() && was.system_identifier == is.system_identifier;
    Rules {
        ignore_sequence_values: request.depth < Depth::Rows,
        parser_asked: matches!(right, Side::Live(_)),
        same_database: same_server && was.database_oid == is.database_oid,
        ..Rules::between(was.server_version_num, is.server_version_num)
    }
}
