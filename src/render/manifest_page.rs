//! `BACKUP_MANIFEST.md`: the summary of a snapshot for people.
//!
//! Invariant: it contains only facts of the manifest: a part without a file is shown as missing, and a partial snapshot
//! is marked in the first lines. Every value is escaped by the template registry.

use std::collections::BTreeSet;

use serde::Serialize;

use super::render;
use super::restore_script::kind_word;
use crate::model::artifact::{ARTIFACTS, ArtifactKind, Section};
use crate::model::failure::Result;
use crate::model::manifest::Manifest;
use crate::model::name::markdown;
use crate::model::outcome::Outcome;
use crate::model::schema_verification::{NotTried, SchemaVerification};

const TEMPLATE: &str = include_str!("../../templates/BACKUP_MANIFEST.md.hbs");

#[derive(Serialize)]
struct Values<'a> {
    manifest: &'a Manifest,
    kind: &'static str,
    seconds: String,
    size: String,
    rows_total: u64,
    tables_total: usize,
    files_total: usize,
    gaps_total: usize,
    /// The result of the schema verification.
    schema: String,
    not_tried: &'a [NotTried],
    sections: Vec<SectionText>,
    tables: Vec<Table>,
    counts: Vec<(String, u64)>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct SectionText {
    title: &'static str,
    files: Vec<FileLine>,
    counts: Vec<(String, u64)>,
}

#[derive(Serialize)]
struct FileLine {
    path: String,
    about: String,
    size: String,
}

#[derive(Serialize)]
struct Table {
    name: String,
    rows: u64,
    size: String,
    csv: String,
    fingerprint: String,
}

#[derive(Serialize)]
struct Problem {
    collector: String,
    what: String,
}

/// Renders the page. The manifest may be a draft; its artifacts must be complete except for this page.
pub fn manifest_markdown(manifest: &Manifest) -> Result<String> {
    let sections: Vec<SectionText> = Section::ALL.into_iter().map(|section| section_text(manifest, section)).collect();
    let placed: BTreeSet<&str> = Section::ALL.iter().flat_map(|s| s.counts()).map(|count| count.word()).collect();
    let schema = manifest.schema_verification.as_ref();
    let values = Values {
        manifest,
        kind: kind_word(manifest.kind),
        seconds: format!("{}.{}", manifest.duration_ms / 1000, manifest.duration_ms % 1000 / 100),
        size: size(manifest.bytes_total()),
        rows_total: manifest.rows_total(),
        tables_total: manifest.tables.len(),
        files_total: manifest.artifacts.len(),
        gaps_total: manifest.gaps.len(),
        schema: schema.map_or_else(|| "not verified".to_string(), SchemaVerification::sentence),
        not_tried: schema.map_or(&[], |verified| &verified.not_tried),
        sections,
        tables: manifest.tables.iter().map(table).collect(),
        counts: manifest
            .counts
            .iter()
            .filter(|(w, _)| !placed.contains(w.as_str()))
            .map(|(w, n)| (words(w), *n))
            .collect(),
        problems: problems(manifest),
    };
    render(TEMPLATE, markdown, &values)
}

fn section_text(manifest: &Manifest, section: Section) -> SectionText {
    let kinds = ARTIFACTS.iter().filter(|kind| kind.section == Some(section));
    let files = kinds.filter_map(|kind| file_line(manifest, kind)).collect();
    let counts = section.counts().iter().map(|count| count.word());
    let counts = counts.filter_map(|word| manifest.counts.get(word).map(|n| (words(word), *n))).collect();
    SectionText { title: section.title(), files, counts }
}

/// One line for a file or folder of the layout, never for another name; `None` if the snapshot does not have it. A
/// compressed file is shown with its actual path and a note.
fn file_line(manifest: &Manifest, kind: &ArtifactKind) -> Option<FileLine> {
    let found: Vec<_> = manifest.artifacts.iter().filter(|artifact| kind.has(&artifact.path)).collect();
    let first = found.first()?;
    let bytes = size(found.iter().map(|artifact| artifact.bytes).sum());
    let is_compressed = !kind.is_folder && first.path != kind.path;
    let about = if is_compressed { format!("{}, compressed: zstd -d", kind.about) } else { kind.about.to_string() };
    Some(match kind.is_folder {
        true => FileLine { path: format!("{}/", kind.path), about, size: format!("{} files, {bytes}", found.len()) },
        false => FileLine { path: first.path.clone(), about, size: bytes },
    })
}

fn table(record: &crate::model::manifest::TableRecord) -> Table {
    Table {
        name: record.name.plain(),
        rows: record.rows,
        size: size(record.bytes_raw),
        csv: if record.csv_file.is_some() { "yes" } else { "no" }.to_string(),
        fingerprint: record.fingerprint.clone(),
    }
}

/// Collectors that failed or were skipped.
fn problems(manifest: &Manifest) -> Vec<Problem> {
    let of = |outcome: &Outcome| match outcome {
        Outcome::Collected { .. } => None,
        Outcome::Skipped { reason } => Some(format!("skipped: {reason}")),
        Outcome::Failed { error } => Some(format!("FAILED: {error}")),
    };
    let line = |o: &crate::model::outcome::CollectorOutcome| {
        of(&o.outcome).map(|what| Problem { collector: words(&o.collector), what })
    };
    manifest.outcomes.iter().filter_map(line).collect()
}

fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// Size with binary units.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
#[path = "manifest_page_tests.rs"]
mod tests;
