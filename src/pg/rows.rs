//! Reads rows of a live database as COPY text: streamed, counted and fingerprinted like a snapshot's data files.
//!
//! Invariant: the text is what pg_dump writes under the session's pins (trap 20), of the table itself without its
//! children. No line is held in memory, however long; pieces may split a line anywhere. It never writes.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::task::JoinSet;

use super::catalog::own_rows;
use super::session::Session;
use super::snapshot::{ExportedSnapshot, SnapshotHolder};
use crate::model::cancel::{Cancel, CancelReason};
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::fingerprint::TableFingerprint;
use crate::model::name::{QualifiedName, ident};

const APPLICATION: &str = "stacksnap rows";
/// Interval of progress reports.
const TICK: Duration = Duration::from_millis(100);
/// What one session reads within this time is not worth the opening of a second one.
const ALONE: Duration = Duration::from_millis(30);

/// A table that was read needs its lock no longer: a session of many tables would fill a small lock table.
const LOCKS_HELD_MAX: usize = 16;
const SAVEPOINT: &str = "SAVEPOINT stacksnap_rows";
const FREE_LOCKS: &str = "ROLLBACK TO SAVEPOINT stacksnap_rows";

/// The rows of one table in a live database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTable {
    pub name: QualifiedName,
    pub rows: u64,
    /// 32 hexadecimal digits, as in a manifest: see [`TableFingerprint`].
    pub sum: String,
    /// Bytes of COPY text.
    pub bytes_raw: u64,
}

/// The COPY statement for these columns in this order. Without columns: for a table that has none.
pub fn copy_out_sql(table: &QualifiedName, columns: &[String]) -> String {
    if columns.is_empty() {
        return format!("COPY {} TO STDOUT", table.sql());
    }
    let columns: Vec<String> = columns.iter().map(|column| ident(column)).collect();
    format!("COPY {} ({}) TO STDOUT", table.sql(), columns.join(", "))
}

/// The same, limited to the user's rows of an extension's table: see [`own_rows`].
pub fn copy_own_sql(table: &QualifiedName, columns: &[String], condition: Option<&str>) -> String {
    let Some(condition) = condition else { return copy_out_sql(table, columns) };
    let columns: Vec<String> = columns.iter().map(|column| ident(column)).collect();
    format!("COPY (SELECT {} FROM ONLY {} {condition}) TO STDOUT", columns.join(", "), table.sql())
}

/// For columns that a plain COPY of a table rejects: generated columns, and columns of a materialized view.
pub fn copy_computed_sql(relation: &QualifiedName, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| ident(column)).collect();
    format!("COPY (SELECT {} FROM ONLY {}) TO STDOUT", columns.join(", "), relation.sql())
}

/// Streams COPY text piece by piece; `each` may stop it with an error. Returns the number of bytes.
///
/// In PostgreSQL's protocol a piece is one row, but nothing here relies on that.
pub async fn copy_out(
    session: &Session,
    table: &QualifiedName,
    columns: &[String],
    each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    copy_statement(session, &copy_out_sql(table, columns), each).await
}

/// The same for any `COPY … TO STDOUT` without options.
pub async fn copy_statement(session: &Session, sql: &str, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    // As pg_dump reads an SQL_ASCII database: with client encoding UTF8, invalid bytes would be an error.
    let raw = if session.copies_raw { format!("{sql} WITH (ENCODING 'SQL_ASCII')") } else { sql.to_string() };
    let sql = raw.as_str();
    let mut stream = pin!(session.client().copy_out(sql).await.map_err(|e| session.failure(e, sql))?);
    let mut bytes = 0;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|e| session.failure(e, sql))?;
        bytes += piece.len() as u64;
        each(&piece)?;
    }
    Ok(bytes)
}

/// Counts and fingerprints the rows of one table that `session` sees.
pub async fn fingerprint_table(session: &Session, table: &QualifiedName, columns: &[String]) -> Result<LiveTable> {
    let condition = own_rows::condition(session, table).await?;
    read_statement(session, table, &copy_own_sql(table, columns, condition.as_deref()), |_| {}).await
}

