//! Sets owners, row security, comments, grants and state on existing objects.
//!
//! Invariant: each statement runs under its own savepoint, and the server's message about a failed one is kept. Grants
//! come last and are the snapshot's complete state: others are revoked (R32).

use std::collections::BTreeMap;

use super::converge::Converge;
use super::delta::Delta;
use super::drop::{comment, owner_statement, row_security};
use super::{extensions, roles};
use crate::model::failure::Result;
use crate::model::identity;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::membership::{EquivalentMemberships, Membership, ROLE_MEMBERSHIP};
use crate::model::name::{dollar_quoted, ident, literal};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::restore::parts::queues;
use crate::snapshot::layout;

/// Revokes what default privileges granted on a relation, from everyone but the owner.
pub(crate) fn close(relation: &str) -> String {
    format!("DO {}", dollar_quoted(&CLOSE.replace("{relation}", &literal(relation))))
}

const CLOSE: &str = "DECLARE r record; BEGIN \
    FOR r IN SELECT DISTINCT c.oid::pg_catalog.regclass AS relation, c.relkind, a.grantee, g.rolname \
        FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a \
        LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee \
        WHERE c.oid = pg_catalog.to_regclass({relation}) AND a.grantee <> c.relowner \
    LOOP EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s', CASE r.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, \
        r.relation, CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END); \
    END LOOP; END";

