//! The proof after a restore: what of the snapshot is compared, and which losses were announced.
//!
//! Invariant: it reads the target only, apart from probes that take back what they try. A loss is excused only when the
//! plan or the engine named it as an exception; what a restore does not touch is not compared.

use std::collections::BTreeSet;

use super::{Prepared, Recovery};
use crate::model::difference::Rules;
use crate::model::failure::Result;
use crate::model::inventory::CatalogObject;
use crate::model::manifest::TableRecord;
use crate::model::name::QualifiedName;
use crate::model::restore::{Exception, ObjectName, Proof, SecurityCensus};
use crate::pg::census::census;
use crate::pg::session::Session;
use crate::restore::Done;
use crate::restore::rows::{Rows, decide};
use crate::restore::scope::{Scope, plain};
use crate::verify::proof::{Expected, ProofInput, RowScope, prove as prove_target};

/// The engine's word for an extension that the target's server does not have.
const EXTENSION_MISSING: &str = "extension_missing";

/// What must be asked before the first write.
#[derive(Debug, Clone, Default)]
pub struct Before {
    pub census: Option<SecurityCensus>,
}

/// How open the target is before it is written to.
pub async fn before(recovery: &Recovery<'_>) -> Result<Before> {
    let session = Session::open(recovery.target, "stacksnap proof").await?;
    Ok(Before { census: Some(census(&session).await?) })
}

/// Compares the target with the snapshot, as far as the restore was to make them equal. `None`: the tables went into
/// another schema, and there is nothing to compare them with.
pub async fn prove(recovery: &Recovery<'_>, prepared: &Prepared, done: &Done, before: Before) -> Result<Option<Proof>> {
    let request = recovery.request;
    if request.into_schema.is_some() {
        let message = "tables in another schema than their own are not compared with the snapshot";
        recovery.monitor.warn("not_proven", message, Some("--no-proof ends with 0".into()));
        return Ok(None);
    }
    let source = &prepared.source;
    let scope = scope(prepared, done);
    let mut exceptions: Vec<Exception> = prepared.plan.exceptions.iter().chain(&done.exceptions).cloned().collect();
    exceptions.sort();
    exceptions.dedup();
    let left: Vec<(&TableRecord, &str)> = source
        .manifest
        .tables
        .iter()
        .filter_map(|record| match decide(record, source.inventory.table(&record.name), &scope, request) {
            Rows::Leave(code, _) => Some((record, code)),
            Rows::Load => None,
        })
        .collect();
    let expected: Vec<Expected> =
        exceptions.into_iter().map(|e| announced(e, &source.inventory.objects, &left)).collect();
    let not_compared: Vec<QualifiedName> = left.iter().map(|(record, _)| record.name.clone()).collect();
    let in_snapshot: BTreeSet<(&str, &str)> =
        source.inventory.objects.iter().map(|o| (o.kind.as_str(), o.identity.as_str())).collect();
    let wanted = |object: &CatalogObject| {
        let theirs = in_snapshot.contains(&(object.kind.as_str(), object.identity.as_str()));
        if theirs {
            comes_back(object, &scope, &request.tables)
        } else {
            request.tables.is_empty() && scope.may_drop(object)
        }
    };
    let input = ProofInput {
        expected: &expected,
        rows: RowScope::Except(&not_compared),
        objects: Some(&wanted),
        rules: scope.rules.clone(),
        census_before: before.census,
        jobs: usize::try_from(request.jobs.max(1)).unwrap_or(1),
        ..ProofInput::new(&source.manifest, &source.inventory, recovery.target, recovery.monitor, recovery.cancel)
    };
    prove_target(input).await.map(Some)
}

/// The rules that the engine went by, from what the plan says of the target.
fn scope(prepared: &Prepared, done: &Done) -> Scope {
    let (plan, source) = (&prepared.plan, &prepared.source.manifest.source);
    let versions = (source.server_version_num, plan.target.server_version_num);
    let missing = plan.exceptions.iter().chain(&done.exceptions).filter(|e| e.code == EXTENSION_MISSING);
    Scope {
        platform: plan.target.is_supabase && source.is_supabase,
        kind: plan.target.kind,
        restorer: plan.target.user.clone(),
        only: plan.only.clone(),
        extensions_missing: missing.filter_map(|e| e.what.strip_prefix("extension ").map(str::to_string)).collect(),
        rules: (versions.0 / 10_000 != versions.1 / 10_000).then(|| Rules::between(versions.0, versions.1)),
    }
}

/// Is this object of the snapshot to be as it was? Values of sequences and large objects are loaded like rows.
fn comes_back(object: &CatalogObject, scope: &Scope, tables: &[QualifiedName]) -> bool {
    if !tables.is_empty() {
        return object.kind == "TABLE" && tables.iter().any(|t| is_named(object, t));
    }
    if matches!(object.kind.as_str(), "SEQUENCE SET" | "BLOB") {
        return scope.only.is_empty() && object.extension.is_none() && !scope.is_managed(object.schema.as_deref());
    }
    scope.brings_back(object)
}

fn is_named(object: &CatalogObject, table: &QualifiedName) -> bool {
    let name = object.identity.rsplit('.').next().unwrap_or_default();
    object.schema.as_deref() == Some(table.schema.as_str()) && plain(name) == table.name
}

/// An exception with what it explains: the object or the rows that it names.
fn announced(exception: Exception, objects: &[CatalogObject], left: &[(&TableRecord, &str)]) -> Expected {
    let name = |object: &CatalogObject| ObjectName { kind: object.kind.clone(), identity: object.identity.clone() };
    let of_extension = |o: &&CatalogObject| {
        exception.code == EXTENSION_MISSING
            && o.kind == "EXTENSION"
            && exception.what.strip_prefix("extension ") == Some(plain(&o.identity))
    };
    let is_it = |o: &&CatalogObject| exception.what == format!("{} {}", o.kind, o.identity) || of_extension(o);
    let objects = objects.iter().filter(is_it).map(name).collect();
    let rows = |(record, code): &&(&TableRecord, &str)| {
        exception.code == *code && exception.what.ends_with(&format!("rows of {}", record.name.plain()))
    };
    let rows_of = left.iter().filter(rows).map(|(record, _)| record.name.clone()).collect();
    Expected { exception, objects, rows_of }
}
