//! Queues of pgmq: their tables belong to the extension, so the snapshot has them in files alongside the archive.
//!
//! Invariant: after a rollback a queue holds exactly the snapshot's messages, and later queues are dropped; the
//! target's rows are compared afterwards to make sure. Comparisons are streamed. A plan reads a table at most once, and
//! so does a restore: before writing if it may be equal, otherwise afterwards.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::model::failure::{Failure, Result};
use crate::model::inventory::Inventory;
use crate::model::manifest::TableRecord;
use crate::model::name::{QualifiedName, literal, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, RestorePlan, TargetKind};
use crate::pg::rows::fingerprint_table;
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::restore::rows::{marks, tables};
use crate::restore::source::SnapshotSource;
use crate::restore::sql::files;
use crate::restore::sql::runner::Runner;
use crate::restore::target::scope::QUEUES;
use crate::snapshot::copy_text::CopyRow;
use crate::snapshot::layout;
use crate::snapshot::member_tables;
use crate::snapshot::member_tables::Member;
use crate::snapshot::rows_mark::rows_mark;

/// Tells `queues.sql` to delete what the snapshot does not have. The setting ends with the transaction.
const EXACT: &str = "SET LOCAL stacksnap.exact = 'on'";
const NOT_EXACT: &str = "SET LOCAL stacksnap.exact = 'off'";

pub use crate::restore::target::scope::QUEUES as EXTENSION;

/// The kind of a queue's table in a plan.
const KIND: ObjectKind = ObjectKind::Queue;

/// More tables are counted, not named.
const NAMED_MAX: usize = 4;

/// The tables of queues.
fn members(place: &Path) -> Result<Vec<Member>> {
    Ok(member_tables::members(place)?.into_iter().filter(|t| t.extension == "pgmq").collect())
}

/// The tables whose rows the snapshot has, as records like the archive's.
fn records(source: &SnapshotSource) -> Result<Vec<TableRecord>> {
    let mut found = Vec::new();
    for member in members(&source.place)? {
        found.extend(member.record(&source.place, &source.manifest)?);
    }
    Ok(found)
}

/// Does the snapshot have queues, and does this database have pgmq?
async fn has_queues(source: &SnapshotSource, session: &Session) -> Result<bool> {
    Ok(source.place.join(layout::QUEUES_SQL).exists() && has_readable_queues(session).await?)
}

async fn has_readable_queues(session: &Session) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relname = 'meta' \
               AND c.relnamespace = pg_catalog.to_regnamespace('pgmq') \
               AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))";
    Ok(session.one(sql, &[]).await?.try_get(0).unwrap_or(false))
}

/// Does the target's table equal the snapshot's? Reads it.
pub(crate) async fn is_equal(session: &Session, record: &TableRecord) -> Result<bool> {
    if !tables::relation_exists(session, &record.name).await? {
        return Ok(false);
    }
    let live = fingerprint_table(session, &record.name, &record.columns).await?;
    Ok(live.rows == record.rows && live.sum == record.fingerprint)
}

/// For the plan: queue tables whose rows differ, and `pgmq.meta` if the list of queues differs. In the snapshot's own
/// database a table is not read if the server's counters show no write.
pub async fn differing(
    engine: &Engine<'_>,
    session: &Session,
    live: &Inventory,
    kind: TargetKind,
) -> Result<Vec<ObjectName>> {
    let mut found = Vec::new();
    if !has_queues(engine.source, session).await? {
        return Ok(found);
    }
    let records = records(engine.source)?;
    let records_of_all = records.iter().collect::<Vec<_>>();
    let mut vouched = match kind {
        TargetKind::SameDatabase => {
            marks::unwritten_since_snapshot(engine, session, live, &records_of_all, false).await?
        }
        _ => BTreeSet::new(),
    };
    let in_doubt: Vec<_> = records.iter().filter(|record| vouched.contains(&record.name)).collect();
    for written in marks::written(engine, session, &in_doubt).await? {
        vouched.remove(&written);
    }
    for record in records.iter().filter(|record| !vouched.contains(&record.name)) {
        if !is_equal(session, record).await? {
            found.push(ObjectName { kind: KIND, identity: record.name.plain() });
        }
    }
    Ok(found)
}

/// Queues of the target that the snapshot does not have: their messages would still be processed. Empty if the snapshot
/// cannot tell.
pub async fn extra_queues(source: &SnapshotSource, session: &Session) -> Result<Vec<String>> {
    let Some(known) = names(source)? else { return Ok(Vec::new()) };
    if !has_readable_queues(session).await? {
        return Ok(Vec::new());
    }
    // Without the extension they are ordinary tables.
    let sql = "SELECT m.queue_name::text FROM pgmq.meta m WHERE m.queue_name <> ALL ($1::text[]) \
               AND EXISTS (SELECT 1 FROM pg_catalog.pg_extension e WHERE e.extname = 'pgmq') ORDER BY 1";
    let rows = session.rows(sql, &[&known]).await?;
    Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
}

/// A queue's entry in a plan.
pub fn object(queue: &str) -> ObjectName {
    ObjectName { kind: KIND, identity: visible(queue) }
}

/// The snapshot's queues. `None`: it has pgmq, but its list of queues was not readable.
fn names(source: &SnapshotSource) -> Result<Option<Vec<String>>> {
    if !source.inventory.of_kind(ObjectKind::Extension).any(|o| o.identity == QUEUES) {
        return Ok(Some(Vec::new()));
    }
    let Some(meta) = members(&source.place)?.into_iter().find(|m| m.table == "meta" && m.rows.is_some()) else {
        return Ok(None);
    };
    let at = meta.columns.iter().position(|c| c == "queue_name");
    let (Some(at), Some(file)) = (at, &meta.file) else { return Ok(Some(Vec::new())) };
    let mut found = Vec::new();
    for line in BufReader::new(File::open(source.place.join(file))?).split(b'\n') {
        let line = line?;
        found.extend(CopyRow::new(&line, meta.columns.len()).texts().into_iter().nth(at).flatten());
    }
    Ok(Some(found))
}

