//! Verifies that a snapshot is unchanged since it was sealed: all checksums and, at level `read`, the content too.
//!
//! Invariant: it writes nothing, follows no link, trusts nothing before its checksum and reads each file once. Its
//! memory does not grow with the data. Every problem is a [`Finding`] with a stable code (`doc/format.md`).

mod clock;
mod content;
mod copy_check;
mod files;
mod folder;
mod problem;
pub mod proof;
mod records;
pub mod rows;
mod seal;

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::visible;
use crate::monitor::millis;
use crate::monitor::{Event, Monitor, Phase};
use crate::snapshot::beneath::Folder;
use crate::snapshot::manifest_file::{ManifestProblem, open_failure, read_from};
use crate::snapshot::signature;
use crate::snapshot::signature::SignedBy;

/// How much is verified. A test restore goes further and lives elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every file exists with its length, and every file that a restore reads has its checksum. Copies for people (CSV,
    /// readable SQL) and files outside of the database are not read: damage in them must not prevent a restore.
    ForRestore,
    /// Every file exists, there are no others, and every checksum is right.
    Checksum,
    /// All of that, and every data file decodes to the rows that the manifest records.
    Read,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Good,
    Bad,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The snapshot differs from what was sealed.
    Damage,
    /// Worth knowing; the content is intact.
    Warning,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// Path in the snapshot. It is shown through `name::visible`, because another user may have created the file.
    pub path: String,
    /// A stable code of `doc/format.md`.
    pub code: String,
    pub what: String,
}

impl Finding {
    fn damage(path: &str, code: &str, what: impl Into<String>) -> Self {
        Self { severity: Severity::Damage, path: path.to_string(), code: code.to_string(), what: what.into() }
    }

    fn warning(path: &str, code: &str, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::damage(path, code, what) }
    }
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    pub level: Level,
    pub verdict: Verdict,
    /// Damage first, then by path.
    pub findings: Vec<Finding>,
    /// Files and bytes that were read.
    pub files: u64,
    pub bytes_total: u64,
    pub duration_ms: u64,
    /// Who signed the snapshot; `None` if that was not requested, or if the manifest cannot be read.
    #[serde(flatten)]
    pub seal: Option<SignedBy>,
    /// Checksum of the verified manifest; it identifies this snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<String>,
}

impl Verification {
    /// The failure (exit 13) for a bad verdict, with the first findings.
    pub fn failure(&self) -> Option<Failure> {
        if self.verdict == Verdict::Good {
            return None;
        }
        let damage: Vec<&Finding> = self.findings.iter().filter(|f| f.severity == Severity::Damage).collect();
        let mut lines: Vec<String> = damage
            .iter()
            .take(10)
            .map(|f| format!("{}: {} ({})", visible(&f.path), visible(&f.what), f.code))
            .collect();
        if damage.len() > 10 {
            lines.push(format!("and {} more", damage.len() - 10));
        }
        let message = format!("the snapshot is damaged: {}", lines.join("; "));
        let hint = "do not restore from it: use another snapshot, or another copy of this one";
        Some(Failure::msg(FailureKind::Integrity, message).hint(hint))
    }
}

/// Verifies the snapshot in `folder` with `jobs` threads. Damage is in the result. An error means that there is no such
/// folder (`NotFound`), no right to read it (`Denied`), or a newer format (`Configuration`).
pub fn verify(folder: &Path, level: Level, monitor: &dyn Monitor, jobs: usize) -> Result<Verification> {
    judged(folder, level, None, monitor, jobs)
}

/// The same, and checks the signature: a wrong one is damage, a missing one or one of another root is a warning.
/// `Configuration` when a key of the root cannot be used.
pub fn verify_sealed(
    folder: &Path,
    level: Level,
    root: &Path,
    monitor: &dyn Monitor,
    jobs: usize,
) -> Result<Verification> {
    judged(folder, level, Some(root), monitor, jobs)
}

fn judged(
    folder: &Path,
    level: Level,
    root: Option<&Path>,
    monitor: &dyn Monitor,
    jobs: usize,
) -> Result<Verification> {
    let start = Instant::now();
    let shown = visible(&folder.to_string_lossy());
    let folder = Folder::open(folder).map_err(|error| open_failure(error, &shown))?;
    let mut findings = Vec::new();
    let mut done = files::Done::default();
    let (mut seal, mut manifest_sha256) = (None, None);
    match read_from(&folder) {
        Ok(manifest) => {
            monitor.event(Event::PhaseStarted { phase: Phase::Verify, bytes_total: Some(manifest.bytes_total()) });
            records::check_sums(&folder, &manifest, &mut findings);
            folder::check(&folder, &manifest, &mut findings);
            seal = root.map(|root| signature::check(&folder, &manifest, root)).transpose()?;
            findings.extend(seal.as_ref().and_then(seal::finding));
            let plan = records::plan(&manifest, level, &mut findings);
            done = files::check_all(&folder, plan, monitor, jobs, &mut findings);
            manifest_sha256 = Some(manifest.manifest_sha256);
        }
        Err(ManifestProblem::FormatUnknown(version)) => {
            return Err(Failure::new(FailureKind::Configuration, ManifestProblem::FormatUnknown(version))
                .context(format!("cannot verify the snapshot {shown}"))
                .hint("use the version of stacksnap that wrote it, or a newer one"));
        }
        Err(problem) => findings.push(records::manifest_finding(&problem)),
    }
    findings.sort();
    let bad = findings.iter().any(|f| f.severity == Severity::Damage);
    let duration_ms = millis(start.elapsed());
    let verdict = if bad { Verdict::Bad } else { Verdict::Good };
    let summary = format!("{} files, {} findings", done.files, findings.len());
    monitor.event(Event::PhaseEnded { phase: Phase::Verify, summary, duration_ms });
    let (files, bytes_total) = (done.files, done.bytes);
    Ok(Verification { level, verdict, findings, files, bytes_total, duration_ms, seal, manifest_sha256 })
}
