//! Removes explicit ACLs that equal the default, where the snapshot has none.
//!
//! Invariant: no privilege changes. In place only, and as a superuser only: no statement removes an explicit ACL, so
//! the catalog is updated in the restore's transaction, where the server itself reports that ACL and default are equal.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::failure::Result;
use crate::model::restore::TargetKind;
use crate::pg::catalog::written_acls::written_acls;
use crate::restore::Engine;
use crate::restore::sql::runner::Runner;
use crate::restore::target::state::Examined;

/// The catalogs by OID and their ACL columns. These OIDs never change.
const LISTS: [(u32, &str, &str); 4] = [
    (1259, "pg_catalog.pg_class", "relacl"),
    (1255, "pg_catalog.pg_proc", "proacl"),
    (1247, "pg_catalog.pg_type", "typacl"),
    (2615, "pg_catalog.pg_namespace", "nspacl"),
];

/// Removes them after everything else was restored. One that stays is not a difference and is not reported.
pub async fn take_away(engine: &Engine<'_>, examined: &Examined, runner: &Runner<'_>) -> Result<()> {
    let Some(written) = &engine.source.inventory.written_acls else { return Ok(()) };
    let scope = &examined.scope;
    let in_place = examined.facts.kind == TargetKind::SameDatabase && scope.is_whole() && !scope.untrusted;
    if !in_place || !examined.facts.is_superuser {
        return Ok(());
    }
    let mut oids: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let written: BTreeSet<&str> = written.iter().map(String::as_str).collect();
    for acl in written_acls(runner.session).await? {
        if !written.contains(acl.name.as_str()) {
            oids.entry(acl.class).or_default().push(acl.oid.to_string());
        }
    }
    for (class, catalog, column) in LISTS {
        let Some(oids) = oids.get(&class) else { continue };
        let sql = format!("UPDATE {catalog} SET {column} = NULL WHERE oid IN ({})", oids.join(", "));
        runner.attempt("explicit ACLs that equal the default", &sql).await?;
    }
    Ok(())
}