/// Drops later queues if the snapshot has no file that would do so.
async fn drop_later_queues(engine: &Engine<'_>, runner: &Runner<'_>) -> Result<Vec<Exception>> {
    let mut exceptions = Vec::new();
    for queue in extra_queues(engine.source, runner.session).await? {
        let sql = format!("SELECT pgmq.drop_queue({})", literal(&queue));
        if let Some(failure) = runner.attempt("queue that the snapshot does not have", &sql).await? {
            exceptions.push(Exception {
                code: "queue_stays".into(),
                what: object(&queue).to_string(),
                why: format!("the snapshot does not have it, and it could not be dropped: {failure}"),
                todo: format!("as the owner of the queues: {sql}"),
            });
        }
    }
    Ok(exceptions)
}

/// Creates missing queues. [`put_back`] restores their messages if the file marks them. `Some`: nothing was created.
pub async fn make_missing(source: &SnapshotSource, live: &Inventory, runner: &Runner<'_>) -> Result<Option<Failure>> {
    let lacks = |member: &Member| live.table(&QualifiedName::new(&*member.schema, &*member.table)).is_none();
    if !members(&source.place)?.iter().any(lacks) {
        return Ok(None);
    }
    without_messages(source, runner).await
}

/// Runs `queues.sql` without messages. A file of an older snapshot has no marks, and brings its messages too.
async fn without_messages(source: &SnapshotSource, runner: &Runner<'_>) -> Result<Option<Failure>> {
    let rows_end = rows_mark(None);
    files::attempt_without(runner, &source.place, layout::QUEUES_SQL, &|mark| mark != rows_end).await
}

/// Creates missing queues and recreates those of another kind, so that policies and triggers on them can be restored.
/// [`put_back`] reports failures.
pub async fn make(engine: &Engine<'_>, runner: &Runner<'_>) -> Result<()> {
    let source = engine.source;
    if !has_queues(source, runner.session).await? {
        return Ok(());
    }
    let mut is_missing = false;
    for member in members(&source.place)?.into_iter().filter(|member| member.rows.is_some()) {
        if member.table == "meta"
            && let Some(file) = &member.file
        {
            for sql in drop_queues_of_other_kind(&source.place.join(file), &member.columns)? {
                runner.attempt("queue of another kind", &sql).await?;
            }
        }
        is_missing |=
            !tables::relation_exists(runner.session, &QualifiedName::new(member.schema, member.table)).await?;
    }
    if is_missing {
        without_messages(source, runner).await?;
        files::attempt(runner, &source.place, layout::ACCESS_GRANTS_SQL).await?;
    }
    Ok(())
}

/// One statement per queue. A partitioned queue cannot be recreated: it stays as it is.
fn drop_queues_of_other_kind(meta: &Path, columns: &[String]) -> Result<Vec<String>> {
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

/// Restores the messages in the transaction, then compares. What is not equal is named.
pub async fn put_back(engine: &Engine<'_>, runner: &Runner<'_>, plan: &RestorePlan) -> Result<Vec<Exception>> {
    if !has_queues(engine.source, runner.session).await? {
        return drop_later_queues(engine, runner).await;
    }
    // What the plan found different is written and compared afterwards. The rest may have changed since the plan.
    let planned: BTreeSet<&str> = plan.replace.iter().filter(|o| o.kind == KIND).map(|o| &*o.identity).collect();
    let (mut equal, mut others) = (BTreeSet::new(), Vec::new());
    for record in records(engine.source)? {
        if !planned.contains(&*record.name.plain()) && is_equal(runner.session, &record).await? {
            equal.insert(rows_mark(Some(&record.name)));
        } else {
            others.push(record);
        }
    }
    if others.is_empty() {
        return Ok(Vec::new());
    }
    runner.run("exact queues", EXACT).await?;
    let (place, skips) = (&engine.source.place, |mark: &str| equal.contains(mark));
    let mut refused = files::attempt_without(runner, place, layout::QUEUES_SQL, &skips).await?;
    runner.run("exact queues", NOT_EXACT).await?;
    if refused.is_none() && others.iter().any(|record| record.name.name == "meta") {
        // A missing queue was created by this role: restore its owner and grants too.
        refused = files::attempt(runner, place, layout::ACCESS_GRANTS_SQL).await?;
    }
    let mut left = Vec::new();
    for record in others {
        if !is_equal(runner.session, &record).await? {
            left.push(record.name.plain());
        }
    }
    Ok(not_restored(left, refused).into_iter().collect())
}

/// The exception for what could not be restored. `None`: everything was.
fn not_restored(left: Vec<String>, refused: Option<Failure>) -> Option<Exception> {
    if left.is_empty() && refused.is_none() {
        return None;
    }
    let why = refused.map_or("its rows differ from the snapshot's".to_string(), |failure| failure.to_string());
    let more = left.len().saturating_sub(NAMED_MAX);
    let mut what = format!("messages of {}", left[..left.len().min(NAMED_MAX)].join(", "));
    if left.is_empty() {
        what = "owners and grants of queues".to_string();
    }
    if more > 0 {
        what.push_str(&format!(" and {more} more"));
    }
    let todo = format!("run {} as the owner of the queues", layout::QUEUES_SQL);
    Some(Exception { code: "queue_not_restored".into(), what, why, todo })
}
