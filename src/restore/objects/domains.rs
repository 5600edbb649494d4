//! Domains to which the server refuses to add a constraint, because columns hold them inside arrays, composites or
//! ranges.
//!
//! The server validates a domain's constraint on every column of the domain, but cannot look inside other types
//! ("cannot alter type because column uses it"). So such a domain is dropped with the columns that hold it, and
//! recreated from the archive with their rows.
//!
//! Invariant: it only reads. The plan and its execution use the same query.

use std::collections::BTreeSet;

use super::constraint::Constraint;
use super::delta::Delta;
use crate::model::failure::Result;
use crate::model::identity::on;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::pg::session::Session;

/// Domains that a stored column holds inside another type.
const HELD: &str = "WITH RECURSIVE holds AS ( \
        SELECT t.oid, t.oid AS domain, false AS inside FROM pg_catalog.pg_type t WHERE t.typtype = 'd' \
        UNION SELECT c.oid, h.domain, h.inside OR c.typtype <> 'd' FROM holds h JOIN pg_catalog.pg_type c ON \
            (c.typtype = 'd' AND c.typbasetype = h.oid) OR (c.typelem = h.oid AND c.typlen = -1) \
            OR EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.typrelid AND c.typtype = 'c' \
                       AND a.atttypid = h.oid AND a.attnum > 0 AND NOT a.attisdropped) \
            OR EXISTS (SELECT FROM pg_catalog.pg_range g WHERE g.rngtypid = c.oid AND g.rngsubtype = h.oid) \
            OR EXISTS (SELECT FROM pg_catalog.pg_range g WHERE g.rngmultitypid = c.oid AND g.rngtypid = h.oid)) \
    SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, t.typname) FROM holds h \
    JOIN pg_catalog.pg_attribute a ON a.atttypid = h.oid AND a.attnum > 0 AND NOT a.attisdropped \
    JOIN pg_catalog.pg_class r ON r.oid = a.attrelid AND r.relkind IN ('r', 'm', 'p', 'f') \
    JOIN pg_catalog.pg_type t ON t.oid = h.domain JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE h.inside";

/// The target's domains that must be dropped because one of their constraints must be validated.
pub async fn stuck<'t>(
    session: &Session,
    delta: &Delta<'_, '_>,
    live: &'t Inventory,
) -> Result<Vec<&'t CatalogObject>> {
    let wanted = delta.missing.iter().copied().chain(delta.differs.iter().map(|(wanted, _)| *wanted));
    let domains: BTreeSet<&str> = wanted.filter_map(proved_on).collect();
    if domains.is_empty() {
        return Ok(Vec::new());
    }
    let rows = session.rows(HELD, &[]).await?;
    let held: BTreeSet<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    let write_blocked = |o: &&CatalogObject| domains.contains(o.identity.as_str()) && held.contains(&o.identity);
    Ok(live.of_kind(ObjectKind::Domain).filter(write_blocked).collect())
}

/// The domain of a constraint, if adding the constraint validates rows.
fn proved_on(object: &CatalogObject) -> Option<&str> {
    Constraint::of(object).filter(|constraint| constraint.validated)?;
    on(&object.identity)?.1.strip_prefix("domain ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn only_what_is_proved_looks_at_rows() {
        let of = |identity: &str, definition: &str| {
            proved_on(&object("CHECK CONSTRAINT", identity, definition)).map(str::to_string)
        };
        assert_eq!(of("c on domain s.d", "CHECK ((VALUE > 0))"), Some("s.d".into()));
        assert_eq!(of("c on domain s.d", "CHECK ((VALUE > 0)) NOT VALID UNPROVED"), None);
        assert_eq!(of("c on s.t", "CHECK ((a > 0))"), None);
    }
}
