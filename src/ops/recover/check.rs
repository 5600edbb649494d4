//! What must hold before a restore: the snapshot is whole, the target is the one that is meant; and whether there is
//! anything in the target that could be lost.
//!
//! Invariant: it decides from facts alone; a doubt is a refusal.

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::manifest::{Manifest, SnapshotKind};
use crate::model::name::visible;
use crate::model::restore::{RestorePlan, TargetFacts, TargetKind};

/// More gaps than this are counted, not named.
const NAMED_MAX: usize = 8;

/// A snapshot that does not hold everything is refused unless `allowed`: what it lacks would be missing afterwards.
pub fn whole_enough(manifest: &Manifest, allowed: bool) -> Result<()> {
    if allowed || (manifest.kind == SnapshotKind::Full && manifest.complete) {
        return Ok(());
    }
    let why = match manifest.kind {
        SnapshotKind::Full if manifest.gaps.is_empty() => "catalogs and archive do not agree in it".to_string(),
        SnapshotKind::Full => {
            let mut named: Vec<String> = manifest.gaps.iter().take(NAMED_MAX).map(|gap| visible(&gap.what)).collect();
            let more = manifest.gaps.len().saturating_sub(NAMED_MAX);
            if more > 0 {
                named.push(format!("{more} more"));
            }
            format!("it does not hold: {}", named.join("; "))
        }
        _ => "only a part was asked for when it was taken".to_string(),
    };
    let text = format!("nothing was written: the snapshot {} is not complete: {why}", manifest.id);
    Err(Failure::msg(FailureKind::NotConfirmed, text)
        .hint(format!("see what it lacks: stacksnap show {} --gaps", manifest.id))
        .hint("restore what it holds: --allow-partial"))
}

/// Is the target the same database? The server's own identifier decides where both are known, else its address; the
/// database by its number and name, so that one that was dropped and made again is another one.
pub fn same_target(expected: &TargetFacts, found: &TargetFacts) -> Result<()> {
    let server = match (&expected.system_identifier, &found.system_identifier) {
        (Some(a), Some(b)) => a == b,
        _ => expected.host_sha256 == found.host_sha256,
    };
    let database = expected.database_oid == found.database_oid && expected.database == found.database;
    if server && database {
        return Ok(());
    }
    let what = if server { "another database" } else { "another server" };
    let text = format!(
        "nothing was written: the target is {what} than before (database {} with the number {}, expected {} with {})",
        visible(&found.database),
        found.database_oid,
        visible(&expected.database),
        expected.database_oid
    );
    Err(Failure::msg(FailureKind::NotConfirmed, text)
        .hint("give --to of the database that was restored; to put its snapshot elsewhere use: stacksnap restore"))
}

/// Is there anything in the target that a restore changes or removes? Only then is a safety snapshot of use.
pub fn has_something_to_lose(plan: &RestorePlan) -> bool {
    let empty = matches!(plan.target.kind, TargetKind::Bare | TargetKind::FreshProject);
    let untouched = plan.drop.is_empty() && plan.replace.is_empty() && plan.load.iter().all(|l| l.why == "new");
    !(empty && untouched)
}
