//! Which database is read: the first source that is set, in the documented order.
//!
//! Invariant: the order is `--db-url`, STACKSNAP_DB_URL, the project, DIRECT_URL, SUPABASE_DB_URL, DATABASE_URL,
//! POSTGRES_URL_NON_POOLING, POSTGRES_URL, libpq's own variables, the local Supabase. The origin records which one was
//! used. If a line of an `.env` file would have been used but cannot be parsed, that is an error, because the next
//! source is another database. A restore's target is never found this way: `resolve_target` takes only what was typed.

use super::conninfo::{self, Params};
use super::environment::Environment;
use super::secret::{Inputs, SecretRef};
use super::settings::{Provenance, Settings};
use super::variables::Variables;
use super::{placeholder, resolve::resolve};
use crate::model::connection::{ConnSpec, LOCAL_SUPABASE, Origin};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ownership;

const OWN: &str = "STACKSNAP_DB_URL";
const COMMON: [&str; 5] = ["DIRECT_URL", "SUPABASE_DB_URL", "DATABASE_URL", "POSTGRES_URL_NON_POOLING", "POSTGRES_URL"];
/// libpq's variables that select the database.
const PLACE: [&str; 6] = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"];
const NOTHING_CHOSEN: &str = "no database was chosen";
const LOCAL_SUPABASE_URL: &str = "postgresql://postgres:postgres@127.0.0.1:54322/postgres";

/// A connection string and its source.
struct Candidate {
    text: String,
    origin: Origin,
    kind: FailureKind,
}

/// The source database.
pub fn resolve_source(inputs: &Inputs, settings: &Settings) -> Result<ConnSpec> {
    let variables = Variables::load(inputs, settings.project_dir.as_deref())?;
    let lookup = |name: &str| variables.get(name);
    let mut notes = variables.notes([OWN].into_iter().chain(COMMON).chain(PLACE));
    if let Some(mut candidate) = first_url(inputs, settings, &variables)? {
        refuse_broken(&variables, &candidate.origin.variable)?;
        candidate.origin.notes.append(&mut notes);
        let others = others(&variables, &candidate.origin.variable);
        return from_text(candidate, &inputs.environment, lookup).map_err(|failure| match others {
            Some(others) => failure.hint(others),
            None => failure,
        });
    }
    refuse_broken(&variables, COMMON[COMMON.len() - 1])?;
    if let Some(failure) = variables.broken(&PLACE) {
        return Err(failure.context(NOTHING_CHOSEN));
    }
    let named: Vec<&str> = PLACE.into_iter().filter(|name| variables.get(name).is_some()).collect();
    if let Some(first) = named.first() {
        let file = variables.find(first).and_then(|found| found.file).map(|path| path.to_path_buf());
        let origin = Origin { variable: named.join(", "), file, notes };
        return resolve(Params::default(), &inputs.environment, lookup, origin)
            .map_err(|f| f.context(format!("the connection from {} cannot be used", named.join(", "))));
    }
    if let Some(failure) = variables.unread_connection(&[&[OWN], &COMMON[..]].concat()) {
        return Err(failure.context(NOTHING_CHOSEN));
    }
    let origin = Origin { variable: LOCAL_SUPABASE.to_string(), file: None, notes };
    resolve(conninfo::parse(LOCAL_SUPABASE_URL)?, &inputs.environment, lookup, origin)
}

/// Refuses a line that cannot be parsed and would have been used before `winner`, or for it.
fn refuse_broken(variables: &Variables<'_>, winner: &str) -> Result<()> {
    let upto = COMMON.iter().position(|name| *name == winner).map_or(0, |at| at + 1);
    // If the URL comes from the command line or the configuration, only names before it in the order matter.
    let own: &[&str] = if winner == "--db-url" { &[] } else { &[OWN] };
    match variables.broken(&[own, &COMMON[..upto]].concat()) {
        Some(failure) => Err(failure.context(NOTHING_CHOSEN)),
        None => Ok(()),
    }
}

/// The connection string to use, if any is set.
fn first_url(inputs: &Inputs, settings: &Settings, variables: &Variables<'_>) -> Result<Option<Candidate>> {
    if let Some(url) = &inputs.flags.db_url {
        let note = "--db-url can be seen by every user of this machine (ps): use STACKSNAP_DB_URL".to_string();
        let origin = Origin { variable: "--db-url".into(), file: None, notes: vec![note] };
        return Ok(Some(Candidate { text: url.reveal().to_string(), origin, kind: FailureKind::Usage }));
    }
    if let Some(candidate) = from_variable(variables, OWN) {
        return Ok(Some(candidate));
    }
    if let Some(secret) = &settings.db_url {
        return from_project(secret, inputs, settings, variables).map(Some);
    }
    Ok(COMMON.iter().find_map(|name| from_variable(variables, name)))
}

