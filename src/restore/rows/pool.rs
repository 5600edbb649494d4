//! The parallel phase of a restore into an empty target: rows, indexes and constraints over several connections.
//!
//! Invariant: a table's rows are loaded before anything is built on them; the schedule never lets two connections wait
//! for each other's locks. A failed load or a lost connection ends the phase, a failed build only what depends on it.
//! When the phase ends early, nothing of it keeps running on the server. The caller decides whether a failure matters.
//!
//! Example: two connections; table `a` (40 MB) with a primary key, table `b` (30 MB) with an index and a foreign key to
//! `a`. The most urgent work starts first, and only when it can take all its locks at once:
//! ```text
//! connection 1 | load a            | ADD PRIMARY KEY (locks a) | ADD FOREIGN KEY (locks a and b)
//! connection 2 | load b       | CREATE INDEX (shares b)  | idle
//! ```
//! The foreign key depends on the rows of both tables and on the primary key. The index is not a dependency, but it
//! shares `b` and the foreign key needs `b` alone, so the foreign key waits for it too.

mod progress;
pub mod schedule;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::around::is_refusal;
use super::load::{LoadTask, Loaded, cancelled, load_one, load_split};
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::QualifiedName;
use crate::monitor::Monitor;
use crate::pg::session::Session;
use progress::Progress;
use schedule::{SPLIT_BYTES, Schedule, Work};

/// `application_name` of the connections in `pg_stat_activity`.
const APPLICATION: &str = "stacksnap restore";
/// A restore that is lost can be started again, so no commit waits for the disk. Index builds sort in
/// `maintenance_work_mem`.
const SETTINGS: &str = "SET synchronous_commit = off; SELECT pg_catalog.set_config(name, '256MB', false) \
    FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem' AND setting::int8 < 262144";
/// PostgreSQL 14 and later: a statement ends soon after its client is gone. Not every operating system supports it.
const NOTICE_LOSS: &str = "SET client_connection_check_interval = '1s'";
/// Below this size the TRUNCATE that FREEZE requires costs more than FREEZE saves.
const FREEZE_BYTES: u64 = 1 << 20;
/// How long to wait while ending our remaining server processes.
const END_LIMIT: Duration = Duration::from_millis(700);

/// Something to build once its rows are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildTask {
    pub dump_id: i64,
    /// Name for messages.
    pub what: String,
    /// Run in order; in one transaction if there are several.
    pub statements: Vec<String>,
    /// Dump ids of builds that come first. Ids without a build count as done.
    pub needs: Vec<i64>,
    /// Every table that the statements lock.
    pub tables: Vec<QualifiedName>,
    /// May run at the same time as other shared builds on the same table (CREATE INDEX), but not with a load or an
    /// ALTER TABLE.
    pub shared: bool,
    /// Tables whose rows must be loaded first. Tables without a load count as loaded.
    pub after_rows: Vec<QualifiedName>,
    /// Cost, in the unit of a load's `bytes_raw`.
    pub weight: u64,
}

/// A build that failed or was not tried.
#[derive(Debug)]
pub struct BuildFailure {
    pub dump_id: i64,
    pub what: String,
    pub failure: Failure,
}

/// A load that the server refused, of a task that may fail. The table is empty.
#[derive(Debug)]
pub struct LoadFailure {
    pub table: QualifiedName,
    pub failure: Failure,
}

/// What the phase did.
#[derive(Debug, Default)]
pub struct PoolDone {
    pub rows: u64,
    pub bytes: u64,
    /// Statements of builds that succeeded.
    pub statements: u64,
    pub failed: Vec<BuildFailure>,
    pub failed_loads: Vec<LoadFailure>,
}

