//! The options of `restore`, `undo` and `guard`.
//!
//! Invariant: a target is typed out or named (`env:NAME`), and has no default.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::drill::parse_digits;
use super::{SNAPSHOT_HELP, Sessions};
use crate::config::parse_duration;
use crate::config::suggest::closest;
use crate::model::ids::Label;
use crate::model::name::QualifiedName;
use crate::model::restore::RestorePart;

const RESTORE_EXAMPLES: &str = "\
Examples:
  stacksnap restore latest --to env:STAGING_URL --dry-run      what would it do? writes nothing
  stacksnap restore BEFORE_MIGRATION --to 'host=127.0.0.1 port=54322 user=postgres dbname=postgres'
  stacksnap restore latest --to env:STAGING_URL --confirm postgres              in a script
  stacksnap restore latest --to env:STAGING_URL -t public.orders         one table, made if it is missing

Verifies every checksum, compares the target with the snapshot, shows what will be replaced, asks
for the name of the target database, takes a snapshot of the target, restores, proves.

Ends with 0 when both are equal, with 3 when they are but for what is named, with 13 when the
snapshot is damaged or was not sealed with this root's key, or the proof says no, with 14 when
nobody said yes or the plan changed, with 15 when it is restored and the proof could not be made.";

/// The options of `restore`.
#[derive(Debug, Clone, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub struct RestoreArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub snapshot: String,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub how: HowArgs,
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Only these parts, separated by commas: users, roles, policies, functions, encryption, schema, data, migrations
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = parse_part)]
    pub only: Vec<RestorePart>,
    /// Only this table, schema.name (in double quotes where a part holds a dot); may be repeated
    #[arg(short, long = "table", value_name = "TABLE", value_parser = parse_table)]
    pub tables: Vec<QualifiedName>,
    /// Copies of the tables of -t into this schema, beside what is there: columns and rows, nothing that exists is touched
    #[arg(long, value_name = "SCHEMA", requires = "tables", conflicts_with_all = ["only", "untrusted", "replace_other_project"])]
    pub into_schema: Option<String>,
    /// Do exactly the plan of this file; refused (14) when the target or the snapshot has changed since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "save_plan"])]
    pub plan: Option<PathBuf>,
    /// Write the plan to this file (0600)
    #[arg(long, value_name = "FILE")]
    pub save_plan: Option<PathBuf>,
    /// Show the whole plan: without it long lists are folded (--save-plan has all)
    #[arg(long)]
    pub long: bool,
    /// Do not take a snapshot of the target first: there is no undo then
    #[arg(long)]
    pub no_safety_snapshot: bool,
    /// Restore a snapshot that does not hold everything
    #[arg(long)]
    pub allow_partial: bool,
    /// The snapshot was not sealed with this root's key, and you know it: the first digits (12 or more) of its
    /// manifest_sha256
    #[arg(long, value_name = "DIGITS", value_parser = parse_digits, conflicts_with = "untrusted")]
    pub vouch: Option<String>,
    /// You do not know who made the snapshot: bring back tables, rows and plain functions only, into an empty database, as
    /// a role without rights
    #[arg(long, conflicts_with_all = ["only", "tables", "replace_other_project"])]
    pub untrusted: bool,
    /// Rows of auth and storage that came later or differ: overwrite them, keep them, or abort before the first write
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = AuthRows::Overwrite)]
    pub auth_rows: AuthRows,
    /// Sessions and tokens of the snapshot: keep them, or let everybody log in again
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Sessions::Drop)]
    pub sessions: Sessions,
    /// Leave cron jobs switched on as they were; else they are restored switched off
    #[arg(long)]
    pub activate_jobs: bool,
    /// Read every table of the target, also those of which the server says that nobody wrote to them
    #[arg(long)]
    pub read_all: bool,
    /// The target is another project: drop what it has
    #[arg(long)]
    pub replace_other_project: bool,
}

/// Where to.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// Target database: a URL or host=… dbname=…, or env:NAME for a variable that holds it. A password typed here can be
    /// seen by others on this machine; ~/.pgpass and PGPASSWORD are read
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// The name of the target database: says yes to the plan
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show the plan, write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How.
#[derive(Debug, Clone, Args)]
pub struct HowArgs {
    /// Connections that write at the same time, where it is not one transaction [default: by the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// How long to wait for an object that somebody has locked, e.g. 30s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub lock_wait: Option<Duration>,
    /// In place everything or nothing is done; go on without this object and what depends on it where it cannot be made:
    /// 'KIND name' as the error names it, e.g. 'INDEX public.orders_idx'; may be repeated
    #[arg(long, value_name = "OBJECT")]
    pub leave_out: Vec<String>,
    /// Do not compare the target with the snapshot afterwards
    #[arg(long)]
    pub no_proof: bool,
    /// Folder with pg_dump, for the safety snapshot [default: found by the server's version]
    #[arg(long, value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,
    /// Key file (age-keygen) that opens the snapshot's sealed secrets of the vault; those sealed with seal_passphrase of
    /// the configuration need none
    #[arg(long, value_name = "FILE")]
    pub seal_identity: Option<PathBuf>,
}

