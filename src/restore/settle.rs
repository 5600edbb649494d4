//! What comes after objects and rows: large objects, materialized views, sequences, jobs; and what may be left undone.
//!
//! Invariant: values of sequences are set inside of the transaction; jobs are switched off unless the same database
//! gets them back or somebody asked (R39). An excuse names an object and its reason; without one the restore fails.

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

/// What the rows bring with them: views that hold them, parts that have a file of their own.
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
                .hint("BACKUP_MANIFEST.md says why: stacksnap show SNAPSHOT --gaps"));
        }
        match files::attempt(runner, &engine.source.place, file).await? {
            Some(failure) => return Err(failure),
            None => engine.monitor.note(format!("{file} is merged")),
        }
    }
    Ok(())
}

/// Jobs and values of sequences: not all of that can be rolled back, so it comes after everything else is right.
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
    if examined.facts.kind.has_a_past() {
        exceptions.extend(jobs::unschedule(engine, runner, examined.facts.kind).await?);
    }
    if only_schema || examined.scope.extensions_missing.contains("pg_cron") {
        // Rows do not come back, or it is named with everything else that the extension would have brought.
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

/// Views that hold rows show those of the tables again, in the archive's order.
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

/// Sequences whose value is not the snapshot's.
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
        // RESTART makes the new value part of the transaction; who does not own the sequence sets it all the same.
        if runner.attempt(&what, &format!("{restart}; {set}")).await?.is_none() {
            continue;
        }
        if let Some(failure) = runner.attempt(&what, &set).await? {
            words.insert(what, failure.to_string());
        }
    }
    Ok(())
}

/// Sequences of the target whose value is not the snapshot's and will be.
pub fn moved_sequences<'s>(engine: &Engine<'s>, examined: &Examined, live: &Inventory) -> Vec<&'s CatalogObject> {
    let now: BTreeMap<&str, &str> =
        live.of_kind(ObjectKind::SequenceSet).map(|o| (o.identity.as_str(), o.definition.as_str())).collect();
    let wanted = engine.source.inventory.of_kind(ObjectKind::SequenceSet).filter(|o| examined.scope.sets(o));
    wanted.filter(|o| now.get(o.identity.as_str()).is_some_and(|value| *value != o.definition)).collect()
}

/// Why an object may stay different. `None`: it may not.
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
    let said = || left.words.iter().find(|(what, _)| what.ends_with(&own)).map(|(_, text)| text.clone());
    if examined.scope.untrusted {
        let why = said().unwrap_or_else(|| "it needs something that is left out".to_string());
        return exception(fence::LEFT_OUT, why, "read it in the snapshot, and make it by hand if you want it");
    }
    let member_of = member_of(object, source);
    if object.kind == ObjectKind::Trigger && member_of.is_some() {
        let why = said().unwrap_or_else(|| "it is on a table of an extension, which no archive holds".to_string());
        return exception("trigger_of_member", why, "make it by hand: managed_schema_objects.sql has it");
    }
    // A schema that the platform made for an extension stays behind it: only its owner may drop it.
    let is_left_behind = object.kind == ObjectKind::Schema
        && examined.scope.platform
        && EXTENSION_SCHEMAS.contains(&unquoted(&object.identity).as_str())
        && !source.inventory.of_kind(ObjectKind::Schema).any(|o| o.identity == object.identity);
    let of_the_server = is_the_servers(object, member_of) || is_left_behind;
    // Grants on a user's own objects are never excused: a table that stays open is no restore.
    let own_acl = object.kind == ObjectKind::Acl
        && source.inventory.of_kind(ObjectKind::Acl).any(|o| {
            o.identity == object.identity && o.schema.is_some() && !examined.scope.is_managed(o.schema.as_deref())
        });
    // Nor what new objects of the restoring role's own are open to.
    let own_default = object.kind == ObjectKind::DefaultAcl
        && object.identity.strip_prefix("for role ").is_some_and(|rest| {
            let user = &examined.facts.user;
            rest.starts_with(&format!("{user} ")) || rest.starts_with(&format!("{} ", ident(user)))
        });
    if !examined.facts.is_superuser && of_the_server && !own_acl && !own_default {
        if object.kind == ObjectKind::Role && examined.scope.platform && is_platform_role(&unquoted(&object.identity)) {
            let why = "the platform's own role: its password and rights stay those of the target".to_string();
            return exception("platform_role", why, "");
        }
        let why = said().unwrap_or_else(|| "this role may not change it".to_string());
        let extra = !source.inventory.of_kind(object.kind).any(|o| o.identity == object.identity);
        let revoke = Membership::of_name(object).filter(|_| extra).map(|m| format!("as a superuser: {}", m.revoke()));
        return exception(
            "not_permitted",
            why,
            revoke.as_deref().unwrap_or("ask the platform, or do it as a superuser"),
        );
    }
    if object.kind == ObjectKind::Role && unquoted(&object.identity) == examined.facts.user {
        return exception(
            "own_role",
            "the role that restores keeps its rights".to_string(),
            "alter it as another superuser",
        );
    }
    let grants = object.kind == ObjectKind::Acl && object.identity.starts_with("FOREIGN DATA WRAPPER ");
    if object.kind == ObjectKind::EventTrigger || grants {
        let why = said().unwrap_or_else(|| "plain PostgreSQL wants a superuser as its owner".to_string());
        return exception("owner_not_permitted", why, "");
    }
    let hidden = |o: &CatalogObject| o.identity == object.identity && o.definition.contains("not readable");
    if object.kind == ObjectKind::UserMapping && source.inventory.of_kind(ObjectKind::UserMapping).any(hidden) {
        let why = "its options were not readable for the snapshot".to_string();
        return exception("options_not_readable", why, "set them by hand");
    }
    None
}

/// May only a superuser change it? `member_of`: the extension that it hangs on. Queues belong to the user who made them.
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

/// The extension whose table a policy, a trigger or row security is on.
fn member_of<'s>(object: &ObjectName, source: &'s SnapshotSource) -> Option<&'s str> {
    let table = match object.kind {
        ObjectKind::RowSecurity => object.identity.as_str(),
        ObjectKind::Policy | ObjectKind::Trigger => on(&object.identity)?.1,
        _ => return None,
    };
    source.inventory.of_kind(ObjectKind::Table).find(|o| o.identity == table)?.extension.as_deref()
}

/// Tells the REST server that the schema is another one. Nobody may be listening.
pub async fn after_commit(runner: &Runner<'_>) {
    let _ = runner.session.execute("NOTIFY pgrst, 'reload schema'; NOTIFY pgrst, 'reload config'").await;
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
