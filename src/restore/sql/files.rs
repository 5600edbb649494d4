//! Runs the snapshot's own SQL files over the protocol, inside the restore's transaction.
//!
//! Invariant: a file is run as a whole or not at all. It must start with its `BEGIN` and end with its trailer; both are
//! removed, because the transaction is the restore's. A large file is sent in pieces of whole statements, so memory
//! does not grow with it. The server's parser reads each piece, so nothing inside a function body or a string can be
//! taken for a command.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::runner::Runner;
use super::statements::Splitter;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::snapshot::rows_mark;

const BEGIN: &[u8] = b"BEGIN;\n";
const ENDING: &[u8] = b"\nCOMMIT;\n\n-- stacksnap: end of file\n";

/// A piece is sent when its statements have this many bytes.
const PIECE_BYTES: usize = 256 * 1024;
const READ_BYTES: usize = 64 * 1024;
/// The longest possible line of a file's head.
const HEAD_LINE_BYTES: u64 = 64 * 1024;

/// One or more whole statements.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    pub sql: String,
    /// The last statement, if it is a mark of [`rows_mark`]. A mark always ends its piece.
    pub mark: Option<String>,
}

/// The statements between a file's `BEGIN` and `COMMIT`, piece by piece.
pub struct Pieces<R> {
    reader: R,
    splitter: Splitter,
    /// Bytes that were read but not returned.
    carry: Vec<u8>,
    piece_bytes: usize,
    ended: bool,
}

impl<R: BufRead> Pieces<R> {
    fn new(reader: R, piece_bytes: usize) -> Self {
        Self { reader, splitter: Splitter::default(), carry: Vec::new(), piece_bytes, ended: false }
    }

    /// Returns whole statements of about [`PIECE_BYTES`]; a longer statement is a piece of its own. `None` after the
    /// last.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        // `seen`: how much of `carry` was scanned. `begins`: where the unfinished statement starts.
        let (mut seen, mut begins) = (0, 0);
        loop {
            while let Some(length) = self.splitter.end(&self.carry[seen..]) {
                seen += length;
                let statement = self.carry[begins..seen].trim_ascii_start();
                let mark = statement.starts_with(rows_mark::BEGINNING.as_bytes()).then(|| statement.to_vec());
                if mark.is_some() || seen >= self.piece_bytes {
                    let rest = self.carry.split_off(seen);
                    let sql = text(std::mem::replace(&mut self.carry, rest))?;
                    return Ok(Some(Piece { sql, mark: mark.map(text).transpose()? }));
                }
                begins = seen;
            }
            seen = self.carry.len();
            let read = self.reader.fill_buf()?;
            let length = read.len();
            if length == 0 {
                self.ended = true;
                let sql = text(std::mem::take(&mut self.carry))?;
                return Ok((!sql.is_empty()).then_some(Piece { sql, mark: None }));
            }
            self.carry.extend_from_slice(read);
            self.reader.consume(length);
        }
    }

    /// Was everything returned?
    fn is_done(&self) -> bool {
        self.ended && self.carry.is_empty()
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.utf8_error()))
}

/// Skips the head: comments, blank lines, `BEGIN;`. `false`: it is not the head of a snapshot's file.
fn pass_head(reader: &mut impl BufRead) -> io::Result<bool> {
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.by_ref().take(HEAD_LINE_BYTES).read_until(b'\n', &mut line)?;
        match line.as_slice() {
            BEGIN => return Ok(true),
            b"\n" => {}
            comment if comment.starts_with(b"--") && comment.ends_with(b"\n") => {}
            _ => return Ok(false),
        }
    }
}

/// The body of a file of `length` bytes. `None`: the file is incomplete.
fn whole(mut file: impl Read + Seek, length: u64) -> io::Result<Option<Pieces<impl BufRead>>> {
    let Some(body) = length.checked_sub(ENDING.len() as u64) else { return Ok(None) };
    let mut ending = Vec::new();
    file.seek(SeekFrom::Start(body))?;
    file.by_ref().take(ENDING.len() as u64 + 1).read_to_end(&mut ending)?;
    if ending != ENDING {
        return Ok(None);
    }
    file.rewind()?;
    let mut reader = BufReader::with_capacity(READ_BYTES, file.take(body));
    Ok(pass_head(&mut reader)?.then(|| Pieces::new(reader, PIECE_BYTES)))
}

