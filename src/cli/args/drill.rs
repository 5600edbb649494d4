//! The options of `drill`.
//!
//! Invariant: a target is given as a connection string or as `env:NAME`, and has no default.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SNAPSHOT_HELP;
use crate::config::parse_duration;
use crate::ops::trust::VOUCH_DIGITS_MIN;

const DRILL_EXAMPLES: &str = "\
Examples:
  stacksnap drill latest                                     in a new throw-away server
  stacksnap drill latest --assert checks.sql                 the same, with your own queries
  stacksnap drill latest --keep                              the same, and leave the server running
  stacksnap drill latest --target-url env:DRILL_URL          in an empty database named *_drill_*

Verifies every checksum, restores everything, compares the result, tests logins and policies, and
measures the time. Needs the server's programs (apt-get install postgresql-15), but no privileges
and no container. Nothing else is touched.

Exit codes: 0 restorable, 3 restorable with named exceptions, 13 not restorable, 14 the target is
not a drill database, 15 the drill could not be done.";

/// The options of `drill`.
#[derive(Debug, Clone, Args)]
#[command(after_help = DRILL_EXAMPLES)]
pub struct DrillArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub snapshot: String,
    /// Folder with initdb and postgres, searched first [default: found by the source's version]
    #[arg(long, value_name = "DIR", conflicts_with = "target_url")]
    pub pg_bin: Option<PathBuf>,
    /// Restore into this empty database instead; its name must contain _drill_: a URL or host=… dbname=…, or env:NAME.
    /// It is emptied afterwards
    #[arg(long, value_name = "URL")]
    pub target_url: Option<String>,
    /// Vouch for a snapshot that was not sealed with this root's key: the first digits (12 or more) of its
    /// manifest_sha256
    #[arg(long, value_name = "DIGITS", value_parser = parse_digits)]
    pub vouch: Option<String>,
    /// Queries that must each return true, one per line or separated by ;
    #[arg(long = "assert", value_name = "FILE")]
    pub assertions: Option<PathBuf>,
    /// Leave the restored database running, and print how to connect to it and how to remove it
    #[arg(long)]
    pub keep: bool,
    /// Connections that write in parallel [default: depends on the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// `--vouch`: a prefix of a sha256, at least `VOUCH_DIGITS_MIN` hexadecimal digits.
pub(super) fn parse_digits(text: &str) -> Result<String, String> {
    let is_valid = (VOUCH_DIGITS_MIN..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_valid {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("{VOUCH_DIGITS_MIN} to 64 hexadecimal digits: stacksnap show SNAP prints them as manifest"))
}
