//! Loads the rows of one restore inside its transaction: tables that were created, and tables whose rows differ.
//!
//! Invariant: a table is loaded from the archive's data file or not touched. Replaced rows are deleted in the same
//! transaction, without triggers and without a cascade (R37, R38). What is loaded is checked while it is sent.

mod blobs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::around;
use super::around::Filled;
use super::load::{LoadTask, Loaded};
use super::merge;
use super::policy::{Rows, decide, ends_logins};
use crate::model::failure::{Failure, Result};
use crate::model::left_out::{Instead, TABLE_DATA};
use crate::model::load_reason::LoadReason;
use crate::model::manifest::TableRecord;
use crate::model::name::{QualifiedName, visible};
use crate::model::restore::{ConflictPolicy, Exception, ObjectName, RestoreRequest, TableLoad, TargetKind};
use crate::monitor::{Event, Monitor, Phase};
use crate::pg::rows::fingerprint_table;
use crate::pg::session::Session;
use crate::restore::failures::leave_out;
use crate::restore::failures::leave_out::MayLack;
use crate::restore::failures::refusals::Refusal;
use crate::restore::source::SnapshotSource;
use crate::restore::sql::runner::Runner;
use crate::restore::target::scope::Scope;
use crate::snapshot::layout;
use crate::snapshot::reader::DataFile;

/// What to do with rows that the server refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Later,
    GoAround,
}

/// What a table or its rows had to give up.
#[derive(Debug, Clone)]
pub struct GivenUp {
    pub instead: Instead,
    pub refusal: Refusal,
}

/// The tables whose rows are restored.
pub struct Tables<'a> {
    source: &'a SnapshotSource,
    request: &'a RestoreRequest,
    monitor: &'a dyn Monitor,
    records: BTreeMap<QualifiedName, &'a TableRecord>,
    /// Login tables whose sessions end: emptied where the plan says so.
    logins: BTreeMap<QualifiedName, &'a TableRecord>,
    /// Tables that were loaded in this run.
    done: Mutex<BTreeSet<QualifiedName>>,
    rows: AtomicU64,
    bytes: AtomicU64,
    blobs_done: AtomicBool,
    /// The plan refreshes materialized views,
    refresh: AtomicBool,
    /// except these, which hold the right rows already.
    views_equal: Mutex<BTreeSet<QualifiedName>>,
    kept: Mutex<Vec<Exception>>,
    may_lack: MayLack,
    given_up: Mutex<BTreeMap<ObjectName, GivenUp>>,
    /// Delete what the target has and the snapshot does not.
    in_place: bool,
}

impl<'a> Tables<'a> {
    pub fn new(
        source: &'a SnapshotSource,
        scope: &Scope,
        request: &'a RestoreRequest,
        monitor: &'a dyn Monitor,
    ) -> Self {
        let facts = |record: &TableRecord| source.inventory.table(&record.name);
        let all = || source.manifest.tables.iter();
        let wanted = all().filter(|record| decide(record, facts(record), scope, request) == Rows::Load);
        let logins = all().filter(|record| ends_logins(record, facts(record), scope, request));
        Self {
            source,
            request,
            monitor,
            records: wanted.map(|record| (record.name.clone(), record)).collect(),
            logins: logins.map(|record| (record.name.clone(), record)).collect(),
            done: Mutex::new(BTreeSet::new()),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            blobs_done: AtomicBool::new(false),
            refresh: AtomicBool::new(false),
            views_equal: Mutex::new(BTreeSet::new()),
            kept: Mutex::new(Vec::new()),
            may_lack: MayLack::default(),
            given_up: Mutex::new(BTreeMap::new()),
            in_place: !matches!(scope.kind, TargetKind::FreshProject | TargetKind::Bare),
        }
    }

    /// The same, but allowed to leave out what `may_lack` allows.
    #[must_use]
    pub fn that_may_lack(self, may_lack: MayLack) -> Self {
        Self { may_lack, ..self }
    }

    /// May rows of this table be loaded around what refuses them?
    pub fn may_lack_rows_of(&self, table: &QualifiedName) -> bool {
        self.may_lack.rows_of(table, &self.source.inventory)
    }

    /// What was given up so that rows could be loaded, or instead of them.
    pub fn given_up(&self) -> BTreeMap<ObjectName, GivenUp> {
        self.given_up.lock().map(|all| all.clone()).unwrap_or_default()
    }

    fn give_up(&self, object: ObjectName, instead: Instead, failure: &Failure) {
        let refusal = Refusal::new(&object.to_string(), failure);
        if let Ok(mut all) = self.given_up.lock() {
            all.insert(object, GivenUp { instead, refusal });
        }
    }

