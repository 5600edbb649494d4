//! What comes after objects and rows: large objects, materialized views, sequences, jobs; and which differences are
//! excused.
//!
//! Invariant: sequence values are set inside the transaction. Jobs are disabled unless the target is the snapshot's own
//! database or the user asked for them (R39). An excuse names an object and its reason; a difference without one fails
//! the restore.

use std::collections::BTreeMap;

use super::Engine;
use super::entries::creation::Creation;
use super::fence;
use super::objects::converge::Left;
use super::objects::drop::set_sequence;
use super::parts::{database, jobs, queues};
use super::rows::policy;
use super::rows::tables::Tables;
use super::source::SnapshotSource;
use super::sql::files;
use super::sql::runner::Runner;
use super::target::scope::{EXTENSION_SCHEMAS, QUEUES};
use super::target::state::Examined;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::identity::{on, unquoted};
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::membership::Membership;
use crate::model::name::{QualifiedName, ident};
use crate::model::object_kind::ObjectKind;
use crate::model::platform::is_platform_role;
use crate::model::restore::{Exception, ObjectName, RestorePlan, TargetKind};
use crate::pg::meaning::Within;
use crate::snapshot::layout;

/// What follows the rows: refreshed materialized views, and parts that have their own file.
pub async fn after_rows(
    engine: &Engine<'_>,
    runner: &Runner<'_>,
    creation: &Creation<'_>,
    tables: &Tables<'_>,
    words: &mut BTreeMap<String, String>,
) -> Result<()> {
    if tables.wants_refresh() {
        refresh_all(runner, creation, tables, words).await?;
    }
    if engine.request.only.is_empty() && engine.request.tables.is_empty() && !engine.request.untrusted {
        queues::make(engine, runner).await?;
    }
    for file in policy::files(&engine.request.only) {
        if !engine.source.place.join(file).exists() {
            return Err(Failure::msg(FailureKind::NotFound, format!("the snapshot has no {file}"))
                .hint("see the reason in the gaps: stacksnap show SNAPSHOT --gaps"));
        }
        match files::attempt(runner, &engine.source.place, file).await? {
            Some(failure) => return Err(failure),
            None => engine.monitor.note(format!("merged {file}")),
        }
    }
    Ok(())
}

/// Jobs and sequence values: not all of it can be rolled back, so it runs after everything else succeeded.
pub async fn last(
    engine: &Engine<'_>,
    examined: &Examined,
    runner: &Runner<'_>,
    plan: &RestorePlan,
    words: &mut BTreeMap<String, String>,
) -> Result<Vec<Exception>> {
    if !examined.scope.is_whole() || examined.scope.untrusted {
        let live = engine.source.read_target(runner.session, Within::Transaction).await?;
        sequences(engine, examined, &live, runner, words).await?;
        return Ok(Vec::new());
    }
    let only_schema = engine.source.leaves_file(layout::CRON_JOBS_SQL);
    let mut exceptions = if only_schema { Vec::new() } else { queues::put_back(engine, runner, plan).await? };
    if examined.facts.kind.has_user_objects() {
        exceptions.extend(jobs::unschedule(engine, runner, examined.facts.kind).await?);
    }
    if only_schema || examined.scope.extensions_missing.contains("pg_cron") {
        // Without rows no job is restored; a missing pg_cron is named with everything else that it would have brought.
    } else if let Some(failure) = files::attempt(runner, &engine.source.place, layout::CRON_JOBS_SQL).await? {
        words.insert(layout::CRON_JOBS_SQL.to_string(), failure.to_string());
    } else if examined.facts.kind != TargetKind::SameDatabase && !engine.request.activate_jobs {
        switch_jobs_off(runner, words).await?;
    }
    let live = engine.source.read_target(runner.session, Within::Transaction).await?;
    if examined.facts.kind == TargetKind::SameDatabase {
        if jobs::differ(engine, runner.session).await? {
            exceptions.push(jobs::not_the_same());
        } else if examined.facts.is_superuser {
            jobs::last_number(engine, &live, runner, words).await?;
        }
    }
    sequences(engine, examined, &live, runner, words).await?;
    exceptions.extend(database::put_back(engine, examined, &live, runner, words).await?);
    Ok(exceptions)
}

