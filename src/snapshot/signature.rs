//! `manifest.sig`: proves with the root's key that this root sealed a snapshot.
//!
//! Invariant: it binds the snapshot's name to its manifest, and through the manifest's checksums to every byte. It
//! cannot be created without the key. Verification is pure; an unknown format is never accepted as valid.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::beneath::{Folder, Refusal};
use super::key::Key;
use super::layout;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::ids::SnapshotName;
use crate::model::manifest::Manifest;

const SCHEMA: &str = "stacksnap.signature.v1";
const ALGORITHM: &str = "blake3-keyed";
/// A larger file is not accepted as a signature.
const BYTES_MAX: u64 = 4096;

/// The single line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    schema: String,
    algorithm: String,
    /// 16 hexadecimal digits.
    key_id: String,
    manifest_sha256: String,
    /// 64 hexadecimal digits.
    mac: String,
}

/// The result of verifying a snapshot's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seal", rename_all = "snake_case")]
pub enum SignedBy {
    /// Sealed with the root's key, or with one placed alongside it.
    Ours,
    /// There is no signature.
    Unsigned,
    /// Sealed with a key that this root does not have.
    Foreign { key_id: String },
    /// It is not a valid signature, or it names a key of this root and does not match; with the reason.
    Wrong { why: String },
}

/// The bytes of `manifest.sig`.
pub fn line(key: &Key, name: &SnapshotName, manifest_sha256: &str) -> Result<Vec<u8>> {
    let line = Line {
        schema: SCHEMA.to_string(),
        algorithm: ALGORITHM.to_string(),
        key_id: key.id(),
        manifest_sha256: manifest_sha256.to_string(),
        mac: key.mac(&message(name.as_str(), manifest_sha256)).to_hex().to_string(),
    };
    let mut bytes = serde_json::to_vec(&line).map_err(|e| Failure::new(FailureKind::Failed, e))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The signed message. Neither part can contain a newline: the name has a fixed format, the checksum is hexadecimal.
fn message(name: &str, manifest_sha256: &str) -> Vec<u8> {
    format!("{SCHEMA}\n{name}\n{manifest_sha256}\n").into_bytes()
}

/// Verifies the signature of the snapshot in `folder`. The manifest's checksum was verified before.
pub fn check(folder: &Folder, manifest: &Manifest, root: &Path) -> Result<SignedBy> {
    let bytes = match folder.read(layout::MANIFEST_SIG, BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(Refusal::Missing) => return Ok(SignedBy::Unsigned),
        Err(other) => return Ok(SignedBy::Wrong { why: format!("it cannot be used: {other}") }),
    };
    // `latest` and labels are links: the name is that of the folder they point to.
    let place = std::fs::canonicalize(folder.place())?;
    let name = place.file_name().and_then(|name| name.to_str()).and_then(SnapshotName::parse);
    Ok(judge(&bytes, &Key::trusted(root)?, name.as_ref(), manifest))
}

/// Verifies the bytes. `name` is the folder's name; `None` if the folder's name is not a snapshot name.
fn judge(bytes: &[u8], keys: &[Key], name: Option<&SnapshotName>, manifest: &Manifest) -> SignedBy {
    let wrong = |why: &str| SignedBy::Wrong { why: why.to_string() };
    let Ok(line) = serde_json::from_slice::<Line>(bytes) else { return wrong("it is not understood") };
    let is_id = line.key_id.len() == 16 && line.key_id.bytes().all(|b| b.is_ascii_hexdigit());
    if line.schema != SCHEMA || line.algorithm != ALGORITHM || !is_id {
        return wrong("its format is unknown to this version");
    }
    let Some(key) = keys.iter().find(|key| key.id() == line.key_id) else {
        return SignedBy::Foreign { key_id: line.key_id };
    };
    let expected = key.mac(&message(manifest.id.as_str(), &manifest.manifest_sha256));
    // Comparison of blake3::Hash is constant-time.
    if blake3::Hash::from_hex(&line.mac).ok() != Some(expected) || line.manifest_sha256 != manifest.manifest_sha256 {
        return wrong("it was not made for this manifest.json");
    }
    match name {
        Some(name) if *name != manifest.id => {
            wrong(&format!("it was made for {}: this folder has the name of another snapshot", manifest.id))
        }
        _ => SignedBy::Ours,
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
