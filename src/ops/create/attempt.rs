//! One attempt to read the source at one instant: export the snapshot, read the catalogs alongside pg_dump, derive,
//! collect.
//!
//! Invariant: everything in an attempt shows the same exported snapshot. The session that holds that snapshot outlives
//! every reader; when it dies, or the run is cancelled, pg_dump and every thread end before this returns.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, block_in_place};

use super::catalogs;
use super::catalogs::CatalogFacts;
use super::collectors::CollectorResults;
use super::computed;
use super::dump;
use super::dump::{ArchiveOrder, ArchiveResult, ArchiveState};
use super::dump_failure::DumpFailure;
use super::gate;
use super::gate::Gate;
use super::preflight::Preflight;
use super::selection::Selection;
use super::wanted::Wanted;
use super::{Job, collect_settings, millis, queue};
use crate::collect::context::{CollectSettings, Collector, Context, Stage};
use crate::collect::files_marker::files_marker;
use crate::collect::registry;
use crate::model::category::Category;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::monitor::{Event, Phase};
use crate::pg::catalog::marks::{Marks, marks};
use crate::pg::session::Session;
use crate::pg::snapshot::{ExportedSnapshot, SnapshotHolder};
use crate::pgtools::dump::DumpOrder;
use crate::pgtools::environment::LibpqEnvironment;
use crate::snapshot::layout;
use crate::snapshot::reader::{ArchiveData, DataFile};
use crate::snapshot::sink::ArtifactSink;

/// Our lock_timeout is longer than pg_dump's, so that pg_dump gives up first: its error names the table.
const AFTER_PG_DUMP: Duration = Duration::from_secs(5);

/// The input of one attempt.
pub struct Attempt<'a> {
    pub job: &'a Job<'a>,
    pub selection: &'a Selection,
    pub preflight: &'a Preflight,
    pub restarts: u32,
    pub folder: &'a Path,
}

/// The result of an attempt that came to its end.
pub struct AttemptDone {
    pub exported: ExportedSnapshot,
    pub restarts: u32,
    pub jobs: u32,
    pub catalogs: CatalogFacts,
    pub archive: Option<ArchiveResult>,
    pub harvest: CollectorResults,
    pub sink: ArtifactSink,
    /// Write counters, read before the snapshot was exported.
    pub counters_sha256: String,
    /// Marks of the tables, read before the snapshot was exported too.
    pub marks: Marks,
    /// Hash of the files to copy, computed before they were copied.
    pub files_sha256: String,
}

/// The sessions of one attempt, and where their results go.
struct Reading<'r> {
    /// Reads under the snapshot, and holds the locks of `gate`.
    session: &'r Session,
    /// Outside of any transaction: sees what other sessions do meanwhile.
    plain: &'r Session,
    gate: &'r Gate,
    state: &'r Arc<ArchiveState>,
    sink: &'r ArtifactSink,
}