/// Refreshes materialized views in the archive's order.
async fn refresh_all(
    runner: &Runner<'_>,
    creation: &Creation<'_>,
    tables: &Tables<'_>,
    words: &mut BTreeMap<String, String>,
) -> Result<()> {
    for step in creation.refreshes() {
        let schema = step.entry.schema.clone().unwrap_or_default();
        if tables.leaves_view(&QualifiedName::new(schema, step.entry.tag.clone())) {
            continue;
        }
        if let Some(failure) = runner.attempt(&step.what(), &step.sql).await? {
            words.insert(step.what(), failure.to_string());
        }
    }
    Ok(())
}

async fn switch_jobs_off(runner: &Runner<'_>, words: &mut BTreeMap<String, String>) -> Result<()> {
    let sql = "DO $stacksnap$ BEGIN IF pg_catalog.to_regclass('cron.job') IS NOT NULL THEN \
               PERFORM cron.alter_job(j.jobid, active => false) FROM cron.job j \
               WHERE j.active AND j.database = pg_catalog.current_database(); END IF; END $stacksnap$";
    if let Some(failure) = runner.attempt("switch cron jobs off", sql).await? {
        words.insert("cron jobs are still on".to_string(), failure.to_string());
    }
    Ok(())
}

/// Sets sequences whose value differs from the snapshot's.
async fn sequences(
    engine: &Engine<'_>,
    examined: &Examined,
    live: &Inventory,
    runner: &Runner<'_>,
    words: &mut BTreeMap<String, String>,
) -> Result<()> {
    for object in moved_sequences(engine, examined, live) {
        let Some((restart, set)) = set_sequence(object) else { continue };
        let what = format!("value of sequence {}", object.identity);
        // RESTART makes the new value transactional, but needs ownership. Other roles run setval alone.
        if runner.attempt(&what, &format!("{restart}; {set}")).await?.is_none() {
            continue;
        }
        if let Some(failure) = runner.attempt(&what, &set).await? {
            words.insert(what, failure.to_string());
        }
    }
    Ok(())
}

/// Sequences of the target whose value differs and will be set.
pub fn moved_sequences<'s>(engine: &Engine<'s>, examined: &Examined, live: &Inventory) -> Vec<&'s CatalogObject> {
    let now: BTreeMap<&str, &str> =
        live.of_kind(ObjectKind::SequenceSet).map(|o| (o.identity.as_str(), o.definition.as_str())).collect();
    let wanted = engine.source.inventory.of_kind(ObjectKind::SequenceSet).filter(|o| examined.scope.sets(o));
    wanted.filter(|o| now.get(o.identity.as_str()).is_some_and(|value| *value != o.definition)).collect()
}

