//! Queues of pgmq: their tables belong to the extension, so the snapshot holds them beside the archive.
//!
//! Invariant: where a stack is rolled back a queue holds the snapshot's messages and no others, and a queue that came
//! later is gone; whether that came true is read from the target, not believed. What is compared is streamed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::runner::Runner;
use super::{Engine, files, tables};
use crate::archive::copy_text::CopyRow;
use crate::archive::layout;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::fingerprint::TableFingerprint;
use crate::model::name::{QualifiedName, literal};
use crate::model::restore::Exception;
use crate::pg::rows::fingerprint_table;
use crate::pg::session::Session;

/// Tells `queues.sql` to take away what the snapshot does not have. What is set is gone with the transaction.
const EXACT: &str = "SET LOCAL stacksnap.exact = 'on'";
const NOT_EXACT: &str = "SET LOCAL stacksnap.exact = 'off'";

/// More tables than this are counted, not named.
const NAMED_MAX: usize = 4;

/// One table of `member_tables.json`, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Member {
    schema: String,
    table: String,
    extension: String,
    columns: Vec<String>,
    rows: Option<u64>,
    file: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Members {
    tables: Vec<Member>,
}

fn members(place: &Path) -> Result<Vec<Member>> {
    let name = layout::MEMBER_TABLES_JSON;
    let text = match std::fs::read(place.join(name)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Failure::from(e).context(format!("cannot read {name}"))),
    };
    let all: Members = serde_json::from_slice(&text)
        .map_err(|e| Failure::new(FailureKind::Integrity, e).context(format!("cannot understand {name}")))?;
    Ok(all.tables.into_iter().filter(|t| t.extension == "pgmq" && t.rows.is_some()).collect())
}

/// Does the snapshot have queues, and does this database?
async fn has_queues(engine: &Engine<'_>, session: &Session) -> Result<bool> {
    if !engine.source.place.join(layout::QUEUES_SQL).exists() {
        return Ok(false);
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relname = 'meta' \
               AND c.relnamespace = pg_catalog.to_regnamespace('pgmq') \
               AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))";
    Ok(session.one(sql, &[]).await?.try_get(0).unwrap_or(false))
}

/// The tables of queues whose rows are not the snapshot's, and `pgmq.meta` when there are other queues.
pub async fn differing(engine: &Engine<'_>, session: &Session) -> Result<Vec<QualifiedName>> {
    let mut found = Vec::new();
    if !has_queues(engine, session).await? {
        return Ok(found);
    }
    for member in members(&engine.source.place)? {
        let name = QualifiedName::new(member.schema, member.table);
        let wanted = match &member.file {
            Some(file) => fingerprint(&engine.source.place.join(file))?,
            None => TableFingerprint::new(),
        };
        if !tables::is_there(session, &name).await? {
            found.push(name);
            continue;
        }
        let live = fingerprint_table(session, &name, &member.columns).await?;
        if live.rows != wanted.rows || live.sum != wanted.hex() {
            found.push(name);
        }
    }
    Ok(found)
}

fn fingerprint(file: &Path) -> Result<TableFingerprint> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(file)?);
    let mut sum = TableFingerprint::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        sum.add(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(sum)
}

/// Makes queues that are missing, and anew those of another kind: what users built on them can only be put right then.
/// What is refused here is named by [`put_back`].
pub async fn make(engine: &Engine<'_>, runner: &Runner<'_>) -> Result<()> {
    if !has_queues(engine, runner.session).await? {
        return Ok(());
    }
    let mut is_missing = false;
    for member in members(&engine.source.place)? {
        if member.table == "meta"
            && let Some(file) = &member.file
        {
            for sql in drop_others_kinds(&engine.source.place.join(file), &member.columns)? {
                runner.attempt("queue of another kind", &sql).await?;
            }
        }
        is_missing |= !tables::is_there(runner.session, &QualifiedName::new(member.schema, member.table)).await?;
    }
    if is_missing {
        files::attempt(runner, &engine.source.place, layout::QUEUES_SQL).await?;
        files::attempt(runner, &engine.source.place, layout::ACCESS_GRANTS_SQL).await?;
    }
    Ok(())
}

/// One statement a queue. A partitioned one cannot be made again: it stays what it is.
fn drop_others_kinds(meta: &Path, columns: &[String]) -> Result<Vec<String>> {
    let at = |name: &str| columns.iter().position(|c| c == name);
    let (Some(name), Some(partitioned), Some(unlogged)) = (at("queue_name"), at("is_partitioned"), at("is_unlogged"))
    else {
        return Ok(Vec::new());
    };
    let mut statements = Vec::new();
    for line in BufReader::new(File::open(meta)?).split(b'\n') {
        let line = line?;
        let row = CopyRow::new(&line, columns.len()).texts();
        let text = |n: usize| row.get(n).and_then(Option::as_deref);
        if let (Some(queue), Some("f"), Some(kind)) = (text(name), text(partitioned), text(unlogged)) {
            statements.push(format!(
                "SELECT pgmq.drop_queue(m.queue_name) FROM (SELECT queue_name FROM pgmq.meta WHERE queue_name = {} \
                 AND (is_partitioned OR is_unlogged <> {}) OFFSET 0) m",
                literal(queue),
                literal(kind)
            ));
        }
    }
    Ok(statements)
}

/// Puts the messages back as they were, inside of the transaction, and looks. What is not equal is named.
pub async fn put_back(engine: &Engine<'_>, runner: &Runner<'_>) -> Result<Vec<Exception>> {
    let before = differing(engine, runner.session).await?;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    runner.run("exact queues", EXACT).await?;
    let mut refused = files::attempt(runner, &engine.source.place, layout::QUEUES_SQL).await?;
    runner.run("exact queues", NOT_EXACT).await?;
    if refused.is_none() && before.iter().any(|table| table.name == "meta") {
        // A queue that was missing belongs to whoever made it: its owner and its grants are the snapshot's too.
        refused = files::attempt(runner, &engine.source.place, layout::ACCESS_GRANTS_SQL).await?;
    }
    let is_refused = refused.is_some();
    let why = refused.map_or("its rows are others than the snapshot's".to_string(), |failure| failure.to_string());
    let left: Vec<String> = differing(engine, runner.session).await?.iter().map(QualifiedName::plain).collect();
    if left.is_empty() && !is_refused {
        return Ok(Vec::new());
    }
    let more = left.len().saturating_sub(NAMED_MAX);
    let mut what = format!("messages of {}", left[..left.len().min(NAMED_MAX)].join(", "));
    if left.is_empty() {
        what = "owners and grants of queues".to_string();
    }
    if more > 0 {
        what.push_str(&format!(" and {more} more"));
    }
    let todo = format!("run {} as the owner of the queues", layout::QUEUES_SQL);
    Ok(vec![Exception { code: "queue_not_restored".into(), what, why, todo }])
}