fn from_variable(variables: &Variables<'_>, name: &str) -> Option<Candidate> {
    let found = variables.find(name)?;
    let origin = Origin { variable: name.to_string(), file: found.file.map(|f| f.to_path_buf()), notes: Vec::new() };
    Some(Candidate { text: found.value.to_string(), origin, kind: FailureKind::Configuration })
}

fn from_project(
    secret: &SecretRef,
    inputs: &Inputs,
    settings: &Settings,
    variables: &Variables<'_>,
) -> Result<Candidate> {
    let name = settings.project.as_deref().unwrap_or_default();
    let text = secret
        .reveal(|name| variables.get(name), inputs.run_command.as_ref())
        .map_err(|f| f.context(format!("the connection of the project '{name}' cannot be read")))?;
    let file = match settings.provenance.get("db_url") {
        Some(Provenance::File { path, .. }) => Some(path.clone()),
        _ => None,
    };
    let notes = vec![format!("db_url: {}", secret.place())];
    let origin = Origin { variable: format!("projects.{name}.db_url"), file, notes };
    Ok(Candidate { text: text.reveal().to_string(), origin, kind: FailureKind::Configuration })
}

fn from_text<'a>(
    candidate: Candidate,
    environment: &Environment,
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> Result<ConnSpec> {
    let Candidate { text, origin, kind } = candidate;
    let place = place(&origin);
    let spec = check_placeholders(&text)
        .and_then(|()| conninfo::parse(&text))
        .and_then(|params| resolve(params, environment, lookup, origin));
    spec.map_err(|mut failure| {
        if !ownership::is_refusal(&failure) {
            failure.kind = kind;
        }
        failure.context(format!("the connection of {place} cannot be used"))
    })
}

/// For example `DATABASE_URL in /srv/app/.env`.
fn place(origin: &Origin) -> String {
    match &origin.file {
        Some(file) => format!("{} in {}", origin.variable, file.display()),
        None => origin.variable.clone(),
    }
}

fn check_placeholders(text: &str) -> Result<()> {
    let Some(placeholder) = placeholder::find(text) else { return Ok(()) };
    let failure = Failure::msg(FailureKind::Configuration, format!("it still contains the placeholder {placeholder}"));
    Err(if placeholder.starts_with("${") {
        failure.hint("stacksnap does not expand variables: write the value itself")
    } else {
        failure.hint("put the real value in its place (Supabase: dashboard, Connect, session pooler)")
    })
}

/// Other variables with a connection string, for the hint of a refusal.
fn others(variables: &Variables<'_>, winner: &str) -> Option<String> {
    let set: Vec<&str> = COMMON.into_iter().filter(|name| *name != winner && variables.get(name).is_some()).collect();
    if set.is_empty() {
        return None;
    }
    Some(format!("{winner} was chosen first; also set: {}", set.join(", ")))
}

/// The target of a restore, exactly as it was typed: it must contain host and database. Only settings that do not
/// select the database may come from elsewhere: passwords, certificates, timeouts.
pub fn resolve_target(url: &str, environment: &Environment) -> Result<ConnSpec> {
    let origin = Origin { variable: "--to".into(), file: None, notes: Vec::new() };
    let not_place = |name: &str| !PLACE.contains(&name) && name != "PGOPTIONS";
    let lookup = |name: &str| environment.get(name).filter(|_| not_place(name));
    let target = check_placeholders(url).and_then(|()| conninfo::parse(url)).and_then(|params| {
        let service = params.get("service").is_some();
        for (name, what) in [("host", "host"), ("dbname", "database")] {
            if params.get(name).is_none() && !service && !(name == "host" && params.get("hostaddr").is_some()) {
                return Err(Failure::msg(FailureKind::Usage, format!("the target has no {what}"))
                    .hint("write it out: --to postgresql://USER@HOST:5432/DATABASE"));
            }
        }
        resolve(params, environment, lookup, origin)
    });
    target.map_err(|mut failure| {
        if !ownership::is_refusal(&failure) {
            failure.kind = FailureKind::Usage;
        }
        failure.context("the target of --to cannot be used")
    })
}
