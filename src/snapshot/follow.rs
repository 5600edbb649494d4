//! Reads one of pg_dump's data files while pg_dump is still writing it, in chunks of complete lines; a row longer than
//! a chunk comes in parts.
//!
//! Invariant: the data ends with the line `\.`, never with the end of the file: a file that stops before it is still
//! growing or, once pg_dump has ended, truncated (trap 3). At most two chunks are in memory, however long a row is, and
//! every byte is scanned a bounded number of times.

use std::fs::File;
use std::io::{self, Read};

/// Size of a chunk; a chunk can have up to twice as many bytes.
pub const CHUNK_BYTES: usize = 1 << 20;

/// The next data, if there is any.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Complete lines, each with its newline.
    Lines(Vec<u8>),
    /// Part of one row that is longer than a chunk. The last part of the row ends with the newline; the other parts
    /// have no newline.
    Part(Vec<u8>),
    /// The last lines of data (possibly none), and the bytes after the data: `\.` and empty lines.
    Last { lines: Vec<u8>, end: Vec<u8> },
    /// Nothing new yet; pg_dump is still writing.
    NotYet,
}

/// A data file being read.
pub struct Follower {
    file: File,
    chunk_bytes: usize,
    carry: Vec<u8>,
    /// The first part of the row that `carry` continues was already returned.
    in_row: bool,
    ended: bool,
}

impl Follower {
    pub fn new(file: File) -> Self {
        Self { file, chunk_bytes: CHUNK_BYTES, carry: Vec::new(), in_row: false, ended: false }
    }

    /// Whether the end was returned.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The next chunk. Read `writer_done` before the call: if it is true, the end of the file is final.
    pub fn next(&mut self, writer_done: bool) -> io::Result<Next> {
        loop {
            if self.in_row
                && let Some(newline) = memchr::memchr(b'\n', &self.carry)
            {
                self.in_row = false;
                return Ok(Next::Part(self.take_front(newline + 1)));
            }
            if self.carry.len() >= self.chunk_bytes {
                match memchr::memrchr(b'\n', &self.carry) {
                    None => {
                        self.in_row = true;
                        return Ok(Next::Part(std::mem::take(&mut self.carry)));
                    }
                    Some(last) if !could_be_end(&self.carry) => return Ok(Next::Lines(self.take_front(last + 1))),
                    Some(_) => {}
                }
            }
            let before = self.carry.len();
            self.carry.reserve(self.chunk_bytes);
            (&mut self.file).take(self.chunk_bytes as u64).read_to_end(&mut self.carry)?;
            if self.carry.len() == before {
                return self.at_end_of_file(writer_done);
            }
        }
    }

    /// Returns the first bytes of the buffer and keeps the rest.
    fn take_front(&mut self, length: usize) -> Vec<u8> {
        let rest = self.carry.split_off(length);
        std::mem::replace(&mut self.carry, rest)
    }

    fn at_end_of_file(&mut self, writer_done: bool) -> io::Result<Next> {
        // Inside a row, `\.` is not the end of the data, even if a part looks like it.
        let end = if self.in_row { None } else { end_of_data(&self.carry) };
        let Some(end) = end else {
            if writer_done {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the data is truncated: its last line is missing",
                ));
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

/// Whether the buffer may end with the end of data. It must not be split before more bytes are known.
fn could_be_end(buffer: &[u8]) -> bool {
    end_of_data(buffer).is_some()
}

/// The offset of the line `\.`, if the buffer ends with it and only newlines follow.
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
                Next::Part(part) => panic!("no row is longer than a chunk: {} bytes", part.len()),
                Next::Last { lines, .. } => {
                    got.extend(lines);
                    break;
                }
                Next::NotYet => panic!("the writer is done"),
            }
        }
        assert_eq!(got, all.as_bytes());
    }

    /// All chunks of `text`. First `cut` bytes are written, then the rest.
    fn chunks(text: &[u8], chunk_bytes: usize, cut: usize) -> io::Result<(Vec<u8>, u64)> {
        let (mut file, mut follower) = files();
        follower.chunk_bytes = chunk_bytes;
        file.write_all(&text[..cut]).unwrap();
        let (mut got, mut rest, mut rows, mut in_row) = (Vec::new(), Some(&text[cut..]), 0, false);
        loop {
            match follower.next(rest.is_none())? {
                Next::Lines(lines) => {
                    assert!(!in_row && lines.len() <= 2 * chunk_bytes && lines.last() == Some(&b'\n'));
                    rows += lines.iter().filter(|b| **b == b'\n').count() as u64;
                    got.extend(lines);
                }
                Next::Part(part) => {
                    assert!(!part.is_empty() && part.len() <= 2 * chunk_bytes);
                    let newlines = part.iter().filter(|b| **b == b'\n').count() as u64;
                    in_row = newlines == 0;
                    assert!(in_row || (newlines == 1 && part.last() == Some(&b'\n')));
                    rows += newlines;
                    got.extend(part);
                }
                Next::Last { lines, end } => {
                    assert!(!in_row && end.starts_with(b"\\.\n"));
                    rows += lines.iter().filter(|b| **b == b'\n').count() as u64;
                    got.extend(lines);
                    return Ok((got, rows));
                }
                Next::NotYet => file.write_all(rest.take().expect("the writer is done")).unwrap(),
            }
        }
    }

    #[test]
    fn rows_longer_than_a_chunk_come_in_parts_wherever_the_file_is_cut() {
        // The parts of the second row look like `\.` alone, and so does the third row except for one letter.
        let data = b"a\nbbbbbbb\\\\.\nx\\\\.\n\n\n0123456789abcdefghij\\\\.\n1\n";
        let mut text = data.to_vec();
        text.extend_from_slice(b"\\.\n\n\n");
        // A chunk has to be longer than the line that ends the data.
        for chunk_bytes in 3..text.len() + 2 {
            for cut in 0..=text.len() {
                let (got, rows) = chunks(&text, chunk_bytes, cut).unwrap();
                assert_eq!((got.as_slice(), rows), (&data[..], 7), "chunks of {chunk_bytes}, cut at {cut}");
            }
        }
    }

    #[test]
    fn trap_3_a_long_row_that_stops_early_is_an_error() {
        for text in ["0123456789", "0123456789\n", "01234567\\.\n\n\n", "0123456789\n\\."] {
            for chunk_bytes in 3..8 {
                let error = chunks(text.as_bytes(), chunk_bytes, 0).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{text:?} in chunks of {chunk_bytes}");
            }
        }
    }
}
