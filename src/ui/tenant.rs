//! `tenant` for a person: candidates, classes, tenants, numbers, leaks, and the drawing of who belongs to whom.
//!
//! Invariant: names and ids are made visible wherever they stand; a label is somebody's text and steers nothing, neither a
//! terminal nor a drawing.

use std::fmt::Write as _;

use serde::Serialize;

use super::lines::warning;
use super::out::{Ui, Verbosity};
use super::table::{Align, Table};
use super::text::{counted, grouped, line};
use crate::config::tenants::Written;
use crate::model::tenancy::{Class, ReferenceKind, Root, Suggestion, Tenancy, columns_text};
use crate::ops::tenant::{CheckReport, Detected, ListReport};
use crate::tenant::candidates::{Candidate, Hits};

/// `tenant classify -o json`.
#[derive(Serialize)]
pub struct Classified<'a> {
    root: &'a Root,
    tables: Vec<ClassifiedTable<'a>>,
    suggestions: &'a [Suggestion],
}

#[derive(Serialize)]
struct ClassifiedTable<'a> {
    table: &'a crate::model::name::QualifiedName,
    class: Class,
    owner_path: String,
    why: &'a str,
    unverified: bool,
    recursive: bool,
}

impl<'a> Classified<'a> {
    pub fn of(tenancy: &'a Tenancy) -> Self {
        let tables = tenancy.tables.iter().map(|t| ClassifiedTable {
            table: &t.table,
            class: t.class,
            owner_path: tenancy.path_text(t),
            why: &t.why,
            unverified: t.column.as_ref().is_some_and(|c| !c.verified),
            recursive: t.circle.is_some(),
        });
        Self { root: &tenancy.root, tables: tables.collect(), suggestions: &tenancy.suggestions }
    }
}

fn root_text(root: &Root) -> String {
    let Some(table) = &root.table else {
        return "no table lists the tenants: they are what the columns hold".to_string();
    };
    let mut text = format!("tenants are the rows of {}", line(&table.plain()));
    for (word, value) in [("key", &root.key), ("label", &root.label)] {
        if let Some(value) = value {
            let _ = write!(text, ", {word} {}", line(value));
        }
    }
    if let Some(membership) = &root.membership {
        let _ = write!(text, ", members in {}", line(&membership.plain()));
    }
    text
}

pub fn detected(ui: Ui, found: &Detected, written: Option<&Written>) -> String {
    let mut out = format!("{}\n\n", root_text(&found.root));
    let mut table = Table::new(&[
        ("CANDIDATE", Align::Left),
        ("KEY", Align::Left),
        ("TABLES", Align::Right),
        ("COLUMNS", Align::Left),
        ("MEMBERS", Align::Left),
        ("POLICIES", Align::Right),
        ("WITHOUT KEY", Align::Left),
    ]);
    for candidate in &found.candidates {
        table.row(vec![
            candidate.table.plain(),
            candidate.key.clone(),
            grouped(candidate.score),
            candidate.columns.join(", "),
            candidate.membership.as_ref().map(|m| m.table.plain()).unwrap_or_default(),
            grouped(candidate.policies),
            unlinked(candidate),
        ]);
    }
    out.push_str(&table.render());
    out.push_str("\ntables: ");
    let classes: Vec<String> = found
        .classes
        .iter()
        .filter(|c| c.tables > 0)
        .map(|c| format!("{} {}", grouped(c.tables), c.class.word()))
        .collect();
    let _ = writeln!(out, "{}", classes.join(", "));
    for guess in &found.storage {
        let (bucket, template, hits) = (line(&guess.bucket), line(&guess.template), hits(guess.files));
        let _ = writeln!(out, "storage: bucket {bucket} by {template} ({hits} files)");
    }
    for guess in &found.references {
        let value = line(&guess.value);
        let word = if guess.likely { "" } else { ", not written" };
        let (table, parent, hits) = (line(&guess.table.plain()), line(&guess.parent.plain()), hits(guess.rows));
        let _ = writeln!(out, "reference: {table} with '{value}' names {parent} ({hits} rows{word})");
    }
    for open in &found.ambiguous {
        let _ = writeln!(out, "{}: {}: {}", ui.paint("33", "ambiguous"), line(&open.table.plain()), line(&open.why));
    }
    match written {
        Some(Written { added, path, .. }) if added.is_empty() => {
            let _ = writeln!(out, "\n{} says all of this already; nothing was written", line(&path.to_string_lossy()));
        }
        Some(Written { path, project, added, kept }) => {
            let place = line(&path.to_string_lossy());
            let _ = writeln!(out, "\nwritten to {place}, [projects.{}.tenants]: {}", line(project), added.join(", "));
            if !kept.is_empty() {
                let _ = writeln!(out, "as they were: {}", kept.join(", "));
            }
        }
        None if found.root.confirmed => {
            out.push_str("\nthe configuration confirms the root; next: stacksnap tenant check\n")
        }
        None => out.push_str("\nnothing was written; to keep this choice: stacksnap tenant detect --write-config\n"),
    }
    out
}

