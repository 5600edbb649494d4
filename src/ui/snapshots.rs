//! Output of `list` and `show`, as text and as JSON documents.

use serde::Serialize;

use super::gaps;
use super::report::kind_word;
use super::table::Align::{Left, Right};
use super::table::Table;
use super::text::{age_ms, ago, bytes, counted, duration_ms, grouped, line};
use crate::model::gap::Gap;
use crate::model::manifest::{Manifest, TableRecord};
use crate::model::outcome::{Artifact, Outcome};
use crate::model::schema_verification::SchemaOutcome;
use crate::ops::list::{Listing, Row, RowState};
use crate::ops::show::Shown;

/// The table of `list`, followed by the active run and the last failure.
pub fn listing(listing: &Listing) -> String {
    let mut out = String::new();
    if listing.snapshots.is_empty() {
        out.push_str(&format!("no snapshots in {}; take one: stacksnap create\n", line(&listing.root)));
    } else {
        let mut table = Table::new(&[
            ("NAME", Left),
            ("STATE", Left),
            ("AGE", Right),
            ("SIZE", Right),
            ("TABLES", Right),
            ("ROWS", Right),
            ("USERS", Right),
            ("GAPS", Right),
            ("SCHEMA", Left),
            ("LABEL", Left),
        ]);
        for row in &listing.snapshots {
            table.row(cells(row));
        }
        out.push_str(&table.render());
    }
    for row in listing.snapshots.iter().filter(|r| r.problem.is_some()) {
        out.push_str(&format!("\n{}: {}\n", row.name, line(row.problem.as_deref().unwrap_or_default())));
    }
    if let Some(run) = &listing.running {
        out.push_str(&format!(
            "\nrunning now: {} (process {}), follow it: stacksnap logs latest -f\n",
            run.run, run.pid
        ));
    }
    if let Some(failure) = &listing.last_failure {
        out.push_str(&format!("\nthe last run failed ({}): {}\n", failure.at, line(&failure.message)));
        out.push_str(&format!("see its log: stacksnap logs {}\n", failure.run));
    }
    out
}

fn cells(row: &Row) -> Vec<String> {
    let name = if row.latest { format!("{} *", row.name) } else { row.name.to_string() };
    let Some(facts) = &row.facts else {
        let blank = || "-".to_string();
        return vec![
            name,
            state_word(row).to_string(),
            blank(),
            blank(),
            blank(),
            blank(),
            blank(),
            blank(),
            blank(),
            String::new(),
        ];
    };
    vec![
        name,
        state_word(row).to_string(),
        age_ms(facts.age_ms),
        bytes(facts.bytes),
        grouped(facts.tables),
        grouped(facts.rows),
        facts.users.map_or_else(|| "-".to_string(), grouped),
        facts.gaps.to_string(),
        schema_word(facts.schema).to_string(),
        facts.label.clone().unwrap_or_default(),
    ]
}

/// The result of the schema verification, as a word for the table.
fn schema_word(found: Option<SchemaOutcome>) -> &'static str {
    match found {
        Some(SchemaOutcome::Verified) => "verified",
        Some(SchemaOutcome::Gaps) => "gaps",
        Some(SchemaOutcome::NotVerified) | None => "-",
    }
}

fn state_word(row: &Row) -> &'static str {
    match (row.state, row.facts.as_ref().map(|f| f.kind)) {
        (RowState::Complete, _) => "complete",
        (RowState::Incomplete, Some(crate::model::manifest::SnapshotKind::Full) | None) => "NOT COMPLETE",
        (RowState::Incomplete, Some(kind)) => kind_word(kind),
        (RowState::Writing, _) => "being written",
        (RowState::Stale, _) => "unfinished",
        (RowState::Unreadable, _) => "UNREADABLE",
    }
}

/// The sections of `show` that were requested; none means the overview.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sections {
    pub tables: bool,
    pub files: bool,
    pub gaps: bool,
}

impl Sections {
    pub fn overview(self) -> bool {
        self == Self::default()
    }
}

/// The document of `show`.
#[derive(Debug, Serialize)]
struct ShowDocument<'a> {
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<&'a [TableRecord]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<&'a [Artifact]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps: Option<&'a [Gap]>,
}

/// The JSON document of `show`. Without a section it is the manifest without its long lists of tables and files.
pub fn show_document(shown: &Shown, sections: Sections) -> impl Serialize {
    let overview = sections.overview().then(|| {
        let mut value = serde_json::to_value(&shown.manifest).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("tables");
            fields.remove("artifacts");
            fields.insert("bytes".into(), shown.facts.bytes.into());
            fields.insert("rows".into(), shown.facts.rows.into());
            fields.insert("age_ms".into(), shown.facts.age_ms.into());
        }
        value
    });
    serde_json::to_value(ShowDocument {
        place: shown.place.to_string_lossy().into_owned(),
        snapshot: overview,
        tables: sections.tables.then_some(shown.manifest.tables.as_slice()),
        files: sections.files.then_some(shown.manifest.artifacts.as_slice()),
        gaps: sections.gaps.then_some(shown.manifest.gaps.as_slice()),
    })
    .unwrap_or_default()
}

