//! `stacksnap doctor`: checks that a snapshot can be taken, and prints how to fix what is missing.
//!
//! Invariant: it only reads. A failed connection ends the command with the exit code of that error.

use serde::Serialize;

use super::args::DoctorArgs;
use super::{Ended, Surroundings, block_on, wiring};
use crate::config;
use crate::model::failure::{FailureKind, Result};
use crate::ops::doctor::{Check, FoundClient, Here, Status, doctor_for_create};
use crate::pg::session::Session;
use crate::pgtools::client::{self, SearchPlaces};
use crate::ui::connection::{self, With};
use crate::ui::{checks, out};

#[derive(Serialize)]
struct DoctorDocument<'a> {
    ready: bool,
    checks: &'a [Check],
}

pub fn run(around: &Surroundings, args: &DoctorArgs) -> Result<Ended> {
    let mut inputs = wiring::inputs(&around.globals, &around.environment);
    inputs.flags.pg_bin = args.pg_bin.clone();
    let settings = wiring::settings(around.ui, &inputs)?;
    let source = config::resolve_source(&inputs, &settings)?;
    connection::say(around.ui, "looking at", &source);
    let places = SearchPlaces { named: settings.pg_bin.clone(), path: wiring::program_folders(&around.environment) };
    let found: Vec<FoundClient> = client::find(&places)
        .into_iter()
        .map(|c| FoundClient { path: c.bin.join("pg_dump"), major: c.major, minor: c.minor })
        .collect();
    let checks = block_on(async {
        let session = Session::open(&source, "stacksnap doctor").await?;
        let here = Here { clients: &found, root: &settings.root, programs: &places, verify: settings.verify };
        doctor_for_create(&source, &session, &here).await
    })?;
    let ready = checks.iter().all(|check| check.status != Status::Fail);
    if around.ui.is_text() {
        out::data(&checks::render(around.ui, &checks));
    } else {
        around.ui.document("doctor", &With::new(&source, &DoctorDocument { ready, checks: &checks }));
    }
    Ok((!ready).then_some(FailureKind::Failed))
}
