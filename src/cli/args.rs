//! The command line: global options and verbs, in words for a tired person.
//!
//! Invariant: no value of the environment is read or shown here (`config` reads it), so no help text can hold one.
//! A verb that is not built is not here.

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
  stacksnap create                              take a snapshot of what DATABASE_URL (or .env) names
  stacksnap create --label BEFORE_MIGRATION     and give it a name to find it by
  stacksnap list                                what there is
  stacksnap verify latest                       is it still what was written?
  stacksnap drill latest                        can it be restored?
  stacksnap diff latest live                    what has changed since?
  stacksnap logs latest -f                      follow a run in the background
  stacksnap guard -- supabase db push           a migration, with a way back
  stacksnap restore latest --to URL --dry-run   what would putting it back change?

Exit codes: 0 ok, 1 failed, 3 done with named gaps, 4 differences found, 10 not found, 11 locked,
12 credentials or rights, 13 damaged, 14 not confirmed, 15 not proven, 64 wrong usage,
69 server unreachable, 75 skipped, 78 configuration, 130 and 143 stopped by a signal";

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

/// What every verb understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Configuration file [default: stacksnap.toml here or above, or STACKSNAP_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Variables for the connection [default: .env beside the configuration]
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Project of the configuration, where it has several
    #[arg(long, global = true, value_name = "NAME")]
    pub project: Option<String>,
    /// Database to read. Others on this machine can see it: prefer STACKSNAP_DB_URL or the configuration
    #[arg(long, global = true, value_name = "URL")]
    pub db_url: Option<String>,
    /// Where snapshots live [default: supabase_backups]
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// What comes out: text for people, json for one document, ndjson for events as they happen
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub output: OutputFormat,
    /// Say errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: which connection was used, each table
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// No colours (NO_COLOR does the same)
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Answer questions with yes (a protected target still needs its name)
    #[arg(long, global = true)]
    pub yes: bool,
}

/// `-o`.
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
    /// Show what a snapshot holds, and what it does not
    Show(ShowArgs),
    /// Print or follow the log of a run
    Logs(LogsArgs),
    /// Prove that a snapshot is still what was written
    Verify(VerifyArgs),
    /// Prove that a snapshot can be restored, in a throw-away server
    Drill(DrillArgs),
    /// Put a snapshot back: plan, ask, safety snapshot, restore, proof
    Restore(Box<RestoreArgs>),
    /// Take a restore back, from the snapshot that was taken before it
    Undo(UndoArgs),
    /// Run a migration between a snapshot and, if it fails, a rollback
    Guard(Box<GuardArgs>),
    /// What a snapshot and another one, or the live database, differ in
    Diff(DiffArgs),
    /// Whose is which row: find the tenants, class the tables, count, look for leaks
    Tenant(TenantArgs),
    /// Is everything there for a snapshot, and what to do where not
    Doctor(DoctorArgs),
    /// Print or check the configuration
    Config(ConfigArgs),
    /// Print the completions for a shell
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
  stacksnap create --only users,user_roles                   these parts: it protects nothing else
  stacksnap create --exclude-data 'public.*_logs'            the tables, without their rows
  stacksnap create --verify schema                           what cannot be restored is found now, not on the day of need

Ends with 0 when the snapshot is complete, with 3 when something is missing (named at the end and in
`stacksnap show latest --gaps`), with 15 when it was taken but a verification that was asked for could not be made, with
75 when there was nothing to do or another run is at it.";

