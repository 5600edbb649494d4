//! Checks before a restore: the snapshot is complete, the target is the intended one, and whether the target holds
//! anything that could be lost.
//!
//! Invariant: it only reads; in doubt it refuses.

use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::load_reason::LoadReason;
use crate::model::manifest::{Manifest, SnapshotKind};
use crate::model::name::visible;
use crate::model::restore::{RestorePlan, TargetFacts, TargetKind};
use crate::pg::catalog::source::{host_sha256, source};
use crate::pg::session::Session;

/// How many gaps are named; more are counted.
const NAMED_MAX: usize = 8;

/// Refuses an incomplete snapshot unless `allowed`: objects that it lacks would be missing after the restore.
pub fn whole_enough(manifest: &Manifest, allowed: bool) -> Result<()> {
    if allowed || (manifest.kind == SnapshotKind::Full && manifest.complete) {
        return Ok(());
    }
    let why = match manifest.kind {
        SnapshotKind::Full if manifest.gaps.is_empty() => "its catalogs and its archive disagree".to_string(),
        SnapshotKind::Full => {
            let mut named: Vec<String> = manifest.gaps.iter().take(NAMED_MAX).map(|gap| visible(&gap.what)).collect();
            let more = manifest.gaps.len().saturating_sub(NAMED_MAX);
            if more > 0 {
                named.push(format!("{more} more"));
            }
            format!("it does not hold: {}", named.join("; "))
        }
        _ => "it was taken with only a part of the database".to_string(),
    };
    let text = format!("nothing was written: the snapshot {} is not complete: {why}", manifest.id);
    Err(Failure::msg(FailureKind::NotConfirmed, text)
        .hint(format!("to see what it lacks: stacksnap show {} --gaps", manifest.id))
        .hint("to restore what it holds: --allow-partial"))
}

/// What identifies a database.
#[derive(Debug, Clone)]
pub struct Found {
    pub host_sha256: String,
    pub database: String,
    pub system_identifier: Option<String>,
    pub database_oid: u32,
}

impl Found {
    pub fn of(facts: &TargetFacts) -> Self {
        Self {
            host_sha256: facts.host_sha256.clone(),
            database: facts.database.clone(),
            system_identifier: facts.system_identifier.clone(),
            database_oid: facts.database_oid,
        }
    }
}

/// Reads the target's identity and refuses any other than the expected one.
pub async fn expected_target(target: &ConnSpec, expected: &TargetFacts) -> Result<()> {
    let session = Session::open(target, "stacksnap").await?;
    let (facts, _) = source(&session, host_sha256(target)).await?;
    let found = Found {
        host_sha256: facts.host_sha256,
        database: facts.database,
        system_identifier: facts.system_identifier,
        database_oid: facts.database_oid,
    };
    same_target(expected, &found)
}

/// Is the target the same database? The server's system identifier decides if both are known, else its address. The
/// database must have the same OID and name, so one that was dropped and recreated is another one.
pub fn same_target(expected: &TargetFacts, found: &Found) -> Result<()> {
    let server = match (&expected.system_identifier, &found.system_identifier) {
        (Some(a), Some(b)) => a == b,
        _ => expected.host_sha256 == found.host_sha256,
    };
    let database = expected.database_oid == found.database_oid && expected.database == found.database;
    if server && database {
        return Ok(());
    }
    let what = if server { "another database" } else { "on another server" };
    let text = format!(
        "nothing was written: the target is {what}: {} with OID {}, not {} with OID {}",
        visible(&found.database),
        found.database_oid,
        visible(&expected.database),
        expected.database_oid
    );
    Err(Failure::msg(FailureKind::NotConfirmed, text)
        .hint("give --to the database that was restored; to restore the snapshot elsewhere: stacksnap restore"))
}

/// Is a safety snapshot useful? Yes if the target holds anything that is changed or removed. Yes too if the restore
/// takes several transactions: one that stops halfway leaves a part behind, which only `undo` removes.
pub fn needs_safety(plan: &RestorePlan) -> bool {
    !plan.one_transaction || (has_something_to_lose(plan) && !plan.copies())
}

/// Does the target hold anything that the restore changes or removes?
fn has_something_to_lose(plan: &RestorePlan) -> bool {
    let empty = matches!(plan.target.kind, TargetKind::Bare | TargetKind::FreshProject);
    let untouched =
        plan.drop.is_empty() && plan.replace.is_empty() && plan.load.iter().all(|l| l.reason == LoadReason::New);
    !(empty && untouched)
}
