//! Scheduled jobs of the snapshot, in their own database: which of the target's are new, and whether any differ.
//!
//! Invariant: a job is known by its number, which the archive's rows have; jobs of other databases are left alone.

use std::collections::BTreeMap;

use super::Engine;
use super::drop::set_sequence;
use super::runner::Runner;
use crate::archive::layout;
use crate::archive::reader::{ArchiveData, DataFile};
use crate::model::failure::{Failure, Result};
use crate::model::inventory::Inventory;
use crate::model::manifest::TableRecord;
use crate::model::name::QualifiedName;
use crate::model::restore::Exception;
use crate::pg::rows::fingerprint_table;
use crate::pg::session::Session;

fn record<'a>(engine: &Engine<'a>) -> Option<&'a TableRecord> {
    let table = QualifiedName::new("cron", "job");
    engine.source.manifest.tables.iter().find(|t| t.name == table && t.data_file.is_some())
}

async fn is_there(session: &Session) -> Result<bool> {
    let sql = "SELECT pg_catalog.to_regnamespace('cron') IS NOT NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c \
               WHERE c.relname = 'job' AND c.relnamespace = pg_catalog.to_regnamespace('cron') \
               AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))";
    Ok(session.one(sql, &[]).await?.try_get(0).unwrap_or(false))
}

/// Do the target's jobs differ from the snapshot's?
pub async fn differ(engine: &Engine<'_>, session: &Session) -> Result<bool> {
    let Some(record) = record(engine) else { return Ok(false) };
    if !is_there(session).await? {
        return Ok(false);
    }
    // Who may not read all of them cannot compare them either.
    let live = fingerprint_table(session, &record.name, &record.columns).await;
    if session.is_closed() {
        return live.map(|_| false);
    }
    Ok(live.is_ok_and(|live| live.rows != record.rows || live.sum != record.fingerprint))
}

/// Jobs that are not the snapshot's afterwards: the extension chooses their numbers, and no role may write others.
pub fn not_the_same() -> Exception {
    Exception {
        code: "job_number_new".into(),
        what: "scheduled jobs".into(),
        why: "a job that was removed comes back under a new number".into(),
        todo: "compare cron.job with extension_state/cron_jobs.sql, and mend what refers to a number".into(),
    }
}

/// Takes jobs away that the snapshot does not have.
pub async fn unschedule_new(
    engine: &Engine<'_>,
    runner: &Runner<'_>,
    words: &mut BTreeMap<String, String>,
) -> Result<()> {
    let Some(record) = record(engine) else { return Ok(()) };
    if !is_there(runner.session).await? {
        return Ok(());
    }
    let known: Vec<String> = numbers(engine, record)?.iter().map(ToString::to_string).collect();
    let sql = format!(
        "SELECT cron.unschedule(j.jobid) FROM cron.job j WHERE j.database = pg_catalog.current_database() \
         AND j.jobid <> ALL ('{{{}}}'::pg_catalog.int8[])",
        known.join(",")
    );
    if let Some(failure) = runner.attempt("jobs that came later", &sql).await? {
        words.insert("jobs that came later".to_string(), failure.to_string());
    }
    Ok(())
}

/// The jobs are the snapshot's, numbers included: the next one gets the number that it would have got then.
pub async fn last_number(
    engine: &Engine<'_>,
    live: &Inventory,
    runner: &Runner<'_>,
    words: &mut BTreeMap<String, String>,
) -> Result<()> {
    let mut sequences = engine.source.inventory.of_kind("SEQUENCE SET");
    let Some(wanted) = sequences.find(|o| o.identity == "cron.jobid_seq") else { return Ok(()) };
    let Some((restart, set)) = set_sequence(wanted).filter(|_| record(engine).is_some()) else { return Ok(()) };
    if live.of_kind("SEQUENCE SET").any(|o| o.identity == wanted.identity && o.definition == wanted.definition) {
        return Ok(());
    }
    if let Some(failure) = runner.attempt("the next job's number", &format!("{restart}; {set}")).await? {
        words.insert("the next job's number".to_string(), failure.to_string());
    }
    Ok(())
}

/// The numbers of the snapshot's jobs.
fn numbers(engine: &Engine<'_>, record: &TableRecord) -> Result<Vec<i64>> {
    let Some(at) = record.columns.iter().position(|c| c == "jobid") else { return Ok(Vec::new()) };
    let files = DataFile::of(record).into_iter().collect();
    let archive = ArchiveData { folder: engine.source.place.join(layout::DUMP_DIR), files };
    let mut found = Vec::new();
    let read = archive.for_each_row(&record.name, |_, row| {
        let number = row.texts().into_iter().nth(at).flatten();
        found.extend(number.and_then(|number| number.parse::<i64>().ok()));
        Ok(())
    });
    read.map_err(|e| Failure::from(e).context("cannot read the jobs of the snapshot"))?;
    Ok(found)
}
