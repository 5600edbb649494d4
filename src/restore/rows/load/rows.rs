//! Reads a data file as pieces to send: decoded on its own thread, counted and fingerprinted on the way.
//!
//! Invariant: a piece is at most `PIECE_BYTES`, however long a row is, and only few exist at a time. Lines are
//! fingerprinted as they are sent. A file that ends before its `\.` line, or continues after it, is an error (trap 3).

use std::io::{self, BufRead, Read};
use std::path::Path;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::failure::{Failure, FailureKind};
use crate::model::fingerprint::TableFingerprint;
use crate::snapshot::copy_text::END_OF_DATA;
use crate::snapshot::reader::open_data;

/// The maximum size of a piece.
pub const PIECE_BYTES: usize = 512 * 1024;
/// Pieces that may wait between the thread and the connections of one table. With `PIECE_BYTES` this limits the memory.
const WAITING: usize = 2;

/// Bytes of COPY text.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// It ends with the end of a row. If not, the next piece must go over the same connection.
    pub ends_row: bool,
}

/// What the file contained, once it was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    pub fingerprint: TableFingerprint,
    pub bytes: u64,
}

/// The file's pieces, and the thread's result after the last one.
pub struct Pieces {
    pub receiver: mpsc::Receiver<Piece>,
    pub outcome: JoinHandle<io::Result<Counted>>,
}

/// Starts to read. The thread ends early when the receiver is dropped.
pub fn start(folder: &Path, file_name: &str) -> Pieces {
    let (sender, receiver) = mpsc::channel(WAITING);
    let (folder, file_name) = (folder.to_path_buf(), file_name.to_string());
    let outcome = tokio::task::spawn_blocking(move || {
        let mut rows = Rows::new(open_data(&folder, &file_name)?);
        while let Some(piece) = rows.next()? {
            if sender.blocking_send(piece).is_err() {
                return Err(io::Error::other("the connections take no more rows"));
            }
        }
        Ok(rows.counted)
    });
    Pieces { receiver, outcome }
}

/// Turns a read error into a failure: `Integrity`, unless the operating system reported an error of its own.
pub fn unreadable(error: io::Error, file_name: &str) -> Failure {
    let ours = error.raw_os_error().is_some() && error.kind() != io::ErrorKind::NotFound;
    let kind = if ours { FailureKind::Failed } else { FailureKind::Integrity };
    let failure = Failure::new(kind, error).context(format!("cannot read the archive's file {file_name}"));
    if ours { failure } else { failure.hint("check the snapshot: stacksnap verify") }
}

/// Cuts a stream of COPY text into pieces.
struct Rows<R> {
    reader: R,
    /// The start of a row whose end has not been read.
    carry: Vec<u8>,
    /// The hash so far of a row that was sent in part.
    long: Option<Box<blake3::Hasher>>,
    ended: bool,
    counted: Counted,
}

impl<R: BufRead> Rows<R> {
    fn new(reader: R) -> Self {
        Self { reader, carry: Vec::new(), long: None, ended: false, counted: Counted::default() }
    }

    /// The next piece; `None` after the `\.` line.
    fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.ended {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(PIECE_BYTES);
        bytes.append(&mut self.carry);
        let room = (PIECE_BYTES - bytes.len()) as u64;
        let read = self.reader.by_ref().take(room).read_to_end(&mut bytes)? as u64;
        let Some(last) = memchr::memrchr(b'\n', &bytes) else {
            if read < room {
                return Err(self.cut());
            }
            self.long.get_or_insert_default().update(&bytes);
            self.counted.bytes += bytes.len() as u64;
            return Ok(Some(Piece { bytes, ends_row: false }));
        };
        if let Some(end) = self.sum(&bytes[..=last]) {
            self.after_the_end(&bytes[end + END_OF_DATA.len()..])?;
            bytes.truncate(end);
        } else if read < room {
            return Err(self.cut());
        } else {
            self.carry = bytes.split_off(last + 1);
        }
        self.counted.bytes += bytes.len() as u64;
        let ends_row = true;
        Ok((!bytes.is_empty()).then_some(Piece { bytes, ends_row }))
    }