/// Runs the whole phase over `jobs` connections, or as many as the server accepts. Each connection runs `setup` first
/// (role, `session_replication_role`, timeouts); it overrides the settings made here. Commits do not wait for the disk:
/// the caller's next ordinary commit makes all of it durable.
///
/// # Errors
/// A lost or refused connection, a load that failed and may not, or `cancel`. What is committed by then stays.
pub async fn run(
    spec: &ConnSpec,
    setup: &[String],
    loads: Vec<LoadTask>,
    builds: Vec<BuildTask>,
    jobs: usize,
    monitor: &dyn Monitor,
    cancel: &Cancel,
) -> Result<PoolDone> {
    if loads.is_empty() && builds.is_empty() {
        return Ok(PoolDone::default());
    }
    let useful = if loads.iter().any(|l| l.bytes_raw >= SPLIT_BYTES) { jobs } else { loads.len() + builds.len() };
    let sessions = tokio::select! {
        biased;
        reason = cancel.cancelled() => return Err(cancelled(reason)),
        sessions = open(spec, setup, jobs.min(useful).max(1), monitor) => sessions?,
    };
    let schedule = Schedule::new(&loads, &builds, sessions.len());
    let context = Context { loads: &loads, builds: &builds, progress: Progress::new(&loads, monitor), cancel };
    let mut phase =
        Running { context: &context, schedule, idle: sessions, busy: BTreeMap::new(), done: PoolDone::default() };
    context.progress.phase_started();
    let mut working = FuturesUnordered::new();
    loop {
        while let Some((work, sessions)) = phase.start() {
            working.push(perform(&context, work, sessions));
        }
        let finished = tokio::select! {
            biased;
            reason = cancel.cancelled() => Err(cancelled(reason)),
            next = working.next() => match next {
                None => break,
                Some(finished) => phase.ended(finished),
            },
        };
        if let Err(failure) = finished {
            end_on_server(spec, &phase.busy).await;
            return Err(failure);
        }
    }
    drop(working);
    let Running { schedule, mut done, .. } = phase;
    for index in schedule.stuck() {
        done.failed.push(not_tried(&builds[index], "its dependencies form a cycle"));
    }
    context.progress.phase_ended(&done);
    Ok(done)
}

/// What all running work shares.
struct Context<'a> {
    loads: &'a [LoadTask],
    builds: &'a [BuildTask],
    progress: Progress<'a>,
    cancel: &'a Cancel,
}

/// The phase while it runs.
struct Running<'a> {
    context: &'a Context<'a>,
    schedule: Schedule,
    idle: Vec<Session>,
    /// Backend pids at work; several for a table that is loaded in parts.
    busy: BTreeMap<i32, ()>,
    done: PoolDone,
}

/// A piece of work that ended, with its connections.
struct Finished {
    work: Work,
    sessions: Vec<Session>,
    result: Result<Loaded>,
}

impl Running<'_> {
    /// Takes the next piece of work and its connections.
    fn start(&mut self) -> Option<(Work, Vec<Session>)> {
        let work = self.schedule.next(self.idle.len())?;
        let count = if let Work::Load { streams, .. } = work { streams } else { 1 };
        let sessions = self.idle.split_off(self.idle.len() - count);
        self.busy.extend(sessions.iter().map(|s| (s.backend_pid, ())));
        Some((work, sessions))
    }

    /// Records what ended. An error ends the phase.
    fn ended(&mut self, finished: Finished) -> Result<()> {
        let Finished { work, sessions, result } = finished;
        let lost = sessions.iter().any(Session::is_closed);
        for session in sessions {
            self.busy.remove(&session.backend_pid);
            self.idle.push(session);
        }
        match (work, result) {
            (Work::Load { index, .. }, Ok(loaded)) => {
                self.done.rows += loaded.rows;
                self.done.bytes += loaded.bytes;
                self.schedule.load_done(index);
                if self.schedule.loads_done() {
                    self.context.progress.loads_done(&self.done);
                }
            }
            (Work::Load { index, .. }, Err(failure)) => {
                let task = &self.context.loads[index];
                if lost || !task.may_fail || !is_refusal(&failure) {
                    return Err(failure);
                }
                // What depends on these rows is not built either: a key on an empty table would count as validated.
                for (dependent, _) in self.schedule.load_failed(index) {
                    let why = format!("the rows of {} were not loaded", task.table.sql());
                    self.done.failed.push(not_tried(&self.context.builds[dependent], &why));
                }
                self.done.failed_loads.push(LoadFailure { table: task.table.clone(), failure });
                if self.schedule.loads_done() {
                    self.context.progress.loads_done(&self.done);
                }
            }
            (Work::Build { index }, Ok(_)) => {
                self.done.statements += self.context.builds[index].statements.len() as u64;
                self.schedule.build_done(index);
            }
            (Work::Build { index }, Err(failure)) => {
                let build = &self.context.builds[index];
                // The client may notice a lost connection only a moment later.
                if lost || failure.kind == FailureKind::Unreachable {
                    return Err(failure.context(format!("{} was not built", build.what)));
                }
                self.done.failed.push(BuildFailure { dump_id: build.dump_id, what: build.what.clone(), failure });
                for (dependent, cause) in self.schedule.build_failed(index) {
                    let why = format!("it needs {}", self.context.builds[cause].what);
                    self.done.failed.push(not_tried(&self.context.builds[dependent], &why));
                }
            }
        }
        Ok(())
    }
}

