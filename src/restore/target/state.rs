//! What a restore knows about its target before it plans or writes: facts, scope, and reasons to refuse.
//!
//! Invariant: every reason to refuse is found here, before the first write, and names the alternative.

use std::collections::BTreeSet;

use super::built_on::BuiltOn;
use super::libraries;
use super::other_platform::OtherPlatform;
use super::scope::Scope;
use super::services::Services;
use crate::model::difference::Rules;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::identity::unquoted;
use crate::model::name::{ident, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, RestorePlan, TargetFacts, TargetKind};
use crate::pg::catalog::fence::{far_reaching, trusted_extensions};
use crate::pg::catalog::target::{RoleNew, TargetState, roles_new_to, target};
use crate::pg::meaning::Within;
use crate::pg::session::Session;
use crate::restore::entries::creation::Creation;
use crate::restore::parts::replication;
use crate::restore::stubs;
use crate::restore::stubs::StubPlan;
use crate::restore::{Engine, fence};

/// Session settings of a restore. Settings that a role may not set are tried separately.
pub const SETUP: &str = "SET check_function_bodies = off; SET client_min_messages = warning; SET row_security = off; \
    SET default_table_access_method = heap";

/// More roles are not named.
const NAMED_MAX: usize = 4;

/// The examined target.
pub struct Examined {
    pub state: TargetState,
    pub facts: TargetFacts,
    pub scope: Scope,
    /// Stand-ins for extensions that the target does not offer.
    pub stubs: StubPlan,
    /// With `--untrusted`: the fence.
    pub fence: Option<Fence>,
}

/// What an untrusted snapshot may create, and what it may not.
pub struct Fence {
    extensions: BTreeSet<String>,
    pub exceptions: Vec<Exception>,
}

impl Examined {
    /// The entries that create the snapshot's objects here, without what the fence removes.
    pub fn creation<'s>(&self, engine: &Engine<'s>) -> Result<Creation<'s>> {
        let (toc, inventory) = (&engine.source.toc, &engine.source.inventory);
        let mut creation = Creation::new(toc, inventory, self.facts.server_version_num)?;
        if let Some(fence) = &self.fence {
            fence::enclose(&mut creation, &fence.extensions);
        }
        Ok(creation)
    }
}

/// Connects and examines the target. The session has all settings of a restore, but no transaction.
pub async fn examine(engine: &Engine<'_>) -> Result<(Session, Examined)> {
    let session = Session::open(engine.target, "stacksnap restore").await?;
    session.execute(SETUP).await?;
    session.execute(&format!("SET lock_timeout = {}", engine.request.lock_wait_ms)).await?;
    let state = target(&session, engine.target).await?;
    refuse_servers(engine, &state)?;
    let kind = kind(engine, &state);
    let facts = facts(kind, &state);
    let source_version = engine.source.manifest.source.server_version_num;
    let rules = (source_version / 10_000 != state.facts.server_version_num / 10_000)
        .then(|| Rules { parser_asked: true, ..Rules::between(source_version, state.facts.server_version_num) });
    let mut extensions_missing = missing_extensions(engine, &state);
    if kind == TargetKind::Bare && state.is_superuser {
        extensions_missing.extend(not_installable(&session, engine, &state, &extensions_missing).await?);
    }
    let allowed =
        if engine.request.untrusted { Some(refuse_unless_fenced(&session, kind, &state).await?) } else { None };
    let refused = allowed.as_ref().map(|allowed| fence::refused_extensions(&engine.source.inventory, allowed));
    extensions_missing.extend(refused.iter().flatten().cloned());
    let mut stubs = if extensions_missing.is_empty() {
        StubPlan::default()
    } else {
        let there = state.available_extensions.iter().chain(&state.extensions);
        let there: Vec<String> = there.filter(|name| !extensions_missing.contains(*name)).cloned().collect();
        stubs::plan(&engine.source.toc, &engine.source.inventory, &there)
    };
    if state.is_superuser && !state.is_supabase {
        libraries::leave_out(&session, &engine.source.inventory, &mut stubs).await?;
    }
    let (roles_new, roles_kept) = later_roles(engine, kind, &session).await?;
    let mut scope = Scope {
        platform: state.is_supabase && engine.source.manifest.source.is_supabase,
        kind,
        restorer: state.facts.user.clone(),
        only: engine.request.only.clone(),
        tables: engine.request.tables.clone(),
        extensions_missing,
        left_out: stubs.objects.clone(),
        roles_new,
        roles_kept,
        untrusted: engine.request.untrusted,
        rules,
        other: OtherPlatform::default(),
        built_on: BuiltOn::default(),
        services: Services::default(),
    };
    read_live_scope(engine, &session, &state, &mut scope).await?;
    stubs.not_proven.iter_mut().for_each(|e| fence::of_extension(e, refused.as_ref().unwrap_or(&BTreeSet::new())));
    let mut examined = Examined { state, facts, scope, stubs, fence: None };
    if let Some(extensions) = allowed {
        enclose(engine, &mut examined, extensions)?;
    }
    Ok((session, examined))
}