async fn read_statement(
    session: &Session,
    table: &QualifiedName,
    sql: &str,
    progress: impl Fn(u64),
) -> Result<LiveTable> {
    let mut lines = Lines::default();
    let bytes_raw = copy_statement(session, sql, |piece| {
        lines.push(piece);
        progress(piece.len() as u64);
        Ok(())
    })
    .await?;
    let fingerprint = lines.finish(table)?;
    Ok(LiveTable { name: table.clone(), rows: fingerprint.rows, sum: fingerprint.hex(), bytes_raw })
}

/// Fingerprints tables over `jobs` sessions on one exported snapshot. Tables are started in order, so list the biggest
/// first; the result has the order of `tables`. `progress` gets the number of bytes read since its last call.
pub async fn fingerprint_tables(
    spec: &ConnSpec,
    tables: &[(QualifiedName, Vec<String>)],
    jobs: usize,
    cancel: &Cancel,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<LiveTable>> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let holder = SnapshotHolder::export(spec, APPLICATION).await?;
    fingerprint_tables_at(spec, &holder.exported, tables, jobs, Duration::ZERO, cancel, progress).await
}

/// The same under a snapshot that the caller holds. `lock_wait` limits the wait for a locked table; zero: no limit.
pub async fn fingerprint_tables_at(
    spec: &ConnSpec,
    exported: &ExportedSnapshot,
    tables: &[(QualifiedName, Vec<String>)],
    jobs: usize,
    lock_wait: Duration,
    cancel: &Cancel,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<LiveTable>> {
    let first = Session::join(spec, APPLICATION, exported).await?;
    let own = own_rows::conditions(&first).await?;
    let sql = |table, columns: &[String]| copy_own_sql(table, columns, own.get(table).map(String::as_str));
    let statements = tables.iter().map(|(table, columns)| (table.clone(), sql(table, columns))).collect();
    Reading { spec, exported, jobs, lock_wait, cancel }.statements(first, statements, progress).await
}

/// Rows read at an instant that the caller holds.
pub struct Reading<'a> {
    pub spec: &'a ConnSpec,
    pub exported: &'a ExportedSnapshot,
    pub jobs: usize,
    pub lock_wait: Duration,
    pub cancel: &'a Cancel,
}

impl Reading<'_> {
    /// Fingerprints any `COPY … TO STDOUT` of a relation. `first` joined the instant and begins: a small database is
    /// read by it alone.
    pub async fn statements(
        &self,
        first: Session,
        statements: Vec<(QualifiedName, String)>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<LiveTable>> {
        let mut done: Vec<Option<LiveTable>> = vec![None; statements.len()];
        let queue = Arc::new(Queue { statements, next: AtomicUsize::new(0), bytes: AtomicU64::new(0) });
        // Dropping the set ends the sessions, and with them the COPYs.
        let mut workers = JoinSet::new();
        workers.spawn(work(first, Arc::clone(&queue), self.lock_wait));
        let mut tick = tokio::time::interval(TICK);
        let mut alone = pin!(tokio::time::sleep(ALONE));
        let mut is_alone = true;
        loop {
            tokio::select! {
                biased;
                reason = self.cancel.cancelled() => return Err(stopped(reason)),
                () = &mut alone, if is_alone => {
                    is_alone = false;
                    for _ in 1..self.jobs.min(queue.under_way_or_waiting()) {
                        workers.spawn(join_work(
                            (self.spec.clone(), self.exported.clone()), Arc::clone(&queue), self.lock_wait,
                        ));
                    }
                }
                _ = tick.tick() => progress(queue.bytes.swap(0, Ordering::Relaxed)),
                ended = workers.join_next() => match ended {
                    None => break,
                    Some(Err(panic)) => return Err(Failure::new(FailureKind::Failed, panic)),
                    Some(Ok(result)) => result?.into_iter().for_each(|(at, table)| done[at] = Some(table)),
                },
            }
        }
        progress(queue.bytes.swap(0, Ordering::Relaxed));
        Ok(done.into_iter().flatten().collect())
    }
}

struct Queue {
    statements: Vec<(QualifiedName, String)>,
    next: AtomicUsize,
    bytes: AtomicU64,
}