fn not_tried(build: &BuildTask, why: &str) -> BuildFailure {
    let failure = Failure::msg(FailureKind::Failed, format!("not tried: {why}"));
    BuildFailure { dump_id: build.dump_id, what: build.what.clone(), failure }
}

/// Opens the connections. The first must succeed; if the server refuses others, the phase runs with fewer.
async fn open(spec: &ConnSpec, setup: &[String], jobs: usize, monitor: &dyn Monitor) -> Result<Vec<Session>> {
    let one = || async {
        let session = Session::open(spec, APPLICATION).await?;
        session.execute(SETTINGS).await?;
        if session.version_num >= 140_000 {
            // Refused where the operating system cannot detect a closed connection: then a statement runs to its end.
            let _ = session.execute(NOTICE_LOSS).await;
        }
        for sql in setup {
            session.execute(sql).await?;
        }
        Ok::<Session, Failure>(session)
    };
    let mut sessions = vec![one().await?];
    for other in join_all((1..jobs).map(|_| one())).await {
        match other {
            Ok(session) => sessions.push(session),
            Err(failure) => monitor.note(format!("continuing with one connection less: {failure}")),
        }
    }
    Ok(sessions)
}

async fn perform(context: &Context<'_>, work: Work, sessions: Vec<Session>) -> Finished {
    let result = match work {
        Work::Load { index, .. } => {
            let task = &context.loads[index];
            let loaded = load(context, task, &sessions).await;
            if loaded.is_err() && task.may_fail {
                // Roll back the failed load, so that the connections can be used again.
                for session in &sessions {
                    let _ = session.execute("ROLLBACK").await;
                }
            }
            loaded
        }
        Work::Build { index } => build(&context.builds[index], &sessions).await.map(|()| Loaded::default()),
    };
    Finished { work, sessions, result }
}

async fn load(context: &Context<'_>, task: &LoadTask, sessions: &[Session]) -> Result<Loaded> {
    let table = context.progress.table(task);
    let sent = AtomicU64::new(0);
    let progress = |bytes| table.sent(sent.fetch_add(bytes, Ordering::Relaxed) + bytes, bytes);
    let loaded = match sessions {
        [session] if task.freeze && task.bytes_raw >= FREEZE_BYTES && emptied(session, task).await? => {
            let loaded = load_one(session, task, context.cancel, &progress).await?;
            session.execute("COMMIT").await?;
            loaded
        }
        [session] => {
            let task = LoadTask { freeze: false, ..task.clone() };
            load_one(session, &task, context.cancel, &progress).await?
        }
        several => {
            let several: Vec<&Session> = several.iter().collect();
            load_split(&several, task, context.cancel, &progress).await?
        }
    };
    table.ended(loaded);
    Ok(loaded)
}

/// COPY FREEZE requires that the table was created or truncated in the same transaction. A role that may not TRUNCATE
/// loads without FREEZE.
async fn emptied(session: &Session, task: &LoadTask) -> Result<bool> {
    match session.execute(&format!("BEGIN; TRUNCATE ONLY {}", task.table.sql())).await {
        Ok(()) => Ok(true),
        Err(failure) if session.is_closed() => Err(failure),
        Err(_) => session.execute("ROLLBACK").await.map(|()| false),
    }
}

async fn build(task: &BuildTask, sessions: &[Session]) -> Result<()> {
    let [session, ..] = sessions else { return Err(Failure::msg(FailureKind::Failed, "no connection to build with")) };
    let together = task.statements.len() > 1;
    let work = async {
        if together {
            session.execute("BEGIN").await?;
        }
        for statement in &task.statements {
            session.execute(statement).await?;
        }
        if together { session.execute("COMMIT").await } else { Ok(()) }
    };
    let result = work.await;
    if result.is_err() && together && !session.is_closed() {
        session.execute("ROLLBACK").await?;
    }
    result
}

/// Terminates our backends that are at work, so that no index build goes on without a client.
async fn end_on_server(spec: &ConnSpec, busy: &BTreeMap<i32, ()>) {
    let pids: Vec<i32> = busy.keys().copied().collect();
    let end = async {
        let session = Session::open(spec, APPLICATION).await?;
        let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
                   WHERE pid = ANY ($1) AND datname = pg_catalog.current_database() AND application_name = $2";
        session.rows(sql, &[&pids, &APPLICATION]).await.map(drop)
    };
    if !pids.is_empty() {
        // If this fails, they end when they notice that the client is gone.
        let _ = tokio::time::timeout(END_LIMIT, end).await;
    }
}