fn facts(kind: TargetKind, state: &TargetState) -> TargetFacts {
    TargetFacts {
        kind,
        database: state.facts.database.clone(),
        user: state.facts.user.clone(),
        host_sha256: state.facts.host_sha256.clone(),
        system_identifier: state.facts.system_identifier.clone(),
        database_oid: state.facts.database_oid,
        server_version_num: state.facts.server_version_num,
        is_superuser: state.is_superuser,
        sets_replica_role: state.sets_replica_role,
        is_supabase: state.is_supabase,
    }
}

/// The parts of the scope that need the target's objects.
async fn read_live_scope(engine: &Engine<'_>, session: &Session, state: &TargetState, scope: &mut Scope) -> Result<()> {
    scope.left_out.extend(replication::comments_without(engine, session).await?);
    if scope.kind == TargetKind::SameDatabase {
        scope.services = Services::read(engine, session, scope, state.is_superuser).await?;
    } else if scope.platform {
        let live = engine.source.read_target(session, Within::Nothing).await?;
        scope.other = OtherPlatform::new(&engine.source.inventory, &live, scope, state.is_superuser);
        scope.left_out.extend(scope.other.hanging(&engine.source.inventory));
        scope.built_on = BuiltOn::read(engine, session, &live, scope, state.is_superuser).await?;
    }
    Ok(())
}

/// Roles that the snapshot does not have, in two sets: those that a rollback drops (something in this database refers
/// to them, or they are groups without a login that no other database can use), and those that stay.
async fn later_roles(
    engine: &Engine<'_>,
    kind: TargetKind,
    session: &Session,
) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let known: Vec<String> = engine.source.inventory.of_kind(ObjectKind::Role).map(|o| unquoted(&o.identity)).collect();
    let mut came = roles_new_to(session, &known).await?;
    let made = |role: &RoleNew| {
        engine
            .request
            .drop_roles
            .iter()
            .any(|made| made.name == role.name && made.oid.is_none_or(|oid| oid == role.oid))
    };
    came.retain(|role| !made(role));
    let goes = |role: &RoleNew| kind == TargetKind::SameDatabase && role.is_of_database();
    let (new, kept): (Vec<RoleNew>, Vec<RoleNew>) = came.into_iter().partition(goes);
    let names = |roles: Vec<RoleNew>| roles.into_iter().map(|role| role.name).collect();
    Ok((names(new), names(kept)))
}

/// Leaves out what the fence refuses.
fn enclose(engine: &Engine<'_>, examined: &mut Examined, extensions: BTreeSet<String>) -> Result<()> {
    examined.fence = Some(Fence { extensions, exceptions: Vec::new() });
    let names = fence::left_out(&examined.creation(engine)?, &engine.source.inventory);
    if let Some(fence) = &mut examined.fence {
        fence.exceptions = fence::exceptions(&names);
    }
    examined.scope.left_out.extend(names);
    Ok(())
}

/// `--untrusted` requires an empty database and a role without rights outside it. Returns the extensions that may be
/// created.
async fn refuse_unless_fenced(session: &Session, kind: TargetKind, state: &TargetState) -> Result<BTreeSet<String>> {
    let refused = |text: String| {
        let text = format!("nothing was written: {text}");
        Failure::msg(FailureKind::NotConfirmed, text).hint(
            "create a role and a database only for this: createuser --pwprompt scratch; createdb -O scratch scratch; then \
             --to 'host=… user=scratch dbname=scratch'",
        )
    };
    if kind != TargetKind::Bare {
        return Err(refused("--untrusted needs an empty database that is not a Supabase project".to_string()));
    }
    let rights = far_reaching(session).await?;
    if !rights.is_empty() {
        let named: Vec<String> = rights.iter().take(NAMED_MAX).map(|name| visible(name)).collect();
        let text = format!(
            "the role {} has rights beyond this database: it is, or can become, {}",
            visible(&state.facts.user),
            named.join(", ")
        );
        return Err(refused(text));
    }
    let trusted = trusted_extensions(session).await?;
    Ok(trusted.into_iter().chain(state.extensions.iter().cloned()).collect())
}

