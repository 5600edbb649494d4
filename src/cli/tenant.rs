//! `stacksnap tenant detect|classify|list|check`
//!
//! Invariant: it reads only, but for the configuration with `--write-config`. What `--fail-on` names is a result (exit 4),
//! not an error.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::args::{DrawAs, FailOnWord, TenantAction, TenantArgs};
use super::{Ended, Surroundings, block_on, signals, wiring};
use crate::config::tenants::{Written, write};
use crate::config::{self, Settings, file};
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::percent_encoded;
use crate::model::tenancy::Root;
use crate::ops::tenant::{self, Detected, FailOn, TenantRequest, unconfirmed};
use crate::ui::connection::{self, With};
use crate::ui::out::{self, Verbosity};
use crate::ui::tenant as show;

#[derive(Serialize)]
struct DetectDocument<'a> {
    #[serde(flatten)]
    found: &'a Detected,
    written: Option<Written>,
}

pub fn run(around: &Surroundings, args: TenantArgs) -> Result<Ended> {
    let ui = around.ui;
    let inputs = wiring::inputs(&around.globals, &around.environment);
    let settings = wiring::settings(ui, &inputs)?;
    let source = config::resolve_source(&inputs, &settings)?;
    connection::say(ui, "reading", &source);
    let request = TenantRequest { source, settings: settings.tenants.clone(), lock_wait: settings.lock_wait };
    match args.action {
        TenantAction::Detect { write_config, common } => {
            let found = wait(common.timeout, &settings, tenant::detect(&request))?;
            let written = if write_config { Some(freeze(around, &settings, &request.source, &found)?) } else { None };
            if ui.is_text() {
                say(around, &show::detected(ui, &found, written.as_ref()));
            } else {
                ui.document("tenant_detect", &With::new(&request.source, &DetectDocument { found: &found, written }));
            }
            Ok(None)
        }
        TenantAction::Classify { format, common } => {
            let found = wait(common.timeout, &settings, tenant::classify(&request))?;
            warn(around, &found.root);
            if !ui.is_text() {
                ui.document("tenant_classify", &With::new(&request.source, &show::Classified::of(&found)));
            } else if format == DrawAs::Mermaid {
                out::data(&show::mermaid(&found));
            } else {
                say(around, &show::classified(ui, &found));
            }
            Ok(None)
        }
        TenantAction::List { common } => {
            let found = wait(common.timeout, &settings, tenant::list(&request))?;
            warn(around, &found.root);
            if ui.is_text() {
                say(around, &show::listed(&found));
            } else {
                ui.document("tenant_list", &With::new(&request.source, &found));
            }
            Ok(None)
        }
        TenantAction::Check { fail_on, common } => {
            let found = wait(common.timeout, &settings, tenant::check(&request))?;
            warn(around, &found.root);
            if ui.is_text() {
                say(around, &show::checked(ui, &found));
            } else {
                ui.document("tenant_check", &With::new(&request.source, &found));
            }
            let on: Vec<FailOn> = fail_on.iter().map(|word| fail_on_of(*word)).collect();
            Ok(found.fails(&on).then_some(FailureKind::DifferencesFound))
        }
    }
}

fn fail_on_of(word: FailOnWord) -> FailOn {
    match word {
        FailOnWord::Leak => FailOn::Leak,
        FailOnWord::Ambiguous => FailOn::Ambiguous,
    }
}

fn wait<T>(timeout: Option<Duration>, settings: &Settings, work: impl Future<Output = Result<T>>) -> Result<T> {
    block_on(async { signals::interruptible(timeout.or(settings.timeout), work).await })
}

fn say(around: &Surroundings, text: &str) {
    if around.ui.verbosity > Verbosity::Quiet {
        out::data(text);
    }
}

fn warn(around: &Surroundings, root: &Root) {
    if let Some(text) = unconfirmed(root) {
        around.ui.say(&crate::ui::lines::warning(&text, None));
    }
}

/// Writes the block into the file that was read, or into a new one here.
fn freeze(around: &Surroundings, settings: &Settings, source: &ConnSpec, found: &Detected) -> Result<Written> {
    let path: PathBuf = match &settings.config_file {
        Some(path) => path.clone(),
        None => around.environment.current_dir.join(file::FILE_NAME),
    };
    let project = match (&settings.project, &settings.config_file) {
        (Some(project), _) => project.clone(),
        (None, Some(_)) if !settings.has_projects => name_of(&source.database),
        (None, None) => name_of(&source.database),
        (None, Some(path)) => {
            let text = format!("{} has several projects, and none was chosen", path.display());
            return Err(
                Failure::msg(FailureKind::Usage, text).hint("stacksnap --project NAME tenant detect --write-config")
            );
        }
    };
    write(&path, &project, &found.block)
}

/// The name of a project is made of letters, digits and a few signs.
fn name_of(database: &str) -> String {
    let name: String = percent_encoded(database.as_bytes()).replace('%', "-").chars().take(64).collect();
    if name.is_empty() { "main".to_string() } else { name }
}
