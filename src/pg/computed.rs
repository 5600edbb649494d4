//! Computed contents of a live database against those of a snapshot.
//!
//! Invariant: it reads only, all of it at one instant. What cannot be compared says why; what is not there, or made of
//! other columns, is none of its business: the objects differ, and that is told by name.

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

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    Equal,
    Differs(LiveTable),
    NotCompared(String),
    /// It is not there, or not populated, or has other columns: a difference of objects.
    OtherObject,
}

/// How to read, and for whom.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub spec: &'a ConnSpec,
    pub jobs: usize,
    pub lock_wait: Duration,
    pub cancel: &'a Cancel,
}

impl Reader<'_> {
    /// Compares each of `records` at an instant of its own; the answers are in their order.
    pub async fn compare(&self, records: &[&ComputedRecord]) -> Result<Vec<Compared>> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let holder = SnapshotHolder::export(self.spec, APPLICATION).await?;
        self.compare_at(&holder.exported, records).await
    }

    /// The same at an instant that the caller holds.
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

/// What can be said without reading; `Equal` where it has to be read.
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
