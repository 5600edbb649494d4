//! Rows of extension tables that no dump holds: members that are not marked as configuration (queues of pgmq, for one).
//!
//! Invariant (R15): every such table is listed with its row count, and its rows are in a file next to the list as COPY
//! text. Or the list says why not: session state (pg_net), keys (vault), or a gap. A table that cannot be read does not
//! end the run.

use std::io::{BufWriter, Write};

use serde_json::{Value, json};

use super::super::context::{Collected, Context};
use super::super::savepoint::attempt;
use super::write_json;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::fingerprint::TableFingerprint;
use crate::model::gap::Gap;
use crate::model::name::{QualifiedName, visible};
use crate::pg::rows::{Lines, copy_out};
use crate::pg::session::Row;
use crate::snapshot::layout::{MEMBER_TABLES_JSON, member_table_path};

/// Extensions whose tables hold state of running sessions.
const SESSION_STATE: [&str; 1] = ["pg_net"];
/// Extensions whose tables may hold keys in plain text.
const KEYS: [&str; 2] = ["supabase_vault", "pgsodium"];

/// A member table whose rows were captured.
pub struct MemberTable {
    pub name: QualifiedName,
    pub extension: String,
    pub columns: Vec<String>,
    pub rows: u64,
    /// Path in the snapshot; `None` when the table is empty.
    pub path: Option<String>,
}

/// A member sequence and its state.
pub struct MemberSequence {
    pub name: QualifiedName,
    pub last_value: i64,
    pub is_called: bool,
}

/// The captured tables and sequences.
#[derive(Default)]
pub struct Members {
    pub tables: Vec<MemberTable>,
    pub sequences: Vec<MemberSequence>,
}

pub async fn collect(ctx: &Context<'_>, collected: &mut Collected) -> Result<Members> {
    let mut members = Members::default();
    let mut list: Vec<Value> = Vec::new();
    for row in ctx.session.rows(include_str!("../sql/member_tables.sql"), &[]).await? {
        let name = QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("name"));
        if row.get::<_, String>("kind") == "S" {
            sequence(ctx, &row, name, &mut members).await?;
        } else {
            list.push(table(ctx, &row, name, &mut members, collected).await?);
        }
    }
    if list.is_empty() {
        return Ok(members);
    }
    let sequences: Vec<Value> = members
        .sequences
        .iter()
        .map(|s| json!({"schema": s.name.schema, "name": s.name.name, "last_value": s.last_value, "is_called": s.is_called}))
        .collect();
    write_json(ctx, MEMBER_TABLES_JSON, &json!({"tables": list, "sequences": sequences}))?;
    collected.count(Count::MemberTables, members.tables.len() as u64);
    collected.count(Count::MemberRows, members.tables.iter().map(|t| t.rows).sum());
    for table in members.tables.iter().filter(|t| t.rows > 0 && t.extension != "pgmq") {
        let message = format!(
            "{} belongs to extension {} and no dump holds its rows: they are in {MEMBER_TABLES_JSON} and its files",
            visible(&table.name.plain()),
            visible(&table.extension)
        );
        ctx.monitor.warn("member_table", message, Some("load them with \\copy after CREATE EXTENSION".to_string()));
    }
    Ok(members)
}

/// Why the rows of a table are not captured, if so: `Ok` is a reason for the list, `Err` a gap.
fn refusal(row: &Row, extension: &str) -> Option<Result<&'static str, &'static str>> {
    let unlogged = row.get::<_, String>("persistence") == "u";
    if SESSION_STATE.contains(&extension) {
        return Some(Ok("state of running sessions"));
    }
    if KEYS.contains(&extension) {
        return Some(Ok("may hold keys: see vault_secrets.json"));
    }
    if unlogged && row.get::<_, bool>("standby") {
        return Some(Err("it is unlogged, and this server is a standby without its rows"));
    }
    if !row.get::<_, bool>("readable") {
        return Some(Err("this role may not read it"));
    }
    row.get::<_, bool>("filtered").then_some(Err("row level security hides rows from this role"))
}

async fn table(
    ctx: &Context<'_>,
    row: &Row,
    name: QualifiedName,
    members: &mut Members,
    collected: &mut Collected,
) -> Result<Value> {
    let (extension, columns): (String, Vec<String>) = (row.get("extension"), row.get("columns"));
    let mut entry =
        json!({"schema": name.schema, "table": name.name, "extension": extension, "columns": columns, "rows": null});
    let not_captured = |why: &str| {
        let what = format!("rows of {} (extension {})", visible(&name.plain()), visible(&extension));
        let todo = "take the snapshot as a superuser, or as the owner of the table";
        Gap::new("member_table_not_captured", what, why, todo)
    };
    match refusal(row, &extension) {
        Some(Ok(reason)) => {
            entry["not_written"] = json!(reason);
            return Ok(entry);
        }
        Some(Err(why)) => {
            entry["not_written"] = json!(why);
            collected.gap(not_captured(why));
            return Ok(entry);
        }
        None => {}
    }
    let path = member_table_path(&name);
    match attempt(ctx.session, copy(ctx, &name, &columns, &path)).await? {
        Ok((fingerprint, sha256)) => {
            let rows = fingerprint.rows;
            entry["rows"] = json!(rows);
            entry["fingerprint"] = json!(fingerprint.hex());
            if let Some(sha256) = &sha256 {
                entry["file"] = json!(path);
                entry["sha256"] = json!(sha256);
            }
            members.tables.push(MemberTable { name, extension, columns, rows, path: sha256.map(|_| path) });
        }
        Err(failure) => {
            std::fs::remove_file(ctx.sink.place(&path)?).or_else(ignore_missing)?;
            entry["not_written"] = json!(failure.to_string());
            collected.gap(not_captured(&failure.to_string()));
        }
    }
    Ok(entry)
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Streams one table into its file. Returns its fingerprint and the sha256 of the file; an empty table has no file.
async fn copy(
    ctx: &Context<'_>,
    name: &QualifiedName,
    columns: &[String],
    path: &str,
) -> Result<(TableFingerprint, Option<String>)> {
    let mut lines = Lines::default();
    let mut writer = None;
    copy_out(ctx.session, name, columns, |piece| {
        lines.push(piece);
        if writer.is_none() {
            writer = Some(BufWriter::with_capacity(1 << 16, ctx.sink.create(path, Category::ExtensionState)?));
        }
        if let Some(writer) = &mut writer {
            writer.write_all(piece)?;
        }
        Ok(())
    })
    .await?;
    let fingerprint = lines.finish(name)?;
    let Some(writer) = writer else { return Ok((fingerprint, None)) };
    let writer = writer.into_inner().map_err(|e| Failure::new(FailureKind::Failed, e.into_error()))?;
    Ok((fingerprint, Some(writer.finish()?.sha256)))
}

async fn sequence(ctx: &Context<'_>, row: &Row, name: QualifiedName, members: &mut Members) -> Result<()> {
    if !row.get::<_, bool>("readable") {
        return Ok(());
    }
    let query = format!("SELECT last_value, is_called FROM {}", name.sql());
    if let Ok(row) = attempt(ctx.session, ctx.session.one(&query, &[])).await? {
        members.sequences.push(MemberSequence { name, last_value: row.get(0), is_called: row.get(1) });
    }
    Ok(())
}