fn hits(hits: Hits) -> String {
    format!("{} of {}", grouped(hits.found), grouped(hits.looked_at))
}

fn unlinked(candidate: &Candidate) -> String {
    let mut parts: Vec<String> = Vec::new();
    for unlinked in candidate.unlinked.iter().take(3) {
        let found = unlinked.values.map_or_else(|| "empty".to_string(), hits);
        parts.push(format!("{}.{} ({found})", unlinked.table.plain(), unlinked.column));
    }
    if candidate.unlinked.len() > parts.len() {
        parts.push(format!("and {} more", candidate.unlinked.len() - parts.len()));
    }
    parts.join(", ")
}

pub fn classified(ui: Ui, found: &Tenancy) -> String {
    let mut out = format!("{}\n\n", root_text(&found.root));
    let mut table = Table::new(&[
        ("TABLE", Align::Left),
        ("CLASS", Align::Left),
        ("OWNER PATH", Align::Left),
        ("WHY", Align::Left),
    ]);
    let mut hidden = 0;
    for entry in &found.tables {
        if entry.class == Class::Excluded && ui.verbosity < Verbosity::Verbose {
            hidden += 1;
            continue;
        }
        table.row(vec![entry.table.plain(), entry.class.word().to_string(), found.path_text(entry), entry.why.clone()]);
    }
    out.push_str(&table.render());
    if hidden > 0 {
        let _ =
            writeln!(out, "\n{} of the platform and of extensions (-v shows them)", counted(hidden, "table", "tables"));
    }
    for suggestion in &found.suggestions {
        let _ = writeln!(
            out,
            "{}: {}; stacksnap tenant detect looks at them",
            line(&suggestion.table.plain()),
            line(&suggestion.what)
        );
    }
    out
}

/// A flowchart: who refers to whom for its owner; dotted what is only checked.
pub fn mermaid(found: &Tenancy) -> String {
    let mut out = String::from("flowchart BT\n");
    let number = |name| found.tables.iter().position(|t| &t.table == name);
    for (n, entry) in found.tables.iter().enumerate().filter(|(_, t)| t.class != Class::Excluded) {
        let _ = writeln!(
            out,
            "    t{n}[\"{}<br/>{}\"]:::{}",
            drawn(&entry.table.plain()),
            entry.class.word(),
            entry.class.word()
        );
    }
    let root = found.root.table.as_ref().and_then(number);
    for (n, entry) in found.tables.iter().enumerate() {
        if let (Some(root), Some(column)) = (root, &entry.column) {
            let arrow = if column.verified { "-->" } else { "-.->" };
            let _ = writeln!(out, "    t{n} {arrow}|\"{}\"| t{root}", drawn(&column.name));
        }
    }
    for (at, reference) in found.references.iter().enumerate() {
        let (Some(child), Some(parent)) = (number(&reference.child), number(&reference.parent)) else { continue };
        let entry = &found.tables[child];
        let arrow = match (entry.paths.first() == Some(&at), entry.paths.contains(&at) || reference.recursive) {
            (true, _) => "-->",
            (_, true) => "--->",
            _ => "-.->",
        };
        let kind = if reference.kind == ReferenceKind::Virtual { " (virtual)" } else { "" };
        let _ = writeln!(out, "    t{child} {arrow}|\"{}{kind}\"| t{parent}", drawn(&columns_text(reference)));
    }
    for (class, style) in [
        (Class::Root, "fill:#1b4965,color:#fff"),
        (Class::Direct, "fill:#62b6cb,color:#000"),
        (Class::Derived, "fill:#bee9e8,color:#000"),
        (Class::Member, "fill:#ffd166,color:#000"),
        (Class::Shared, "fill:#eee,color:#000"),
        (Class::Ambiguous, "fill:#ef476f,color:#fff"),
    ] {
        let _ = writeln!(out, "    classDef {} {style}", class.word());
    }
    out
}

