//! Somebody who can write to a snapshot's folder, knows the format, and does not have the key.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use stacksnap::model::manifest::Manifest;
use stacksnap::snapshot::manifest_file::{manifest_bytes, read_manifest, sums_bytes};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Makes every record fit the files again, as they are now and as `change` wants the manifest.
pub fn hash_again(folder: &Path, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = read_manifest(folder).unwrap();
    for artifact in &mut manifest.artifacts {
        let bytes = std::fs::read(folder.join(&artifact.path)).unwrap();
        (artifact.bytes, artifact.sha256) = (bytes.len() as u64, sha256(&bytes));
    }
    change(&mut manifest);
    let sums = sums_bytes(&manifest.artifacts).unwrap();
    manifest.sha256sums_sha256 = sha256(&sums);
    std::fs::write(folder.join("SHA256SUMS"), sums).unwrap();
    std::fs::write(folder.join("manifest.json"), manifest_bytes(&manifest).unwrap().0).unwrap();
}

/// The data files of two tables change places.
pub fn swap_rows(folder: &Path, one: &str, other: &str) {
    let manifest = read_manifest(folder).unwrap();
    let file = |name: &str| -> PathBuf {
        let record = manifest.tables.iter().find(|t| t.name.plain() == name).unwrap();
        folder.join(record.data_file.as_ref().unwrap())
    };
    let (a, b) = (std::fs::read(file(one)).unwrap(), std::fs::read(file(other)).unwrap());
    std::fs::write(file(one), b).unwrap();
    std::fs::write(file(other), a).unwrap();
}

/// A whole folder with its modes, to a place that is not there yet.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}
