//! Repairs for objects that could not be created: constraints become NOT VALID, grants on unprotected objects are
//! revoked.
//!
//! Invariant: it runs after the last pass, so nothing undoes it. An object that is less protected than in the source is
//! closed: where a restrictive policy, row security or the owner is missing, no role keeps a grant on it (R32).

use std::collections::{BTreeMap, BTreeSet};

use super::leave_out::MayLack;
use crate::model::failure::Result;
use crate::model::identity::on;
use crate::model::inventory::{Address, CatalogObject};
use crate::model::name::{dollar_quoted, literal};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::restore::objects::constraint::not_valid;
use crate::restore::objects::converge::{Converge, Left};

/// What was done.
#[derive(Debug, Default)]
pub struct Repaired {
    pub not_valid: BTreeSet<ObjectName>,
    /// Objects whose grants were revoked, and the missing object that is the reason.
    pub withheld: BTreeMap<Address, ObjectName>,
}

impl Repaired {
    pub fn is_empty(&self) -> bool {
        self.not_valid.is_empty() && self.withheld.is_empty()
    }
}

/// Revokes all grants on a relation, also the owner's where FORCE ROW LEVEL SECURITY binds the owner.
const WITHHOLD_RELATION: &str = "DECLARE r record; BEGIN \
    FOR r IN SELECT DISTINCT c.oid::pg_catalog.regclass AS relation, a.grantee, g.rolname FROM pg_catalog.pg_class c \
        CROSS JOIN LATERAL (SELECT c.relacl AS acl UNION ALL SELECT t.attacl FROM pg_catalog.pg_attribute t \
            WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL \
            UNION ALL SELECT pg_catalog.acldefault('r', c.relowner) WHERE c.relacl IS NULL) x \
        CROSS JOIN LATERAL pg_catalog.aclexplode(x.acl) a LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee \
        WHERE c.oid = pg_catalog.to_regclass({name}) AND (a.grantee <> c.relowner OR c.relforcerowsecurity) \
    LOOP EXECUTE pg_catalog.format('REVOKE ALL ON TABLE %s FROM %s CASCADE', r.relation, \
        CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END); END LOOP; END";

/// Revokes all grants on a routine from everyone but its owner.
const WITHHOLD_ROUTINE: &str = "DECLARE r record; BEGIN \
    FOR r IN SELECT DISTINCT p.oid::pg_catalog.regprocedure AS routine, a.grantee, g.rolname FROM pg_catalog.pg_proc p \
        CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a \
        LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee \
        WHERE p.oid = pg_catalog.to_regprocedure({name}) AND a.grantee <> p.proowner \
    LOOP EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM %s CASCADE', r.routine, \
        CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END); END LOOP; END";

impl Converge<'_> {
    /// Repairs what can be repaired among the remaining differences.
    pub(crate) async fn mend(&self, left: &Left, may_lack: &MayLack) -> Result<Repaired> {
        let mut mended = Repaired::default();
        let wanted = self.source.inventory.objects.iter();
        for object in wanted.filter(|o| left.objects.contains(&ObjectName::of(o))) {
            let name = ObjectName::of(object);
            let refusal = left.refusals.get(&name).filter(|_| left.missing.contains(&name));
            let refused = refusal.is_some_and(|refusal| may_lack.not_valid(&name, refusal));
            if let Some(sql) = not_valid(object).filter(|_| refused)
                && self.attempt_for(object, &name.to_string(), &sql).await?.is_none()
            {
                mended.not_valid.insert(name);
                continue;
            }
            if self.leaves_open(object, left)
                && let Some((address, sql)) = self.withhold(object)
                && self.runner.attempt(&format!("grants around {name}"), &sql).await?.is_none()
            {
                mended.withheld.insert(address, name);
            }
        }
        Ok(mended)
    }

    /// Would some role see more without this object than in the source?
    fn leaves_open(&self, object: &CatalogObject, left: &Left) -> bool {
        let name = ObjectName::of(object);
        match object.kind {
            ObjectKind::Policy => object.definition.starts_with("AS RESTRICTIVE"),
            ObjectKind::RowSecurity => true,
            _ => left.owners.contains(&name),
        }
    }

    /// The statement that closes the relation or routine that the object is, or is on, and its address.
    fn withhold(&self, object: &CatalogObject) -> Option<(Address, String)> {
        let target = match object.kind {
            ObjectKind::Policy => on(&object.identity)?.1,
            _ => &object.identity,
        };
        let text = match object.kind {
            ObjectKind::Policy
            | ObjectKind::RowSecurity
            | ObjectKind::Table
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::ForeignTable => WITHHOLD_RELATION,
            ObjectKind::Function | ObjectKind::Procedure => WITHHOLD_ROUTINE,
            _ => return None,
        };
        let relation = |o: &&CatalogObject| {
            o.identity == target
                && matches!(
                    o.kind,
                    ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::ForeignTable
                )
        };
        let address = match object.kind {
            ObjectKind::Policy | ObjectKind::RowSecurity => {
                self.source.inventory.objects.iter().find(relation)?.address?
            }
            _ => object.address?,
        };
        let sql = format!("DO {}", dollar_quoted(&text.replace("{name}", &literal(target))));
        Some((Address { sub: 0, ..address }, sql))
    }
}
