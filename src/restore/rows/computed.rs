//! Finds stored generated columns and materialized views of the target with other values than the snapshot recorded.
//!
//! Invariant: it only reads. If the rows of a table are equal and its generated values are not, the rows are loaded
//! again, so that the server computes the values with the snapshot's functions. A differing view is refreshed. The
//! proof checks whether they are equal then.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::computed::{ComputedKind, ComputedRecord};
use crate::model::failure::Result;
use crate::model::inventory::Inventory;
use crate::model::manifest::TableRecord;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{ObjectName, RestorePlan, TargetKind};
use crate::pg::computed::{Compared, Reader};
use crate::restore::Engine;

/// The contents of a materialized view in a plan, as pg_dump names them.
const VIEW_DATA: ObjectKind = ObjectKind::MaterializedViewData;

/// The tables of `equal` (their rows are equal) whose generated columns differ.
pub async fn tables(engine: &Engine<'_>, equal: &[&TableRecord]) -> Result<Vec<QualifiedName>> {
    let is_among = |record: &ComputedRecord| equal.iter().any(|table| table.name == record.name);
    differing(engine, ComputedKind::GeneratedColumns, is_among).await
}

/// Materialized views of the target that hold other rows.
pub async fn views(engine: &Engine<'_>, live: &Inventory) -> Result<Vec<ObjectName>> {
    let is_there = |record: &ComputedRecord| identity(live, &record.name).is_some();
    let names = differing(engine, ComputedKind::MaterializedView, is_there).await?;
    let object = |name: &QualifiedName| {
        let identity = identity(live, name)?.to_string();
        Some(ObjectName { kind: VIEW_DATA, identity })
    };
    Ok(names.iter().filter_map(object).collect())
}

/// Does the plan refresh materialized views?
pub fn are_refreshed(plan: &RestorePlan) -> bool {
    !plan.load.is_empty() || plan.replace.iter().any(|object| object.kind == VIEW_DATA)
}

/// Views that hold what the snapshot recorded and are not recreated: one that was older than its tables stays so.
pub fn left_alone(engine: &Engine<'_>, plan: &RestorePlan) -> BTreeSet<QualifiedName> {
    let request = engine.request;
    let was_compared = request.only.is_empty() && request.tables.is_empty() && !request.untrusted;
    if !was_compared || matches!(plan.target.kind, TargetKind::FreshProject | TargetKind::Bare) {
        return BTreeSet::new();
    }
    let is_view = |object: &&ObjectName| matches!(object.kind, VIEW_DATA | ObjectKind::MaterializedView);
    let written: BTreeSet<QualifiedName> = plan
        .replace
        .iter()
        .chain(&plan.create)
        .filter(is_view)
        .filter_map(|object| crate::model::identity::qualified(&object.identity))
        .map(|(schema, name)| QualifiedName::new(schema, name))
        .collect();
    let recorded = engine.source.manifest.computed.iter().flatten();
    let equal = recorded.filter(|record| record.kind == ComputedKind::MaterializedView && record.as_table().is_some());
    equal.map(|record| record.name.clone()).filter(|name| !written.contains(name)).collect()
}

async fn differing(
    engine: &Engine<'_>,
    kind: ComputedKind,
    wanted: impl Fn(&ComputedRecord) -> bool,
) -> Result<Vec<QualifiedName>> {
    let records: Vec<&ComputedRecord> = engine.source.manifest.computed.iter().flatten().collect();
    let records: Vec<&ComputedRecord> = records.into_iter().filter(|r| r.kind == kind && wanted(r)).collect();
    let reader = Reader {
        spec: engine.target,
        jobs: engine.request.jobs.max(1) as usize,
        lock_wait: Duration::from_millis(engine.request.lock_wait_ms),
        cancel: engine.cancel,
    };
    let compared = reader.compare(&records).await?;
    let differs = records.into_iter().zip(compared).filter(|(_, compared)| matches!(compared, Compared::Differs(_)));
    Ok(differs.map(|(record, _)| record.name.clone()).collect())
}

fn identity<'i>(live: &'i Inventory, name: &QualifiedName) -> Option<&'i str> {
    let views = live.of_kind(ObjectKind::MaterializedView).map(|view| view.identity.as_str());
    let mut views = views.filter(|identity| {
        crate::model::identity::qualified(identity)
            .is_some_and(|(schema, view)| QualifiedName::new(schema, view) == *name)
    });
    views.next()
}
