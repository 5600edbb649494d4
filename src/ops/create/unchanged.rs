//! `--if-changed`: would a new snapshot hold anything that the last full one does not?
//!
//! Invariant: "nothing changed" is reported only when it is proved; in doubt a snapshot is taken.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::Job;
use super::preflight::Preflight;
use super::selection::Selection;
use crate::collect::files_marker::files_marker;
use crate::model::failure::{FailureKind, Result};
use crate::model::hex::hex;
use crate::model::ids::SnapshotName;
use crate::model::manifest::{ChangeMarker, Manifest};
use crate::model::name::{QualifiedName, visible};
use crate::model::outcome::Outcome;
use crate::pg::catalog::marker;
use crate::pg::catalog::marker::Verdict;
use crate::pg::catalog::row_ages::{ages, oldest_unseen};
use crate::pg::catalog::tables::tables;
use crate::pg::session::Session;
use crate::root::folder::Root;

/// The last full snapshot, if a new one would hold the same. A snapshot with gaps counts, but not one with a failed
/// part, because that part may succeed now.
pub async fn since_last(
    job: &Job<'_>,
    preflight: &Preflight,
    selection: &Selection,
) -> Result<Option<(SnapshotName, PathBuf)>> {
    let Some((name, place, last)) = Root::new(job.settings.root.clone()).latest_full()? else { return Ok(None) };
    let Some(old) = &last.change_marker else { return Ok(None) };
    let failed = last.outcomes.iter().any(|o| matches!(o.outcome, Outcome::Failed { .. }));
    if failed {
        return Ok(None);
    }
    let session = Session::open(job.source, &job.application_name).await?;
    session.execute(&format!("SET lock_timeout = {}", job.settings.lock_wait.as_millis())).await?;
    let files = files_marker(&super::collect_settings(job.settings));
    match compared(&session, &last, old, files, settings_sha256(job, preflight, selection)).await {
        Ok(Verdict::Unchanged) => Ok(Some((name, place))),
        Ok(Verdict::Uncounted) => Ok(None),
        Ok(Verdict::Changed(why) | Verdict::Unsure(why)) => {
            job.monitor.note(format!("taking a snapshot: {why}"));
            Ok(None)
        }
        // A table that this role may not read could have been written. A query that fails because an object was dropped
        // meanwhile (trap 5) means a change too.
        Err(failure) if matches!(failure.kind, FailureKind::Failed | FailureKind::Denied) => {
            job.monitor.note(format!("taking a snapshot: {failure}"));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

async fn compared(
    session: &Session,
    last: &Manifest,
    old: &ChangeMarker,
    files: String,
    settings: String,
) -> Result<Verdict> {
    let new = marker::marker(session, files, settings).await?;
    match marker::unchanged(session, old, &new).await? {
        Verdict::Uncounted => Ok(match written(session, last, old, &new).await? {
            Some(why) => Verdict::Changed(why),
            None => Verdict::Unchanged,
        }),
        verdict => Ok(verdict),
    }
}

/// Finds a table, or the large objects, with rows written since, by the `xmin` of the rows. Deleted rows show in the
/// row count of a table whose rows the snapshot holds.
async fn written(session: &Session, last: &Manifest, old: &ChangeMarker, new: &ChangeMarker) -> Result<Option<String>> {
    let Some(oldest) = oldest_unseen(&old.transaction_horizon, &new.transaction_horizon) else {
        return Ok(Some("too many transactions ended since".to_string()));
    };
    let rows: BTreeMap<&QualifiedName, u64> = last.tables.iter().map(|t| (&t.name, t.rows)).collect();
    let tables = tables(session).await?;
    let objects = QualifiedName::new("pg_catalog", "pg_largeobject");
    for name in tables.iter().map(|table| &table.name).chain([&objects]) {
        let found = ages(session, name, oldest).await?;
        if found.any_newer || rows.get(name).is_some_and(|rows| *rows != found.rows) {
            return Ok(Some(format!("rows of {} were written", visible(&name.plain()))));
        }
    }
    Ok(None)
}

/// Hash of the settings that decide what a snapshot holds.
pub fn settings_sha256(job: &Job<'_>, preflight: &Preflight, selection: &Selection) -> String {
    let settings = job.settings;
    let text = format!(
        "{:?}",
        (
            selection,
            &settings.formats,
            &settings.project_dir,
            &settings.storage_dir,
            &settings.user_role_tables,
            &settings.encryption_functions,
            settings.keep_sessions,
            settings.seal.is_some(),
            preflight.codec,
            preflight.client.major,
            env!("CARGO_PKG_VERSION"),
            &job.source.user,
        )
    );
    hex(&Sha256::digest(text.as_bytes()))
}