/// Why an object may stay different. `None`: it may not, and the restore fails.
pub fn excuse(object: &ObjectName, left: &Left, examined: &Examined, source: &SnapshotSource) -> Option<Exception> {
    let exception = |code: &str, why: String, todo: &str| {
        Some(Exception {
            code: code.into(),
            what: format!("{} {}", object.kind, object.identity),
            why,
            todo: todo.into(),
        })
    };
    let own = format!("{} {}", object.kind, object.identity);
    let reported = || left.words.iter().find(|(what, _)| what.ends_with(&own)).map(|(_, text)| text.clone());
    if examined.scope.untrusted {
        let why = reported().unwrap_or_else(|| "it depends on something that is left out".to_string());
        return exception(fence::LEFT_OUT, why, "review it in the snapshot and create it by hand if you want it");
    }
    let member_of = member_of(object, source);
    if object.kind == ObjectKind::Trigger && member_of.is_some() {
        let why = reported().unwrap_or_else(|| "pg_dump leaves out triggers on tables of extensions".to_string());
        return exception("trigger_of_member", why, "create it by hand: it is in managed_schema_objects.sql");
    }
    // A schema that the platform created for an extension is not dropped with it: only its owner may drop it.
    let is_left_behind = object.kind == ObjectKind::Schema
        && examined.scope.platform
        && EXTENSION_SCHEMAS.contains(&unquoted(&object.identity).as_str())
        && !source.inventory.of_kind(ObjectKind::Schema).any(|o| o.identity == object.identity);
    let of_the_server = is_the_servers(object, member_of) || is_left_behind;
    // Grants on a user's own objects are never excused: a table open to the wrong roles is no restore.
    let own_acl = object.kind == ObjectKind::Acl
        && source.inventory.of_kind(ObjectKind::Acl).any(|o| {
            o.identity == object.identity && o.schema.is_some() && !examined.scope.is_managed(o.schema.as_deref())
        });
    // Nor are default privileges of the restoring role: its new objects would be open.
    let own_default = object.kind == ObjectKind::DefaultAcl
        && object.identity.strip_prefix("for role ").is_some_and(|rest| {
            let user = &examined.facts.user;
            rest.starts_with(&format!("{user} ")) || rest.starts_with(&format!("{} ", ident(user)))
        });
    if !examined.facts.is_superuser && of_the_server && !own_acl && !own_default {
        if object.kind == ObjectKind::Role && examined.scope.platform && is_platform_role(&unquoted(&object.identity)) {
            let why = "a role of the platform: it keeps the target's password and attributes".to_string();
            return exception("platform_role", why, "");
        }
        let why = reported().unwrap_or_else(|| "the restoring role may not change it".to_string());
        let extra = !source.inventory.of_kind(object.kind).any(|o| o.identity == object.identity);
        let revoke = Membership::of_name(object).filter(|_| extra).map(|m| format!("as a superuser: {}", m.revoke()));
        return exception(
            "not_permitted",
            why,
            revoke.as_deref().unwrap_or("ask the platform's support, or change it as a superuser"),
        );
    }
    if object.kind == ObjectKind::Role && unquoted(&object.identity) == examined.facts.user {
        return exception(
            "own_role",
            "it is the restoring role, which keeps its attributes".to_string(),
            "alter it as another superuser",
        );
    }
    let grants = object.kind == ObjectKind::Acl && object.identity.starts_with("FOREIGN DATA WRAPPER ");
    if object.kind == ObjectKind::EventTrigger || grants {
        let why = reported().unwrap_or_else(|| "PostgreSQL requires a superuser as its owner".to_string());
        return exception("owner_not_permitted", why, "");
    }
    let hidden = |o: &CatalogObject| o.identity == object.identity && o.definition.contains("not readable");
    if object.kind == ObjectKind::UserMapping && source.inventory.of_kind(ObjectKind::UserMapping).any(hidden) {
        let why = "the role that took the snapshot could not read its options".to_string();
        return exception("options_not_readable", why, "set them by hand: ALTER USER MAPPING");
    }
    None
}

/// Does changing it need a superuser? `member_of`: the extension that its table belongs to. Queues belong to the user
/// who created them.
fn is_the_servers(object: &ObjectName, member_of: Option<&str>) -> bool {
    const KINDS: [ObjectKind; 8] = [
        ObjectKind::Role,
        ObjectKind::RoleMembership,
        ObjectKind::RoleSetting,
        ObjectKind::DatabaseSetting,
        ObjectKind::Acl,
        ObjectKind::DefaultAcl,
        ObjectKind::Comment,
        ObjectKind::EventTrigger,
    ];
    KINDS.contains(&object.kind) || member_of.is_some_and(|extension| extension != QUEUES)
}

/// The extension that owns the table of a policy, trigger or row security switch.
fn member_of<'s>(object: &ObjectName, source: &'s SnapshotSource) -> Option<&'s str> {
    let table = match object.kind {
        ObjectKind::RowSecurity => object.identity.as_str(),
        ObjectKind::Policy | ObjectKind::Trigger => on(&object.identity)?.1,
        _ => return None,
    };
    source.inventory.of_kind(ObjectKind::Table).find(|o| o.identity == table)?.extension.as_deref()
}

/// Tells PostgREST to reload its schema cache and configuration. It does not matter if it is not listening.
pub async fn after_commit(runner: &Runner<'_>) {
    let _ = runner.session.execute("NOTIFY pgrst, 'reload schema'; NOTIFY pgrst, 'reload config'").await;
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
