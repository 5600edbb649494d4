//! `create --verify schema`: before the snapshot is sealed, restore's engine restores everything but rows into a
//! throw-away cluster. Every failure is a named gap.
//!
//! Invariant: no function of the source runs (see `restore::only_schema`) and no row is loaded. It reads the folder
//! that is being written and what is in memory, never the source, whose snapshot is released before. If the
//! verification cannot finish, the reason is recorded and the snapshot is still sealed. The cluster is removed however
//! this ends.

mod decision;
mod findings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use decision::{Foreseen, Wanted, foreseen, wanted};

use super::Job;
use super::attempt::AttemptDone;
use super::preflight::Preflight;
use crate::config::Settings;
use crate::model::cancel::{Cancel, CancelReason};
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::model::manifest::{Manifest, SnapshotKind};
use crate::model::name::{ident, visible};
use crate::model::restore::RestoreRequest;
use crate::model::schema_verification::{SchemaOutcome, SchemaVerification};
use crate::monitor::{Event, Monitor, Phase, millis};
use crate::ops::drill::place;
use crate::pg::session::Session;
use crate::pgtools::client::SearchPlaces;
use crate::pgtools::cluster::settings::Locale;
use crate::pgtools::cluster::{Cluster, ClusterRequest};
use crate::pgtools::toc::Toc;
use crate::restore::parts::vault::Vault;
use crate::restore::source::SnapshotSource;
use crate::restore::{Done, Engine, ONLY_SCHEMA_SERVER_MIN};
use findings::Findings;

/// The snapshot waits for the verification, so it is given up after this time.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// The engine's own connections, and one that cancels a statement.
const CONNECTIONS: u32 = 4;
const LOCK_WAIT_MS: u64 = 60_000;
/// The first server with `allow_in_place_tablespaces`.
const IN_PLACE_TABLESPACES: u32 = 15;

/// A verification in progress: the throw-away cluster is created while the source is read.
pub struct Verification {
    starting: Option<JoinHandle<Result<Cluster>>>,
    /// Stops the cluster and the restore. It has its own, because the snapshot goes on without the verification.
    cancel: Cancel,
    requested: bool,
    /// Why the schema will not be verified.
    left: Option<String>,
}

impl Verification {
    /// Decides, and starts to create the cluster in the background.
    pub(super) fn begin(job: &Job<'_>, preflight: &Preflight, kind: SnapshotKind) -> Self {
        let none = |requested, why| Self { starting: None, cancel: Cancel::new(), requested, left: Some(why) };
        let requested = match wanted(job.settings.verify, kind) {
            Wanted::No(why) => return none(false, why.to_string()),
            Wanted::Asked => true,
            Wanted::WhereItCan => false,
        };
        let facts = &preflight.facts;
        let request = ClusterRequest {
            programs: programs(job.settings),
            parents: parents(job.settings),
            source_version_num: facts.server_version_num,
            superuser: preflight.bootstrap_role.clone(),
            locale: Locale::parse(&facts.encoding, &facts.locale),
            data_bytes: 0,
            connections: CONNECTIONS,
        };
        let cancel = Cancel::new();
        let for_thread = cancel.clone();
        let start = move || start(&request, requested, &for_thread);
        match std::thread::Builder::new().name("throw-away cluster".to_string()).spawn(start) {
            Ok(starting) => Self { starting: Some(starting), cancel, requested, left: None },
            Err(e) => none(requested, format!("no thread could be started: {e}")),
        }
    }

    /// Restores and returns the result. `manifest` is the draft, `place` its folder.
    pub(super) async fn finish(
        mut self,
        job: &Job<'_>,
        place: &Path,
        manifest: &Manifest,
        done: &AttemptDone,
    ) -> (SchemaVerification, Vec<Gap>) {
        let Some(toc) = done.archive.as_ref().map(|archive| archive.toc.clone()) else {
            return (SchemaVerification::not_verified(false, "there is no archive to restore"), Vec::new());
        };
        if let Some(why) = self.left.take() {
            return (SchemaVerification::not_verified(self.requested, why), Vec::new());
        }
        let clock = Instant::now();
        job.monitor.event(Event::PhaseStarted { phase: Phase::Verify, bytes_total: None });
        let inventory = done.catalogs.inventory.clone();
        let source = SnapshotSource::new(place, manifest.clone(), inventory, toc).only_schema();
        let outcome = tokio::select! {
            biased;
            outcome = self.rehearse(job, &source) => outcome,
            reason = job.cancel.cancelled() => Err(Failure::msg(reason.failure_kind(), reason.sentence())),
            () = tokio::time::sleep(LIMIT) => {
                let text = format!("it was not finished after {} minutes", LIMIT.as_secs() / 60);
                Err(Failure::msg(FailureKind::NotProven, text))
            }
        };
        let (mut record, gaps) = match outcome {
            Ok(found) => self.record(found, &source),
            Err(failure) => (SchemaVerification::not_verified(self.requested, why(&failure)), Vec::new()),
        };
        record.duration_ms = millis(clock.elapsed());
        let (summary, duration_ms) = (visible(&record.sentence()), record.duration_ms);
        job.monitor.event(Event::PhaseEnded { phase: Phase::Verify, summary, duration_ms });
        (record, gaps)
    }