impl Attempt<'_> {
    /// Runs the attempt. `SchemaChanged` means: start over with a new snapshot.
    pub async fn run(&self) -> Result<AttemptDone, DumpFailure> {
        let job = self.job;
        let plain = job.or_cancelled(Session::open(job.source, &job.application_name)).await?;
        let counters_sha256 = job.or_cancelled(crate::pg::catalog::marker::counters(&plain)).await?;
        let marks = job.or_cancelled(marks(&plain)).await?;
        let tables = job.or_cancelled(gate::tables(&plain)).await?;
        // Opened before the snapshot is exported, to keep the time between the snapshot and the locks short.
        let session = job.or_cancelled(Session::open(job.source, &job.application_name)).await?;
        let holder = job.or_cancelled(SnapshotHolder::export(job.source, &job.application_name)).await?;
        session.enter(&holder.exported).await?;
        let gate = Gate::close(&session, tables.as_deref()).await?;
        // Deparsing locks relations. Behind DDL that waits for pg_dump, our query would wait until pg_dump ends.
        let patience = job.settings.lock_wait + AFTER_PG_DUMP;
        session.execute(&format!("SET LOCAL lock_timeout = {}", patience.as_millis())).await?;
        let files_sha256 = files_marker(&collect_settings(job.settings));
        let sink = ArtifactSink::new(self.folder);
        let state = Arc::new(ArchiveState::default());
        let _stoppers = [stop_on_cancel(job, &state), stop_on_death(&holder, &state)];
        let mut harvest = CollectorResults::default();
        let reading = Reading { session: &session, plain: &plain, gate: &gate, state: &state, sink: &sink };
        let result = self.read(&reading, &holder, &mut harvest).await;
        let closed = session.is_closed() && plain.is_closed();
        let lost = holder.death().or_else(|| closed.then(|| "the server closed the connections".to_string()));
        if let Some(why) = lost.filter(|_| result.is_err() && !job.cancel.is_cancelled()) {
            let text = format!("the session that held the snapshot was lost: {why}");
            return Err(DumpFailure::Other(
                Failure::msg(FailureKind::Unreachable, text)
                    .hint("is the server up? nothing was kept; run the same command again"),
            ));
        }
        let (catalogs, archive) = result?;
        Ok(AttemptDone {
            exported: holder.exported.clone(),
            restarts: self.restarts,
            jobs: self.jobs(),
            catalogs,
            archive,
            harvest,
            sink,
            counters_sha256,
            marks,
            files_sha256,
        })
    }

    async fn read(
        &self,
        reading: &Reading<'_>,
        holder: &SnapshotHolder,
        harvest: &mut CollectorResults,
    ) -> Result<(CatalogFacts, Option<ArchiveResult>), DumpFailure> {
        let job = self.job;
        let Reading { session, plain, gate, state, sink } = *reading;
        let order = if self.selection.needs_archive() { Some(self.dump_order(reading, holder).await?) } else { None };
        let environment =
            LibpqEnvironment::new(&self.preflight.dump.spec, &job.application_name, &job.settings.temp_dir)?;
        let handle = Handle::current();
        let (archive, catalogs) = block_in_place(|| {
            std::thread::scope(|scope| {
                let archive = order.map(|order| {
                    let environment = &environment;
                    scope.spawn(move || self.archive(environment, order, state, sink))
                });
                let has_archive = archive.is_some();
                let catalogs = handle.block_on(async {
                    tokio::select! {
                        facts = self.catalogs(reading, harvest, has_archive) => match facts {
                            Ok(facts) => Ok(facts),
                            Err(failure) => {
                                Err(catalogs::judged(catalogs::schema_changed(failure, state), job, plain, holder).await)
                            }
                        },
                        never = queue::watch(plain, &job.application_name, job.monitor) => match never {},
                        why = gate.schema_changed(plain, &job.application_name, session.backend_pid, state) => {
                            Err(DumpFailure::SchemaChanged(why))
                        }
                        // A catalog query may wait for the same lock that pg_dump gave up on.
                        () = catalogs::until_stopped(state) => Err(DumpFailure::Stopped),
                        _ = job.cancel.cancelled() => Err(DumpFailure::Stopped),
                    }
                });
                if catalogs.is_err() {
                    state.stop();
                }
                (archive.map(|a| self.joined(a, plain, &handle)).transpose(), catalogs)
            })
        });
        // pg_dump's error comes first, except `Stopped`: then the other side has the reason.
        let (archive, catalogs) = match (archive, catalogs) {
            (Err(DumpFailure::Stopped), Err(failure)) | (Ok(_), Err(failure)) => return Err(failure),
            // Once its table of contents is written, pg_dump has read everything that DDL can drop: its error is final.
            (Err(failure), _) if state.toc().is_some() => return Err(failure),
            (Err(failure), _) => return Err(catalogs::judged(failure, job, plain, holder).await),
            (Ok(archive), Ok(catalogs)) => (archive, catalogs),
        };
        if let Some(archive) = &archive {
            catalogs::check_drift_of_rows(session, plain).await?;
            computed::check_same_rows(&catalogs.computed, archive)?;
        }
        self.collect_from_archive(session, &catalogs, archive.as_ref(), sink, harvest).await?;
        Ok((catalogs, archive))
    }

    /// Waits for the archive's thread and meanwhile reports lock queues.
    fn joined(
        &self,
        archive: std::thread::ScopedJoinHandle<'_, Result<ArchiveResult, DumpFailure>>,
        plain: &Session,
        handle: &Handle,
    ) -> Result<ArchiveResult, DumpFailure> {
        handle.block_on(async {
            let done = async {
                while !archive.is_finished() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                () = done => {}
                never = queue::watch(plain, &self.job.application_name, self.job.monitor) => match never {},
            }
        });
        archive.join().unwrap_or_else(|_| Err(DumpFailure::other("the archive's thread failed")))
    }

    fn jobs(&self) -> u32 {
        // A parallel pg_dump dies when an ALTER TABLE queues behind its first lock; a single one does not.
        let machine =
            u32::try_from(std::thread::available_parallelism().map_or(2, std::num::NonZero::get)).unwrap_or(2);
        let asked = self.job.settings.jobs.unwrap_or(if self.job.request.background { 1 } else { machine.min(4) });
        if self.restarts > 0 { 1 } else { asked }
    }

    /// The options of pg_dump, and whether readable files are compressed.
    async fn dump_order(
        &self,
        reading: &Reading<'_>,
        holder: &SnapshotHolder,
    ) -> Result<(DumpOrder, bool), DumpFailure> {
        let database_bytes = self.preflight.facts.database_bytes;
        let wanted = Wanted::of(self.selection, database_bytes, reading.session, reading.gate).await?;
        let order = DumpOrder {
            folder: self.folder.join(layout::DUMP_DIR),
            exported_snapshot: holder.exported.id.clone(),
            jobs: self.jobs(),
            lock_wait: self.job.settings.lock_wait,
            tables: wanted.tables,
            exclude_data: wanted.exclude_data,
            encoding: (self.preflight.facts.encoding != "SQL_ASCII").then(|| "UTF8".to_string()),
        };
        Ok((order, wanted.compressed))
    }

    fn archive(
        &self,
        environment: &LibpqEnvironment,
        (dump, compressed): (DumpOrder, bool),
        state: &ArchiveState,
        sink: &ArtifactSink,
    ) -> Result<ArchiveResult, DumpFailure> {
        let clock = Instant::now();
        let bytes_total = Some(self.preflight.facts.database_bytes);
        self.job.monitor.event(Event::PhaseStarted { phase: Phase::Dump, bytes_total });
        let order = ArchiveOrder {
            client: &self.preflight.client,
            environment,
            threads: dump.jobs.max(1) as usize,
            dump,
            codec: self.preflight.codec,
            csv: self.selection.has(Category::Csv),
            readable_sql: self.selection.has(Category::ReadableSql),
            compressed,
        };
        let result = dump::run(&order, state, sink, self.job.monitor)?;
        let rows: u64 = result.tables.iter().map(|t| t.fingerprint.rows).sum();
        let packed = if compressed { ", readable SQL and CSV compressed (.zst)" } else { "" };
        let summary = format!("{} tables, {rows} rows{packed}", result.tables.len());
        self.job.monitor.event(Event::PhaseEnded { phase: Phase::Dump, summary, duration_ms: millis(clock.elapsed()) });
        Ok(result)
    }

    /// Reads the catalogs, then checks that no object changed meanwhile.
    async fn catalogs(
        &self,
        reading: &Reading<'_>,
        harvest: &mut CollectorResults,
        has_archive: bool,
    ) -> Result<CatalogFacts, DumpFailure> {
        let Reading { session, gate, state, sink, .. } = *reading;
        let clock = Instant::now();
        self.job.monitor.event(Event::PhaseStarted { phase: Phase::Catalogs, bytes_total: None });
        let client_major = self.preflight.client.major;
        let settings = collect_settings(self.job.settings);
        let (files, database): (Vec<&Collector>, Vec<&Collector>) = registry::ALL
            .iter()
            .filter(|c| c.stage == Stage::Catalogs)
            .partition(|c| matches!(c.category, Category::EdgeFunctions | Category::Migrations | Category::Project));
        let mut facts = catalogs::read(session, client_major, self.selection).await?;
        let context = self.context(session, &facts, &settings, sink, None);
        harvest.run(&context, self.selection, &database).await?;
        catalogs::look(session, self.selection, &mut facts.inventory).await?;
        if has_archive {
            catalogs::wait_for_locks(state).await?;
        }
        let fresh = Session::open(self.job.source, &self.job.application_name).await?;
        catalogs::check_drift(session, &fresh).await?;
        facts.computed = computed::read(session, &facts.inventory, self.selection, self.preflight.codec, sink).await?;
        gate.open(session).await?;
        let context = self.context(session, &facts, &settings, sink, None);
        drop(fresh);
        harvest.run(&context, self.selection, &files).await?;
        let summary = format!("{} objects, {} tables", facts.inventory.objects.len(), facts.inventory.tables.len());
        self.job.monitor.event(Event::PhaseEnded {
            phase: Phase::Catalogs,
            summary,
            duration_ms: millis(clock.elapsed()),
        });
        Ok(facts)
    }

    async fn collect_from_archive(
        &self,
        session: &Session,
        facts: &CatalogFacts,
        archive: Option<&ArchiveResult>,
        sink: &ArtifactSink,
        harvest: &mut CollectorResults,
    ) -> Result<(), DumpFailure> {
        let clock = Instant::now();
        self.job.monitor.event(Event::PhaseStarted { phase: Phase::Collect, bytes_total: None });
        let files: Vec<DataFile> =
            archive.map(|a| a.tables.iter().map(|t| t.data.clone()).collect()).unwrap_or_default();
        let data = ArchiveData { folder: self.folder.join(layout::DUMP_DIR), files };
        let settings = collect_settings(self.job.settings);
        let context = self.context(session, facts, &settings, sink, Some(&data));
        let late: Vec<&Collector> = registry::ALL.iter().filter(|c| c.stage == Stage::Archive).collect();
        tokio::select! {
            result = harvest.run(&context, self.selection, &late) => result?,
            _ = self.job.cancel.cancelled() => return Err(DumpFailure::Stopped),
        }
        let summary = format!("{} collectors", harvest.outcomes.len());
        self.job.monitor.event(Event::PhaseEnded {
            phase: Phase::Collect,
            summary,
            duration_ms: millis(clock.elapsed()),
        });
        Ok(())
    }

    fn context<'c>(
        &'c self,
        session: &'c Session,
        facts: &'c CatalogFacts,
        settings: &'c CollectSettings,
        sink: &'c ArtifactSink,
        archive: Option<&'c ArchiveData>,
    ) -> Context<'c> {
        Context {
            session,
            abilities: &self.preflight.abilities,
            inventory: &facts.inventory,
            settings,
            sink,
            archive,
            monitor: self.job.monitor,
        }
    }
}

/// Aborts its task when dropped.
struct Stopper(AbortHandle);

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn stop_on_cancel(job: &Job<'_>, state: &Arc<ArchiveState>) -> Stopper {
    let (cancel, state) = (job.cancel.clone(), Arc::clone(state));
    let task = tokio::spawn(async move {
        cancel.cancelled().await;
        state.stop();
    });
    Stopper(task.abort_handle())
}

fn stop_on_death(holder: &SnapshotHolder, state: &Arc<ArchiveState>) -> Stopper {
    let (mut death, state) = (holder.deaths(), Arc::clone(state));
    let task = tokio::spawn(async move {
        let _ = death.wait_for(Option::is_some).await;
        state.stop();
    });
    Stopper(task.abort_handle())
}
