//! Compares manifest, SHA256SUMS and table records with each other, and derives which files to read and what they must
//! hold.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::content::{Content, Packing};
use super::{Finding, Level};
use crate::model::artifact::{ArtifactKind, ContentKind};
use crate::model::computed::ComputedRecord;
use crate::model::hex::hex;
use crate::model::manifest::{Manifest, TableRecord};
use crate::snapshot::beneath::Folder;
use crate::snapshot::layout;
use crate::snapshot::manifest_file::{MANIFEST_BYTES_MAX, ManifestProblem, sums_bytes};

/// One file to read.
#[derive(Debug)]
pub struct Job {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    pub content: Content,
}

pub fn manifest_finding(problem: &ManifestProblem) -> Finding {
    let code = if matches!(problem, ManifestProblem::Missing) { "manifest_missing" } else { "manifest_damaged" };
    Finding::damage(layout::MANIFEST_JSON, code, problem.to_string())
}

/// Checks that SHA256SUMS is the file that the manifest names, and lists the same files.
pub fn check_sums(folder: &Folder, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let mut found = |code: &str, what: String| findings.push(Finding::damage(layout::SHA256SUMS, code, what));
    let bytes = match folder.read(layout::SHA256SUMS, MANIFEST_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(refusal) => return found("sums_damaged", refusal.to_string()),
    };
    if hex(&Sha256::digest(&bytes)) != manifest.sha256sums_sha256 {
        return found("sums_damaged", "it is not the one that the manifest names".to_string());
    }
    match sums_bytes(&manifest.artifacts) {
        Ok(expected) if expected == bytes => {}
        Ok(_) => found("sums_disagree", "it does not list the same files as the manifest".to_string()),
        Err(failure) => found("sums_disagree", failure.to_string()),
    }
}

/// Every artifact with its expected content.
pub fn plan(manifest: &Manifest, level: Level, findings: &mut Vec<Finding>) -> Vec<Job> {
    let mut contents = if level == Level::Read { table_contents(manifest, findings) } else { BTreeMap::new() };
    let job = |artifact: &crate::model::outcome::Artifact| {
        let content = match (level, contents.remove(artifact.path.as_str())) {
            (Level::ForRestore, _) if !is_restored(&artifact.path) => Content::Unread,
            (Level::ForRestore | Level::Checksum, _) => Content::Bytes,
            (Level::Read, Some(content)) => content,
            (Level::Read, None) => by_name(&artifact.path),
        };
        Job { path: artifact.path.clone(), bytes: artifact.bytes, sha256: artifact.sha256.clone(), content }
    };
    manifest.artifacts.iter().map(job).collect()
}

/// Does a restore read this file? A file that this version does not know may be needed.
fn is_restored(path: &str) -> bool {
    ArtifactKind::of(path).is_none_or(|kind| kind.is_restored)
}

/// The expected contents of the tables' files, by path.
fn table_contents(manifest: &Manifest, findings: &mut Vec<Finding>) -> BTreeMap<String, Content> {
    let known: BTreeSet<&str> = manifest.artifacts.iter().map(|a| a.path.as_str()).collect();
    let mut contents = BTreeMap::new();
    let generated = manifest.computed.iter().flatten().filter_map(ComputedRecord::as_table);
    let generated: Vec<TableRecord> = generated.collect();
    for table in manifest.tables.iter().chain(&generated) {
        let data = table.data_file.as_deref().map(|path| {
            let content = Content::Table {
                packing: Packing::of(path),
                rows: table.rows,
                fingerprint: table.fingerprint.clone(),
                bytes_raw: table.bytes_raw,
            };
            (path, content)
        });
        let csv =
            table.csv_file.as_deref().map(|path| (path, Content::Csv { packing: Packing::of(path), rows: table.rows }));
        for (path, content) in data.into_iter().chain(csv) {
            if !known.contains(path) || contents.insert(path.to_string(), content).is_some() {
                let what =
                    format!("the table {} names it, but it is unlisted or another table's file", table.name.plain());
                findings.push(Finding::damage(path, "unrecorded_table", what));
            }
        }
    }
    contents
}

fn by_name(path: &str) -> Content {
    let packing = Packing::of(path);
    let Some(kind) = ArtifactKind::of(path) else { return Content::Bytes };
    match kind.content {
        ContentKind::Dump => match path.strip_prefix(kind.path).unwrap_or(path) {
            "/toc.dat" => Content::Toc,
            name if name.starts_with("/blob") && !name.ends_with(".toc") => Content::Packed { packing },
            _ => Content::Bytes,
        },
        ContentKind::DumpSql => Content::DumpSql { packing },
        ContentKind::OwnSql => Content::OwnSql,
        ContentKind::OwnSqlInside if path.ends_with(".sql") => Content::OwnSql,
        ContentKind::OwnSqlInside | ContentKind::Other => Content::Bytes,
    }
}