/// How the target relates to this snapshot.
fn kind(engine: &Engine<'_>, state: &TargetState) -> TargetKind {
    let source = &engine.source.manifest.source;
    let here = &state.facts;
    let same_server = match (&source.system_identifier, &here.system_identifier) {
        (Some(a), Some(b)) => a == b,
        _ => source.host_sha256 == here.host_sha256,
    };
    if same_server && source.database_oid == here.database_oid {
        TargetKind::SameDatabase
    } else if state.has_user_objects {
        TargetKind::OtherDatabase
    } else if state.is_supabase {
        TargetKind::FreshProject
    } else {
        TargetKind::Bare
    }
}

/// Extensions of the snapshot that the server does not offer.
fn missing_extensions(engine: &Engine<'_>, state: &TargetState) -> BTreeSet<String> {
    let there =
        |name: &str| state.available_extensions.iter().any(|e| e == name) || state.extensions.iter().any(|e| e == name);
    let wanted = engine.source.inventory.of_kind(ObjectKind::Extension).map(|o| unquoted(&o.identity));
    wanted.filter(|name| !there(name)).collect()
}

/// Extensions whose files exist but that cannot be created: some must be loaded at server start. Tries it and rolls
/// back.
async fn not_installable(
    session: &Session,
    engine: &Engine<'_>,
    state: &TargetState,
    missing: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let mut refused = BTreeSet::new();
    session.execute("BEGIN; CREATE SCHEMA stacksnap_trial; SET LOCAL search_path = stacksnap_trial").await?;
    for object in engine.source.inventory.of_kind(ObjectKind::Extension) {
        let name = unquoted(&object.identity);
        if missing.contains(&name) || state.extensions.contains(&name) {
            continue;
        }
        let sql = format!("SAVEPOINT trial; CREATE EXTENSION {} CASCADE; ROLLBACK TO trial", ident(&name));
        if let Err(failure) = session.execute(&sql).await {
            if session.is_closed() {
                return Err(failure);
            }
            engine.monitor.note(format!("extension {} cannot be installed: {failure}", visible(&name)));
            session.execute("ROLLBACK TO trial").await?;
            refused.insert(name);
        }
    }
    session.execute("ROLLBACK").await?;
    Ok(refused)
}

fn refuse_servers(engine: &Engine<'_>, state: &TargetState) -> Result<()> {
    let source = &engine.source.manifest.source;
    let (theirs, ours) = (source.server_version_num / 10_000, state.facts.server_version_num / 10_000);
    if state.is_read_only || state.facts.is_standby {
        return Err(Failure::msg(FailureKind::Failed, "the target is read only: nothing can be restored into it")
            .hint("name the primary server in --to, or reset default_transaction_read_only for the role"));
    }
    if ours < theirs {
        let text = format!("the target is PostgreSQL {ours}, older than the snapshot's PostgreSQL {theirs}");
        return Err(Failure::msg(FailureKind::Failed, text).hint(format!(
            "restore into PostgreSQL {theirs} or newer: an older server lacks features of the snapshot"
        )));
    }
    Ok(())
}

/// A plan holds only for the target that it was made for.
pub fn refuse_changed(examined: &Examined, plan: &RestorePlan) -> Result<()> {
    if examined.facts == plan.target {
        return Ok(());
    }
    Err(Failure::msg(FailureKind::NotConfirmed, "the target is not the one that the plan was made for")
        .hint("make a new plan and read it: stacksnap restore … --dry-run"))
}

/// Reasons to refuse that depend on the request.
pub fn refuse_target(engine: &Engine<'_>, examined: &Examined) -> Result<()> {
    if examined.facts.kind == TargetKind::OtherDatabase && !engine.request.replace_other {
        let text = format!(
            "the database {} is not the one that the snapshot was taken from, and has objects of its own",
            visible(&examined.facts.database)
        );
        return Err(Failure::msg(FailureKind::NotConfirmed, text)
            .hint("everything in it that the snapshot does not have would be dropped")
            .hint("restore into an empty database, or pass --replace-other-project if that is what you want"));
    }
    // With `--untrusted` rows are loaded before triggers and keys are created: nothing needs to be disabled.
    if !examined.state.sets_replica_role && !engine.request.untrusted {
        let text = "this role may not disable triggers and foreign keys (session_replication_role)";
        return Err(Failure::msg(FailureKind::Denied, text)
            .hint("use a superuser, or on PostgreSQL 15 and later: GRANT SET ON PARAMETER session_replication_role TO the role"));
    }
    Ok(())
}
