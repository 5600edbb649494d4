//! From the command line to settings and source: the one place where flags become the inputs of `config`.
//!
//! Invariant: the environment is read once; a flag that was not given stays `None`, so that the configuration counts.

use super::args::{CreateArgs, Globals, Sessions};
use crate::archive::root::Root;
use crate::config::{Environment, Flags, Inputs, Settings};
use crate::model::failure::Result;
use crate::model::secret::Secret;
use crate::ui::lines::warning;
use crate::ui::out::Ui;

/// The inputs that every verb has.
pub fn inputs(globals: &Globals, environment: &Environment) -> Inputs {
    let flags = Flags {
        config: globals.config.clone(),
        env_file: globals.env_file.clone(),
        project: globals.project.clone(),
        db_url: globals.db_url.as_ref().map(Secret::new),
        root: globals.root.clone(),
        ..Flags::default()
    };
    Inputs { flags, environment: environment.clone(), run_command: None }
}

/// The same with the flags of `create`.
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
    flags.keep_sessions = if args.no_sessions { Some(false) } else { args.sessions.map(|s| s == Sessions::Keep) };
    inputs
}

/// Loads the settings and says what they warn of.
pub fn settings(ui: Ui, inputs: &Inputs) -> Result<Settings> {
    let settings = crate::config::load(inputs)?;
    for text in &settings.warnings {
        ui.say(&warning(text, None));
    }
    Ok(settings)
}

/// The root folder for the verbs that only read.
pub fn root(ui: Ui, globals: &Globals, environment: &Environment) -> Result<Root> {
    Ok(Root::new(settings(ui, &inputs(globals, environment))?.root))
}
