//! The readable SQL: the output of `pg_restore -f`, assembled from its parts and the archive's data files.
//!
//! Invariant: tables are never read again and the archive is never decompressed. The order is pre-data, data, large
//! objects and sequence values, post-data. One `\restrict` key covers the whole file (trap 12), and the file ends with
//! pg_dump's own trailer, so that truncation is noticed (trap 1).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::follow::{Follower, Next};
use super::layout;
use super::sink::{ArtifactSink, ArtifactWriter};
use crate::model::category::Category;
use crate::model::name::{QualifiedName, sql_comment};

/// pg_dump's own last comment; `verify` checks that it is there.
pub const TRAILER: &str = "-- PostgreSQL database dump complete";

/// Settings that affect how values are read and that pg_restore's own output does not set.
const PINS: &str = "\nSET array_nulls = on;\nSET lc_monetary = 'C';\nSET transform_null_equals = off;\n";
const HEAD_END: &str = "\n-- Dumped by pg_dump version ";
const WRITER_POLL: Duration = Duration::from_millis(5);

/// The output file, uncompressed or as one zstd frame with a checksum (trap 4).
pub enum SqlWriter<'a> {
    Plain(ArtifactWriter<'a>),
    Zstd(Box<zstd::stream::write::Encoder<'static, ArtifactWriter<'a>>>),
}

impl<'a> SqlWriter<'a> {
    pub fn create(sink: &'a ArtifactSink, compressed: bool) -> io::Result<Self> {
        let writer = sink.create(&layout::readable_sql(compressed), Category::ReadableSql)?;
        if !compressed {
            return Ok(Self::Plain(writer));
        }
        let mut encoder = zstd::stream::write::Encoder::new(writer, 1)?;
        encoder.include_checksum(true)?;
        Ok(Self::Zstd(Box::new(encoder)))
    }

    /// Ends the frame and records the file.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.finish()?,
            Self::Zstd(encoder) => encoder.finish()?.finish()?,
        };
        Ok(())
    }
}

impl Write for SqlWriter<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(buf),
            Self::Zstd(encoder) => encoder.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// The rows of one table.
#[derive(Debug, Clone)]
pub struct TableSection {
    pub table: QualifiedName,
    /// `COPY s.t (a, b) FROM stdin;`, including the newline.
    pub copy_statement: String,
    pub file_name: String,
}

/// The statements in a part that pg_restore printed, without header (up to the version lines) and trailer. `None` if
/// the text is not output of pg_restore.
pub fn body(printed: &str) -> Option<&str> {
    let head = printed.find(HEAD_END)?;
    let start = head + 1 + printed[head + 1..].find('\n')? + 1;
    let end = printed.rfind(TRAILER)?;
    let end = printed[..end].rfind("--\n")?;
    printed.get(start..end)
}

/// Writes the header, with the `\restrict` key that disables psql's meta-commands.
pub fn write_head(writer: &mut SqlWriter<'_>, restrict_key: &str, about: &[String]) -> io::Result<()> {
    let mut head = String::from("--\n-- PostgreSQL database dump\n--\n\n");
    head.push_str(&format!("\\restrict {restrict_key}\n\n"));
    for line in about {
        head.push_str(&sql_comment(line));
        head.push('\n');
    }
    head.push_str(PINS);
    writer.write_all(head.as_bytes())
}

/// Writes the rows of one table, following the data file while pg_dump writes it. `wait` is called when there is
/// nothing new: `Ok(true)` means that pg_dump has ended; an error stops.
pub fn write_table(
    writer: &mut SqlWriter<'_>,
    folder: &Path,
    section: &TableSection,
    wait: &dyn Fn() -> io::Result<bool>,
) -> io::Result<()> {
    let place = folder.join(&section.file_name);
    let mut done = wait()?;
    while !place.exists() {
        if done {
            let text = format!("the archive lacks the data file {}", section.file_name);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        std::thread::sleep(WRITER_POLL);
        done = wait()?;
    }
    let about = format!("Data for Name: {}; Schema: {}; Type: TABLE DATA", section.table.name, section.table.schema);
    let copy = section.copy_statement.trim_end();
    writer.write_all(format!("--\n{}\n--\n\n{copy}\n", sql_comment(&about)).as_bytes())?;
    let mut follower = Follower::new(File::open(&place)?);
    loop {
        done = wait()?;
        match follower.next(done)? {
            Next::Lines(bytes) | Next::Part(bytes) => writer.write_all(&bytes)?,
            Next::Last { lines, .. } => {
                writer.write_all(&lines)?;
                return writer.write_all(b"\\.\n\n\n");
            }
            Next::NotYet => std::thread::sleep(WRITER_POLL),
        }
    }
}

/// Writes the trailer.
pub fn write_end(writer: &mut SqlWriter<'_>, restrict_key: &str) -> io::Result<()> {
    writer.write_all(format!("--\n{TRAILER}\n--\n\n\\unrestrict {restrict_key}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_4_a_compressed_file_notices_every_flipped_bit() {
        let dir = tempfile::tempdir().unwrap();
        let sink = ArtifactSink::new(dir.path());
        let mut writer = SqlWriter::create(&sink, true).unwrap();
        let lines: String = (0..400).map(|n| format!("{n}\tvalue {}\n", n * 7919 % 1000)).collect();
        write_head(&mut writer, "key", &["about\n\\! touch x".into()]).unwrap();
        writer.write_all(lines.as_bytes()).unwrap();
        write_end(&mut writer, "key").unwrap();
        writer.finish().unwrap();
        let bytes = std::fs::read(dir.path().join("complete_database_with_data.sql.zst")).unwrap();
        let text = String::from_utf8(zstd::stream::decode_all(&bytes[..]).unwrap()).unwrap();
        assert!(text.contains(&lines) && text.contains(TRAILER), "{text}");
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(zstd::stream::decode_all(&damaged[..]).map_or(true, |out| out == text.as_bytes()), "byte {at}");
        }
    }

    #[test]
    fn the_body_is_what_stands_between_head_and_trailer() {
        let printed =
            "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 15.18\n\
            -- Dumped by pg_dump version 15.18\n\nSET x = 1;\n\nCREATE VIEW v AS SELECT '\n-- PostgreSQL database dump
            -- complete\n';\n\n\
            --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n";
        let text = body(printed).unwrap();
        assert!(text.starts_with("\nSET x = 1;"), "{text}");
        assert!(text.ends_with("complete\n';\n\n"), "{text}");
        assert_eq!(body("SELECT 1"), None);
    }
}