    fn record(&self, found: Findings, source: &SnapshotSource) -> (SchemaVerification, Vec<Gap>) {
        let record = SchemaVerification {
            outcome: if found.gaps.is_empty() { SchemaOutcome::Verified } else { SchemaOutcome::Gaps },
            requested: self.requested,
            server_version: Some(found.server_version),
            duration_ms: 0,
            objects: source.inventory.objects.len() as u64,
            reason: None,
            not_tried: found.not_tried,
        };
        (record, found.gaps)
    }

    /// Restores and classifies what failed. The cluster is removed at the end. An error proves nothing about the
    /// snapshot.
    async fn rehearse(&mut self, job: &Job<'_>, source: &SnapshotSource) -> Result<Findings> {
        let cluster = self.cluster().await?;
        let facts = &source.manifest.source;
        let database = place::database(&cluster, &facts.database).await?;
        let spec = cluster.connection(&database);
        tablespaces(&spec, &source.toc, cluster.server.major).await?;
        let quiet = Quiet(job.monitor);
        let restored = restore(source, &spec, job, &quiet, &self.cancel).await;
        let mut found = Findings::new(cluster.server.version_short(), source);
        match restored {
            Ok(done) => found.done(&done),
            Err(failure) => found.failed(failure)?,
        }
        Ok(found)
    }

    async fn cluster(&mut self) -> Result<Cluster> {
        while self.starting.as_ref().is_some_and(|thread| !thread.is_finished()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let thread = self.starting.take().map(JoinHandle::join);
        thread.and_then(|joined| joined.ok()).unwrap_or_else(|| {
            Err(Failure::msg(FailureKind::NotProven, "the thread that creates the throw-away cluster failed"))
        })
    }
}

impl Drop for Verification {
    /// Waits until a cluster that is no longer needed is removed.
    fn drop(&mut self) {
        self.cancel.cancel(CancelReason::Terminated);
        if let Some(starting) = self.starting.take() {
            let _ = starting.join();
        }
    }
}

/// Runs on a thread of its own. By default it accepts only a server that can do no harm.
fn start(request: &ClusterRequest, requested: bool, cancel: &Cancel) -> Result<Cluster> {
    let prospect = match foreseen(&request.programs, request.source_version_num, requested) {
        Foreseen::Server(prospect) => prospect,
        Foreseen::OnRequest(why) => return Err(Failure::msg(FailureKind::NotProven, why)),
        Foreseen::None(failure) => return Err(failure),
    };
    if prospect.server.major < ONLY_SCHEMA_SERVER_MIN {
        let text = format!(
            "a throw-away server before PostgreSQL {ONLY_SCHEMA_SERVER_MIN} cannot keep functions from running"
        );
        return Err(Failure::msg(FailureKind::NotProven, text));
    }
    Cluster::start_found(request, &prospect, cancel)
}

/// Where server programs may be; a drill searches the same folders.
fn programs(settings: &Settings) -> SearchPlaces {
    SearchPlaces { named: settings.pg_bin.clone(), path: settings.program_dirs.clone() }
}

/// Folders for the cluster, best first.
fn parents(settings: &Settings) -> Vec<PathBuf> {
    let usual = ["/tmp", "/var/tmp"].map(PathBuf::from);
    [settings.temp_dir.clone()].into_iter().chain(usual).chain([settings.root.clone()]).collect()
}

/// Creates the source's tablespaces in place, in the cluster's own folder. Servers before 15 cannot, so objects in a
/// tablespace fail there.
async fn tablespaces(spec: &ConnSpec, toc: &Toc, major: u32) -> Result<()> {
    let names = toc.entries.iter().filter_map(|e| e.tablespace.as_deref()).filter(|name| !name.is_empty());
    let names: BTreeSet<&str> = names.collect();
    if names.is_empty() || major < IN_PLACE_TABLESPACES {
        return Ok(());
    }
    let session = Session::open(spec, "stacksnap verify").await?;
    session.execute("SET allow_in_place_tablespaces = on").await?;
    for name in names {
        session.execute(&format!("CREATE TABLESPACE {} LOCATION ''", ident(name))).await?;
    }
    Ok(())
}

async fn restore(
    source: &SnapshotSource,
    target: &ConnSpec,
    job: &Job<'_>,
    monitor: &dyn Monitor,
    cancel: &Cancel,
) -> Result<Done> {
    let request = RestoreRequest::whole(job.request.now, 1, LOCK_WAIT_MS);
    let vault = Vault::default();
    let engine = Engine { source, vault: &vault, target, request: &request, monitor, cancel };
    let plan = engine.plan().await?;
    let (name, digest) = (plan.target.database.clone(), plan.digest.clone());
    // No confirmation: the cluster was created for this.
    engine.execute(&plan.confirm(&name, &digest)?).await
}

/// A failure in one line.
fn why(failure: &Failure) -> String {
    failure.to_string().replace('\n', " ")
}

/// Sends the engine's events to the log: this restore is part of a phase, and its warnings are about the throw-away
/// server.
struct Quiet<'a>(&'a dyn Monitor);

impl Monitor for Quiet<'_> {
    fn event(&self, event: Event) {
        if let Event::Note { message } | Event::Warning { message, .. } = event {
            self.0.note(format!("restoring the schema: {message}"));
        }
    }
}
