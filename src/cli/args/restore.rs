//! The options of `restore`, `undo` and `guard`.
//!
//! Invariant: a target is given as a connection string or as `env:NAME`, and has no default.

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
  stacksnap restore latest --to env:STAGING_URL --dry-run            show the plan, write nothing
  stacksnap restore BEFORE_MIGRATION --to 'host=127.0.0.1 port=54322 user=postgres dbname=postgres'
  stacksnap restore latest --to env:STAGING_URL --confirm postgres   in a script
  stacksnap restore latest --to env:STAGING_URL -t public.orders     one table, created if missing

Verifies every checksum, compares the target with the snapshot, shows what will be replaced, asks
for the name of the target database, takes a safety snapshot of the target, restores, and proves
the result.

Exit codes: 0 equal, 3 equal with named exceptions, 13 the snapshot is damaged or was not sealed
with this root's key, or the proof found a difference, 14 the confirmation is missing or the plan
changed, 15 restored but the proof could not be made.";

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
    /// Only this table, schema.name (in double quotes if a part contains a dot); may be repeated
    #[arg(short, long = "table", value_name = "TABLE", value_parser = parse_table)]
    pub tables: Vec<QualifiedName>,
    /// Copy the tables of -t into this separate schema: columns and rows only; existing objects are not touched
    #[arg(long, value_name = "SCHEMA", requires = "tables", conflicts_with_all = ["only", "untrusted", "replace_other_project"])]
    pub into_schema: Option<String>,
    /// Execute exactly the plan in this file; refused (exit 14) if the target or the snapshot has changed since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "save_plan"])]
    pub plan: Option<PathBuf>,
    /// Write the plan to this file (0600)
    #[arg(long, value_name = "FILE")]
    pub save_plan: Option<PathBuf>,
    /// Show the whole plan; otherwise long lists are folded (--save-plan writes everything)
    #[arg(long)]
    pub long: bool,
    /// Do not take a safety snapshot of the target first; the restore cannot be undone
    #[arg(long)]
    pub no_safety_snapshot: bool,
    /// Restore a snapshot that is not complete
    #[arg(long)]
    pub allow_partial: bool,
    /// Vouch for a snapshot that was not sealed with this root's key: the first digits (12 or more) of its
    /// manifest_sha256
    #[arg(long, value_name = "DIGITS", value_parser = parse_digits, conflicts_with = "untrusted")]
    pub vouch: Option<String>,
    /// Restore a snapshot of unknown origin: only tables, rows and plain functions, into an empty database, as a role
    /// without rights
    #[arg(long, conflicts_with_all = ["only", "tables", "replace_other_project"])]
    pub untrusted: bool,
    /// Rows of auth and storage that are newer or differ: overwrite them, keep them, or abort before the first write
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = AuthRows::Overwrite)]
    pub auth_rows: AuthRows,
    /// Sessions and tokens of the snapshot: keep them, or drop them so that all users log in again
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Sessions::Drop)]
    pub sessions: Sessions,
    /// Restore cron jobs enabled as they were; otherwise they are restored disabled
    #[arg(long)]
    pub activate_jobs: bool,
    /// Read every table of the target, even if the server's counters show no write since the snapshot
    #[arg(long)]
    pub read_all: bool,
    /// The target is another project: drop its contents
    #[arg(long)]
    pub replace_other_project: bool,
}

/// The target.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// Target database: a URL or host=… dbname=…, or env:NAME for a variable that contains it. Other users of this
    /// machine can see a password typed here; ~/.pgpass and PGPASSWORD are read
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Confirm the plan with the name of the target database
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show the plan, write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How to restore.
#[derive(Debug, Clone, Args)]
pub struct HowArgs {
    /// Connections that write in parallel, if the restore is not one transaction [default: depends on the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// How long to wait for a lock that another session holds, e.g. 30s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub lock_wait: Option<Duration>,
    /// An in-place restore is all or nothing. This object, and what depends on it, may be left out if it cannot be
    /// created: 'KIND name' as in the error message, e.g. 'INDEX public.orders_idx'; may be repeated
    #[arg(long, value_name = "OBJECT")]
    pub leave_out: Vec<String>,
    /// Do not compare the target with the snapshot afterwards
    #[arg(long)]
    pub no_proof: bool,
    /// Folder with pg_dump, for the safety snapshot [default: found by the server's version]
    #[arg(long, value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,
    /// Key file (age-keygen) that opens the snapshot's sealed vault secrets; not needed for secrets that were sealed
    /// with the configured seal_passphrase
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
    after_help = "Examples:\n  stacksnap undo                     list the restores and which of them can be undone\n  stacksnap undo restore_20260130_120005 --to env:SHOP_URL --dry-run\n\nRestores the safety snapshot of a restore into the same database. Exit codes as for restore."
)]
pub struct UndoArgs {
    /// Id of the restore, from its report; omit it to list the restores
    #[arg(value_name = "RESTORE", requires = "to")]
    pub restore: Option<String>,
    /// The target of that restore: a URL or host=… dbname=…, or env:NAME for a variable that contains it
    #[arg(long, value_name = "URL", requires = "restore")]
    pub to: Option<String>,
    /// Confirm the plan with the name of the target database
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show the plan, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show the whole plan; otherwise long lists are folded
    #[arg(long)]
    pub long: bool,
    /// Take a safety snapshot of the target first, so that the undo can be undone
    #[arg(long)]
    pub safety_snapshot: bool,
    #[command(flatten)]
    pub how: HowArgs,
}

const GUARD_EXAMPLES: &str = "\
Examples:
  stacksnap guard -- supabase db push
  stacksnap guard --rollback on-failure -- sh -c 'psql -v ON_ERROR_STOP=1 -f migration.sql'

Takes a snapshot of the database that `create` would read, runs the command on the same terminal,
and shows what it changed. If the command failed, guard asks, rolls back, or prints the rollback
command. A rollback also removes rows that other sessions wrote in the meantime.

Ends with the exit code of the command, or 128 plus the signal number if a signal ended it.";

/// The options of `guard`.
#[derive(Debug, Clone, Args)]
#[command(after_help = GUARD_EXAMPLES)]
pub struct GuardArgs {
    /// Label of the snapshot [default: BEFORE_MIGRATION]
    #[arg(long, value_parser = Label::parse)]
    pub label: Option<Label>,
    /// If the command fails: ask, roll back, or only print the command. on-failure also applies to a protected project
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Rollback::Ask)]
    pub rollback: Rollback,
    /// Do not take a safety snapshot of the broken state before rolling back; the rollback cannot be undone
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

/// `schema.name`, `"my schema"."x.y"`: a part in double quotes may contain anything (`""` is one quote). An unquoted
/// part is taken literally and is not folded to lower case.
fn parse_table(text: &str) -> Result<QualifiedName, String> {
    let mut rest = text;
    let mut parts = Vec::new();
    loop {
        let (part, after) = table_part(rest)?;
        parts.push(part);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None if after.is_empty() => break,
            None => return Err("a part in double quotes must be followed by a dot or the end of the name".into()),
        }
    }
    match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Ok(QualifiedName { schema, name }),
        Err(_) => Err("a table is schema.name; put a part that contains a dot in double quotes".into()),
    }
}

/// The first part, and the rest of the text.
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