impl Queue {
    /// What nobody reads yet, and the one that the first session reads.
    fn under_way_or_waiting(&self) -> usize {
        (self.statements.len() + 1).saturating_sub(self.next.load(Ordering::Relaxed))
    }
}

type Read = Vec<(usize, LiveTable)>;

async fn join_work(at: (ConnSpec, ExportedSnapshot), queue: Arc<Queue>, lock_wait: Duration) -> Result<Read> {
    work(Session::join(&at.0, APPLICATION, &at.1).await?, queue, lock_wait).await
}

async fn work(session: Session, queue: Arc<Queue>, lock_wait: Duration) -> Result<Read> {
    session.execute(&format!("SET LOCAL lock_timeout = {}; {SAVEPOINT}", lock_wait.as_millis())).await?;
    let mut done = Vec::new();
    loop {
        if done.len() % LOCKS_HELD_MAX == LOCKS_HELD_MAX - 1 {
            session.execute(FREE_LOCKS).await?;
        }
        let at = queue.next.fetch_add(1, Ordering::Relaxed);
        let Some((table, sql)) = queue.statements.get(at) else { return Ok(done) };
        let count = |bytes| {
            queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        };
        let read = read_statement(&session, table, sql, count).await;
        done.push((at, read.map_err(|e| e.context(format!("cannot read the rows of {}", table.sql())))?));
    }
}

fn stopped(reason: CancelReason) -> Failure {
    Failure::msg(reason.failure_kind(), format!("{} while rows were being read", reason.sentence()))
}

/// Assembles lines from pieces and fingerprints them. A line in several pieces is hashed incrementally.
#[derive(Default)]
pub struct Lines {
    fingerprint: TableFingerprint,
    /// The hash of a line whose end has not arrived yet.
    open: Option<Box<blake3::Hasher>>,
}

impl Lines {
    /// Adds the next piece of COPY text, split anywhere.
    pub fn push(&mut self, mut piece: &[u8]) {
        while let Some(at) = memchr::memchr(b'\n', piece) {
            let line = &piece[..at];
            match self.open.take() {
                Some(mut open) => self.fingerprint.add_hash(&open.update(line).finalize()),
                None => self.fingerprint.add(line),
            }
            piece = &piece[at + 1..];
        }
        if !piece.is_empty() {
            self.open.get_or_insert_default().update(piece);
        }
    }

    /// The fingerprint of `table`, after the last piece. `Unreachable` if the last line is incomplete.
    pub fn finish(self, table: &QualifiedName) -> Result<TableFingerprint> {
        if self.open.is_some() {
            let text = format!("the rows of {} ended in the middle of a row", table.sql());
            return Err(
                Failure::msg(FailureKind::Unreachable, text).hint("check the server, then run the command again")
            );
        }
        Ok(self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_quoted_and_no_columns_are_no_list() {
        let table = QualifiedName::new("s\"x", "T");
        assert_eq!(copy_out_sql(&table, &["a\"b".into(), "C".into()]), r#"COPY "s""x"."T" ("a""b", "C") TO STDOUT"#);
        assert_eq!(copy_out_sql(&table, &[]), r#"COPY "s""x"."T" TO STDOUT"#);
        let own = copy_own_sql(&table, &["C".into()], Some("WHERE id > 9"));
        assert_eq!(own, r#"COPY (SELECT "C" FROM ONLY "s""x"."T" WHERE id > 9) TO STDOUT"#);
    }

    #[test]
    fn an_end_in_the_middle_of_a_row_is_an_error() {
        let mut lines = Lines::default();
        lines.push(b"1\n2");
        assert!(lines.finish(&QualifiedName::new("s", "t")).is_err());
    }

    proptest! {
        #[test]
        fn cuts_between_pieces_do_not_matter(
            rows in proptest::collection::vec("[a-z\t]{0,12}", 0..20),
            cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            let mut whole = TableFingerprint::new();
            rows.iter().for_each(|row| whole.add(row.as_bytes()));
            let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut lines = Lines::default();
            cuts.windows(2).for_each(|cut| lines.push(&text.as_bytes()[cut[0]..cut[1]]));
            prop_assert_eq!(lines.finish(&QualifiedName::new("s", "t")).unwrap(), whole);
        }
    }
}
