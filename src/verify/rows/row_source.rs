//! Rows of a table, line by line, from an archive or from a live database.
//!
//! Invariant: for the same columns in the same order, both give the same lines. A line may come in parts and is never
//! kept here. A caller that has seen enough can end the reading; that is no error.

use std::io;
use std::ops::ControlFlow;

use crate::model::cancel::Cancel;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::manifest::TableRecord;
use crate::pg::catalog::own_rows;
use crate::pg::rows::{copy_computed_sql, copy_own_sql, copy_statement};
use crate::pg::session::Session;
use crate::snapshot::reader::{ArchiveData, LinePart};

/// How many parts of a file are read between two checks of the cancellation.
const PARTS_PER_LOOK: u64 = 4096;

pub enum RowSource<'a> {
    Archive(&'a ArchiveData),
    Live(&'a Session),
    /// Generated columns, which `COPY table` refuses.
    LiveComputed(&'a Session),
}

impl RowSource<'_> {
    /// Passes every line of `record`'s columns to `each`, in parts, until `each` breaks.
    pub async fn each(
        &self,
        record: &TableRecord,
        cancel: &Cancel,
        each: &mut dyn FnMut(LinePart<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        match self {
            Self::Archive(archive) => {
                let what = || format!("cannot read the rows of {}", record.name.sql());
                tokio::task::block_in_place(|| from_archive(archive, record, cancel, each))
                    .map_err(|e| Failure::new(FailureKind::Integrity, e).context(what()))?;
                match cancel.reason() {
                    Some(reason) => Err(Failure::msg(reason.failure_kind(), reason.sentence())),
                    None => Ok(()),
                }
            }
            Self::Live(session) => {
                let condition = own_rows::condition(session, &record.name).await?;
                let sql = copy_own_sql(&record.name, &record.columns, condition.as_deref());
                from_database(session, &sql, record, each).await
            }
            Self::LiveComputed(session) => {
                from_database(session, &copy_computed_sql(&record.name, &record.columns), record, each).await
            }
        }
    }
}

fn from_archive(
    archive: &ArchiveData,
    record: &TableRecord,
    cancel: &Cancel,
    each: &mut dyn FnMut(LinePart<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let (mut enough, mut parts) = (false, 0u64);
    let read = archive.for_each_part(&record.name, |part| {
        parts += 1;
        enough = (parts.is_multiple_of(PARTS_PER_LOOK) && cancel.is_cancelled()) || each(part).is_break();
        if enough { Err(io::Error::other("enough")) } else { Ok(()) }
    });
    match read {
        _ if enough => Ok(()),
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(io::Error::new(io::ErrorKind::NotFound, "the archive has no file for them")),
        Err(error) => Err(error),
    }
}

async fn from_database(
    session: &Session,
    sql: &str,
    record: &TableRecord,
    each: &mut dyn FnMut(LinePart<'_>) -> ControlFlow<()>,
) -> Result<()> {
    let mut enough = false;
    let read = copy_statement(session, sql, |piece| {
        enough = parts(piece, each).is_break();
        if enough { Err(Failure::msg(FailureKind::Failed, "enough")) } else { Ok(()) }
    });
    match read.await {
        Ok(_) => Ok(()),
        Err(_) if enough => Ok(()),
        Err(failure) => Err(failure.context(format!("cannot read the rows of {}", record.name.sql()))),
    }
}

/// Splits a piece into parts of lines; the piece may end anywhere.
fn parts(mut piece: &[u8], each: &mut dyn FnMut(LinePart<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
    while let Some(at) = memchr::memchr(b'\n', piece) {
        each(LinePart { bytes: &piece[..at], ends: true })?;
        piece = &piece[at + 1..];
    }
    if piece.is_empty() { ControlFlow::Continue(()) } else { each(LinePart { bytes: piece, ends: false }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_lines_and_a_break_ends_them() {
        let (mut seen, mut open) = (Vec::new(), Vec::new());
        for piece in ["a", "b\n\nc\n", "d", "", "\ne"] {
            let _ = parts(piece.as_bytes(), &mut |part| {
                open.extend_from_slice(part.bytes);
                if part.ends {
                    seen.push(String::from_utf8(std::mem::take(&mut open)).unwrap());
                }
                if seen.last().is_some_and(|line| line == "c") {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        }
        assert_eq!(seen[..3], ["ab", "", "c"]);
    }
}