/// Opens a file of the snapshot. `Ok(None)`: the snapshot has no such file.
pub fn open(place: &Path, name: &str) -> Result<Option<Pieces<impl BufRead + use<>>>> {
    let opened = match File::open(place.join(name)) {
        Ok(file) => file.metadata().and_then(|facts| whole(file, facts.len())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => Err(e),
    };
    match opened {
        Ok(Some(pieces)) => Ok(Some(pieces)),
        Ok(None) => Err(Failure::msg(
            FailureKind::Integrity,
            format!("{name} is incomplete: its beginning or its end is missing"),
        )
        .hint("the snapshot is damaged or was edited: stacksnap verify SNAPSHOT")),
        Err(e) => Err(unreadable(e, name)),
    }
}

fn unreadable(error: io::Error, name: &str) -> Failure {
    Failure::from(error).context(format!("cannot read {name}"))
}

/// Runs one file under a savepoint. `Ok(Some(failure))`: it was rolled back.
pub async fn attempt(runner: &Runner<'_>, place: &Path, name: &str) -> Result<Option<Failure>> {
    attempt_without(runner, place, name, &|_| false).await
}

/// The same, without the statements between a mark that `skips` accepts and the next mark.
pub async fn attempt_without(
    runner: &Runner<'_>,
    place: &Path,
    name: &str,
    skips: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Option<Failure>> {
    let Some(mut pieces) = open(place, name)? else { return Ok(None) };
    let Some(first) = pieces.next_piece().map_err(|e| unreadable(e, name))? else { return Ok(None) };
    // The files set what they need with SET LOCAL; all use an empty search_path.
    if pieces.is_done() {
        return runner.attempt(name, &first.sql).await;
    }
    let all = async {
        let (mut next, mut skipping) = (Some(first), false);
        while let Some(Piece { sql, mark }) = next {
            if !skipping {
                runner.session.execute(&sql).await?;
            }
            skipping = mark.map_or(skipping, |mark| skips(&mark));
            next = pieces.next_piece().map_err(|e| unreadable(e, name))?;
        }
        Ok(())
    };
    Ok(runner.attempt_all(name, all).await?.err())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::model::name::QualifiedName;

    fn ended(text: &str) -> String {
        format!("{text}{}", std::str::from_utf8(ENDING).unwrap())
    }

    /// All pieces. `None`: the file is incomplete.
    fn body(text: &str) -> Option<Vec<String>> {
        let mut pieces = whole(Cursor::new(text), text.len() as u64).unwrap()?;
        Some(std::iter::from_fn(|| pieces.next_piece().unwrap()).map(|piece| piece.sql).collect())
    }

    #[test]
    fn only_a_whole_file_is_taken() {
        let whole = ended("-- about\n\nBEGIN;\nSELECT 1;\n");
        assert_eq!(body(&whole).unwrap(), ["SELECT 1;\n"]);
        assert_eq!(body(&whole[..whole.len() - 5]), None);
        assert_eq!(body(&format!("{whole}SELECT 2;")), None);
        assert_eq!(body("DROP TABLE x;\n\nBEGIN;\n\nCOMMIT;\n\n-- stacksnap: end of file\n"), None);
        assert_eq!(body(&ended("BEGIN;\nx")).unwrap(), ["x"]);
        assert_eq!(body(&ended("BEGIN;\n")).unwrap(), [""; 0]);
        assert_eq!(body(&ended("BEGIN;")), None);
        assert_eq!(body(""), None);
    }

    #[test]
    fn trap_13_a_begin_in_a_body_is_not_the_files() {
        let whole = ended("-- about\n\nBEGIN;\nCREATE FUNCTION f() AS '\nBEGIN;\n';\n");
        assert_eq!(body(&whole).unwrap(), ["CREATE FUNCTION f() AS '\nBEGIN;\n';\n"]);
    }

    #[test]
    fn a_large_file_comes_in_pieces_and_a_small_one_in_one() {
        let row = format!("INSERT INTO t VALUES ('{};');\n", "x".repeat(1000));
        let whole = ended(&format!("\nBEGIN;\n{}", row.repeat(2000)));
        let pieces = body(&whole).unwrap();
        assert_eq!(pieces.concat(), row.repeat(2000));
        let last = pieces.len() - 1;
        assert!(last >= 7);
        for (at, piece) in pieces.iter().enumerate() {
            assert!(piece.len() <= PIECE_BYTES + row.len(), "{}", piece.len());
            assert!(at == last || (piece.len() >= PIECE_BYTES && piece.ends_with(';')));
        }
        let few = ended(&format!("\nBEGIN;\n{}", row.repeat(200)));
        let mut small = super::whole(Cursor::new(&few), few.len() as u64).unwrap().unwrap();
        assert!(small.next_piece().unwrap().is_some());
        assert_eq!((small.next_piece().unwrap(), small.is_done()), (None, true));
    }

    #[test]
    fn a_mark_ends_its_piece_and_is_no_value() {
        let (on, off) = (rows_mark::rows_mark(Some(&QualifiedName::new("s", "it's"))), rows_mark::rows_mark(None));
        assert_eq!(
            (on.as_str(), off.as_str()),
            ("SET LOCAL stacksnap.rows_of = 's.it''s';", "SET LOCAL stacksnap.rows_of = '';")
        );
        let text = format!("SELECT '\n{on}\n';\n{on}\nINSERT 1;\n{off}\nSELECT 2;");
        let mut pieces = Pieces::new(text.as_bytes(), PIECE_BYTES);
        let mut next = || pieces.next_piece().unwrap().map(|piece| (piece.sql, piece.mark));
        assert_eq!(next(), Some((format!("SELECT '\n{on}\n';\n{on}"), Some(on.clone()))));
        assert_eq!(next(), Some((format!("\nINSERT 1;\n{off}"), Some(off.clone()))));
        assert_eq!((next(), next()), (Some(("\nSELECT 2;".to_string(), None)), None));
    }

    proptest! {
        #[test]
        fn pieces_end_with_statements_and_lose_nothing(
            statements in proptest::collection::vec("[a-z' ]{0,9}|'[;é]{0,4}';|\\$\\$;\n\\$\\$;", 0..30),
            piece_bytes in 0usize..60,
            step in 1usize..20,
        ) {
            let text: String = statements.concat();
            let mut pieces = Pieces::new(BufReader::with_capacity(step, text.as_bytes()), piece_bytes);
            let all: Vec<String> =
                std::iter::from_fn(|| pieces.next_piece().unwrap()).map(|piece| piece.sql).collect();
            prop_assert_eq!(all.concat(), text);
            for piece in &all[..all.len().saturating_sub(1)] {
                prop_assert!(piece.ends_with(';') && piece.len() >= piece_bytes);
            }
        }
    }
}
