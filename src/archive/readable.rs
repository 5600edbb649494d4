//! The readable SQL: what `pg_restore -f` would print, put together from its parts and the archive's data files.
//!
//! Invariant: the tables are not read again and the archive is not decompressed; the order is pre-data, data,
//! large objects and sequence values, post-data; one `\restrict` key spans the whole file (facts 12), and the last
//! lines are pg_dump's own trailer, so that a cut file can be told (facts 1).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::follow::{Follower, Next};
use super::sink::ArtifactWriter;
use crate::model::name::{QualifiedName, sql_comment};

/// pg_dump's own last comment: its presence is part of `verify`.
pub const TRAILER: &str = "-- PostgreSQL database dump complete";

const HEAD_END: &str = "\n-- Dumped by pg_dump version ";
const WRITER_POLL: Duration = Duration::from_millis(5);

/// One table's rows for the file.
#[derive(Debug, Clone)]
pub struct TableSection {
    pub table: QualifiedName,
    /// `COPY s.t (a, b) FROM stdin;` with its newline.
    pub copy_statement: String,
    pub file_name: String,
}

/// The statements of a part that pg_restore printed, without the head (up to the version lines) and the trailer.
/// `None` when it is not such a print.
pub fn body(printed: &str) -> Option<&str> {
    let head = printed.find(HEAD_END)?;
    let start = head + 1 + printed[head + 1..].find('\n')? + 1;
    let end = printed.rfind(TRAILER)?;
    let end = printed[..end].rfind("--\n")?;
    printed.get(start..end)
}

/// Begins the file: the head, with the key that keeps psql's commands out.
pub fn write_head(writer: &mut ArtifactWriter<'_>, restrict_key: &str, about: &[String]) -> io::Result<()> {
    let mut head = String::from("--\n-- PostgreSQL database dump\n--\n\n");
    head.push_str(&format!("\\restrict {restrict_key}\n\n"));
    for line in about {
        head.push_str(&sql_comment(line));
        head.push('\n');
    }
    writer.write_all(head.as_bytes())
}

/// Writes the rows of one table, following the file while pg_dump writes it.
/// `wait` is asked when there is nothing yet: `Ok(true)` when the writer has ended; an error stops.
pub fn write_table(
    writer: &mut ArtifactWriter<'_>,
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
            Next::Lines(lines) => writer.write_all(&lines)?,
            Next::Last { lines, .. } => {
                writer.write_all(&lines)?;
                return writer.write_all(b"\\.\n\n\n");
            }
            Next::NotYet => std::thread::sleep(WRITER_POLL),
        }
    }
}

/// Ends the file.
pub fn write_end(writer: &mut ArtifactWriter<'_>, restrict_key: &str) -> io::Result<()> {
    writer.write_all(format!("--\n{TRAILER}\n--\n\n\\unrestrict {restrict_key}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_stands_between_head_and_trailer() {
        let printed = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 15.18\n\
            -- Dumped by pg_dump version 15.18\n\nSET x = 1;\n\nCREATE VIEW v AS SELECT '\n-- PostgreSQL database dump complete\n';\n\n\
            --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n";
        let text = body(printed).unwrap();
        assert!(text.starts_with("\nSET x = 1;"), "{text}");
        assert!(text.ends_with("complete\n';\n\n"), "{text}");
        assert_eq!(body("SELECT 1"), None);
    }
}
