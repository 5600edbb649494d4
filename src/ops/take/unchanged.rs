//! `--if-changed`: is there anything that a new snapshot would hold and the last one of everything does not?
//!
//! Invariant: "nothing changed" is said only when it is proved; whatever cannot be told means that a snapshot is taken.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::Job;
use super::preflight::Preflight;
use super::selection::Selection;
use crate::archive::root::Root;
use crate::collect::files_marker::files_marker;
use crate::model::failure::{FailureKind, Result};
use crate::model::hex::hex;
use crate::model::ids::SnapshotName;
use crate::model::manifest::ChangeMarker;
use crate::model::outcome::Outcome;
use crate::pg::catalog::marker::{self, Verdict};
use crate::pg::session::Session;

/// The last snapshot of everything, when a new one would hold the same. One with gaps counts too, but for a part that
/// failed: that may go better now.
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
    match compared(&session, old, files, settings_sha256(job, preflight, selection)).await {
        Ok(Verdict::Unchanged) => Ok(Some((name, place))),
        Ok(Verdict::Changed(why) | Verdict::Unsure(why)) => {
            job.monitor.note(format!("taking a snapshot: {why}"));
            Ok(None)
        }
        // An object that goes away while it is read fails the query (facts 5), and is a change.
        Err(failure) if failure.kind == FailureKind::Failed => {
            job.monitor.note(format!("taking a snapshot: {failure}"));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

async fn compared(session: &Session, old: &ChangeMarker, files: String, settings: String) -> Result<Verdict> {
    let new = marker::marker(session, files, settings).await?;
    marker::unchanged(session, old, &new).await
}

/// Hash over what decides what a snapshot holds.
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
