//! The safety snapshot of a target, taken before the first write.
//!
//! Invariant: it holds every row, whatever the settings exclude from ordinary snapshots; it never becomes `latest`. If
//! it cannot be taken, the restore does not start.

use super::Recovery;
use crate::config::{Format, Settings, Verify};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::ids::Label;
use crate::model::manifest::SAFETY_TAG;
use crate::model::request::CreateRequest;
use crate::ops::create;
use crate::root::restores::RestoreId;
use crate::snapshot::manifest_file::read_manifest;

pub const LABEL: &str = "BEFORE_RESTORE";

/// Takes it. Returns its name and the checksum of its manifest.
pub async fn take(recovery: &Recovery<'_>, id: &RestoreId) -> Result<(String, String)> {
    let settings = everything_in_the_database(recovery.settings);
    let label = Label::parse(LABEL).map_err(|what| Failure::msg(FailureKind::Failed, what))?;
    let mut request = CreateRequest::full(recovery.request.now);
    request.label = Some(label);
    request.note = Some(format!("the target before {id}"));
    request.tags.insert(SAFETY_TAG.to_string(), id.to_string());
    let taken = create::create(&request, &settings, recovery.target, recovery.monitor, recovery.cancel).await;
    let report = taken.map_err(|failure| {
        failure
            .context("cannot take the safety snapshot of the target")
            .hint("fix this, or give up undo with --no-safety-snapshot")
    })?;
    let (Some(name), Some(place)) = (report.snapshot, report.place) else {
        return Err(Failure::msg(FailureKind::Failed, "the safety snapshot was not taken"));
    };
    let manifest = read_manifest(&place)?;
    if !report.gaps.is_empty() {
        let message =
            format!("the safety snapshot {name} has {} gaps: undo restores everything but these", report.gaps.len());
        recovery.monitor.warn("safety_snapshot_gaps", message, Some(format!("stacksnap show {name} --gaps")));
    }
    Ok((name.to_string(), manifest.manifest_sha256))
}

/// The settings of a snapshot that must restore a database: all rows, and no files outside of the database, which a
/// restore does not touch.
pub fn everything_in_the_database(settings: &Settings) -> Settings {
    Settings {
        formats: vec![Format::Dump],
        exclude_data: Vec::new(),
        project_dir: None,
        storage_dir: None,
        keep_sessions: true,
        // A restore waits for it, and it is only restored to the database that it came from.
        verify: Some(Verify::Nothing),
        ..settings.clone()
    }
}
