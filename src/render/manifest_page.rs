//! `BACKUP_MANIFEST.md`: what the snapshot holds, for a person.
//!
//! Invariant: it says what the manifest says and nothing more: a part without a file is a part that is not there, and
//! a snapshot that is not complete says so in its first lines. Every value is escaped by the template's registry.

use serde::Serialize;

use super::render;
use super::restore_script::kind_word;
use crate::model::failure::Result;
use crate::model::manifest::Manifest;
use crate::model::name::markdown;
use crate::model::outcome::Outcome;

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
    sections: Vec<Section>,
    tables: Vec<Table>,
    counts: Vec<(String, u64)>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Section {
    title: &'static str,
    files: Vec<FileLine>,
    counts: Vec<(String, u64)>,
}

#[derive(Serialize)]
struct FileLine {
    path: String,
    about: &'static str,
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

/// Sections in the order that readers of such manifests know: title, paths (a trailing `/` is a folder) with a word
/// about each, and the words of the manifest's counts that belong there.
type SectionPlan = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
const SECTIONS: [SectionPlan; 12] = [
    (
        "Database",
        &[
            ("complete_database_with_data.dump/", "archive of pg_dump, for pg_restore"),
            ("complete_database_with_data.sql", "the same as SQL, readable"),
            ("complete_database_with_data.sql.zst", "the same as SQL, compressed: zstd -d"),
            ("inventory.json", "every object with its definition"),
        ],
        &["tables", "rows", "views", "indexes", "triggers", "sequences", "large_objects"],
    ),
    (
        "Users & Authentication",
        &[
            ("users_with_encrypted_passwords.sql", "users with their password hashes, and what belongs to a login"),
            ("users_complete.csv", "the same users as CSV"),
        ],
        &["users", "identities", "sessions", "mfa_factors"],
    ),
    (
        "User Roles",
        &[("user_roles_complete.sql", "role tables of the application")],
        &["user_roles", "role_tables", "role_assignments"],
    ),
    (
        "RLS Policies",
        &[("rls_policies_complete.sql", "row level security and every policy")],
        &["policies", "rls_tables"],
    ),
    (
        "RPC Functions",
        &[("rpc_functions_complete.sql", "functions, procedures, aggregates")],
        &["functions", "procedures", "aggregates"],
    ),
    (
        "Migrations",
        &[("migration_history.sql", "what was applied, and when"), ("migrations/", "the files")],
        &["migrations", "migration_files", "migrations_applied"],
    ),
    ("Edge Functions", &[("edge_functions/", "sources, import maps, configuration")], &["edge_functions"]),
    (
        "Encryption",
        &[("encryption_system.sql", "encryption functions with their triggers and views")],
        &["encryption_functions"],
    ),
    (
        "Roles & Grants",
        &[
            ("database_roles.sql", "roles, memberships, settings, password verifiers"),
            ("access_grants.sql", "who may do what: every GRANT and REVOKE"),
            ("managed_schema_objects.sql", "what was built on the platform's schemas"),
        ],
        &["roles", "memberships", "grants", "default_privileges", "managed_objects"],
    ),
    (
        "Extension State",
        &[("extension_state/", "cron jobs, secrets, queues, publications, settings")],
        &["extensions", "cron_jobs", "vault_secrets", "queues", "publications", "event_triggers"],
    ),
    (
        "Storage & Project",
        &[("storage/", "buckets and objects"), ("project/", "configuration and names of secrets")],
        &["buckets", "storage_objects", "storage_files"],
    ),
    ("Data Records", &[("data_records/", "one CSV a table")], &["csv_files"]),
];

/// Renders the page. The manifest may be a draft, as long as its artifacts are all but this page.
pub fn manifest_markdown(manifest: &Manifest) -> Result<String> {
    let sections: Vec<Section> = SECTIONS.iter().map(|plan| section(manifest, *plan)).collect();
    let placed = |word: &String| SECTIONS.iter().any(|(_, _, words)| words.contains(&word.as_str()));
    let values = Values {
        manifest,
        kind: kind_word(manifest.kind),
        seconds: format!("{}.{}", manifest.duration_ms / 1000, manifest.duration_ms % 1000 / 100),
        size: size(manifest.bytes_total()),
        rows_total: manifest.rows_total(),
        tables_total: manifest.tables.len(),
        files_total: manifest.artifacts.len(),
        gaps_total: manifest.gaps.len(),
        sections,
        tables: manifest.tables.iter().map(table).collect(),
        counts: manifest.counts.iter().filter(|(w, _)| !placed(w)).map(|(w, n)| (words(w), *n)).collect(),
        problems: problems(manifest),
    };
    render(TEMPLATE, markdown, &values)
}

fn section(manifest: &Manifest, (title, paths, counted): SectionPlan) -> Section {
    let files = paths.iter().filter_map(|(path, about)| file_line(manifest, path, about)).collect();
    let counts = counted.iter().filter_map(|w| manifest.counts.get(*w).map(|n| (words(w), *n))).collect();
    Section { title, files, counts }
}

/// One line for a file or a folder of the layout (never a name from elsewhere); none when the snapshot does not hold it. A compressed file has its own ending.
fn file_line(manifest: &Manifest, path: &str, about: &'static str) -> Option<FileLine> {
    let mut bytes = 0;
    let mut found = 0u64;
    let mut shown = path.to_string();
    for artifact in &manifest.artifacts {
        let here = match path.strip_suffix('/') {
            Some(_) => artifact.path.starts_with(path),
            None => artifact.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest == ".zst"),
        };
        if here {
            found += 1;
            bytes += artifact.bytes;
            if !path.ends_with('/') {
                shown.clone_from(&artifact.path);
            }
        }
    }
    let files = if path.ends_with('/') { format!("{found} files, ") } else { String::new() };
    (found > 0).then(|| FileLine { path: shown, about, size: format!("{files}{}", size(bytes)) })
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

/// Collectors that failed or had nothing to do.
fn problems(manifest: &Manifest) -> Vec<Problem> {
    let of = |outcome: &Outcome| match outcome {
        Outcome::Collected { .. } => None,
        Outcome::Skipped { reason } => Some(format!("not in the snapshot: {reason}")),
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

/// Bytes for a person.
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
