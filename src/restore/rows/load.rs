//! Rows of one table from the archive's data file into the target, by COPY over the protocol.
//!
//! Invariant: rows and fingerprint of what is sent are compared with the task before any COPY is finished, so a
//! wrong or cut file inserts nothing. Memory does not grow with the table or its rows. It makes and prepares nothing:
//! the session comes with its role, timeouts and transaction.

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

/// One table to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadTask {
    /// In the target.
    pub table: QualifiedName,
    /// Columns of the data file, in order. Empty: the statement names none.
    pub columns: Vec<String>,
    /// The archive.
    pub folder: PathBuf,
    /// As `snapshot::reader::open_data` wants it, e.g. `3456.dat`.
    pub file_name: String,
    /// What the manifest says that the file holds.
    pub rows: u64,
    pub fingerprint: String,
    /// COPY text before compression: for the order of work and for progress.
    pub bytes_raw: u64,
    /// `FREEZE`: the table was made or emptied in the transaction that loads it, and nobody else sees it.
    pub freeze: bool,
    /// Rows that the server refuses end nothing but this load: somebody tries them another way afterwards.
    pub may_fail: bool,
}

impl LoadTask {
    /// The statement. `raw`: for a database of encoding SQL_ASCII, which takes bytes as they are.
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

    /// Is what was sent what the snapshot holds?
    fn check(&self, counted: &Counted) -> Result<()> {
        let found = counted.fingerprint;
        if found.rows == self.rows && found.hex() == self.fingerprint {
            return Ok(());
        }
        let what = if found.rows == self.rows {
            format!("the rows in the archive's file {} are not those of the manifest", self.file_name)
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

/// What went in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    pub rows: u64,
    /// COPY text.
    pub bytes: u64,
}

/// Loads one table over one session (a table without rows needs no statement), within whatever transaction that is in. `progress` hears the bytes of each piece
/// (not their sum) as it is handed to the connection.
///
/// After an error nothing of the table is in, unless triggers of the target left out rows (then roll back); an open
/// transaction is aborted. `Integrity`: the file is not what the task says. When `cancel` was heard, the COPY is aborted but the server may need time to notice: roll back
/// or close the session. What the server refuses before it takes a row (no such table, no right, no lock in time)
/// ends the connection: see `pg::copy`.
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

/// Loads one table over several sessions at once, each in a transaction of its own that is begun here: none may be in
/// one. The pieces go to whichever connection is free. `FREEZE` cannot be: it is left out.
///
/// The transactions are committed when all of them took their rows. After an error all sessions must be closed: what
/// they had not committed is then gone. Only a connection that breaks between the commits leaves a part of the rows.
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

/// The failure of work that was asked to stop.
pub fn cancelled(reason: CancelReason) -> Failure {
    Failure::msg(reason.failure_kind(), reason.sentence())
}

/// Sends the whole file and compares it with the task. No COPY has been finished yet.
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

/// A table without rows needs no server: only its file has to be empty too.
async fn only_check(task: &LoadTask) -> Result<Loaded> {
    let Pieces { mut receiver, outcome } = rows::start(&task.folder, &task.file_name);
    while receiver.recv().await.is_some() {}
    checked(task, outcome).await
}

/// The end of reading: the file was whole, and it is the one that the task means.
async fn checked(task: &LoadTask, outcome: JoinHandle<io::Result<Counted>>) -> Result<Loaded> {
    let read = outcome.await.map_err(|e| Failure::new(FailureKind::Failed, e).context("the reading thread failed"))?;
    let counted = read.map_err(|e| rows::unreadable(e, &task.file_name))?;
    task.check(&counted)?;
    Ok(Loaded { rows: counted.fingerprint.rows, bytes: counted.bytes })
}

/// Takes pieces until there are none. The parts of one row stay together: they are sent before anyone else may take.
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

/// Ends every COPY; the server has to have taken as many rows as were sent.
async fn finish_all(copies: Vec<CopyIn>, task: &LoadTask) -> Result<()> {
    let taken: u64 = try_join_all(copies.into_iter().map(CopyIn::finish)).await?.iter().sum();
    if taken == task.rows {
        return Ok(());
    }
    let text = format!("the server took {taken} of {} rows: a trigger of the target left some out", task.rows);
    Err(Failure::msg(FailureKind::Failed, text))
}
