//! Counts and fingerprints a stream: lines of COPY text, records of CSV.
//!
//! Invariant: no line is held in memory, however long it is. A line that arrives in several pieces is hashed piece by
//! piece.

use std::io::BufRead;

use super::problem::Problem;
use crate::model::fingerprint::TableFingerprint;
use crate::snapshot::copy_text::END_OF_DATA;

/// A data file of the archive: rows, `\.`, newlines.
#[derive(Default)]
pub struct CopyCheck {
    fingerprint: TableFingerprint,
    /// The start of a line whose end has not arrived yet.
    open: Option<OpenLine>,
    ended: bool,
}

struct OpenLine {
    hasher: blake3::Hasher,
    /// Enough of the line to recognize `\.`.
    head: Vec<u8>,
}

impl OpenLine {
    fn new() -> Self {
        Self { hasher: blake3::Hasher::new(), head: Vec::new() }
    }

    fn push(&mut self, part: &[u8]) {
        self.hasher.update(part);
        let room = (END_OF_DATA.len() + 1).saturating_sub(self.head.len());
        self.head.extend_from_slice(&part[..part.len().min(room)]);
    }
}

impl CopyCheck {
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let mut rest = piece;
        while !rest.is_empty() && !self.ended {
            let before = rest;
            // On a slice this is one memchr and no copy.
            let length = rest.skip_until(b'\n').unwrap_or(before.len());
            match before[..length].strip_suffix(b"\n") {
                Some(line) => self.line(line),
                None => self.open.get_or_insert_with(OpenLine::new).push(before),
            }
        }
        if self.ended && rest.iter().any(|b| *b != b'\n') {
            return Err(Problem::new("bad_end", "something follows the end of the data"));
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) {
        match self.open.take() {
            Some(mut open) => {
                open.push(line);
                if open.head == END_OF_DATA {
                    self.ended = true;
                } else {
                    self.fingerprint.add_hash(&open.hasher.finalize());
                }
            }
            None if line == END_OF_DATA => self.ended = true,
            None => self.fingerprint.add(line),
        }
    }

    pub fn finish(self, rows: u64, fingerprint: &str) -> Result<(), Problem> {
        if !self.ended {
            let what = format!("it ends before its end of data, after {} rows", self.fingerprint.rows);
            return Err(Problem::new("bad_end", what));
        }
        if self.fingerprint.rows != rows {
            let what = format!("it holds {} rows, {rows} were recorded", self.fingerprint.rows);
            return Err(Problem::new("wrong_rows", what));
        }
        if self.fingerprint.hex() != fingerprint {
            return Err(Problem::new("wrong_fingerprint", "its rows are not those that were recorded"));
        }
        Ok(())
    }
}

/// A CSV file: records end at a newline outside quotes; the first is the header.
#[derive(Default)]
pub struct CsvCheck {
    quoted: bool,
    records: u64,
    at_start: bool,
    bytes: u64,
}

impl CsvCheck {
    pub fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        self.bytes += piece.len() as u64;
        while !rest.is_empty() {
            let before = rest;
            let length = rest.skip_until(b'\n').unwrap_or(before.len());
            let line = &before[..length];
            let quotes = line.iter().filter(|b| **b == b'"').count();
            self.quoted ^= quotes % 2 == 1;
            self.at_start = line.ends_with(b"\n") && !self.quoted;
            self.records += u64::from(self.at_start);
        }
    }

    pub fn finish(self, rows: u64) -> Result<(), Problem> {
        if !self.at_start || self.bytes == 0 {
            return Err(Problem::new("bad_end", "its last record is truncated"));
        }
        if self.records - 1 != rows {
            return Err(Problem::new(
                "wrong_rows",
                format!("it holds {} records, {rows} were recorded", self.records - 1),
            ));
        }
        Ok(())
    }
}