/// `--auth-rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthRows {
    Overwrite,
    Keep,
    Abort,
}

/// The options of `undo`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  stacksnap undo                     the restores that there were, and which can be undone\n  stacksnap undo restore_20260130_120005 --to env:SHOP_URL --dry-run\n\nPuts the safety snapshot of a restore back into the same database. Exit codes as for restore."
)]
pub struct UndoArgs {
    /// The restore, as its report named it; without it: list them
    #[arg(value_name = "RESTORE", requires = "to")]
    pub restore: Option<String>,
    /// The same target again: a URL or host=… dbname=…, or env:NAME for a variable that holds it
    #[arg(long, value_name = "URL", requires = "restore")]
    pub to: Option<String>,
    /// The name of the target database: says yes to the plan
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show the plan, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show the whole plan: without it long lists are folded
    #[arg(long)]
    pub long: bool,
    /// Take a snapshot of the target first, so that the undo can be undone
    #[arg(long)]
    pub safety_snapshot: bool,
    #[command(flatten)]
    pub how: HowArgs,
}

const GUARD_EXAMPLES: &str = "\
Examples:
  stacksnap guard -- supabase db push
  stacksnap guard --rollback on-failure -- sh -c 'psql -v ON_ERROR_STOP=1 -f migration.sql'

Takes a snapshot of the database that `create` would read, runs the command with its own input and
output, and shows what it changed. When it failed: asks, rolls back, or shows the line that does.
Rows that others wrote meanwhile are rolled back too.

Ends with the command's own exit code (128 and the signal's number when a signal ended it), with 0
when it succeeded, whatever it changed.";

/// The options of `guard`.
#[derive(Debug, Clone, Args)]
#[command(after_help = GUARD_EXAMPLES)]
pub struct GuardArgs {
    /// Name of the snapshot [default: BEFORE_MIGRATION]
    #[arg(long, value_parser = Label::parse)]
    pub label: Option<Label>,
    /// When the command fails: ask, do it, or only show how. on-failure holds for a protected project too
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Rollback::Ask)]
    pub rollback: Rollback,
    /// Do not take a snapshot of the broken state before rolling back: the rollback cannot be undone then
    #[arg(long)]
    pub no_safety_snapshot: bool,
    #[command(flatten)]
    pub how: HowArgs,
    /// The command and its arguments, after --
    #[arg(value_name = "COMMAND", required = true, last = true)]
    pub command: Vec<OsString>,
}

/// `--rollback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rollback {
    Ask,
    OnFailure,
    Never,
}

fn parse_part(text: &str) -> Result<RestorePart, String> {
    RestorePart::parse(text).ok_or_else(|| match closest(text, RestorePart::ALL.map(RestorePart::word)) {
        Some(word) => format!("there is no such part; did you mean '{word}'?"),
        None => format!("there is no such part; the parts are {}", RestorePart::ALL.map(RestorePart::word).join(", ")),
    })
}

/// `schema.name`, `"my schema"."x.y"`: a part in double quotes may hold anything (`""` is one quote), one without is
/// taken as it is written, also its capitals.
fn parse_table(text: &str) -> Result<QualifiedName, String> {
    let mut rest = text;
    let mut parts = Vec::new();
    loop {
        let (part, after) = table_part(rest)?;
        parts.push(part);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => break,
            None => return Err("after a part in double quotes comes a dot or nothing".into()),
        }
    }
    match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Ok(QualifiedName { schema, name }),
        Err(_) => Err("a table is schema.name; a part that holds a dot stands in double quotes".into()),
    }
}

/// The first part, and what follows it.
fn table_part(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        return if end == 0 {
            Err("a part of the name is empty".into())
        } else {
            Ok((text[..end].into(), &text[end..]))
        };
    };
    let mut part = String::new();
    loop {
        let Some(at) = rest.find('"') else { return Err("a double quote is not closed".into()) };
        part.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None if part.is_empty() => return Err("a part of the name is empty".into()),
            None => return Ok((part, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_are_named_exactly() {
        let table = |text: &str| parse_table(text).ok().map(|t| (t.schema, t.name));
        let is = |a: &str, b: &str| Some((a.to_string(), b.to_string()));
        assert_eq!(table("public.Orders"), is("public", "Orders"));
        assert_eq!(table(r#""my.schema"."a""b""#), is("my.schema", "a\"b"));
        assert_eq!(table(r#"public."x y""#), is("public", "x y"));
        for wrong in ["orders", "a.b.c", ".a", "a.", "", r#""a.b"#, r#""a"b.c"#, r#""".a"#] {
            assert_eq!(table(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_name_reads_back(schema in ".{1,20}", name in ".{1,20}") {
            let quoted = |t: &str| format!("\"{}\"", t.replace('"', "\"\""));
            let text = format!("{}.{}", quoted(&schema), quoted(&name));
            prop_assert_eq!(parse_table(&text), Ok(QualifiedName { schema, name }));
        }

        #[test]
        fn it_never_panics(text in "[a.\"é ]{0,12}") {
            let _ = parse_table(&text);
        }
    }
}
