//! Fills an empty target over several connections: rows, then indexes and keys as soon as their rows are loaded.
//!
//! Invariant: it creates nothing that fires or grants access (no trigger, policy or grant): these follow in one
//! transaction. A build that fails is left for that transaction, which tries again or fails.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::load::{LoadTask, Loaded};
use super::pool;
use super::pool::BuildTask;
use super::tables::{Tables, load_task};
use crate::model::failure::Result;
use crate::model::identity;
use crate::model::inventory::Inventory;
use crate::model::load_reason::LoadReason;
use crate::model::manifest::TableRecord;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::RestorePlan;
use crate::restore::Engine;
use crate::restore::entries::creation::{Creation, Step};

/// Settings of each connection.
const SETUP: [&str; 4] = [
    "SET session_replication_role = replica",
    "SET check_function_bodies = off",
    "SET row_security = off",
    "SET client_min_messages = warning",
];

/// Loads and builds. Returns a summary.
pub async fn fill(
    engine: &Engine<'_>,
    plan: &RestorePlan,
    live: &Inventory,
    creation: &Creation<'_>,
    tables: &Tables<'_>,
) -> Result<String> {
    let wanted: BTreeSet<&QualifiedName> =
        plan.load.iter().filter(|l| l.reason == LoadReason::New).map(|l| &l.table).collect();
    // An extension's table may already have rows of its own, so it is not loaded here.
    let is_empty = |r: &TableRecord| live.table(&r.name).is_some_and(|facts| facts.extension.is_none());
    let ours: Vec<_> = tables.records().filter(|r| wanted.contains(&r.name) && is_empty(r)).collect();
    let sizes: BTreeMap<QualifiedName, u64> = ours.iter().map(|r| (r.name.clone(), r.bytes_raw)).collect();
    // This restore created the tables, and no other role has access yet.
    let loads = ours.iter().map(|r| LoadTask {
        freeze: true,
        may_fail: tables.may_lack_rows_of(&r.name),
        ..load_task(engine.source, r)
    });
    let loads = loads.collect();
    let builds = builds(creation, live, &sizes);
    let setup: Vec<String> = SETUP.iter().map(ToString::to_string).collect();
    let jobs = engine.request.jobs.max(1) as usize;
    let done = pool::run(engine.target, &setup, loads, builds, jobs, engine.monitor, engine.cancel).await?;
    for failed in &done.failed {
        let text = format!("{}: {}", failed.what, failed.failure);
        engine.monitor.note(format!("not built in parallel, tried again later: {text}"));
    }
    for failed in &done.failed_loads {
        engine.monitor.note(format!("{}; tried again later", failed.failure));
    }
    let failed: BTreeSet<&QualifiedName> = done.failed_loads.iter().map(|f| &f.table).collect();
    tables.mark_done(
        sizes.keys().filter(|t| !failed.contains(t)).cloned(),
        Loaded { rows: done.rows, bytes: done.bytes },
    );
    Ok(format!("{} rows, {} bytes, {} statements", done.rows, done.bytes, done.statements))
}

/// Indexes and keys of the tables that are loaded here.
fn builds(creation: &Creation<'_>, live: &Inventory, filled: &BTreeMap<QualifiedName, u64>) -> Vec<BuildTask> {
    let there: BTreeSet<(ObjectKind, &str)> = live.objects.iter().map(|o| (o.kind, o.identity.as_str())).collect();
    let table_of: HashMap<i64, QualifiedName> = creation
        .entries
        .iter()
        .filter(|s| matches!(s.entry.desc, ObjectKind::Table | ObjectKind::MaterializedView))
        .map(|s| (s.entry.dump_id, name_of(s)))
        .collect();
    let steps: HashMap<i64, &Step<'_>> = creation.entries.iter().map(|s| (s.entry.dump_id, s)).collect();
    let is_build = |s: &&Step| {
        matches!(s.entry.desc, ObjectKind::Index | ObjectKind::Constraint | ObjectKind::FkConstraint | ObjectKind::CheckConstraint | ObjectKind::IndexAttach)
            && s.is_post_data()
            // Overloads must be renamed around it, which only the single-connection phase does.
            && creation.rival_renames(s).is_none()
            && s.object.is_some_and(|o| !there.contains(&(o.kind, o.identity.as_str())))
    };
    let mut builds: Vec<BuildTask> = Vec::new();
    for step in creation.entries.iter().filter(is_build) {
        let tables = tables_of(step, &steps, &table_of);
        if tables.is_empty() || !tables.iter().any(|t| filled.contains_key(t)) {
            continue;
        }
        let bytes = tables.iter().filter_map(|t| filled.get(t)).copied().max().unwrap_or(0);
        builds.push(BuildTask {
            dump_id: step.entry.dump_id,
            what: step.what(),
            statements: vec![step.sql.clone()],
            needs: step.entry.depends_on.clone(),
            after_rows: tables.iter().filter(|t| filled.contains_key(t)).cloned().collect(),
            tables: tables.into_iter().collect(),
            shared: step.entry.desc == ObjectKind::Index,
            weight: weight(step, bytes),
        });
    }
    let ids: BTreeSet<i64> = builds.iter().map(|b| b.dump_id).collect();
    for build in &mut builds {
        build.needs.retain(|id| ids.contains(id));
    }
    builds
}

fn name_of(step: &Step<'_>) -> QualifiedName {
    QualifiedName::new(step.entry.schema.clone().unwrap_or_default(), step.entry.tag.clone())
}

/// The tables that an entry locks: those that it depends on, and those of the keys that it refers to.
fn tables_of(
    step: &Step<'_>,
    steps: &HashMap<i64, &Step<'_>>,
    table_of: &HashMap<i64, QualifiedName>,
) -> BTreeSet<QualifiedName> {
    let mut found = BTreeSet::new();
    if let Some((_, table)) = step.object.and_then(|o| identity::on(&o.identity))
        && let Some((schema, name)) = identity::qualified(table)
    {
        found.insert(QualifiedName::new(schema, name));
    }
    for id in &step.entry.depends_on {
        if let Some(table) = table_of.get(id) {
            found.insert(table.clone());
        } else if let Some(other) = steps.get(id) {
            found.extend(other.entry.depends_on.iter().filter_map(|id| table_of.get(id)).cloned());
        }
    }
    found
}

/// Its cost, relative to loading `bytes`; measured on two cores with rows of 200 to 300 bytes. The most expensive
/// builds start first.
fn weight(step: &Step<'_>, bytes: u64) -> u64 {
    let text = &step.entry.definition;
    let hundredths = match step.entry.desc {
        _ if text.contains(" USING hnsw ") || text.contains(" USING ivfflat ") => 2000,
        _ if text.contains(" USING gin ") || text.contains(" USING gist ") => 200,
        ObjectKind::Index => 25,
        ObjectKind::Constraint => 16,
        ObjectKind::FkConstraint | ObjectKind::CheckConstraint => 9,
        _ => 0,
    };
    1 + bytes.saturating_mul(hundredths) / 100
}