impl Converge<'_> {
    /// Sets owners, row security, comments, grants and state.
    pub(crate) async fn put_right(
        &self,
        delta: &Delta<'_, '_>,
        missing: &[&CatalogObject],
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        for (wanted, _) in delta.differs.iter().filter(|(w, f)| w.owner != f.owner) {
            self.set_owner(wanted, words).await?;
        }
        self.owners_of_wrappers(delta, words).await?;
        let differing = delta.differs.iter().map(|(w, _)| *w);
        for object in missing.iter().copied().chain(differing).chain(delta.missing.iter().copied()) {
            let sql = match object.kind {
                ObjectKind::Comment => comment(&object.identity, Some(&object.definition), &self.database),
                ObjectKind::RowSecurity => Some(row_security(&object.identity, Some(&object.definition))),
                _ => None,
            };
            if let Some(sql) = sql {
                self.tried_for(object, &sql, words).await?;
            }
        }
        // A role that may not grant as another grants in its own name. Such a membership counts as the other's, so keep
        // it.
        let grants_as_any = extensions::superusers(live).contains(&self.scope.restorer);
        let alike = EquivalentMemberships::new(&self.source.inventory.objects, &live.objects);
        let stands_in = |o: &CatalogObject| !grants_as_any && alike.holds(o.kind, &o.identity);
        for object in &delta.extra {
            let sql = match object.kind {
                ObjectKind::Comment => comment(&object.identity, None, &self.database),
                ObjectKind::RowSecurity => Some(row_security(&object.identity, None)),
                ObjectKind::Acl => revoke_all_on_column_or_parameter(object),
                ObjectKind::DatabaseSetting => roles::reset_for_all(object),
                ObjectKind::RoleSetting => roles::reset_setting(object, &self.database),
                ROLE_MEMBERSHIP if stands_in(object) || self.is_own(object) => None,
                ROLE_MEMBERSHIP => Membership::of(object).map(Membership::revoke),
                _ => None,
            };
            if let Some(sql) = sql {
                self.tried(&format!("{} {}", object.kind, object.identity), &sql, words).await?;
            }
        }
        self.database_owner(live, words).await?;
        self.state_files(delta, missing, live, words).await?;
        // The restoring role needs its own memberships until here.
        for object in delta.extra.iter().filter(|o| self.is_own(o) && !stands_in(o)) {
            if let Some(membership) = Membership::of(object) {
                self.tried(&format!("{} {}", object.kind, object.identity), &membership.revoke(), words).await?;
            }
        }
        Ok(())
    }

    /// Is the restoring role the member of this membership?
    fn is_own(&self, object: &CatalogObject) -> bool {
        Membership::of(object).is_some_and(|m| identity::unquoted(m.member) == self.scope.restorer)
    }

    /// The owner of the database decides who may grant on it. Platforms keep the ownership.
    async fn database_owner(&self, live: &Inventory, words: &mut BTreeMap<String, String>) -> Result<()> {
        let of = |i: &Inventory| i.of_kind(ObjectKind::Database).next().and_then(|o| o.owner.clone());
        let (Some(wanted), Some(found)) = (of(&self.source.inventory), of(live)) else { return Ok(()) };
        if wanted == found || self.scope.platform || !self.scope.only.is_empty() {
            return Ok(());
        }
        let sql = format!("ALTER DATABASE {} OWNER TO {}", ident(&self.database), ident(&wanted));
        self.tried("owner of the database", &sql, words).await
    }

    async fn state_files(
        &self,
        delta: &Delta<'_, '_>,
        missing: &[&CatalogObject],
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        if !self.scope.is_whole() {
            return self.grants_of_made(missing, words).await;
        }
        let made_any = !missing.is_empty() || !delta.differs.is_empty();
        if delta.touches(&[ObjectKind::DatabaseSetting]) {
            self.settings_file(layout::DATABASE_SETTINGS_SQL, words).await?;
        }
        if made_any || delta.touches(&[ObjectKind::FkConstraint]) {
            self.file(layout::FOREIGN_KEYS_SQL, words).await?;
        }
        if made_any
            || delta.touches(&[
                ObjectKind::Publication,
                ObjectKind::PublicationTable,
                ObjectKind::PublicationTablesInSchema,
            ])
        {
            self.file(layout::PUBLICATIONS_SQL, words).await?;
        }
        if self.installs_members(live) {
            if !self.scope.extensions_missing.contains("pgmq")
                && let Some(failure) = queues::make_missing(self.source, live, self.runner).await?
            {
                words.insert(layout::QUEUES_SQL.to_string(), failure.to_string());
            }
            self.file(layout::MEMBER_ROUTINES_SQL, words).await?;
        }
        // An ACL is an ordered list: revoke all, grant in the archive's order, then set exactly the snapshot's state.
        let differing: Vec<_> = delta.differs.iter().map(|(w, _)| *w).filter(|o| o.kind == ObjectKind::Acl).collect();
        for object in differing.iter().filter(|o| !self.creation.grants(&[*o]).is_empty()) {
            if let Some(sql) = revoke_all_on_schema(object) {
                self.tried(&format!("close {}", object.identity), &sql, words).await?;
            }
        }
        let granted: Vec<_> = delta.missing.iter().chain(missing).copied().chain(differing).collect();
        for step in self.creation.grants(&granted) {
            if let Some(failure) = self.runner.attempt(&step.what(), &step.sql).await? {
                self.refused(step, &failure, words);
            }
        }
        if made_any || delta.touches(&[ObjectKind::Acl, ObjectKind::DefaultAcl]) {
            self.file(layout::ACCESS_GRANTS_SQL, words).await?;
        }
        if delta.touches(&[ObjectKind::EventTrigger]) {
            self.file(layout::EVENT_TRIGGERS_SQL, words).await?;
        }
        Ok(())
    }

    /// A restore of selected parts: created objects get exactly the snapshot's grants, nothing else is touched.
    async fn grants_of_made(&self, missing: &[&CatalogObject], words: &mut BTreeMap<String, String>) -> Result<()> {
        for object in
            missing.iter().filter(|o| matches!(o.kind, ObjectKind::Table | ObjectKind::Sequence | ObjectKind::View))
        {
            let sql = close(&object.identity);
            self.tried(&format!("close {}", object.identity), &sql, words).await?;
        }
        let acls: Vec<&CatalogObject> =
            self.source.inventory.of_kind(ObjectKind::Acl).filter(|o| self.scope.brings_back(o)).collect();
        let made: Vec<&CatalogObject> = if missing.is_empty() { Vec::new() } else { acls };
        for step in self.creation.grants(&made) {
            if let Some(failure) = self.runner.attempt(&step.what(), &step.sql).await? {
                self.refused(step, &failure, words);
            }
        }
        Ok(())
    }

    /// Does the target have any extension, which may have rows or settings of its own?
    fn installs_members(&self, live: &Inventory) -> bool {
        self.scope.only.is_empty() && live.of_kind(ObjectKind::Extension).next().is_some()
    }

    /// The creator of an extension owns its wrapper; platforms give the wrapper to their users. Grants on it need the
    /// owner.
    async fn owners_of_wrappers(&self, delta: &Delta<'_, '_>, words: &mut BTreeMap<String, String>) -> Result<()> {
        for (acl, _) in delta.differs.iter().filter(|(w, _)| w.kind == ObjectKind::Acl && w.extension.is_some()) {
            let Some(name) = acl.identity.strip_prefix("FOREIGN DATA WRAPPER ") else { continue };
            let mut wrappers = self.source.inventory.of_kind(ObjectKind::ForeignDataWrapper);
            if let Some(wrapper) = wrappers.find(|o| o.identity == name) {
                self.set_owner(wrapper, words).await?;
            }
        }
        Ok(())
    }

    /// PostgreSQL requires a superuser as the owner of an event trigger or a wrapper when the owner is set. Platforms
    /// hand them to other roles; do the same, in a transaction that no other session sees.
    pub(crate) async fn set_owner(&self, object: &CatalogObject, words: &mut BTreeMap<String, String>) -> Result<()> {
        let Some(sql) = owner_statement(object) else { return Ok(()) };
        let what = format!("owner of {} {}", object.kind, object.identity);
        let Some(failure) = self.runner.attempt(&what, &sql).await? else { return Ok(()) };
        let owner = ident(object.owner.as_deref().unwrap_or_default());
        let raised = format!("ALTER ROLE {owner} SUPERUSER;\n{sql};\nALTER ROLE {owner} NOSUPERUSER");
        let wants_superuser = matches!(object.kind, ObjectKind::EventTrigger | ObjectKind::ForeignDataWrapper);
        if wants_superuser && self.runner.attempt(&what, &raised).await?.is_none() {
            return Ok(());
        }
        self.refusals.note(ObjectName::of(object), &what, &failure);
        words.insert(what, failure.to_string());
        Ok(())
    }
}

