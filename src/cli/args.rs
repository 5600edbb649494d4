//! The command line: global options and verbs.
//!
//! Invariant: no environment variable is read or shown here (`config` reads them), so no help text contains a value of
//! one. It never lists a verb that is not built.

mod drill;
mod restore;
mod tenant;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::suggest::closest;
use crate::config::{Format as DataFormat, ReadableCompression, Verify, parse_duration};
use crate::model::category::Category;
use crate::model::ids::Label;

pub use drill::DrillArgs;
pub use restore::{AuthRows, GuardArgs, HowArgs, RestoreArgs, Rollback, TargetArgs, UndoArgs};
pub use tenant::{DrawAs, FailOnWord, TenantAction, TenantArgs};

const EXAMPLES: &str = "\
Examples:
  stacksnap create                              snapshot the database in DATABASE_URL (or .env)
  stacksnap create --label BEFORE_MIGRATION     the same, with a label
  stacksnap list                                list the snapshots
  stacksnap verify latest                       check that a snapshot is unchanged
  stacksnap drill latest                        test that a snapshot can be restored
  stacksnap diff latest live                    show what has changed since
  stacksnap logs latest -f                      follow a background run
  stacksnap guard -- supabase db push           run a migration that can be rolled back
  stacksnap restore latest --to URL --dry-run   show what a restore would change

Exit codes: 0 ok, 1 failed, 3 done with named gaps, 4 differences found, 10 not found, 11 locked,
12 credentials or privileges, 13 damaged or different, 14 not confirmed, 15 not proven,
64 wrong usage, 69 server unreachable, 75 skipped, 78 configuration, 130 and 143 stopped by a signal";

/// Complete, consistent, provable snapshots of a Supabase or PostgreSQL stack
#[derive(Debug, Parser)]
#[command(name = "stacksnap", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Configuration file [default: stacksnap.toml here or above, or STACKSNAP_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// File with connection variables [default: .env next to the configuration]
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Project of the configuration, if it has several
    #[arg(long, global = true, value_name = "NAME")]
    pub project: Option<String>,
    /// Database to read. Other users of this machine can see it: prefer STACKSNAP_DB_URL or the configuration
    #[arg(long, global = true, value_name = "URL")]
    pub db_url: Option<String>,
    /// Folder of the snapshots [default: supabase_backups]
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Output format: text for people, json for one document, ndjson for events as they happen
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub output: OutputFormat,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more: the connection that is used, each table
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// No colours (NO_COLOR does the same)
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Answer all questions with yes (a protected target still requires its name)
    #[arg(long, global = true)]
    pub yes: bool,
}

/// Output format, `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Text,
    Json,
    Ndjson,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Take a snapshot: everything, at one instant, sealed with checksums
    Create(Box<CreateArgs>),
    /// List the snapshots, newest first
    List,
    /// Show what a snapshot contains and what it lacks
    Show(ShowArgs),
    /// Print or follow the log of a run
    Logs(LogsArgs),
    /// Check that a snapshot is unchanged since it was written
    Verify(VerifyArgs),
    /// Test in a throw-away server that a snapshot can be restored
    Drill(DrillArgs),
    /// Restore a snapshot: plan, confirmation, safety snapshot, restore, proof
    Restore(Box<RestoreArgs>),
    /// Undo a restore, from the safety snapshot that was taken before it
    Undo(UndoArgs),
    /// Take a snapshot, run a migration, and offer a rollback if it fails
    Guard(Box<GuardArgs>),
    /// Compare a snapshot with another one or with the live database
    Diff(DiffArgs),
    /// Find the tenants of a database, and which of them owns each row
    Tenant(TenantArgs),
    /// Check that a snapshot can be taken, and say how to fix what is missing
    Doctor(DoctorArgs),
    /// Print or check the configuration
    Config(ConfigArgs),
    /// Print the completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
    /// Print the version
    Version,
}

