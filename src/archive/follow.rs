//! Reads one of pg_dump's data files while pg_dump is still writing it, in chunks of whole lines.
//!
//! Invariant: the end of the data is the line `\.`, never the end of the file: a file that stops before it is either
//! still growing or, once the writer has ended, cut (facts 3). One chunk, or one row if it is longer, is in memory.

use std::fs::File;
use std::io::{self, Read};

/// Bytes of a chunk; a longer row makes a longer chunk.
pub const CHUNK_BYTES: usize = 1 << 20;

/// What there is to read now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Whole lines of data, each with its newline.
    Lines(Vec<u8>),
    /// The last lines of data (perhaps none) and then what follows the data: `\.` and empty lines.
    Last { lines: Vec<u8>, end: Vec<u8> },
    /// Nothing yet: the writer goes on.
    NotYet,
}

/// A data file being read.
pub struct Follower {
    file: File,
    carry: Vec<u8>,
    ended: bool,
}

impl Follower {
    pub fn new(file: File) -> Self {
        Self { file, carry: Vec::new(), ended: false }
    }

    /// Has the end been given out?
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The next chunk. `writer_done` must have been read before the call: then the end of the file is the end.
    pub fn next(&mut self, writer_done: bool) -> io::Result<Next> {
        loop {
            if self.carry.len() >= CHUNK_BYTES
                && let Some(last) = self.carry.iter().rposition(|b| *b == b'\n')
                && !could_be_end(&self.carry)
            {
                let rest = self.carry.split_off(last + 1);
                return Ok(Next::Lines(std::mem::replace(&mut self.carry, rest)));
            }
            let before = self.carry.len();
            self.carry.reserve(CHUNK_BYTES);
            (&mut self.file).take(CHUNK_BYTES as u64).read_to_end(&mut self.carry)?;
            if self.carry.len() == before {
                return self.at_end_of_file(writer_done);
            }
        }
    }

    fn at_end_of_file(&mut self, writer_done: bool) -> io::Result<Next> {
        let Some(end) = end_of_data(&self.carry) else {
            if writer_done {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the data ends before its last line"));
            }
            return Ok(Next::NotYet);
        };
        let whole = self.carry.ends_with(b"\\.\n\n\n");
        if !whole && !writer_done {
            return Ok(Next::NotYet);
        }
        self.ended = true;
        let end = self.carry.split_off(end);
        Ok(Next::Last { lines: std::mem::take(&mut self.carry), end })
    }
}

/// Might the buffer end with the end of data? Then it is not cut before more is known.
fn could_be_end(buffer: &[u8]) -> bool {
    end_of_data(buffer).is_some()
}

/// Where the line `\.` starts, when the buffer ends with it and with nothing but newlines after it.
fn end_of_data(buffer: &[u8]) -> Option<usize> {
    let body = buffer.iter().rposition(|b| *b != b'\n')? + 1;
    let start = body.checked_sub(2)?;
    let own_line = start == 0 || buffer[start - 1] == b'\n';
    (body < buffer.len() && &buffer[start..body] == b"\\." && own_line).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn files() -> (tempfile::NamedTempFile, Follower) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let follower = Follower::new(file.reopen().unwrap());
        (file, follower)
    }

    #[test]
    fn a_growing_file_is_read_to_its_last_line() {
        let (mut file, mut follower) = files();
        assert_eq!(follower.next(false).unwrap(), Next::NotYet);
        file.write_all(b"1\ta\n2\t").unwrap();
        assert_eq!(follower.next(false).unwrap(), Next::NotYet);
        file.write_all(b"b\n\\.\n").unwrap();
        assert_eq!(follower.next(false).unwrap(), Next::NotYet);
        file.write_all(b"\n\n").unwrap();
        let Next::Last { lines, end } = follower.next(false).unwrap() else { panic!("not the end") };
        assert_eq!((lines.as_slice(), end.as_slice()), (&b"1\ta\n2\tb\n"[..], &b"\\.\n\n\n"[..]));
        assert!(follower.ended());
    }

    #[test]
    fn trap_3_a_file_that_stops_early_is_an_error_once_its_writer_is_done() {
        for text in ["", "1\ta\n", "1\ta\n2", "1\ta\n\\.", "x\\.\n\n\n"] {
            let (mut file, mut follower) = files();
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(follower.next(true).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{text:?}");
        }
    }

    #[test]
    fn chunks_are_whole_lines_and_lose_nothing() {
        let (mut file, mut follower) = files();
        let line = "x".repeat(700_000);
        let mut all = String::new();
        for i in 0..7 {
            all.push_str(&format!("{i}{line}\n\n\n\\\\.\n"));
        }
        file.write_all(all.as_bytes()).unwrap();
        file.write_all(b"\\.\n\n\n").unwrap();
        let mut got = Vec::new();
        loop {
            match follower.next(true).unwrap() {
                Next::Lines(lines) => {
                    assert_eq!(lines.last(), Some(&b'\n'));
                    got.extend(lines);
                }
                Next::Last { lines, .. } => {
                    got.extend(lines);
                    break;
                }
                Next::NotYet => panic!("the writer is done"),
            }
        }
        assert_eq!(got, all.as_bytes());
    }
}