/// Revokes every grant on a column or a parameter: the snapshot has none.
fn revoke_all_on_column_or_parameter(acl: &CatalogObject) -> Option<String> {
    let (from, name, on, identity) = if let Some(column) = acl.identity.strip_prefix("COLUMN ") {
        let from = "pg_catalog.pg_attribute o JOIN pg_catalog.pg_class c ON c.oid = o.attrelid \
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL pg_catalog.aclexplode(o.attacl) a";
        let name = "pg_catalog.format('%I.%I.%I', n.nspname, c.relname, o.attname)";
        (from, name, "pg_catalog.format('(%I) ON %I.%I', o.attname, n.nspname, c.relname)", column)
    } else {
        // The first superuser's grants are the default, and the server removes an ACL that equals the default: keep
        // those.
        let from = "pg_catalog.pg_parameter_acl o CROSS JOIN LATERAL \
            (SELECT * FROM pg_catalog.aclexplode(o.paracl) WHERE grantee <> 10) a";
        let name = "pg_catalog.quote_ident(o.parname)";
        (from, name, "'ON PARAMETER ' || o.parname", acl.identity.strip_prefix("PARAMETER ")?)
    };
    let body = format!(
        "DECLARE r record; BEGIN FOR r IN SELECT DISTINCT {on} AS place, CASE WHEN a.grantee = 0 THEN 'PUBLIC' \
         ELSE pg_catalog.quote_ident(g.rolname) END AS who FROM {from} LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee \
         WHERE {name} = {} LOOP EXECUTE pg_catalog.format('REVOKE ALL %s FROM %s CASCADE', r.place, r.who); \
         END LOOP; END",
        literal(identity)
    );
    Some(format!("DO {}", dollar_quoted(&body)))
}

/// Revokes every grant on a schema, before they are granted again.
fn revoke_all_on_schema(acl: &CatalogObject) -> Option<String> {
    let schema = acl.identity.strip_prefix("SCHEMA ")?;
    let name = literal(&identity::unquoted(schema));
    // The built-in grant to PUBLIC on `public` is not in the archive.
    let base = if schema == "public" { "GRANT USAGE ON SCHEMA public TO PUBLIC;" } else { "" };
    let body = format!(
        "DECLARE r record; BEGIN FOR r IN SELECT DISTINCT a.grantee, g.rolname, n.oid::pg_catalog.regnamespace \
         AS place FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a \
         LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee WHERE n.nspname = {name} AND a.grantee <> n.nspowner LOOP \
         EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %s FROM %s CASCADE', r.place, \
         CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END); END LOOP; {base} END"
    );
    Some(format!("DO {}", dollar_quoted(&body)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn no_name_ends_the_quotes_around_it() {
        let acl = object("ACL", "SCHEMA \"a$stacksnap$; b\"", "");
        for sql in [close("public.\"a$stacksnap$; b\""), revoke_all_on_schema(&acl).unwrap()] {
            let body = sql.strip_prefix("DO $stacksnapx$").and_then(|s| s.strip_suffix("$stacksnapx$")).unwrap();
            assert!(body.contains("a$stacksnap$; b") && !body.contains("$stacksnapx$"), "{sql}");
        }
    }
}
