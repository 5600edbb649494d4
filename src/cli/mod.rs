//! The command line: parse, run, print, exit code. One file per command.
//!
//! Invariant: only this module reads the wall clock and handles signals; every exit goes through [`run`], with a
//! documented exit code (clap's own 2 becomes 64).

pub mod args;
mod background;
mod clock;
mod completions;
mod config;
mod create;
mod diff;
mod doctor;
mod drill;
mod finish;
mod guard;
mod list;
mod logs;
mod man;
mod recovery;
mod restore;
mod show;
mod signals;
mod tenant;
mod undo;
mod usage;
mod verify;
mod version;
mod wiring;

use std::ffi::OsString;
use std::time::Duration;

use clap::{ColorChoice, CommandFactory, FromArgMatches};

use self::args::{Cli, Globals, OutputFormat, Verb};
use crate::config::Environment;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ownership;
use crate::ui::error;
use crate::ui::out::{Format, Ui, Verbosity, is_terminal};

/// How long blocking threads may continue after the result is known.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// The environment of a command.
pub struct Surroundings {
    pub environment: Environment,
    pub ui: Ui,
    pub globals: Globals,
    /// The arguments as they were given, without the program's name.
    pub raw_args: Vec<OsString>,
}

/// How a command ended that did not fail: `None` is exit code 0.
type Ended = Option<FailureKind>;

/// Runs the program with the arguments of the process and returns its exit code.
pub fn run() -> u8 {
    crate::proc::own::harden();
    let environment = Environment::from_process();
    let args: Vec<OsString> = std::env::args_os().collect();
    let raw_args = args.get(1..).unwrap_or_default().to_vec();
    let plain = raw_args.iter().any(|a| a == "--no-color") || environment.get("NO_COLOR").is_some() || !is_terminal();
    let before = Ui { format: usage::format_in(&raw_args), verbosity: Verbosity::Normal, color: !plain };
    let command = Cli::command().color(if plain { ColorChoice::Never } else { ColorChoice::Auto });
    let parsed = command.try_get_matches_from(&args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(problem) => return usage::explain(before, &problem),
    };
    let ui = Ui { format: format(cli.globals.output), verbosity: verbosity(&cli.globals), color: !plain };
    let trusted = ownership::trust_also(environment.get(ownership::TRUST_OWNER));
    let around = Surroundings { environment, ui, globals: cli.globals, raw_args };
    match trusted.and_then(|()| dispatch(&around, cli.verb)) {
        Ok(code) => code,
        Err(failure) => {
            error::print(ui, &failure);
            failure.kind.exit_code()
        }
    }
}

fn dispatch(around: &Surroundings, verb: Verb) -> Result<u8> {
    let ended = match verb {
        Verb::Create(args) => create::run(around, &args),
        Verb::List => list::run(around),
        Verb::Show(args) => show::run(around, &args),
        Verb::Logs(args) => logs::run(around, &args),
        Verb::Verify(args) => verify::run(around, &args),
        Verb::Drill(args) => drill::run(around, &args),
        Verb::Restore(args) => restore::run(around, &args),
        Verb::Undo(args) => undo::run(around, &args),
        // Its exit code is that of the guarded command.
        Verb::Guard(args) => return guard::run(around, &args),
        Verb::Diff(args) => diff::run(around, &args),
        Verb::Tenant(args) => tenant::run(around, args),
        Verb::Doctor(args) => doctor::run(around, &args),
        Verb::Config(args) => config::run(around, args.action),
        Verb::Completions(args) => completions::run(args.shell),
        Verb::Man => man::run(),
        Verb::Version => version::run(around.ui),
    }?;
    Ok(ended.map_or(0, FailureKind::exit_code))
}

fn format(output: OutputFormat) -> Format {
    match output {
        OutputFormat::Text => Format::Text,
        OutputFormat::Json => Format::Json,
        OutputFormat::Ndjson => Format::Ndjson,
    }
}

fn verbosity(globals: &Globals) -> Verbosity {
    match (globals.quiet, globals.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}

/// Runs asynchronous work to its end. Threads that are still blocked afterwards delay the exit by `SHUTDOWN_GRACE` at
/// most.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::from(e).context("cannot start the runtime"))?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(SHUTDOWN_GRACE);
    result
}