const CREATE_EXAMPLES: &str = "\
Examples:
  stacksnap create
  stacksnap create --label BEFORE_MIGRATION --note 'before the invoices change'
  stacksnap create --background --if-changed --timeout 30m   in a start script: returns at once
  stacksnap create --only users,user_roles                   only these parts; protects nothing else
  stacksnap create --exclude-data 'public.*_logs'            these tables without their rows
  stacksnap create --verify schema                           also test restoring the schema

Exit codes: 0 the snapshot is complete, 3 something is missing (named at the end and in
`stacksnap show latest --gaps`), 15 it was taken but a requested verification could not be done,
75 there was nothing to do or another run is active.";

/// The options of `create`.
#[derive(Debug, Clone, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub struct CreateArgs {
    /// Label of the snapshot; creates the link comprehensive_backup_LABEL
    #[arg(long, value_parser = Label::parse)]
    pub label: Option<Label>,
    /// Only these parts, separated by commas
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = parse_part)]
    pub only: Vec<Category>,
    /// All but these parts (archive, readable_sql, csv, users, user_roles, policies, functions, encryption, migrations,
    /// edge_functions, database_roles, grants, managed_objects, extension_state, storage, project)
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = parse_part)]
    pub skip: Vec<Category>,
    /// Only this table, schema.name or a pattern with * and ?; may be repeated
    #[arg(short, long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Leave out the rows of these tables (pattern); may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub exclude_data: Vec<String>,
    /// Formats of the data: dump,sql,csv
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = DataFormat::parse)]
    pub formats: Vec<DataFormat>,
    /// Compress the readable SQL and CSV: none, zstd, or auto (zstd from 256 MB of rows on) [default: auto]
    #[arg(long, value_name = "CODEC", value_parser = ReadableCompression::parse)]
    pub readable_compression: Option<ReadableCompression>,
    /// Connections that read in parallel [default: depends on the machine; 1 in the background]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// Return at once; the run continues at low priority and writes a log
    #[arg(long)]
    pub background: bool,
    /// Do nothing (exit 75) if nothing changed since the last complete snapshot
    #[arg(long)]
    pub if_changed: bool,
    /// Do nothing (exit 75) if the last complete snapshot is younger than this, e.g. 1h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub min_interval: Option<Duration>,
    /// How long to wait for a locked table, or for a schema that keeps changing, e.g. 30s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub lock_wait: Option<Duration>,
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Restore into a throw-away server: schema (everything but rows; each failure is a gap), restore (everything: see
    /// stacksnap drill), or none [default: schema, if run as root with a server of the source's version installed]
    #[arg(long, value_name = "LEVEL", value_parser = Verify::parse)]
    pub verify: Option<Verify>,
    /// Free text that is stored with the snapshot
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Tag for scripts; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    pub tags: Vec<(String, String)>,
    /// Folder with pg_dump [default: found by the server's version]
    #[arg(long, value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,
    /// Folder that holds supabase/functions and supabase/migrations
    #[arg(long, value_name = "DIR")]
    pub project_dir: Option<PathBuf>,
    /// Folder with the files of Storage, to copy them too
    #[arg(long, value_name = "DIR")]
    pub storage_dir: Option<PathBuf>,
    /// Keep or drop sessions and tokens in the users' SQL file
    #[arg(long, value_enum, value_name = "WHAT")]
    pub sessions: Option<Sessions>,
    /// Set for the child process of --background: the id of the run. Its standard input is the lock.
    #[arg(long, hide = true, value_name = "RUN", conflicts_with = "background")]
    pub run_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sessions {
    Keep,
    Drop,
}

const SNAPSHOT_HELP: &str = "Folder, name, prefix of a name or date, label, or latest";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stacksnap show latest\n  stacksnap show 20260130 --tables\n  stacksnap show BEFORE_MIGRATION --gaps -o json"
)]
pub struct ShowArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub snapshot: String,
    /// List the tables with rows and fingerprints
    #[arg(long)]
    pub tables: bool,
    /// List the files with sizes and checksums
    #[arg(long)]
    pub files: bool,
    /// Show only what the snapshot lacks
    #[arg(long)]
    pub gaps: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stacksnap logs latest -f\n  stacksnap logs BEFORE_MIGRATION")]
