//! Predicts what will differ after the restore, and lists what the user has to do then.
//!
//! Invariant: pure: it takes the snapshot, the examined target and its inventory, and returns exceptions. The plan runs
//! the queries and passes the results in.

use std::collections::BTreeSet;

use super::Engine;
use super::objects::{invalid_indexes, members, own_settings, roles};
use super::parts::replication;
use super::rows::policy::{EXTENSION_ROWS, Rows, SESSIONS_DROPPED, decide};
use super::target::state::Examined;
use crate::model::inventory::Inventory;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, TargetKind};

/// What will differ after the restore, as far as the two inventories show.
pub fn seen_in_catalogs(
    engine: &Engine<'_>,
    examined: &Examined,
    live: &Inventory,
    drop: &[ObjectName],
) -> Vec<Exception> {
    let (wanted, scope) = (&engine.source.inventory, &examined.scope);
    let mut found = replication::exceptions(wanted, live, scope);
    // On another server the restoring role has that server's password: `manual` tells the user.
    found.extend(
        roles::own_password(wanted, live, examined).filter(|_| examined.facts.kind == TargetKind::SameDatabase),
    );
    found.extend(own_settings::kept(wanted, live, examined));
    found.extend(own_settings::of_server(wanted, live, examined, drop));
    if scope.is_whole() {
        found.extend(invalid_indexes::not_there(wanted, live));
    }
    found.extend(scope.other.exceptions(live, &engine.source.manifest.tables, &scope.built_on.same_version));
    found.extend(scope.built_on.exceptions().filter(|_| scope.is_whole()));
    found.extend(members::altered(wanted, live, scope));
    found.extend(scope.services.exceptions(wanted, live, scope));
    found
}

/// Everything that is known beforehand to be missing or different.
pub fn exceptions(
    engine: &Engine<'_>,
    examined: &Examined,
    logins_equal: &BTreeSet<QualifiedName>,
    mut found: Vec<Exception>,
) -> Vec<Exception> {
    // In place, gaps of the snapshot are no exceptions: the target still has them.
    let same = examined.facts.kind == TargetKind::SameDatabase;
    found.extend(examined.stubs.not_proven.iter().cloned());
    found.extend(examined.fence.iter().flat_map(|fence| fence.exceptions.iter().cloned()));
    for record in &engine.source.manifest.tables {
        let facts = engine.source.inventory.table(&record.name);
        if let Rows::Leave(code, why) = decide(record, facts, &examined.scope, engine.request)
            && record.rows > 0
            && (matches!(code, "rows_not_captured" | SESSIONS_DROPPED)
                || (matches!(code, "service_state" | EXTENSION_ROWS) && !same))
            && !logins_equal.contains(&record.name)
        {
            found.push(Exception {
                code: code.into(),
                what: format!("{} rows of {}", record.rows, record.name.plain()),
                why,
                todo: String::new(),
            });
        }
    }
    for gap in engine.source.manifest.gaps.iter().filter(|_| !same) {
        found.push(Exception {
            code: gap.code.clone(),
            what: gap.what.clone(),
            why: format!("not in the snapshot: {}", gap.why),
            todo: gap.todo.clone(),
        });
    }
    found.sort();
    found
}

/// What the user has to do afterwards.
pub fn manual(engine: &Engine<'_>, examined: &Examined, live: &Inventory) -> Vec<String> {
    let mut list = Vec::new();
    if examined.facts.kind != TargetKind::SameDatabase
        && let Some(kept) = roles::own_password(&engine.source.inventory, live, examined)
    {
        list.push(format!("{} stays as on this server; {}", kept.what, kept.todo));
    }
    let has = |kind: ObjectKind| engine.source.inventory.of_kind(kind).next().is_some();
    if has(ObjectKind::Subscription) {
        list.push("subscriptions are not created: they would connect to their publisher".to_string());
    }
    if examined.scope.platform && examined.facts.kind != TargetKind::SameDatabase {
        list.push("deploy the edge functions from edge_functions/, and set their secrets".to_string());
        list.push("copy the stored files from storage/ into the project's buckets".to_string());
        list.push("the JWT secret and the keys differ between projects: users have to log in again".to_string());
    }
    if examined.scope.platform && examined.state.is_superuser && examined.facts.kind != TargetKind::SameDatabase {
        list.push(
            "roles of the platform get the source's passwords: if the target's services use others, set those again"
                .into(),
        );
    }
    let jobs = engine.source.inventory.tables.iter().any(|t| t.name == QualifiedName::new("cron", "job"));
    if jobs && !engine.request.activate_jobs && examined.facts.kind != TargetKind::SameDatabase {
        list.push(
            "cron jobs are restored inactive; activate them when the stack is ready (or use --activate-jobs)".into(),
        );
    }
    list
}
