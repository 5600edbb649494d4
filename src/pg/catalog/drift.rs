//! What changed since the snapshot, in the columns that a snapshot does not hold still.
//!
//! Invariant (facts 5): deparse functions (pg_get_*def, format_type, COPY's header) look names up in the newest
//! catalogs, whatever the snapshot, and a truncated or rewritten table is empty to an older one. So an object of the
//! snapshot whose row differs now makes the run start over. New objects, bodies of functions, privileges and
//! statistics are no drift.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join;

use super::{NO_JIT, get, versioned};
use crate::model::failure::Result;
use crate::pg::session::Session;

const PARTS: &str = include_str!("../sql/drift.sql");
const SUMS: &str = include_str!("../sql/drift_sums.sql");
const OBJECTS: &str = include_str!("../sql/drift_objects.sql");
const NAMES: &str = include_str!("../sql/drift_names.sql");

/// An object of the snapshot that is different now, or gone. `catalog` is where it shows, e.g. `pg_attribute` for a
/// renamed column (then `oid` and `name` are the table's).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftedObject {
    pub catalog: String,
    pub oid: u32,
    pub name: String,
}

/// Compares the catalogs of a session on the snapshot with those of a plain session (outside any transaction).
/// Empty: whatever was deparsed under the snapshot before this call is true of the snapshot.
pub async fn drift(snapshot_session: &Session, fresh: &Session) -> Result<Vec<DriftedObject>> {
    let (old, new) = try_join(sums(snapshot_session), sums(fresh)).await?;
    let mut drifted = Vec::new();
    for (catalog, sum) in &old {
        if new.get(catalog) == Some(sum) {
            continue;
        }
        let (was, is) = try_join(objects(snapshot_session, catalog), objects(fresh, catalog)).await?;
        let mut oids: Vec<u32> = was.iter().filter(|(oid, h)| is.get(oid) != Some(h)).map(|(oid, _)| *oid).collect();
        oids.sort_unstable();
        drifted.extend(names(snapshot_session, catalog, oids).await?);
    }
    drifted.extend(first_parts(snapshot_session, fresh, &old, &new).await?);
    Ok(drifted)
}

/// Parts that hang on an object which had none of them before: the first column default of a table, for one.
async fn first_parts(
    snapshot_session: &Session,
    fresh: &Session,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Result<Vec<DriftedObject>> {
    let mut drifted = Vec::new();
    for (part, whole) in [("pg_attrdef", "pg_class"), ("pg_attribute", "pg_class"), ("pg_enum", "pg_type")] {
        if old.get(part) == new.get(part) {
            continue;
        }
        let (was, is) = try_join(objects(snapshot_session, part), objects(fresh, part)).await?;
        let existed = objects(snapshot_session, whole).await?;
        let mut oids: Vec<u32> =
            is.keys().copied().filter(|oid| !was.contains_key(oid) && existed.contains_key(oid)).collect();
        oids.sort_unstable();
        drifted.extend(names(snapshot_session, part, oids).await?);
    }
    Ok(drifted)
}

async fn sums(session: &Session) -> Result<BTreeMap<String, String>> {
    session.execute(NO_JIT).await?;
    let rows = session.rows(&versioned::for_version(&format!("{PARTS}{SUMS}"), session.version_num), &[]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}

async fn objects(session: &Session, catalog: &str) -> Result<HashMap<u32, String>> {
    let sql = versioned::for_version(&format!("{PARTS}{OBJECTS}"), session.version_num);
    let rows = session.rows(&sql, &[&catalog]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}

async fn names(session: &Session, catalog: &str, oids: Vec<u32>) -> Result<Vec<DriftedObject>> {
    if oids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = session.rows(NAMES, &[&catalog, &oids]).await?;
    rows.iter()
        .map(|row| Ok(DriftedObject { catalog: catalog.to_string(), oid: get(row, 0)?, name: get(row, 1)? }))
        .collect()
}