    /// Adds whole lines to the fingerprint, up to the `\.` line. Returns the position of that line.
    fn sum(&mut self, lines: &[u8]) -> Option<usize> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', lines) {
            let line = &lines[start..end];
            if let Some(mut hasher) = self.long.take() {
                hasher.update(line);
                self.counted.fingerprint.add_hash(&hasher.finalize());
            } else if line == END_OF_DATA {
                return Some(start);
            } else {
                self.counted.fingerprint.add(line);
            }
            start = end + 1;
        }
        None
    }

    /// Reads to the end of the file, past the checksums of its compression. Only newlines may follow.
    fn after_the_end(&mut self, rest: &[u8]) -> io::Result<()> {
        let mut more = rest.iter().any(|b| *b != b'\n');
        loop {
            let buffer = self.reader.fill_buf()?;
            let length = buffer.len();
            if length == 0 {
                break;
            }
            more |= buffer.iter().any(|b| *b != b'\n');
            self.reader.consume(length);
        }
        self.ended = true;
        if more { Err(io::Error::new(io::ErrorKind::InvalidData, "there is data after its last line")) } else { Ok(()) }
    }

    fn cut(&self) -> io::Error {
        let rows = self.counted.fingerprint.rows;
        io::Error::new(io::ErrorKind::UnexpectedEof, format!("the data ends before its last line ({rows} rows read)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &[u8]) -> io::Result<(Vec<Piece>, Counted)> {
        let mut rows = Rows::new(text);
        let mut pieces = Vec::new();
        while let Some(piece) = rows.next()? {
            assert!(piece.bytes.len() <= PIECE_BYTES);
            pieces.push(piece);
        }
        assert_eq!(rows.next().unwrap(), None);
        Ok((pieces, rows.counted))
    }

    fn expected(lines: &[Vec<u8>]) -> TableFingerprint {
        let mut fingerprint = TableFingerprint::new();
        lines.iter().for_each(|line| fingerprint.add(line));
        fingerprint
    }

    fn text_of(lines: &[Vec<u8>]) -> Vec<u8> {
        lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect()
    }

    #[test]
    fn trap_3_a_file_cut_anywhere_is_an_error() {
        let whole = b"1\ta\n2\t\\\\.\n\\.\n\n\n";
        assert_eq!(all(whole).unwrap().1.fingerprint.rows, 2);
        for cut in 0..whole.len() - 3 {
            let error = all(&whole[..cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
        assert_eq!(all(b"1\n\\.\n\n2\n").unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn rows_longer_than_a_piece_are_sent_in_parts_and_summed_whole() {
        let long = |letter: u8, length: usize| [letter].repeat(length);
        // The third line fills a piece, and its newline starts the next. A part of a row that reads `\.` does not end
        // the data.
        let mut tricky = long(b'z', PIECE_BYTES);
        tricky.extend_from_slice(END_OF_DATA);
        let lines = [b"1".to_vec(), long(b'x', 3 * PIECE_BYTES + 5), long(b'y', PIECE_BYTES), tricky, vec![]];
        let mut text = text_of(&lines);
        text.extend_from_slice(b"\\.\n\n\n");
        let (pieces, counted) = all(&text).unwrap();
        assert_eq!(counted.fingerprint, expected(&lines));
        let sent: Vec<u8> = pieces.iter().flat_map(|p| p.bytes.iter().copied()).collect();
        assert_eq!(sent, text_of(&lines));
        assert_eq!(counted.bytes, sent.len() as u64);
        for piece in &pieces {
            assert_eq!(piece.ends_row, piece.bytes.last() == Some(&b'\n'));
        }
        // A continuation that is exactly `\.`: the previous piece was full.
        let mut text = long(b'z', PIECE_BYTES);
        text.extend_from_slice(b"\\.\n\\.\n");
        assert_eq!(all(&text).unwrap().1.fingerprint.rows, 1);
    }

    #[test]
    fn an_empty_table_has_no_piece() {
        assert_eq!(all(b"\\.\n\n\n").unwrap(), (vec![], Counted::default()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_is_sent_is_what_the_file_holds(
            lines in proptest::collection::vec("[ab\\t.]{0,6}|\\\\\\\\\\.", 0..30),
            repeat in 1usize..30_000,
        ) {
            let lines: Vec<Vec<u8>> = lines.into_iter().map(|l| l.repeat(repeat).into_bytes()).collect();
            let mut text = text_of(&lines);
            text.extend_from_slice(b"\\.\n\n\n");
            let (pieces, counted) = all(&text).unwrap();
            let sent: Vec<u8> = pieces.into_iter().flat_map(|p| p.bytes).collect();
            prop_assert_eq!(sent, text_of(&lines));
            prop_assert_eq!(counted.fingerprint, expected(&lines));
        }
    }
}
