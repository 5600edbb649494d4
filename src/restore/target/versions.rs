//! The version of a platform service: compares the rows of its migration table with the snapshot's.
//!
//! Invariant: it only reads. A table that cannot be read counts as another version, never as the same.

use std::collections::BTreeSet;

use super::state::Examined;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::TableRecord;
use crate::model::name::{QualifiedName, ident, literal};
use crate::model::restore::{Exception, TargetKind};
use crate::pg::rows::fingerprint_table;
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::restore::rows::policy;
use crate::restore::rows::policy::{Rows, SERVICE_VERSION};
use crate::restore::rows::tables;
use crate::snapshot::layout;
use crate::snapshot::reader::{ArchiveData, DataFile};

/// Tables in which the platform's services record their own versions.
pub const TABLES: [(&str, &str); 5] = [
    ("auth", "schema_migrations"),
    ("storage", "migrations"),
    ("realtime", "schema_migrations"),
    ("_realtime", "schema_migrations"),
    ("supabase_functions", "migrations"),
];

/// A service's version compared with the snapshot's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    Same,
    /// It lacks rows of the snapshot and has no others.
    RowsGone,
    /// The reason why it is not the same.
    Other(String),
}

/// Is this a migration table of a service?
pub fn is_of_versions(name: &QualifiedName) -> bool {
    TABLES.iter().any(|(schema, table)| name.schema == *schema && name.name == *table)
}

/// Compares one migration table.
pub async fn version(engine: &Engine<'_>, session: &Session, name: &QualifiedName) -> Result<Version> {
    let record = engine.source.manifest.tables.iter().find(|t| t.name == *name);
    let there = tables::relation_exists(session, name).await?;
    let Some(record) = record.filter(|r| r.data_file.is_some()) else {
        let known = engine.source.inventory.table(name).is_some();
        return Ok(match (known, there) {
            (false, false) => Version::Same,
            (false, true) => Version::Other(format!("{} was created after the snapshot", name.plain())),
            (true, _) => Version::Other(format!("the snapshot does not hold the rows of {}", name.plain())),
        });
    };
    if !there {
        return Ok(Version::Other(format!("{} is missing", name.plain())));
    }
    let live = match fingerprint_table(session, name, &record.columns).await {
        Ok(live) => live,
        Err(failure) if session.is_closed() => return Err(failure),
        Err(_) => return Ok(Version::Other(format!("the snapshot's columns of {} cannot be read", name.plain()))),
    };
    if live.rows == record.rows && live.sum == record.fingerprint {
        return Ok(Version::Same);
    }
    let (was, is) = (keys_of_snapshot(engine, record)?, keys_of(session, record).await?);
    if is.is_subset(&was) && is.len() < was.len() {
        return Ok(Version::RowsGone);
    }
    let why = format!(
        "the rows of {} differ from the snapshot's: the target has {}, the snapshot {}",
        name.plain(),
        is.len(),
        was.len()
    );
    Ok(Version::Other(why))
}

/// Another project as the target: its services keep their own version records. Names those that differ from the
/// snapshot.
pub async fn predict(engine: &Engine<'_>, examined: &Examined, session: &Session) -> Result<Vec<Exception>> {
    let mut found = Vec::new();
    if examined.facts.kind == TargetKind::SameDatabase {
        return Ok(found);
    }
    for record in engine.source.manifest.tables.iter().filter(|r| is_of_versions(&r.name) && r.rows > 0) {
        let facts = engine.source.inventory.table(&record.name);
        let Rows::Leave(SERVICE_VERSION, why) = policy::decide(record, facts, &examined.scope, engine.request) else {
            continue;
        };
        if version(engine, session, &record.name).await? != Version::Same {
            found.push(Exception {
                code: SERVICE_VERSION.into(),
                what: format!("{} rows of {}", record.rows, record.name.plain()),
                why: format!("{why}: the target keeps its own"),
                todo: String::new(),
            });
        }
    }
    Ok(found)
}

/// Has the target run the same migrations? The time of each migration is ignored: it differs between projects.
pub async fn has_same_migrations(engine: &Engine<'_>, session: &Session, name: &QualifiedName) -> Result<bool> {
    if version(engine, session, name).await? == Version::Same {
        return Ok(true);
    }
    let record = engine.source.manifest.tables.iter().find(|t| t.name == *name && t.data_file.is_some());
    let Some(record) = record.filter(|r| r.rows > 0) else { return Ok(false) };
    if !tables::relation_exists(session, name).await? {
        return Ok(false);
    }
    match keys_of(session, record).await {
        Ok(keys) => Ok(keys == keys_of_snapshot(engine, record)?),
        Err(failure) if session.is_closed() => Err(failure),
        Err(_) => Ok(false),
    }
}

/// May this role replace the rows?
pub async fn may_write(session: &Session, name: &QualifiedName) -> Result<bool> {
    let table = literal(&name.sql());
    let sql = format!(
        "SELECT pg_catalog.has_table_privilege({table}, 'INSERT') AND pg_catalog.has_table_privilege({table}, 'DELETE')"
    );
    Ok(session.one(&sql, &[]).await?.try_get(0).unwrap_or(false))
}

/// The first column identifies a migration.
fn keys_of_snapshot(engine: &Engine<'_>, record: &TableRecord) -> Result<BTreeSet<String>> {
    let files = DataFile::of(record).into_iter().collect();
    let archive = ArchiveData { folder: engine.source.place.join(layout::DUMP_DIR), files };
    let mut found = BTreeSet::new();
    let read = archive.for_each_row(&record.name, |_, row| {
        found.extend(row.texts().into_iter().next().flatten().map(|key| key.to_string()));
        Ok(())
    });
    read.map_err(|e| Failure::from(e).context("cannot read the platform's migrations in the snapshot"))?;
    Ok(found)
}

async fn keys_of(session: &Session, record: &TableRecord) -> Result<BTreeSet<String>> {
    let Some(column) = record.columns.first() else { return Ok(BTreeSet::new()) };
    let sql = format!("SELECT {}::pg_catalog.text FROM ONLY {}", ident(column), record.name.sql());
    Ok(session.rows(&sql, &[]).await?.iter().filter_map(|row| row.try_get(0).ok()).collect())
}
