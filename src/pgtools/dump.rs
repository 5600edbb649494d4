//! Runs pg_dump in directory format on an exported snapshot, and pg_restore to print SQL.
//!
//! Invariant: policies never filter rows (`--enable-row-security` is never passed: trap 6), names given by the user
//! become exact quoted patterns, and the folder is always new, because a failed pg_dump leaves a partial dump behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::Client;
use super::environment::LibpqEnvironment;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::QualifiedName;
use crate::proc::{Program, Running};

/// Options of one dump.
#[derive(Debug, Clone)]
pub struct DumpOrder {
    /// The archive's folder; must not exist.
    pub folder: PathBuf,
    pub exported_snapshot: String,
    pub jobs: u32,
    pub lock_wait: Duration,
    /// Only these tables; empty: all.
    pub tables: Vec<QualifiedName>,
    pub exclude_data: Vec<QualifiedName>,
    /// Encoding of the archive. `None` keeps the database's own: SQL_ASCII cannot be converted.
    pub encoding: Option<String>,
}

/// Starts pg_dump without compression: the derive pass compresses, hashes and writes CSV in one pass.
pub fn start_dump(client: &Client, environment: &LibpqEnvironment, order: &DumpOrder) -> Result<Running> {
    let program = environment.give(dump_program(client, order, environment.keepalive()))?;
    program.start().map_err(|e| Failure::from(e).context(format!("cannot start {}", program.path().display())))
}

fn dump_program(client: &Client, order: &DumpOrder, keepalive: &str) -> Program {
    let mut folder = std::ffi::OsString::from("--file=");
    folder.push(&order.folder);
    let mut program = client
        .program("pg_dump")
        .arg("--no-password")
        .arg(format!("--dbname={keepalive}"))
        .arg("--format=directory")
        .arg("--compress=0")
        .arg("--no-sync")
        .arg("--blobs")
        .arg(format!("--jobs={}", order.jobs.max(1)))
        .arg(format!("--snapshot={}", order.exported_snapshot))
        .arg(format!("--lock-wait-timeout={}", order.lock_wait.as_millis().max(1)))
        .arg(folder);
    if let Some(encoding) = &order.encoding {
        program = program.arg(format!("--encoding={encoding}"));
    }
    for table in &order.tables {
        program = program.arg(format!("--table={}", table.sql()));
    }
    for table in &order.exclude_data {
        program = program.arg(format!("--exclude-table-data={}", table.sql()));
    }
    program
}

/// The part of an archive that pg_restore prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    PreData,
    PostData,
}

/// Prints a part of the archive as SQL into `target` (a new file, created by pg_restore).
pub fn print_part(client: &Client, archive: &Path, part: Part, target: &Path) -> Result<()> {
    let section = match part {
        Part::PreData => "--section=pre-data",
        Part::PostData => "--section=post-data",
    };
    print(client, archive, target, &[section.to_string()])
}

/// Prints the entries of a list file (`pg_restore -L`) as SQL into `target`.
pub fn print_list(client: &Client, archive: &Path, list: &Path, target: &Path) -> Result<()> {
    print(client, archive, target, &[format!("--use-list={}", list.display())])
}

fn print(client: &Client, archive: &Path, target: &Path, options: &[String]) -> Result<()> {
    let mut program = client.program("pg_restore").arg(format!("--file={}", target.display()));
    for option in options {
        program = program.arg(option);
    }
    program = program.arg(archive);
    let done = program.run(Duration::from_secs(3600))?;
    if done.status.success() {
        return Ok(());
    }
    let text = format!("pg_restore could not print the archive's schema: {}", last_lines(&done.stderr, 3));
    let hint = if done.stderr.contains("No space left on device") {
        "the disk is full: free space, or put --root on another disk; nothing was kept"
    } else {
        "nothing was kept; `stacksnap doctor` checks the client tools"
    };
    Err(Failure::msg(FailureKind::Failed, text).hint(hint))
}

/// The last lines of a program's standard error, joined into one line with control characters escaped.
pub fn last_lines(stderr: &str, n: usize) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|l| !l.trim().is_empty()).collect();
    let start = lines.len().saturating_sub(n);
    crate::model::name::visible(&lines[start..].join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::Keepalive;

    #[test]
    fn threat_7_table_names_are_exact_quoted_patterns() {
        let order = DumpOrder {
            folder: PathBuf::from("/s/x"),
            exported_snapshot: "00000003-1".into(),
            jobs: 2,
            lock_wait: Duration::from_secs(3),
            tables: vec![QualifiedName::new("public", "all*")],
            exclude_data: vec![QualifiedName::new("a\"b", "-t x")],
            encoding: None,
        };
        let client = Client { bin: "/bin".into(), major: 15, minor: 18, version: String::new() };
        let text = format!("{:?}", dump_program(&client, &order, &Keepalive::default().conninfo()));
        assert!(text.contains(r#""--table=\"public\".\"all*\"""#), "{text}");
        assert!(text.contains(r#""--exclude-table-data=\"a\"\"b\".\"-t x\"""#), "{text}");
        assert!(text.contains("--lock-wait-timeout=3000"));
        assert!(!text.contains("row-security"));
        assert!(text.contains("--dbname=keepalives=1 keepalives_idle=30 keepalives_interval=10"), "{text}");
    }
}
