//! Jobs of pg_cron: which of the target's jobs the snapshot does not have, and whether any job differs.
//!
//! Invariant: in place a job is identified by its jobid, which the archive's rows have; in another project by its user,
//! name, schedule and command. Jobs of other databases are left alone. A command is never shown: it may contain keys.

use std::collections::BTreeMap;

use crate::model::failure::{Failure, Result};
use crate::model::inventory::Inventory;
use crate::model::manifest::TableRecord;
use crate::model::name::{QualifiedName, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, TargetKind};
use crate::pg::rows::fingerprint_table;
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::restore::objects::drop::set_sequence;
use crate::restore::sql::runner::Runner;
use crate::snapshot::layout;
use crate::snapshot::reader::{ArchiveData, DataFile};

fn record<'a>(engine: &Engine<'a>) -> Option<&'a TableRecord> {
    let table = QualifiedName::new("cron", "job");
    engine.source.manifest.tables.iter().find(|t| t.name == table && t.data_file.is_some())
}

async fn has_readable_jobs(session: &Session) -> Result<bool> {
    let sql = "SELECT pg_catalog.to_regnamespace('cron') IS NOT NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c \
               WHERE c.relname = 'job' AND c.relnamespace = pg_catalog.to_regnamespace('cron') \
               AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))";
    Ok(session.one(sql, &[]).await?.try_get(0).unwrap_or(false))
}

/// Do the target's jobs differ from the snapshot's?
pub async fn differ(engine: &Engine<'_>, session: &Session) -> Result<bool> {
    let Some(record) = record(engine) else { return Ok(false) };
    if !has_readable_jobs(session).await? {
        return Ok(false);
    }
    // A role that may not read all jobs cannot compare them.
    let live = fingerprint_table(session, &record.name, &record.columns).await;
    if session.is_closed() {
        return live.map(|_| false);
    }
    Ok(live.is_ok_and(|live| live.rows != record.rows || live.sum != record.fingerprint))
}

/// For jobs that still differ afterwards: the extension chooses a new jobid, and this role may not write another.
pub fn not_the_same() -> Exception {
    Exception {
        code: "job_number_new".into(),
        what: "scheduled jobs".into(),
        why: "a removed job is created again with a new jobid".into(),
        todo: "compare cron.job with extension_state/cron_jobs.sql, and fix what refers to a jobid".into(),
    }
}

/// A job that runs in the target's database and that the snapshot does not have.
#[derive(Debug, Clone)]
pub struct ExtraJob {
    number: i64,
    /// Its name, or its schedule if it has none.
    word: String,
}

impl ExtraJob {
    /// Its entry in a plan.
    pub fn object(&self) -> ObjectName {
        ObjectName { kind: ObjectKind::CronJob, identity: format!("{} {}", self.number, visible(&self.word)) }
    }
}

/// A job of the snapshot or of the target.
struct Job {
    number: Option<i64>,
    /// User, name, schedule, command.
    texts: [Option<String>; 4],
}

impl Job {
    /// Can `live` be altered into this job? In place the jobid must match, and a job with a name may be altered.
    fn can_become(&self, live: &Self, kind: TargetKind) -> bool {
        if kind != TargetKind::SameDatabase {
            return self.texts == live.texts;
        }
        let known_by = if self.texts[1].is_some() { 2 } else { 4 };
        self.number == live.number && self.texts[..known_by] == live.texts[..known_by]
    }
}

/// Jobs in the target's database that the snapshot does not have: they would run on its tables.
pub async fn extra_jobs(engine: &Engine<'_>, session: &Session, kind: TargetKind) -> Result<Vec<ExtraJob>> {
    // In place, a snapshot without the list of jobs cannot tell which jobs are new.
    let has_list = record(engine).is_some() || kind == TargetKind::OtherDatabase;
    if !has_list || !has_readable_jobs(session).await? {
        return Ok(Vec::new());
    }
    let sql = "SELECT j.jobid, j.username::text, j.jobname::text, j.schedule, j.command FROM cron.job j \
               WHERE j.database = pg_catalog.current_database() ORDER BY j.jobid";
    let own = own_jobs(engine)?;
    let mut found = Vec::new();
    for row in session.rows(sql, &[]).await? {
        let texts = [1, 2, 3, 4].map(|at| row.try_get::<_, Option<String>>(at).ok().flatten());
        let live = Job { number: row.try_get(0).ok(), texts };
        if let Some(number) = live.number.filter(|_| !own.iter().any(|job| job.can_become(&live, kind))) {
            let [_, name, schedule, _] = live.texts;
            found.push(ExtraJob { number, word: name.or(schedule).unwrap_or_default() });
        }
    }
    Ok(found)
}

/// Unschedules them in the transaction. A job that stays is named.
pub async fn unschedule(engine: &Engine<'_>, runner: &Runner<'_>, kind: TargetKind) -> Result<Vec<Exception>> {
    let mut exceptions = Vec::new();
    for job in extra_jobs(engine, runner.session, kind).await? {
        let sql = format!("SELECT cron.unschedule({}::pg_catalog.int8)", job.number);
        if let Some(failure) = runner.attempt("job that the snapshot does not have", &sql).await? {
            exceptions.push(Exception {
                code: "job_stays".into(),
                what: job.object().to_string(),
                why: format!("the snapshot does not have it, and it still runs here: {failure}"),
                todo: format!("as a superuser: SELECT cron.unschedule({})", job.number),
            });
        }
    }
    Ok(exceptions)
}

/// The snapshot's jobs.
fn own_jobs(engine: &Engine<'_>) -> Result<Vec<Job>> {
    let Some(record) = record(engine) else { return Ok(Vec::new()) };
    let at = |name: &str| record.columns.iter().position(|c| c == name);
    let number = at("jobid");
    let places = ["username", "jobname", "schedule", "command"].map(at);
    let files = DataFile::of(record).into_iter().collect();
    let archive = ArchiveData { folder: engine.source.place.join(layout::DUMP_DIR), files };
    let mut found = Vec::new();
    let read = archive.for_each_row(&record.name, |_, row| {
        let row = row.texts();
        let text = |at: Option<usize>| at.and_then(|at| row.get(at).cloned().flatten());
        found.push(Job { number: text(number).and_then(|n| n.parse().ok()), texts: places.map(text) });
        Ok(())
    });
    read.map_err(|e| Failure::from(e).context("cannot read the jobs of the snapshot"))?;
    Ok(found)
}

/// All jobs are the snapshot's, jobids included: restore the sequence too, so that the next job gets the number that it
/// would have got.
pub async fn last_number(
    engine: &Engine<'_>,
    live: &Inventory,
    runner: &Runner<'_>,
    words: &mut BTreeMap<String, String>,
) -> Result<()> {
    let mut sequences = engine.source.inventory.of_kind(ObjectKind::SequenceSet);
    let Some(wanted) = sequences.find(|o| o.identity == "cron.jobid_seq") else { return Ok(()) };
    let Some((restart, set)) = set_sequence(wanted).filter(|_| record(engine).is_some()) else { return Ok(()) };
    if live.of_kind(ObjectKind::SequenceSet).any(|o| o.identity == wanted.identity && o.definition == wanted.definition)
    {
        return Ok(());
    }
    if let Some(failure) = runner.attempt("the next job's number", &format!("{restart}; {set}")).await? {
        words.insert("the next job's number".to_string(), failure.to_string());
    }
    Ok(())
}
