//! The options of `tenant`.
//!
//! Invariant: nothing here changes a row; only `detect --write-config` writes, and that is the configuration.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::parse_duration;

const TENANT_EXAMPLES: &str = "\
Examples:
  stacksnap tenant detect                          which table holds the tenants, and why
  stacksnap tenant detect --write-config           and write the choice into stacksnap.toml
  stacksnap tenant classify                        whose the rows of each table are, by which path
  stacksnap tenant classify --format mermaid       the same as a drawing
  stacksnap tenant list                            the tenants, with their rows
  stacksnap tenant check --fail-on leak,ambiguous  has every row one owner? Ends with 4 when not

All of it only reads, in one transaction. doc/tenants.md says what is decided how.";

/// The options of `tenant`.
#[derive(Debug, Args)]
#[command(after_help = TENANT_EXAMPLES)]
pub struct TenantArgs {
    #[command(subcommand)]
    pub action: TenantAction,
}

#[derive(Debug, Subcommand)]
pub enum TenantAction {
    /// Find the table that holds the tenants: candidates with what speaks for each
    #[command(
        after_help = "Examples:\n  stacksnap tenant detect\n  stacksnap tenant detect --write-config\n\nEnds with 10 when nothing looks like tenants."
    )]
    Detect {
        /// Write the whole block into stacksnap.toml; what stands there already stays, comments too
        #[arg(long)]
        write_config: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Say of each table whose its rows are, by which path, and why
    #[command(
        after_help = "Examples:\n  stacksnap tenant classify\n  stacksnap tenant classify --format mermaid > ownership.mmd\n  stacksnap tenant classify -o json"
    )]
    Classify {
        /// text: a table; mermaid: a drawing of who belongs to whom
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t = DrawAs::Text)]
        format: DrawAs,
        #[command(flatten)]
        common: Common,
    },
    /// List the tenants: id, label, rows
    #[command(
        after_help = "Examples:\n  stacksnap tenant list\n  stacksnap tenant list -o json    with the rows of each table\n\nReads every table with owners once. Ends with 12 for a role that does not see every row."
    )]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Prove that every row has one owner or none, and find rows that point into another tenant
    #[command(after_help = CHECK_HELP)]
    Check {
        /// End with 4 when there is one of these
        #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
        fail_on: Vec<FailOnWord>,
        #[command(flatten)]
        common: Common,
    },
}

const CHECK_HELP: &str = "\
Examples:
  stacksnap tenant check
  stacksnap tenant check --fail-on leak,ambiguous -o json

Labels each table in one pass, whatever the number of tenants, and compares: the sum of all
tenants and of rows without an owner is the table. Rows that point into another tenant are named,
the first 20 of each reference. Ends with 0, with 4 when there is something of --fail-on, with 12
for a role that does not see every row, with 13 if a table does not sum up.";

/// What each of them understands.
#[derive(Debug, Clone, Copy, Args)]
pub struct Common {
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DrawAs {
    Text,
    Mermaid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOnWord {
    Leak,
    Ambiguous,
}
