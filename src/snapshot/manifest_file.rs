//! Reads and writes `manifest.json` and `SHA256SUMS` with their checksums.
//!
//! Invariant: no part of a manifest is used before `manifest_sha256` is verified, and another major version is never
//! interpreted. It is read without following a link, and never more than [`MANIFEST_BYTES_MAX`] bytes of it.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::beneath::{Folder, Refusal};
use super::layout;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::hex::hex;
use crate::model::manifest::{FORMAT, FormatVersion, Manifest};
use crate::model::name::visible;
use crate::model::outcome::Artifact;

/// A larger file is not accepted as a manifest.
pub const MANIFEST_BYTES_MAX: u64 = 256 << 20;

const HASH_KEY: &str = "\n  \"manifest_sha256\": \"";
const FILE_END: &str = "\"\n}\n";
const ZEROS: [u8; 64] = [b'0'; 64];

/// Why a manifest is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ManifestProblem {
    #[error("there is no manifest.json")]
    Missing,
    #[error("manifest.json cannot be used: {0}")]
    Damaged(String),
    #[error("manifest.json has format {}.{}, this program reads {}", .0.major, .0.minor, FORMAT.major)]
    FormatUnknown(FormatVersion),
}

/// The bytes of `manifest.json` and their `manifest_sha256`, which is computed here; the value in `manifest` is
/// ignored.
pub fn manifest_bytes(manifest: &Manifest) -> Result<(Vec<u8>, String)> {
    let mut zeroed = manifest.clone();
    zeroed.manifest_sha256 = String::from_utf8_lossy(&ZEROS).into_owned();
    let mut bytes = serde_json::to_vec_pretty(&zeroed).map_err(|e| Failure::new(FailureKind::Failed, e))?;
    bytes.push(b'\n');
    let Some(at) = digits_at(&bytes) else {
        return Err(Failure::msg(FailureKind::Failed, "the manifest does not end with its checksum"));
    };
    let sha256 = hex(&Sha256::digest(&bytes));
    bytes[at..at + 64].copy_from_slice(sha256.as_bytes());
    Ok((bytes, sha256))
}

/// The offset of the 64 digits, the last value in the file.
fn digits_at(bytes: &[u8]) -> Option<usize> {
    let at = bytes.len().checked_sub(64 + FILE_END.len())?;
    let fits = bytes[..at].ends_with(HASH_KEY.as_bytes()) && bytes[at + 64..] == *FILE_END.as_bytes();
    fits.then_some(at)
}

/// Parses a manifest: checksum first, then format, then content.
pub fn parse_manifest(mut bytes: Vec<u8>) -> Result<Manifest, ManifestProblem> {
    let damaged = |what: &str| ManifestProblem::Damaged(what.to_string());
    let at = digits_at(&bytes).ok_or_else(|| damaged("it does not end with its checksum"))?;
    let stated: [u8; 64] = bytes[at..at + 64].try_into().map_err(|_| damaged("it does not end with its checksum"))?;
    bytes[at..at + 64].copy_from_slice(&ZEROS);
    if hex(&Sha256::digest(&bytes)).as_bytes() != stated {
        return Err(damaged("its own checksum is wrong"));
    }
    #[derive(serde::Deserialize)]
    struct Head {
        format: FormatVersion,
    }
    let head: Head = serde_json::from_slice(&bytes).map_err(|e| damaged(&e.to_string()))?;
    if !head.format.readable() {
        return Err(ManifestProblem::FormatUnknown(head.format));
    }
    let mut manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| damaged(&e.to_string()))?;
    manifest.manifest_sha256 = String::from_utf8_lossy(&stated).into_owned();
    Ok(manifest)
}

/// Reads `manifest.json` from an open folder.
pub fn read_from(folder: &Folder) -> Result<Manifest, ManifestProblem> {
    match folder.read(layout::MANIFEST_JSON, MANIFEST_BYTES_MAX) {
        Ok(bytes) => parse_manifest(bytes),
        Err(Refusal::Missing) => Err(ManifestProblem::Missing),
        Err(other) => Err(ManifestProblem::Damaged(other.to_string())),
    }
}

/// Reads the manifest of a snapshot. `NotFound` if there is no such folder, `Integrity` if the manifest is missing or
/// damaged, `Configuration` if a newer program wrote it.
pub fn read_manifest(folder: &Path) -> Result<Manifest> {
    let shown = visible(&folder.to_string_lossy());
    let open = Folder::open(folder).map_err(|error| open_failure(error, &shown))?;
    read_from(&open).map_err(|problem| problem_failure(problem, &shown))
}

/// The failure to report for a folder that cannot be opened.
pub fn open_failure(error: std::io::Error, shown: &str) -> Failure {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => FailureKind::NotFound,
        std::io::ErrorKind::PermissionDenied => FailureKind::Denied,
        _ => FailureKind::Failed,
    };
    Failure::new(kind, error)
        .context(format!("cannot open the snapshot {shown}"))
        .hint("to see the existing snapshots, run: stacksnap list")
}

fn problem_failure(problem: ManifestProblem, shown: &str) -> Failure {
    let (kind, hint) = match &problem {
        ManifestProblem::Missing => (
            FailureKind::Integrity,
            "a folder without manifest.json is not a snapshot: the run that wrote it did not end, or it was damaged",
        ),
        ManifestProblem::Damaged(_) => (
            FailureKind::Integrity,
            "use another snapshot or another copy of this one; stacksnap verify reports which files are intact",
        ),
        ManifestProblem::FormatUnknown(_) => {
            (FailureKind::Configuration, "use the version of stacksnap that wrote it, or a newer one")
        }
    };
    Failure::new(kind, problem).context(format!("cannot use the snapshot {shown}")).hint(hint)
}

/// The bytes of `SHA256SUMS` for these files, sorted by path. Fails for a path that it cannot represent.
pub fn sums_bytes(artifacts: &[Artifact]) -> Result<Vec<u8>> {
    let mut lines: Vec<(&str, &str)> = artifacts.iter().map(|a| (a.path.as_str(), a.sha256.as_str())).collect();
    lines.sort_unstable();
    let mut bytes = Vec::new();
    let mut before = "";
    for (path, sha256) in lines {
        let own = [layout::SHA256SUMS, layout::MANIFEST_JSON, layout::MANIFEST_SIG].contains(&path);
        if own || path == before || path.chars().any(|c| c == '\\' || c.is_control()) {
            let shown = visible(path);
            return Err(Failure::msg(
                FailureKind::Failed,
                format!("a snapshot cannot contain a file (or two files) named {shown}"),
            ));
        }
        bytes.extend_from_slice(format!("{sha256}  {path}\n").as_bytes());
        before = path;
    }
    Ok(bytes)
}
