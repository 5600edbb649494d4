//! The expected content of a file, and the check of it: decoded to the end, never kept in memory.

use std::io::{self, BufRead, Read};

use super::copy_check::{CopyCheck, CsvCheck};
use super::problem::Problem;

/// The last line of pg_dump's plain output, except blank lines, comments and `\unrestrict`.
const DUMP_TRAILER: &[u8] = b"\n-- PostgreSQL database dump complete\n";
/// The last lines of every SQL file that stacksnap writes itself (`doc/format.md`, SQL files).
const OWN_ENDING: &[u8] = b"\nCOMMIT;\n\n-- stacksnap: end of file\n";
const TAIL_BYTES: usize = 4096;
const DECODED_PIECE_BYTES: usize = 256 * 1024;
/// How many bytes more than recorded a data file may decode to before it is given up.
const DECODED_SLACK_BYTES: u64 = 1 << 20;

/// How a file is compressed, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    pub fn of(path: &str) -> Self {
        if path.ends_with(".gz") {
            Self::Gzip
        } else if path.ends_with(".zst") {
            Self::Zstd
        } else {
            Self::Plain
        }
    }
}

/// The expected content of a file.
#[derive(Debug)]
pub enum Content {
    /// Only its length is known: it is not read.
    Unread,
    /// Only its checksum is known.
    Bytes,
    Table {
        packing: Packing,
        rows: u64,
        fingerprint: String,
        bytes_raw: u64,
    },
    Csv {
        packing: Packing,
        rows: u64,
    },
    /// Large objects: only whether they decompress.
    Packed {
        packing: Packing,
    },
    Toc,
    DumpSql {
        packing: Packing,
    },
    OwnSql,
}

impl Content {
    /// An estimate of the time that the check takes, for "largest first".
    pub fn cost(&self, bytes: u64) -> u64 {
        match self {
            Self::Table { bytes_raw, .. } => bytes.saturating_add(bytes_raw.saturating_mul(3)),
            Self::Csv { .. } => bytes.saturating_mul(2),
            Self::Unread => 0,
            _ => bytes,
        }
    }

    /// Reads `input` as far as the check needs.
    pub fn check(&self, input: &mut dyn BufRead) -> Result<(), Problem> {
        match self {
            Self::Unread | Self::Bytes => Ok(()),
            Self::Table { packing, rows, fingerprint, bytes_raw } => {
                let limit = bytes_raw.saturating_add(*rows).saturating_add(DECODED_SLACK_BYTES);
                let mut check = CopyCheck::default();
                let mut decoded = 0;
                each_piece(input, *packing, |piece| {
                    decoded += piece.len() as u64;
                    if decoded > limit {
                        return Err(Problem::new("wrong_rows", "it holds more than the manifest records"));
                    }
                    check.push(piece)
                })?;
                check.finish(*rows, fingerprint)
            }
            Self::Csv { packing, rows } => {
                let mut check = CsvCheck::default();
                each_piece(input, *packing, |piece| {
                    check.push(piece);
                    Ok(())
                })?;
                check.finish(*rows)
            }
            Self::Packed { packing } => each_piece(input, *packing, |_| Ok(())),
            Self::Toc => toc(input),
            Self::DumpSql { packing } => {
                let tail = tail(input, *packing)?;
                let whole = tail.windows(DUMP_TRAILER.len()).any(|w| w == DUMP_TRAILER);
                if whole { Ok(()) } else { Err(Problem::new("bad_end", "pg_dump's last line is missing")) }
            }
            Self::OwnSql => {
                let whole = tail(input, Packing::Plain)?.ends_with(OWN_ENDING);
                if whole { Ok(()) } else { Err(Problem::new("bad_end", "its last lines are missing")) }
            }
        }
    }
}

/// Checks the magic, then the archive's version: 1.10 or newer (older ones are from before PostgreSQL 8.1).
fn toc(input: &mut dyn BufRead) -> Result<(), Problem> {
    let mut head = [0u8; 8];
    input.read_exact(&mut head).map_err(|_| Problem::new("bad_toc", "it is too short"))?;
    if &head[..5] == b"PGDMP" && head[5] == 1 && head[6] >= 10 {
        Ok(())
    } else {
        Err(Problem::new("bad_toc", "it does not start like an archive of pg_dump"))
    }
}

fn tail(input: &mut dyn BufRead, packing: Packing) -> Result<Vec<u8>, Problem> {
    let mut tail = Vec::with_capacity(2 * TAIL_BYTES);
    each_piece(input, packing, |piece| {
        let piece = &piece[piece.len().saturating_sub(TAIL_BYTES)..];
        let excess = (tail.len() + piece.len()).saturating_sub(TAIL_BYTES).min(tail.len());
        tail.drain(..excess);
        tail.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(tail)
}

/// Decompresses to the end, piece by piece. A truncated stream is an error.
fn each_piece(
    input: &mut dyn BufRead,
    packing: Packing,
    each: impl FnMut(&[u8]) -> Result<(), Problem>,
) -> Result<(), Problem> {
    match packing {
        Packing::Plain => each_plain(input, each),
        Packing::Gzip => each_decoded(flate2::bufread::MultiGzDecoder::new(input), each),
        Packing::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(undecodable)?;
            each_decoded(decoder, each)
        }
    }
}

fn each_plain(input: &mut dyn BufRead, mut each: impl FnMut(&[u8]) -> Result<(), Problem>) -> Result<(), Problem> {
    loop {
        let piece = input.fill_buf().map_err(undecodable)?;
        let length = piece.len();
        if length == 0 {
            return Ok(());
        }
        each(piece)?;
        input.consume(length);
    }
}

fn each_decoded(mut decoder: impl Read, mut each: impl FnMut(&[u8]) -> Result<(), Problem>) -> Result<(), Problem> {
    let mut buffer = vec![0; DECODED_PIECE_BYTES];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(got) => each(&buffer[..got])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(undecodable(error)),
        }
    }
}

fn undecodable(error: io::Error) -> Problem {
    Problem::new("undecodable", format!("it does not decompress: {error}"))
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
