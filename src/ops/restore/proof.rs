//! The proof after a restore: the input for `verify`.
//!
//! Invariant: it reads the target only. The state before the first write is in [`Before`]. It compares exactly what the
//! restore covered.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Prepared, Recovery};
use crate::model::failure::Result;
use crate::model::identity::unquoted;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::manifest::TableRecord;
use crate::model::membership::ROLE_MEMBERSHIP;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::model::replication::{SLOT, SUBSCRIPTION};
use crate::model::restore::{ConflictPolicy, Exception, ObjectName, Proof, SecurityCensus, TargetKind};
use crate::ops::predicted;
use crate::ops::predicted::extension_differs;
use crate::pg::census::census;
use crate::pg::session::Session;
use crate::restore::into_schema::copies;
use crate::restore::objects::invalid_indexes;
use crate::restore::source::SnapshotSource;
use crate::restore::target::scope::Scope;
use crate::restore::{Done, Engine, PLATFORM_OPEN, is_left};
use crate::verify::proof::{Expected, ProofInput, RowScope, prove as prove_stack};

/// What must be read before the first write.
#[derive(Debug, Clone, Default)]
pub struct Before {
    pub census: Option<SecurityCensus>,
}

/// Reads how open the target is before the first write.
pub async fn before(recovery: &Recovery<'_>) -> Result<Before> {
    let session = Session::open(recovery.target, "stacksnap census").await?;
    Ok(Before { census: Some(census(&session).await?) })
}

/// Compares the target with the snapshot, within the scope of this restore.
pub async fn prove(recovery: &Recovery<'_>, prepared: &Prepared, done: &Done, before: Before) -> Result<Option<Proof>> {
    let source = &prepared.source;
    let engine = recovery.engine(source, &prepared.vault);
    if let Some(schema) = &recovery.request.into_schema {
        return prove_copies(recovery, &engine, schema).await.map(Some);
    }
    let scope = proven_scope(&engine, done).await?;
    let known: HashSet<(ObjectKind, &str)> =
        source.inventory.objects.iter().map(|o| (o.kind, o.identity.as_str())).collect();
    let own = |o: &CatalogObject| o.kind == ObjectKind::Role && unquoted(&o.identity) == scope.restorer;
    // An object of the platform that decides access is a difference even where it had to stay.
    let open: HashSet<String> =
        prepared.plan.exceptions.iter().filter(|e| e.code == PLATFORM_OPEN).map(|e| e.what.clone()).collect();
    // Grantors are not comparable with servers before 16; the engine has compared who is a member of what.
    let memberships = scope.rules.as_ref().is_none_or(|rules| rules.membership_options);
    let reached = |o: &CatalogObject| {
        if o.kind == ObjectKind::RoleMembership && !memberships {
            return false;
        }
        let brought = scope.brings_back(o) || (o.kind == ObjectKind::SequenceSet && scope.sets(o));
        if o.kind == ObjectKind::Database {
            return scope.is_whole() && !scope.untrusted;
        }
        let there = known.contains(&(o.kind, o.identity.as_str()));
        // A restore never creates slots or subscriptions, and an empty target keeps its own.
        if [SLOT, SUBSCRIPTION].contains(&o.kind) {
            return scope.is_whole() && !scope.untrusted && (there || prepared.plan.target.kind.has_user_objects());
        }
        !own(o) && ((brought && there) || scope.may_drop(o) || open.contains(&format!("{} {}", o.kind, o.identity)))
    };
    let merged = |t: &QualifiedName| {
        recovery.request.conflicts == ConflictPolicy::Keep && matches!(t.schema.as_str(), "auth" | "storage")
    };
    let same = prepared.plan.target.kind == TargetKind::SameDatabase;
    // Jobs name the database that they run in, and are restored disabled. The plan says what to do about them.
    let jobs = |t: &QualifiedName| !same && t.schema == "cron";
    // Secrets are encrypted again by the target; the engine has read each of them back.
    let secrets = |t: &QualifiedName| prepared.vault.is_open() && t.schema == "vault";
    // The plan says that the platform of the target lacks a part of these tables.
    let lacks = |t: &QualifiedName| scope.other.lacking.contains_key(t);
    let left_out = |t: &QualifiedName| merged(t) || jobs(t) || secrets(t) || lacks(t);
    let rows: Vec<QualifiedName> = engine.tables(&scope).into_iter().filter(|t| !left_out(t)).collect();
    let expected = expected(prepared, done);
    let manifest = &source.manifest;
    let inventory = &compared_inventory(source, &scope);
    let mut input = ProofInput::new(manifest, inventory, recovery.target, recovery.monitor, recovery.cancel);
    input.place = Some(&source.place);
    input.expected = &expected;
    input.rows = RowScope::Only(&rows);
    input.objects = Some(&reached);
    // A fresh target had nothing that could have been open.
    input.census_before = before.census.filter(|_| same);
    // Probes evaluate policies and defaults, which are code of the snapshot.
    input.run_probes = !scope.untrusted;
    input.compare_rls = scope.is_whole() && recovery.request.conflicts != ConflictPolicy::Keep;
    input.jobs = recovery.request.jobs.max(1) as usize;
    prove_stack(input).await.map(Some)
}

