//! Loads the rows of one table from the archive's data file into the target, by COPY over the protocol.
//!
//! Invariant: row count and fingerprint of what is sent are compared with the task before any COPY is finished, so a
//! wrong or cut file inserts nothing. Memory does not grow with the table or its rows. It prepares nothing: the session
//! comes with its role, timeouts and transaction.

pub mod rows;

use std::io;
use std::path::PathBuf;

use futures_util::future::try_join_all;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::model::cancel::{Cancel, CancelReason};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, ident, visible};
use crate::pg::copy::CopyIn;
use crate::pg::session::Session;
use rows::{Counted, Piece, Pieces};

/// One table to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadTask {
    /// The name in the target.
    pub table: QualifiedName,
    /// Columns of the data file, in order. Empty: COPY without a column list.
    pub columns: Vec<String>,
    /// The archive folder.
    pub folder: PathBuf,
    /// As `snapshot::reader::open_data` takes it, for example `3456.dat`.
    pub file_name: String,
    /// The row count from the manifest.
    pub rows: u64,
    pub fingerprint: String,
    /// Bytes of COPY text before compression: for the order of work and for progress.
    pub bytes_raw: u64,
    /// `FREEZE`: the table was created or truncated in the transaction that loads it, and no other session sees it.
    pub freeze: bool,
    /// If the server refuses the rows, only this load fails: the caller tries another way afterwards.
    pub may_fail: bool,
}

impl LoadTask {
    /// The COPY statement. `raw`: for a database with encoding SQL_ASCII, which takes bytes unchanged.
    pub fn copy_statement(&self, raw: bool) -> String {
        let columns: Vec<String> = self.columns.iter().map(|c| ident(c)).collect();
        let list = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let options = match (self.freeze, raw) {
            (false, false) => "",
            (true, false) => " WITH (FREEZE)",
            (false, true) => " WITH (ENCODING 'SQL_ASCII')",
            (true, true) => " WITH (FREEZE, ENCODING 'SQL_ASCII')",
        };
        format!("COPY {}{list} FROM STDIN{options}", self.table.sql())
    }

    /// Is what was sent what the manifest recorded?
    fn check(&self, counted: &Counted) -> Result<()> {
        let found = counted.fingerprint;
        if found.rows == self.rows && found.hex() == self.fingerprint {
            return Ok(());
        }
        let what = if found.rows == self.rows {
            format!("the rows in the archive's file {} differ from the manifest", self.file_name)
        } else {
            let (is, wanted) = (found.rows, self.rows);
            format!("the archive's file {} holds {is} rows, the manifest says {wanted}", self.file_name)
        };
        Err(Failure::msg(FailureKind::Integrity, what).hint("check the snapshot: stacksnap verify"))
    }

    fn named(&self, failure: Failure) -> Failure {
        failure.context(format!("the rows of {} were not loaded", visible(&self.table.sql())))
    }
}

/// What was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    pub rows: u64,
    /// Bytes of COPY text.
    pub bytes: u64,
}

