//! The options of `drill`.
//!
//! Invariant: a target is typed out or named (`env:NAME`), and has no default.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SNAPSHOT_HELP;
use crate::config::parse_duration;
use crate::ops::trust::VOUCH_DIGITS_MIN;

const DRILL_EXAMPLES: &str = "\
Examples:
  stacksnap drill latest                                     in a throw-away server that is made for it
  stacksnap drill latest --assert checks.sql                 and ask it questions of your own
  stacksnap drill latest --keep                              and leave it running, to look around
  stacksnap drill latest --target-url env:DRILL_URL          in an empty database named *_drill_*

Verifies every checksum, restores everything, compares, tries logins and policies, measures the time. Needs the server's
programs (apt-get install postgresql-15), no rights and no container; nothing else is touched. Ends with 0 when the
snapshot is restorable, 3 when it is but for what is named, 13 when it is not, 14 for a target that is not one for
drills, 15 when it could not be tried.";

/// The options of `drill`.
#[derive(Debug, Clone, Args)]
#[command(after_help = DRILL_EXAMPLES)]
pub struct DrillArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub snapshot: String,
    /// Folder with initdb and postgres, looked at first [default: found by the source's version]
    #[arg(long, value_name = "DIR", conflicts_with = "target_url")]
    pub pg_bin: Option<PathBuf>,
    /// Restore into this empty database instead, whose name holds _drill_: a URL or host=… dbname=…, or env:NAME. It is
    /// emptied afterwards
    #[arg(long, value_name = "URL")]
    pub target_url: Option<String>,
    /// The snapshot was not sealed with this root's key, and you know it: the first digits (12 or more) of its
    /// manifest_sha256
    #[arg(long, value_name = "DIGITS", value_parser = parse_digits)]
    pub vouch: Option<String>,
    /// Queries that must each answer true, one a line or separated by ;
    #[arg(long = "assert", value_name = "FILE")]
    pub assertions: Option<PathBuf>,
    /// Leave the restored database running, and say how to reach and how to remove it
    #[arg(long)]
    pub keep: bool,
    /// Connections that write at the same time [default: by the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

/// `--vouch`: the beginning of a sha256.
pub(super) fn parse_digits(text: &str) -> Result<String, String> {
    let fine = (VOUCH_DIGITS_MIN..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if fine {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("{VOUCH_DIGITS_MIN} to 64 hexadecimal digits: stacksnap show SNAP prints them as manifest"))
}