/// The text of `show`.
pub fn show(shown: &Shown, sections: Sections) -> String {
    let manifest = &shown.manifest;
    let mut parts = Vec::new();
    if sections.overview() {
        parts.push(overview(shown));
    }
    if sections.tables {
        parts.push(tables(manifest));
    }
    if sections.files {
        parts.push(files(manifest));
    }
    if sections.gaps {
        parts.push(gap_text(&manifest.gaps));
    }
    parts.join("\n")
}

fn gap_text(found: &[Gap]) -> String {
    if found.is_empty() {
        "no gaps: the snapshot contains everything that was requested\n".into()
    } else {
        gaps::render(found)
    }
}

fn overview(shown: &Shown) -> String {
    let m = &shown.manifest;
    let complete = if m.complete { "complete" } else { "NOT complete" };
    let mut rows = vec![
        ("snapshot", m.id.to_string()),
        ("state", format!("{complete}, {}, {}", kind_word(m.kind), counted(m.gaps.len() as u64, "gap", "gaps"))),
        ("taken", format!("{} ({})", m.consistency.taken_at, ago(shown.facts.age_ms))),
        ("took", duration_ms(m.duration_ms)),
        ("database", format!("{} as {}, PostgreSQL {}", m.source.database, m.source.user, m.source.server_version)),
        ("made by", format!("stacksnap {}, {}, {}", m.tools.stacksnap, m.tools.pg_dump, m.tools.codec)),
        ("size", format!("{} in {}", bytes(shown.facts.bytes), counted(m.artifacts.len() as u64, "file", "files"))),
        ("schema", schema(m)),
        ("manifest", m.manifest_sha256.clone()),
        ("place", shown.place.to_string_lossy().into_owned()),
    ];
    rows.extend(m.label.iter().map(|label| ("label", label.clone())));
    rows.extend(m.note.iter().map(|note| ("note", note.clone())));
    rows.extend(m.tags.iter().map(|(key, value)| ("tag", format!("{key}={value}"))));
    let mut out: String = rows.iter().map(|(key, value)| format!("{key:<9} {}\n", line(value))).collect();
    if !m.counts.is_empty() {
        out.push_str("\ncontents\n");
        for (word, n) in &m.counts {
            out.push_str(&format!("  {:<24} {:>12}\n", line(&word.replace('_', " ")), grouped(*n)));
        }
    }
    out.push_str(&outcomes(m));
    out.push_str(&not_tried(m));
    if !m.gaps.is_empty() {
        out.push_str(&format!("\ngaps\n{}", gaps::render(&m.gaps)));
    }
    if !m.secrets.is_empty() {
        out.push_str("\nsecrets in its files\n");
        for secret in &m.secrets {
            out.push_str(&format!("  {}: {}\n", line(&secret.path), line(&secret.what)));
        }
    }
    out
}

/// The result of the schema verification, for the line `schema`.
fn schema(manifest: &Manifest) -> String {
    let Some(verified) = &manifest.schema_verification else {
        return "not verified: taken by a version without schema verification".to_string();
    };
    let sentence = verified.sentence();
    sentence.strip_prefix("schema ").map_or(sentence.clone(), str::to_string)
}

/// What the schema verification could not test.
fn not_tried(manifest: &Manifest) -> String {
    let all = manifest.schema_verification.iter().flat_map(|verified| &verified.not_tried);
    let text: String = all.map(|one| format!("  {}: {}\n", line(&one.what), line(&one.why))).collect();
    if text.is_empty() { text } else { format!("\nnot tested by the schema verification\n{text}") }
}

/// Collectors that failed or were skipped.
fn outcomes(manifest: &Manifest) -> String {
    let lines = manifest.outcomes.iter().filter_map(|o| match &o.outcome {
        Outcome::Collected { .. } => None,
        Outcome::Skipped { reason } => Some(format!("  {}: skipped, {}\n", line(&o.collector), line(reason))),
        Outcome::Failed { error } => Some(format!("  {}: FAILED, {}\n", line(&o.collector), line(error))),
    });
    let text: String = lines.collect();
    if text.is_empty() { text } else { format!("\nparts left out\n{text}") }
}

fn tables(manifest: &Manifest) -> String {
    let mut table = Table::new(&[("TABLE", Left), ("ROWS", Right), ("SIZE", Right), ("FINGERPRINT", Left)]);
    for record in &manifest.tables {
        table.row(vec![record.name.plain(), grouped(record.rows), bytes(record.bytes_raw), record.fingerprint.clone()]);
    }
    table.render()
}

fn files(manifest: &Manifest) -> String {
    let mut table = Table::new(&[("SIZE", Right), ("SHA256", Left), ("FILE", Left)]);
    for file in &manifest.artifacts {
        table.row(vec![bytes(file.bytes), file.sha256.clone(), file.path.clone()]);
    }
    table.render()
}
