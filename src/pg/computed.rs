//! Compares the computed contents of a live database with those of a snapshot.
//!
//! Invariant: it never writes, and reads everything under one exported snapshot. If a record cannot be compared, it
//! gives the reason. A relation that is missing or has other columns is not compared here: it is reported as an object
//! difference.

use std::time::Duration;

use super::catalog::computed::{ComputedRelation, computed};
use super::rows::{LiveTable, Reading, copy_computed_sql};
use super::session::Session;
use super::snapshot::{ExportedSnapshot, SnapshotHolder};
use crate::model::cancel::Cancel;
use crate::model::computed::{ComputedContent, ComputedRecord};
use crate::model::connection::ConnSpec;
use crate::model::failure::Result;

const APPLICATION: &str = "stacksnap contents";

/// The result for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    Equal,
    Differs(LiveTable),
    NotCompared(String),
    /// It is missing, not populated, or has other columns: reported as an object difference.
    OtherObject,
}

/// How to read the live database.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub spec: &'a ConnSpec,
    pub jobs: usize,
    pub lock_wait: Duration,
    pub cancel: &'a Cancel,
}

impl Reader<'_> {
    /// Compares `records` under a new exported snapshot; the results are in the same order.
    pub async fn compare(&self, records: &[&ComputedRecord]) -> Result<Vec<Compared>> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let holder = SnapshotHolder::export(self.spec, APPLICATION).await?;
        self.compare_at(&holder.exported, records).await
    }

    /// The same under an exported snapshot that the caller holds.
    pub async fn compare_at(&self, exported: &ExportedSnapshot, records: &[&ComputedRecord]) -> Result<Vec<Compared>> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let session = Session::join(self.spec, APPLICATION, exported).await?;
        let live = computed(&session).await?;
        let mut outcomes: Vec<Compared> = records.iter().map(|record| before_reading(record, &live)).collect();
        let wanted: Vec<usize> = (0..records.len()).filter(|at| outcomes[*at] == Compared::Equal).collect();
        let statement = |at: &usize| {
            let record = records[*at];
            (record.name.clone(), copy_computed_sql(&record.name, &record.columns))
        };
        let statements = wanted.iter().map(statement).collect();
        let Self { spec, jobs, lock_wait, cancel } = *self;
        let read = Reading { spec, exported, jobs, lock_wait, cancel }.statements(session, statements, &|_| {}).await?;
        for (at, live) in wanted.into_iter().zip(read) {
            if !is_recorded(&records[at].content, &live) {
                outcomes[at] = Compared::Differs(live);
            }
        }
        Ok(outcomes)
    }
}

/// The result that is known without reading; `Equal` if the contents have to be read.
fn before_reading(record: &ComputedRecord, live: &[ComputedRelation]) -> Compared {
    if let ComputedContent::NotRead { why } = &record.content {
        return Compared::NotCompared(format!("the snapshot does not hold it: {why}"));
    }
    let there = live.iter().find(|relation| relation.name == record.name && relation.kind == record.kind);
    match there {
        Some(relation) if !relation.readable => Compared::NotCompared("this role may not read it".to_string()),
        Some(relation) if relation.populated && record.columns.iter().all(|c| relation.all.contains(c)) => {
            Compared::Equal
        }
        _ => Compared::OtherObject,
    }
}

fn is_recorded(content: &ComputedContent, live: &LiveTable) -> bool {
    match content {
        ComputedContent::Read { rows, fingerprint, .. } => *rows == live.rows && *fingerprint == live.sum,
        ComputedContent::NotRead { .. } => false,
    }
}