    /// Every table that a restore loads, by name.
    pub fn records(&self) -> impl Iterator<Item = &'a TableRecord> {
        self.records.values().copied()
    }

    /// Login tables, which are emptied where their rows differ from the snapshot's.
    pub fn logins(&self) -> impl Iterator<Item = &'a TableRecord> {
        self.logins.values().copied()
    }

    /// Rows and bytes so far.
    pub fn totals(&self) -> Loaded {
        Loaded { rows: self.rows.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Marks tables that the parallel phase has loaded.
    pub fn mark_done(&self, names: impl IntoIterator<Item = QualifiedName>, loaded: Loaded) {
        if let Ok(mut done) = self.done.lock() {
            done.extend(names);
        }
        self.add(loaded);
    }

    pub fn is_done(&self, name: &QualifiedName) -> bool {
        self.done.lock().is_ok_and(|done| done.contains(name))
    }

    fn add(&self, loaded: Loaded) {
        self.rows.fetch_add(loaded.rows, Ordering::Relaxed);
        self.bytes.fetch_add(loaded.bytes, Ordering::Relaxed);
    }

    /// Loads tables that were created in this transaction.
    pub async fn load_made(&self, runner: &Runner<'_>, made: &BTreeSet<QualifiedName>) -> Result<()> {
        let mut open: Vec<&TableRecord> = Vec::new();
        for record in made.iter().filter_map(|name| self.records.get(name)) {
            // A table that could not be created is reported with the server's reason by the comparison.
            if relation_exists(runner.session, &record.name).await? {
                open.push(record);
            }
        }
        // A CHECK may read another table whose rows come later: try refused tables again while any succeeds.
        while !open.is_empty() {
            let mut refused = Vec::new();
            for record in &open {
                if !self.load(runner, record, false, Refused::Later).await? {
                    refused.push(*record);
                }
            }
            if refused.len() == open.len() {
                break;
            }
            open = refused;
        }
        for record in open {
            self.load(runner, record, false, Refused::GoAround).await?;
        }
        Ok(())
    }

    /// Replaces the rows of existing tables, unless they were recreated meanwhile.
    pub async fn reload(&self, runner: &Runner<'_>, loads: &[&TableLoad]) -> Result<()> {
        for load in loads.iter().filter(|load| !self.is_done(&load.table)) {
            if self.logins.contains_key(&load.table) {
                self.end_logins(runner, &load.table).await?;
                continue;
            }
            let Some(record) = self.records.get(&load.table) else { continue };
            if !relation_exists(runner.session, &record.name).await? {
                continue;
            }
            // The plan saw another name for this table (it was renamed): its rows may be equal still.
            if load.reason == LoadReason::New {
                let live = fingerprint_table(runner.session, &record.name, &record.columns).await?;
                if live.rows == record.rows && live.sum == record.fingerprint {
                    continue;
                }
            }
            self.load(runner, record, true, Refused::GoAround).await?;
        }
        Ok(())
    }

    /// Deletes sessions, so that all users log in again. Reports it if the role may not.
    async fn end_logins(&self, runner: &Runner<'_>, table: &QualifiedName) -> Result<()> {
        let name = table.plain();
        let what = format!("empty {}", visible(&name));
        let Some(failure) = runner.attempt(&what, &format!("DELETE FROM ONLY {}", table.sql())).await? else {
            return Ok(());
        };
        if let Ok(mut kept) = self.kept.lock() {
            kept.push(Exception {
                code: "sessions_stay".into(),
                what: format!("rows of {name}"),
                why: format!("they could not be removed: {failure}"),
                todo: format!("DELETE FROM {}", table.sql()),
            });
        }
        Ok(())
    }

    /// Refresh materialized views after the rows.
    pub fn plan_refresh(&self) {
        self.refresh.store(true, Ordering::Relaxed);
    }

    /// Do not refresh these.
    pub fn leave_views(&self, names: BTreeSet<QualifiedName>) {
        if let Ok(mut equal) = self.views_equal.lock() {
            *equal = names;
        }
    }

    pub fn leaves_view(&self, name: &QualifiedName) -> bool {
        self.views_equal.lock().is_ok_and(|equal| equal.contains(name))
    }

    /// Are views refreshed? Also if rows were loaded that the plan did not predict.
    pub fn wants_refresh(&self) -> bool {
        self.refresh.load(Ordering::Relaxed) || self.totals().rows > 0
    }

    /// For rows that violate an existing key whose checks were disabled: empties the table, adds the key, and loads the
    /// rows unchecked.
    pub async fn refill_around(&self, runner: &Runner<'_>, table: &QualifiedName, sql: &str) -> Result<bool> {
        let Some(record) = self.records.get(table) else { return Ok(false) };
        merge::empty(runner, table).await?;
        runner.run(&format!("key of {}", visible(&table.plain())), sql).await?;
        self.load(runner, record, false, Refused::GoAround).await
    }

    /// Loads one table. `false`: the server refused its rows; try again later.
    async fn load(&self, runner: &Runner<'_>, record: &TableRecord, there: bool, refused: Refused) -> Result<bool> {
        runner.check()?;
        let table = visible(&record.name.plain());
        self.monitor.event(Event::TableStarted { table: table.clone(), bytes_estimated: record.bytes_raw });
        let sent = AtomicU64::new(0);
        let progress = |bytes: u64| {
            let bytes_done = sent.fetch_add(bytes, Ordering::Relaxed) + bytes;
            self.monitor.event(Event::TableProgress { table: table.clone(), bytes_done });
            self.monitor.event(Event::PhaseProgress {
                phase: Phase::Load,
                bytes_done: self.bytes.load(Ordering::Relaxed) + bytes_done,
            });
        };
        let task = load_task(self.source, record);
        let quiet = if there { merge::silence(runner, &record.name).await? } else { Vec::new() };
        let loaded = if there && self.merges(record) {
            let (loaded, left) = merge::keep(runner, &task, &progress).await?;
            self.left_out(record, left);
            loaded
        } else {
            if there {
                merge::empty(runner, &record.name).await?;
            }
            match self.fill(runner, record, &task, &progress, refused).await? {
                Some(loaded) => loaded,
                None => return Ok(false),
            }
        };
        merge::wake(runner, &quiet).await?;
        self.add(loaded);
        if let Ok(mut done) = self.done.lock() {
            done.insert(record.name.clone());
        }
        self.monitor.event(Event::TableEnded { table, rows: loaded.rows, bytes: loaded.bytes });
        Ok(true)
    }

    /// Loads an empty table, around what refuses its rows if that may be missing. `None`: try again later.
    async fn fill(
        &self,
        runner: &Runner<'_>,
        record: &TableRecord,
        task: &LoadTask,
        progress: &(dyn Fn(u64) + Sync),
        refused: Refused,
    ) -> Result<Option<Loaded>> {
        if record.rows == 0 || !self.may_lack_rows_of(&record.name) {
            return merge::fill(runner, task, progress).await.map(Some);
        }
        let what = format!("rows of {}", visible(&record.name.plain()));
        let failure = match runner.attempt_all(&what, merge::fill(runner, task, progress)).await? {
            Ok(loaded) => return Ok(Some(loaded)),
            Err(failure) if !around::is_refusal(&failure) => return Err(failure),
            Err(_) if refused == Refused::Later => return Ok(None),
            Err(failure) => failure,
        };
        match around::fill(runner, task, progress).await? {
            Filled::Rows(loaded, plain) => {
                for table in plain {
                    self.give_up(table, Instead::NotGenerated, &failure);
                }
                Ok(Some(loaded))
            }
            Filled::Nothing => {
                let identity = leave_out::identity(&record.name, &self.source.inventory);
                self.give_up(ObjectName { kind: TABLE_DATA, identity }, Instead::NoRows, &failure);
                Ok(Some(Loaded::default()))
            }
        }
    }

    /// Reports rows that conflict with rows of the target (R36).
    fn left_out(&self, record: &TableRecord, rows: u64) {
        if rows == 0 {
            return;
        }
        if let Ok(mut kept) = self.kept.lock() {
            kept.push(Exception {
                code: "rows_kept_out".into(),
                what: format!("{rows} rows of {}", record.name.plain()),
                why: "the target's rows with the same e-mail or key stay (--auth-rows keep)".into(),
                todo: "compare them by hand: stacksnap diff SNAPSHOT live --data".into(),
            });
        }
    }

    /// What `left_out` and `end_logins` reported.
    pub fn kept_out(&self) -> Vec<Exception> {
        self.kept.lock().map(|kept| kept.clone()).unwrap_or_default()
    }

    /// After merging: deletes rows whose parent was kept out.
    pub async fn drop_orphans(&self, runner: &Runner<'_>) -> Result<()> {
        if self.request.conflicts == ConflictPolicy::Keep {
            merge::drop_orphans(runner).await?;
        }
        Ok(())
    }

    /// Rows of the platform's own tables are merged if the target's rows must stay.
    fn merges(&self, record: &TableRecord) -> bool {
        self.request.conflicts == ConflictPolicy::Keep && matches!(record.name.schema.as_str(), "auth" | "storage")
    }
}

/// Is there a relation with that name?
pub(crate) async fn relation_exists(session: &Session, table: &QualifiedName) -> Result<bool> {
    let row = session.one("SELECT pg_catalog.to_regclass($1) IS NOT NULL", &[&table.sql()]).await?;
    Ok(row.try_get(0).unwrap_or(true))
}

/// The task that loads one table from the snapshot.
pub fn load_task(source: &SnapshotSource, record: &TableRecord) -> LoadTask {
    LoadTask {
        table: record.name.clone(),
        columns: record.columns.clone(),
        folder: source.place.join(layout::DUMP_DIR),
        file_name: DataFile::of(record).map(|file| file.file_name).unwrap_or_default(),
        rows: record.rows,
        fingerprint: record.fingerprint.clone(),
        bytes_raw: record.bytes_raw,
        freeze: false,
        may_fail: false,
    }
}