/// Text in a drawing: what could end it or be markup is written as its number.
fn drawn(text: &str) -> String {
    let mut out = String::new();
    for c in line(text).chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-' | ',') {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}

pub fn listed(found: &ListReport) -> String {
    let mut out = format!("{}\n\n", root_text(&found.root));
    let mut table =
        Table::new(&[("ID", Align::Left), ("LABEL", Align::Left), ("ROWS", Align::Right), ("TABLES", Align::Right)]);
    for tenant in &found.tenants {
        let label = tenant.tenant.label.clone().unwrap_or_default();
        table.row(vec![tenant.tenant.id.clone(), label, grouped(tenant.rows), grouped(tenant.tables.len() as u64)]);
    }
    out.push_str(&table.render());
    let _ = writeln!(out, "\n{}", counted(found.tenants.len() as u64, "tenant", "tenants"));
    if !found.unknown.is_empty() {
        let rows: u64 = found.unknown.iter().map(|t| t.rows).sum();
        let ids = counted(found.unknown.len() as u64, "id", "ids");
        let _ = writeln!(
            out,
            "{} of {ids} that no tenant has: stacksnap tenant check names the tables",
            counted(rows, "row", "rows")
        );
    }
    out
}

pub fn checked(ui: Ui, found: &CheckReport) -> String {
    let mut out = format!("{}\n\n", root_text(&found.root));
    let titles = ["TOTAL", "OWNED", "EMPTY", "DANGLING", "PARENT UNOWNED", "UNKNOWN TENANT", "TENANTS", "LEAKS"];
    let mut columns = vec![("TABLE", Align::Left), ("CLASS", Align::Left)];
    columns.extend(titles.map(|title| (title, Align::Right)));
    columns.push(("OWNER PATH", Align::Left));
    let mut table = Table::new(&columns);
    for entry in &found.tables {
        let count = &entry.count;
        let mut cells = vec![count.table.plain(), count.class.word().to_string(), grouped(count.total)];
        if count.class.is_owned() {
            let unowned = count.unowned;
            let numbers = [
                count.owned,
                unowned.null_reference,
                unowned.dangling,
                unowned.parent_unowned,
                unowned.unknown_tenant,
                count.tenants,
                entry.leaked,
            ];
            cells.extend(numbers.map(grouped));
        } else {
            cells.extend(std::iter::repeat_n("-".to_string(), 7));
        }
        cells.push(entry.owner_path.clone());
        table.row(cells);
    }
    out.push_str(&table.render());
    for leak in &found.leaks {
        let (table, columns, parent) = (line(&leak.table.plain()), line(&leak.columns), line(&leak.parent.plain()));
        let rows = counted(leak.rows, "row", "rows");
        let _ = writeln!(out, "\n{}: {table}.{columns} -> {parent}: {rows} of another tenant", ui.paint("31", "leak"));
        for row in &leak.examples {
            let key: Vec<String> =
                row.key.iter().map(|v| v.as_deref().map_or_else(|| "NULL".to_string(), line)).collect();
            let (names, values) = (line(&leak.key.join(", ")), key.join(", "));
            let _ =
                writeln!(out, "  {names} = {values}: of {}, points into {}", line(&row.owner), line(&row.points_into));
        }
        if leak.rows > leak.examples.len() as u64 {
            let _ = writeln!(out, "  … and {} more", grouped(leak.rows - leak.examples.len() as u64));
        }
    }
    for table in found.tables.iter().filter(|t| t.count.conflicts > 0) {
        let rows = counted(table.count.conflicts, "row", "rows");
        let text = format!("{}: {rows} reach several tenants around a circle", table.count.table.plain());
        let _ = writeln!(out, "\n{}", warning(&text, None));
    }
    for open in &found.ambiguous {
        let _ = writeln!(out, "\n{}: {}: {}", ui.paint("33", "ambiguous"), line(&open.table.plain()), line(&open.why));
    }
    let owned: u64 = found.tables.iter().map(|t| t.count.owned).sum();
    let unowned: u64 = found.tables.iter().map(|t| t.count.unowned.sum()).sum();
    let leaked: u64 = found.tables.iter().map(|t| t.leaked).sum();
    let _ = writeln!(
        out,
        "\nevery table sums up: {} of {}, {} without an owner, {}",
        counted(owned, "row", "rows"),
        counted(found.tenants, "tenant", "tenants"),
        grouped(unowned),
        counted(leaked, "leak", "leaks")
    );
    out
}
