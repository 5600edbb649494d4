//! Converts flags into the inputs of `config`, and loads settings and the root folder for the verbs.
//!
//! Invariant: the environment is read once; a flag that was not given stays `None`, so that the configuration applies.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::args::{CreateArgs, Globals, Sessions};
use crate::config::{Environment, Flags, Inputs, SecretCommand, Settings};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::secret::Secret;
use crate::ownership;
use crate::proc::Program;
use crate::root::folder::Root;
use crate::ui::lines::warning;
use crate::ui::out::Ui;

/// Long enough for a password manager that asks the user first.
const SECRET_COMMAND_MAX: Duration = Duration::from_secs(60);

/// The inputs common to all verbs.
pub fn inputs(globals: &Globals, environment: &Environment) -> Inputs {
    let flags = Flags {
        config: globals.config.clone(),
        env_file: globals.env_file.clone(),
        project: globals.project.clone(),
        db_url: globals.db_url.as_ref().map(Secret::new),
        root: globals.root.clone(),
        ..Flags::default()
    };
    let folders = program_folders(environment);
    let run_command: SecretCommand = Arc::new(move |argv| run_for_secret(argv, &folders));
    Inputs { flags, environment: environment.clone(), run_command: Some(run_command) }
}

/// The folders of PATH, in which programs are searched.
pub fn program_folders(environment: &Environment) -> Vec<PathBuf> {
    environment.get("PATH").map_or_else(Vec::new, |path| std::env::split_paths(path).collect())
}

/// Runs the program of `{cmd = [..]}` and returns its output. Its error messages may contain secrets and are not shown.
fn run_for_secret(argv: &[String], folders: &[PathBuf]) -> Result<Secret> {
    let Some((name, args)) = argv.split_first() else {
        return Err(Failure::msg(FailureKind::Configuration, "the command for a secret is empty"));
    };
    let on_path = || folders.iter().map(|folder| folder.join(name)).find(|place| place.is_file());
    let place = if name.contains('/') { PathBuf::from(name) } else { on_path().unwrap_or_else(|| name.into()) };
    ownership::require_trusted(&place, "the program that prints a secret,")?;
    let program = args.iter().fold(Program::new(place), |program, arg| program.arg(arg));
    let done = program.run(SECRET_COMMAND_MAX).map_err(|e| {
        Failure::new(FailureKind::Configuration, e)
            .context(format!("cannot run {name}, which should print a secret"))
            .hint(format!("check that {name} is installed and in a folder of PATH"))
    })?;
    if !done.status.success() {
        let text = format!("{name}, which should print a secret, ended with {}", done.status);
        return Err(Failure::msg(FailureKind::Configuration, text).hint("run it by hand to see why"));
    }
    let text = String::from_utf8(done.stdout)
        .map_err(|_| Failure::msg(FailureKind::Configuration, format!("the output of {name} is not UTF-8")))?;
    Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
}

/// The inputs of [`inputs`] with the flags of `create`.
pub fn create_inputs(globals: &Globals, args: &CreateArgs, environment: &Environment) -> Inputs {
    let mut inputs = inputs(globals, environment);
    let flags = &mut inputs.flags;
    flags.formats = (!args.formats.is_empty()).then(|| args.formats.clone());
    flags.readable_compression = args.readable_compression;
    flags.jobs = args.jobs;
    flags.lock_wait = args.lock_wait;
    flags.timeout = args.timeout;
    flags.pg_bin = args.pg_bin.clone();
    flags.project_dir = args.project_dir.clone();
    flags.storage_dir = args.storage_dir.clone();
    flags.exclude_data = args.exclude_data.clone();
    flags.keep_sessions = args.sessions.map(|s| s == Sessions::Keep);
    flags.verify = args.verify;
    inputs
}

/// Loads the settings and prints their warnings.
pub fn settings(ui: Ui, inputs: &Inputs) -> Result<Settings> {
    let settings = crate::config::load(inputs)?;
    for text in &settings.warnings {
        ui.say(&warning(text, None));
    }
    Ok(settings)
}

/// The root folder, for verbs that only read.
pub fn root(ui: Ui, globals: &Globals, environment: &Environment) -> Result<Root> {
    Ok(Root::new(settings(ui, &inputs(globals, environment))?.root))
}