/// The options of `create`.
#[derive(Debug, Clone, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub struct CreateArgs {
    /// Name to find it by; makes the link comprehensive_backup_LABEL
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
    /// What the data is written as: dump,sql,csv
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = DataFormat::parse)]
    pub formats: Vec<DataFormat>,
    /// Compress the readable SQL and CSV: none, zstd, or auto: zstd from 256 MB of rows on [default: auto]
    #[arg(long, value_name = "CODEC", value_parser = ReadableCompression::parse)]
    pub readable_compression: Option<ReadableCompression>,
    /// Connections that read at the same time [default: by the machine; 1 in the background]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// Return at once; the run goes on by itself, nicely, and writes a log
    #[arg(long)]
    pub background: bool,
    /// Do nothing (75) when nothing changed since the last complete snapshot
    #[arg(long)]
    pub if_changed: bool,
    /// Do nothing (75) when the last complete snapshot is younger, e.g. 1h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub min_interval: Option<Duration>,
    /// How long to wait for a locked table, and for a schema that keeps changing, e.g. 30s
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub lock_wait: Option<Duration>,
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Restore into a throw-away server at once: schema (everything but rows; what fails is a gap), restore (all of it: see
    /// stacksnap drill), or none [default: schema, as root where a server of the source's version is installed]
    #[arg(long, value_name = "LEVEL", value_parser = Verify::parse)]
    pub verify: Option<Verify>,
    /// A sentence to remember why
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// A mark for programs; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    pub tags: Vec<(String, String)>,
    /// Folder with pg_dump [default: found by the server's version]
    #[arg(long, value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,
    /// Folder that holds supabase/functions and supabase/migrations
    #[arg(long, value_name = "DIR")]
    pub project_dir: Option<PathBuf>,
    /// Folder with the files of storage, to copy them too
    #[arg(long, value_name = "DIR")]
    pub storage_dir: Option<PathBuf>,
    /// Keep or drop sessions and tokens in the users' file
    #[arg(long, value_enum, value_name = "WHAT")]
    pub sessions: Option<Sessions>,
    /// The same as --sessions drop
    #[arg(long, conflicts_with = "sessions")]
    pub no_sessions: bool,
    /// Set on the child of --background: the run it is, with the lock as its standard input.
    #[arg(long, hide = true, value_name = "RUN", conflicts_with = "background")]
    pub run_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sessions {
    Keep,
    Drop,
}

const SNAPSHOT_HELP: &str = "Folder, name, beginning of a name or date, label, or latest";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stacksnap show latest\n  stacksnap show 20260130 --tables\n  stacksnap show BEFORE_MIGRATION --gaps -o json"
)]
pub struct ShowArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub snapshot: String,
    /// The tables with rows and fingerprints
    #[arg(long)]
    pub tables: bool,
    /// The files with sizes and checksums
    #[arg(long)]
    pub files: bool,
    /// Only what the snapshot does not hold
    #[arg(long)]
    pub gaps: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stacksnap logs latest -f\n  stacksnap logs BEFORE_MIGRATION")]
pub struct LogsArgs {
    /// A run, a snapshot (any of its names), or latest for the newest run
    #[arg(value_name = "SNAP")]
    pub snapshot: String,
    /// Go on until the run ends
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stacksnap verify latest\n  stacksnap verify comprehensive_backup_20260130_120005 --level checksum\n\nEnds with 0 when all is as written, with 13 and the damaged files when not."
)]
pub struct VerifyArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub snapshot: String,
    /// checksum: every file is what was written; read: and every row can be read; restore: and all of it can be restored
    /// (the same as drill)
    #[arg(long, value_enum, default_value_t = VerifyLevel::Read)]
    pub level: VerifyLevel,
    /// Files that are read at the same time [default: by the machine]
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
  stacksnap diff BEFORE_MIGRATION live --schema   what did the migration do to the objects?
  stacksnap diff latest live --security           is anything more open than it was?
  stacksnap diff 20260129 20260130 --data         which rows came, went, changed? Needs no server

Without an option: objects, and the rows and fingerprint of each table. With 'live' that reads
every row of the database once; nothing is written. In the text, - is only on the left, + only on
the right, ~ differs.

Ends with 0 when both are equal, 4 when they differ, 13 when a snapshot is damaged.";

#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub struct DiffArgs {
    #[arg(value_name = "SNAP", help = SNAPSHOT_HELP)]
    pub left: String,
    /// Another snapshot, or live: the database that create would read
    #[arg(value_name = "SNAP|live")]
    pub right: String,
    /// Objects only: no row is read, values of sequences do not count
    #[arg(long, conflicts_with = "data")]
    pub schema: bool,
    /// And the keys of rows that were added, removed or changed (the first 20 of each)
    #[arg(long)]
    pub data: bool,
    /// Objects only, and of those what decides who may do what
    #[arg(long, conflicts_with = "data")]
    pub security: bool,
    /// Connections that read at the same time [default: by the machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// Give up after this time, e.g. 30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stacksnap doctor\n  stacksnap doctor -q -o json\n\nEnds with 0 when a snapshot can be taken, with 1 when something is in the way, with the code of the\nconnection's error when there is none."
)]
pub struct DoctorArgs {
    /// What to check for
    #[arg(long = "for", value_enum, value_name = "VERB", default_value_t = DoctorFor::Create)]
    pub purpose: DoctorFor,
    /// Folder with pg_dump [default: found by the server's version]
    #[arg(long, value_name = "DIR")]
    pub pg_bin: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFor {
    Create,
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub action: ConfigAction,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigAction {
    /// Each setting with where it came from; secrets as ***
    Show,
    /// Check the configuration file
    Validate,
    /// The JSON Schema of the configuration file, for editors
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

/// A part by its word; hyphens do as well.
fn parse_part(text: &str) -> Result<Category, String> {
    Category::parse(text).ok_or_else(|| match closest(text, Category::ALL.map(Category::word)) {
        Some(word) => format!("there is no such part; did you mean '{word}'?"),
        None => format!("there is no such part; the parts are {}", Category::ALL.map(Category::word).join(", ")),
    })
}

/// `key=value`, where the key is a plain word.
fn parse_tag(text: &str) -> Result<(String, String), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && key.len() <= 64 && key.chars().all(fine) => {
            Ok((key.to_string(), value.to_string()))
        }
        _ => Err("a tag is key=value, its key of letters, digits, '_', '-' or '.'".to_string()),
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
