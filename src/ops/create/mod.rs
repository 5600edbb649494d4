//! `create`: one complete, consistent, provable snapshot.
//!
//! Invariant: a folder gets the name of a snapshot only after everything is written, hashed and sealed. Whatever could
//! not be captured is a named gap. However the run ends early, it leaves no child process and no partial folder.

mod attempt;
mod catalogs;
mod collectors;
mod computed;
pub mod dump;
pub mod dump_failure;
mod gate;
mod partial;
mod pinned_dump;
mod preflight;
mod queue;
mod readable;
mod record;
pub mod schema;
mod selection;
mod unchanged;
mod undumped;
mod wanted;

use std::time::{Duration, Instant};

use crate::collect::context::{CollectSettings, SealTo};
use crate::config;
use crate::config::Settings;
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::report::{SkipReason, TakeReport};
use crate::model::request::CreateRequest;
use crate::monitor::millis;
use crate::monitor::{Event, Monitor, Phase};
use crate::pg::catalog::not_utf8;
use crate::pg::session::Session;
use crate::proc::own;
use crate::snapshot::key::Key;
use crate::snapshot::seal::seal;

use attempt::Attempt;
use dump_failure::DumpFailure;
use partial::PartialFolder;
use preflight::Preflight;
use schema::Verification;
use selection::Selection;

/// How often a run starts over at least when DDL changes the schema meanwhile. It gives up when `--lock-wait` is over
/// too.
const RESTARTS_MIN: u32 = 12;
/// Pause before the first restart. It grows with each restart up to the maximum, so that a burst of DDL can end.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The input that every part of one run shares.
pub(crate) struct Job<'a> {
    pub request: &'a CreateRequest,
    pub settings: &'a Settings,
    pub source: &'a ConnSpec,
    pub monitor: &'a dyn Monitor,
    pub cancel: &'a Cancel,
    /// In `pg_stat_activity`: distinguishes our sessions and pg_dump's from all others.
    pub application_name: String,
}

/// Takes one snapshot of `source` into the settings' root. The caller holds the root's lock.
///
/// Errors leave nothing behind. `--if-changed` returns a report with `skipped` when nothing changed.
pub async fn create(
    request: &CreateRequest,
    settings: &Settings,
    source: &ConnSpec,
    monitor: &dyn Monitor,
    cancel: &Cancel,
) -> Result<TakeReport> {
    let application_name = format!("stacksnap {}", own::pid());
    let job = Job { request, settings, source, monitor, cancel, application_name };
    let started = Instant::now();
    let selection = Selection::new(request, settings)?;
    // Report an unusable signing key now, not after the last row.
    Key::own(&settings.root)?;
    let preflight = job.or_cancelled(preflight::check(&job, &selection)).await?;
    if request.if_changed
        && let Some((name, place)) = job.or_cancelled(unchanged::since_last(&job, &preflight, &selection)).await?
    {
        let message = format!("nothing changed since {name}");
        return Ok(TakeReport::skipped(SkipReason::Unchanged, message, Some((name, place))));
    }
    job.take(&selection, &preflight, started).await
}

impl Job<'_> {
    async fn take(&self, selection: &Selection, preflight: &Preflight, started: Instant) -> Result<TakeReport> {
        let mut folder = PartialFolder::create(&self.settings.root, self.request.now)?;
        let verification = Verification::begin(self, preflight, selection.kind);
        let (mut restarts, clock) = (0, Instant::now());
        let done = loop {
            self.check_cancelled()?;
            let attempt = Attempt { job: self, selection, preflight, restarts, folder: folder.place() };
            match attempt.run().await {
                Ok(done) => break done,
                Err(DumpFailure::SchemaChanged(why))
                    if restarts < RESTARTS_MIN || clock.elapsed() < self.settings.lock_wait =>
                {
                    restarts += 1;
                    self.monitor.warn(
                        "started_over",
                        format!("the schema changed while it was read, starting over ({restarts}): {why}"),
                        None,
                    );
                    folder.empty()?;
                    self.pause((PAUSE * restarts).min(PAUSE_MAX)).await?;
                }
                Err(DumpFailure::SchemaChanged(why)) => {
                    return Err(Failure::msg(
                        FailureKind::Locked,
                        format!("DDL changed the schema while it was read, {restarts} times in a row: {why}"),
                    )
                    .hint("wait until the migration is done and run the same command again")
                    .hint("or let it retry for longer: --lock-wait 10m"));
                }
                Err(DumpFailure::Stopped) => {
                    self.check_cancelled()?;
                    return Err(Failure::msg(FailureKind::Failed, "the run was stopped"));
                }
                Err(DumpFailure::Other(failure)) => return Err(self.explained(failure, preflight).await),
            }
        };
        self.check_cancelled()?;
        let mut draft = record::draft(self, selection, preflight, &done, folder.name())?;
        // From here on, a stop ends the verification early; the snapshot is still sealed.
        let (verified, gaps) = verification.finish(self, folder.place(), &draft, &done).await;
        record::add_verification(&mut draft, verified, gaps);
        let clock = Instant::now();
        self.monitor.event(Event::PhaseStarted { phase: Phase::Seal, bytes_total: None });
        let draft = record::written(draft, selection, &done, started.elapsed())?;
        let label = self.request.label.as_ref();
        let sealed = seal(&self.settings.root, &done.sink, draft, label, self.monitor)?;
        folder.keep();
        let summary = format!("{} files", sealed.manifest.artifacts.len());
        let duration_ms = millis(clock.elapsed());
        self.monitor.event(Event::PhaseEnded { phase: Phase::Seal, summary, duration_ms });
        Ok(record::report(&sealed, millis(started.elapsed())))
    }

    /// Adds the names of objects whose text is not valid UTF-8.
    async fn explained(&self, failure: Failure, preflight: &Preflight) -> Failure {
        if preflight.facts.encoding != "SQL_ASCII" {
            return failure;
        }
        match Session::open(self.source, &self.application_name).await {
            Ok(session) => not_utf8::explained(failure, &session).await,
            Err(_) => failure,
        }
    }

    /// Waits for the server until `work` is done or the run is cancelled.
    async fn or_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = work => result,
            _ = self.cancel.cancelled() => Err(self.cancelled()),
        }
    }

    async fn pause(&self, duration: Duration) -> Result<()> {
        let over = async {
            tokio::time::sleep(duration).await;
            Ok(())
        };
        self.or_cancelled(over).await
    }

    fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(self.cancelled()) } else { Ok(()) }
    }

    fn cancelled(&self) -> Failure {
        let reason = self.cancel.reason().unwrap_or(crate::model::cancel::CancelReason::Terminated);
        Failure::msg(reason.failure_kind(), format!("{}; nothing was kept", reason.sentence()))
    }
}

/// The settings that collectors use.
fn collect_settings(settings: &Settings) -> CollectSettings {
    CollectSettings {
        project_dir: settings.project_dir.clone(),
        storage_dir: settings.storage_dir.clone(),
        user_role_tables: settings.user_role_tables.clone(),
        encryption_functions: settings.encryption_functions.clone(),
        keep_sessions: settings.keep_sessions,
        seal: match (&settings.seal, &settings.seal_passphrase) {
            (Some(config::SealSetting::Recipients(keys)), _) => Some(SealTo::Recipients(keys.clone())),
            (Some(config::SealSetting::Passphrase(_)), Some(secret)) => Some(SealTo::Passphrase(secret.clone())),
            _ => None,
        },
    }
}