pub struct LogsArgs {
    /// A run, a snapshot (any of its names), or latest for the newest run
    #[arg(value_name = "SNAP")]
    pub snapshot: String,
    /// Follow the log until the run ends
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stacksnap verify latest\n  stacksnap verify comprehensive_backup_20260130_120005 --level checksum\n\nExit codes: 0 unchanged, 13 damaged (the damaged files are listed)."
)]
pub struct VerifyArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub snapshot: String,
    /// checksum: every file is unchanged; read: also every row can be read; restore: also everything can be restored
    /// (the same as drill)
    #[arg(long, value_enum, default_value_t = VerifyLevel::Read)]
    pub level: VerifyLevel,
    /// Files that are read in parallel [default: depends on the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerifyLevel {
    Checksum,
    Read,
    Restore,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  stacksnap diff BEFORE_MIGRATION live --schema   show how the migration changed the schema
  stacksnap diff latest live --security           show how access rights changed
  stacksnap diff 20260129 20260130 --data         list changed rows; needs no server

Without an option, diff compares objects, and row count and fingerprint of each table. With 'live'
this reads every row of the database once; nothing is written. In the output, - means only on the
left, + only on the right, ~ different.

Exit codes: 0 equal, 4 different, 13 a snapshot is damaged.";

#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub struct DiffArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub left: String,
    /// Another snapshot, or live: the database that create would read
    #[arg(value_name = "SNAP|live")]
    pub right: String,
    /// Objects only: no row is read, sequence values are ignored
    #[arg(long, conflicts_with = "data")]
    pub schema: bool,
    /// Also list the keys of added, removed and changed rows (the first 20 of each)
    #[arg(long)]
    pub data: bool,
    /// Only objects that affect access control
    #[arg(long, conflicts_with = "data")]
    pub security: bool,
    /// Connections that read in parallel [default: depends on the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stacksnap doctor\n  stacksnap doctor -q -o json\n\nExit codes: 0 a snapshot can be taken, 1 something prevents it. If the connection fails, the exit\ncode is that of the connection error."
)]
pub struct DoctorArgs {
    /// Folder with pg_dump [default: found by the server's version]
    #[arg(long, value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub action: ConfigAction,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigAction {
    /// Print each setting with its origin; secrets as ***
    Show,
    /// Check the configuration file
    Validate,
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stacksnap completions bash > ~/.local/share/bash-completion/completions/stacksnap\n  stacksnap completions zsh > ~/.zfunc/_stacksnap"
)]
pub struct CompletionsArgs {
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// A part by its word; hyphens are accepted for underscores.
fn parse_part(text: &str) -> Result<Category, String> {
    Category::parse(text).ok_or_else(|| match closest(text, Category::ALL.map(Category::word)) {
        Some(word) => format!("there is no such part; did you mean '{word}'?"),
        None => format!("there is no such part; the parts are {}", Category::ALL.map(Category::word).join(", ")),
    })
}

/// `key=value`; the key is a plain word of at most 64 characters.
fn parse_tag(text: &str) -> Result<(String, String), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && key.len() <= 64 && key.chars().all(fine) => {
            Ok((key.to_string(), value.to_string()))
        }
        _ => Err("a tag is key=value; the key consists of letters, digits, '_', '-' or '.'".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn parts_lists_and_tags() {
        let cli = Cli::try_parse_from(["stacksnap", "create", "--only", "users,user-roles", "--tag", "a=b=c"]).unwrap();
        let Verb::Create(args) = cli.verb else { panic!("create") };
        assert_eq!(args.only, vec![Category::Users, Category::UserRoles]);
        assert_eq!(args.tags, vec![("a".to_string(), "b=c".to_string())]);
        for wrong in [["--only", "nothing"], ["--tag", "x"], ["--tag", "=x"], ["--label", "../x"], ["--jobs", "0"]] {
            assert!(Cli::try_parse_from(["stacksnap", "create"].iter().chain(&wrong)).is_err(), "{wrong:?}");
        }
    }
}