/// Loads one table over one session, in the transaction that the session is in. A table without rows needs no
/// statement. `progress` gets the bytes of each piece (not their sum) as it is handed to the connection.
///
/// After an error no row of the table is in, unless triggers of the target skipped rows (then roll back); an open
/// transaction is aborted. After `cancel` the COPY is aborted, but the server may need time to notice: roll back or
/// close the session. If the server refuses before it takes a row (no such table, no privilege, lock timeout), the
/// connection ends: see `pg::copy`.
///
/// # Errors
/// `Integrity`: the file is not what the task says. Otherwise the server's error, or `cancel`.
pub async fn load_one(
    session: &Session,
    task: &LoadTask,
    cancel: &Cancel,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Loaded> {
    let work = async {
        if task.rows == 0 {
            return only_check(task).await;
        }
        let (copies, loaded) = send_all(&[session], task, progress).await?;
        finish_all(copies, task).await?;
        Ok(loaded)
    };
    until_cancelled(work, cancel).await.map_err(|failure| task.named(failure))
}

/// Loads one table over several sessions at once, each in its own transaction, which is begun here: no session may be
/// in one. Each piece goes to whichever connection is free. `FREEZE` is impossible and left out.
///
/// The transactions are committed when all of them took their rows. After an error all sessions must be closed, which
/// rolls back. Only a connection that breaks between the commits leaves a part of the rows.
pub async fn load_split(
    sessions: &[&Session],
    task: &LoadTask,
    cancel: &Cancel,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Loaded> {
    let task = LoadTask { freeze: false, ..task.clone() };
    let work = async {
        if task.rows == 0 {
            return only_check(&task).await;
        }
        try_join_all(sessions.iter().map(|s| s.execute("BEGIN"))).await?;
        let (copies, loaded) = send_all(sessions, &task, progress).await?;
        finish_all(copies, &task).await?;
        try_join_all(sessions.iter().map(|s| s.execute("COMMIT"))).await?;
        Ok(loaded)
    };
    until_cancelled(work, cancel).await.map_err(|failure| task.named(failure))
}

async fn until_cancelled<T>(work: impl Future<Output = Result<T>>, cancel: &Cancel) -> Result<T> {
    tokio::select! {
        biased;
        reason = cancel.cancelled() => Err(cancelled(reason)),
        result = work => result,
    }
}

/// The failure of cancelled work.
pub fn cancelled(reason: CancelReason) -> Failure {
    Failure::msg(reason.failure_kind(), reason.sentence())
}

/// Sends the whole file and compares it with the task. No COPY is finished yet.
async fn send_all(
    sessions: &[&Session],
    task: &LoadTask,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Vec<CopyIn>, Loaded)> {
    let statement = task.copy_statement(sessions.iter().any(|s| s.copies_raw));
    let mut copies = try_join_all(sessions.iter().map(|s| CopyIn::start(s, &statement))).await?;
    let Pieces { receiver, outcome } = rows::start(&task.folder, &task.file_name);
    let pieces = Mutex::new(receiver);
    try_join_all(copies.iter_mut().map(|copy| feed(copy, &pieces, progress))).await?;
    Ok((copies, checked(task, outcome).await?))
}

/// A table without rows needs no server, but its file must be empty too.
async fn only_check(task: &LoadTask) -> Result<Loaded> {
    let Pieces { mut receiver, outcome } = rows::start(&task.folder, &task.file_name);
    while receiver.recv().await.is_some() {}
    checked(task, outcome).await
}

/// The end of reading: the file is complete and matches the task.
async fn checked(task: &LoadTask, outcome: JoinHandle<io::Result<Counted>>) -> Result<Loaded> {
    let read = outcome.await.map_err(|e| Failure::new(FailureKind::Failed, e).context("the reading thread failed"))?;
    let counted = read.map_err(|e| rows::unreadable(e, &task.file_name))?;
    task.check(&counted)?;
    Ok(Loaded { rows: counted.fingerprint.rows, bytes: counted.bytes })
}

/// Sends pieces until there are none. Parts of one row must go over one connection, so the lock is held until the row
/// ends.
async fn feed(copy: &mut CopyIn, pieces: &Mutex<mpsc::Receiver<Piece>>, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
    loop {
        let mut receiver = pieces.lock().await;
        let mut next = receiver.recv().await;
        while let Some(part) = next.take_if(|piece| !piece.ends_row) {
            send(copy, part, progress).await?;
            next = receiver.recv().await;
        }
        drop(receiver);
        let Some(piece) = next else { return Ok(()) };
        send(copy, piece, progress).await?;
    }
}

async fn send(copy: &mut CopyIn, piece: Piece, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
    let bytes = piece.bytes.len() as u64;
    copy.send(piece.bytes).await?;
    progress(bytes);
    Ok(())
}

/// Ends every COPY and compares the server's row count.
async fn finish_all(copies: Vec<CopyIn>, task: &LoadTask) -> Result<()> {
    let taken: u64 = try_join_all(copies.into_iter().map(CopyIn::finish)).await?.iter().sum();
    if taken == task.rows {
        return Ok(());
    }
    let text = format!("the server took {taken} of {} rows: a trigger of the target skipped some", task.rows);
    Err(Failure::msg(FailureKind::Failed, text))
}