/// For copies in a separate schema: compares their rows, and how open the database is. Nothing else was changed.
async fn prove_copies(recovery: &Recovery<'_>, engine: &Engine<'_>, schema: &str) -> Result<Proof> {
    let copies = copies(engine, schema)?;
    let names: Vec<QualifiedName> = copies.iter().map(|copy| copy.to.clone()).collect();
    let mut manifest = engine.source.manifest.clone();
    manifest.tables = copies.iter().map(|c| TableRecord { name: c.to.clone(), ..c.record.clone() }).collect();
    let inventory = &engine.source.inventory;
    let nothing = |_: &CatalogObject| false;
    let mut input = ProofInput::new(&manifest, inventory, recovery.target, recovery.monitor, recovery.cancel);
    input.rows = RowScope::Only(&names);
    input.objects = Some(&nothing);
    input.run_probes = false;
    input.jobs = recovery.request.jobs.max(1) as usize;
    prove_stack(input).await
}

/// What the target should hold. With `--untrusted`, the restoring role owns everything.
fn compared_inventory<'s>(source: &'s SnapshotSource, scope: &Scope) -> Cow<'s, Inventory> {
    if !scope.untrusted {
        return Cow::Borrowed(&source.inventory);
    }
    let mut inventory = source.inventory.clone();
    for owner in inventory.objects.iter_mut().filter_map(|o| o.owner.as_mut()) {
        owner.clone_from(&scope.restorer);
    }
    Cow::Owned(inventory)
}

/// The scope of the restore. A target that was empty now holds a stack, so extra objects in it count.
async fn proven_scope(engine: &Engine<'_>, done: &Done) -> Result<Scope> {
    let Some(scope) = done.scope.clone() else { return engine.scope().await };
    let kind = if scope.kind == TargetKind::SameDatabase { scope.kind } else { TargetKind::OtherDatabase };
    Ok(Scope { kind, ..scope })
}

/// Kinds of which the target may keep objects that the snapshot lacks.
const STAYING: [ObjectKind; 6] =
    [ObjectKind::Schema, ObjectKind::DatabaseSetting, ObjectKind::RoleSetting, ROLE_MEMBERSHIP, SLOT, SUBSCRIPTION];

/// Is this exception about an object that differs without a known cause?
fn is_unexplained(exception: &Exception, done: &Done) -> bool {
    done.left_out.iter().any(|one| one.is_unexplained() && one.what() == exception.what)
}

/// The differences that were predicted, with the objects that each one explains.
fn expected(prepared: &Prepared, done: &Done) -> Vec<Expected> {
    let inventory = &prepared.source.inventory;
    let explained = |exception: &Exception| {
        let named = |o: &&CatalogObject| format!("{} {}", o.kind, o.identity) == exception.what;
        let member = |o: &&CatalogObject| {
            o.extension.as_ref().is_some_and(|e| exception.what == format!("extension {e}"))
                || (o.kind == ObjectKind::Extension && exception.what == format!("extension {}", unquoted(&o.identity)))
        };
        let mut objects: Vec<_> =
            inventory.objects.iter().filter(|o| named(o) || member(o)).map(ObjectName::of).collect();
        // An object that had to stay in the target is not in the snapshot's inventory.
        if objects.is_empty() {
            objects.extend(STAYING.iter().filter_map(|kind| {
                let identity = exception.what.strip_prefix(kind.word())?.strip_prefix(' ')?;
                Some(ObjectName { kind: *kind, identity: identity.into() })
            }));
        }
        Expected { exception: exception.clone(), objects, rows_of: Vec::new() }
    };
    let mut list = predicted::left_out(&done.left_out, &prepared.source.manifest.tables);
    let of_causes = list.len();
    // If nothing had to be done, only the plan has exceptions.
    let of_plan = prepared.plan.exceptions.iter().filter(|e| !done.exceptions.contains(e));
    // What the plan left out on the platform is not compared.
    let predicted_left = |e: &Exception| is_left(e) && prepared.plan.exceptions.contains(e);
    let rest = done.exceptions.iter().chain(of_plan);
    let rest = rest.filter(|e| !list[..of_causes].iter().any(|cause| cause.exception == **e));
    let rest = rest.filter(|e| e.code != PLATFORM_OPEN && !predicted_left(e) && !is_unexplained(e, done));
    let rest: Vec<Expected> = rest.map(explained).collect();
    list.extend(rest);
    list.extend(invalid_indexes::all(inventory).into_iter().map(|index| Expected {
        exception: index.exception,
        objects: index.objects,
        rows_of: Vec::new(),
    }));
    for object in inventory.of_kind(ObjectKind::Extension) {
        let exception = extension_differs(&object.identity);
        list.push(Expected { exception, objects: vec![ObjectName::of(object)], rows_of: Vec::new() });
    }
    list
}
