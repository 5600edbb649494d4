//! Drops objects that the snapshot does not have, and objects that differ and cannot be altered.
//!
//! Invariant: each statement runs under its own savepoint, and the server's message about a failed one is kept. Nothing
//! is created here. The catalogs are read again afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::constraint::binds_new_rows;
use super::converge::{Converge, TRIGGERS_OFF, TRIGGERS_ON};
use super::delta::Delta;
use super::domains::stuck;
use super::drop::drop_statement;
use super::replace::{Way, only_not_nulls, way};
use crate::model::failure::Result;
use crate::model::identity::{on, qualified};
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::pg::catalog::supports::supports;
use crate::pg::meaning::Within;
use crate::pg::session::Session;

/// How often a pass may drop before it creates anything.
const DROPS_MAX: usize = 4;

/// Kinds whose objects may come from an object of a parent table.
const HUNG: [ObjectKind; 6] = [
    ObjectKind::CheckConstraint,
    ObjectKind::NotNullConstraint,
    ObjectKind::FkConstraint,
    ObjectKind::Constraint,
    ObjectKind::Index,
    ObjectKind::Trigger,
];

impl Converge<'_> {
    /// Drops and alters until no existing object loses a part any more: dropping a type drops columns of other objects,
    /// and their dependents must wait until these are complete again. Returns the target's inventory if anything was
    /// dropped.
    pub(crate) async fn drop_all(
        &self,
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<Option<Inventory>> {
        let mut fresh: Option<Inventory> = None;
        for _ in 0..DROPS_MAX {
            let now = self.delta(fresh.as_ref().unwrap_or(live));
            let known = self.to_alter(&now);
            let mut dropped = false;
            for domain in stuck(self.runner.session, &now, fresh.as_ref().unwrap_or(live)).await? {
                dropped |= self.drop(domain, words).await?;
            }
            if !(self.drop_and_alter(&now, words).await? || dropped) {
                break;
            }
            let after = self.source.read_target(self.runner.session, Within::Transaction).await?;
            let lost_a_part = !self.to_alter(&self.delta(&after)).is_subset(&known);
            fresh = Some(after);
            if !lost_a_part {
                break;
            }
        }
        Ok(fresh)
    }

    /// Where NOT NULL is an object of its own, that object is changed and the table stays.
    fn way(&self, wanted: &CatalogObject, found: &CatalogObject) -> Way {
        if only_not_nulls(wanted, found) && not_nulls_are_objects(&self.source.inventory, self.runner.session) {
            return Way::Elsewhere;
        }
        way(wanted, found, self.creation.own(wanted).map(|s| s.entry))
    }

    /// Existing objects that must be altered or dropped.
    fn to_alter(&self, delta: &Delta<'_, '_>) -> BTreeSet<ObjectName> {
        let differs = delta.differs.iter().filter(|(w, f)| self.way(w, f) != Way::Elsewhere);
        differs.map(|(wanted, _)| ObjectName::of(wanted)).collect()
    }

    /// Drops extra objects, and alters or drops differing ones. True if anything was dropped.
    async fn drop_and_alter(&self, delta: &Delta<'_, '_>, words: &mut BTreeMap<String, String>) -> Result<bool> {
        let mut dropped = false;
        for object in in_order_of_drops(&delta.extra) {
            dropped |= self.drop(object, words).await?;
        }
        for (wanted, found) in &delta.differs {
            match self.way(wanted, found) {
                Way::Elsewhere => {}
                Way::Drop => dropped |= self.drop(found, words).await?,
                Way::Alter(statements) => {
                    let sql = statements.join(";\n");
                    if let Some(failure) = self.attempt_for(wanted, &wanted.identity, &sql).await? {
                        self.refusals.note(ObjectName::of(wanted), &wanted.identity, &failure);
                        dropped |= self.drop(found, words).await?;
                    } else if wanted.kind == ObjectKind::Table {
                        // Dropping a column dropped its dependents too.
                        dropped = true;
                    }
                }
            }
        }
        Ok(dropped)
    }

    /// Drops CHECKs that are NOT VALID in the snapshot before rows are loaded: such a CHECK still applies to new rows,
    /// and old rows may violate it. They are created again like other missing objects.
    pub(crate) async fn drop_unproved(
        &self,
        tables: &BTreeSet<QualifiedName>,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let filled = |o: &CatalogObject| {
            let table = on(&o.identity).and_then(|(_, table)| qualified(table));
            table.is_some_and(|(schema, name)| tables.contains(&QualifiedName::new(schema, name)))
        };
        let wanted = self.source.inventory.objects.iter().filter(|o| binds_new_rows(o) && filled(o));
        let wanted: BTreeSet<ObjectName> = wanted.map(ObjectName::of).collect();
        if wanted.is_empty() || self.scope.untrusted {
            return Ok(());
        }
        let live = self.source.read_target(self.runner.session, Within::Transaction).await?;
        for object in live.objects.iter().filter(|o| wanted.contains(&ObjectName::of(o))) {
            self.drop(object, words).await?;
        }
        Ok(())
    }

    /// Drops an object, after the parent's object that it comes from: a partition's index is dropped with the parent's.
    async fn drop(&self, object: &CatalogObject, words: &mut BTreeMap<String, String>) -> Result<bool> {
        let Some(mut sql) = drop_statement(object) else { return Ok(false) };
        if let Some(address) = object.address.filter(|_| HUNG.contains(&object.kind)) {
            let above = supports(self.runner.session, address).await?;
            let above = above.into_iter().map(|name| CatalogObject {
                kind: name.kind,
                identity: name.identity,
                definition: String::new(),
                ..object.clone()
            });
            let statements: Vec<String> = above.filter_map(|o| drop_statement(&o)).collect();
            // While it drops, the server may replace it (a child's constraint becomes a local one), so drop it by name
            // too.
            sql = statements.into_iter().chain([sql]).collect::<Vec<_>>().join(";\n");
        }
        if object.kind == ObjectKind::Extension && self.scope.platform {
            sql = format!("{TRIGGERS_ON};\n{sql};\n{TRIGGERS_OFF}");
        }
        match self.runner.attempt(&format!("drop {} {}", object.kind, object.identity), &sql).await? {
            None => Ok(true),
            Some(failure) => {
                let what = format!("{} {}", object.kind, object.identity);
                self.refusals.note(ObjectName::of(object), &what, &failure);
                words.insert(what, failure.to_string());
                Ok(false)
            }
        }
    }
}

/// Since PostgreSQL 18, on both sides.
pub fn not_nulls_are_objects(snapshot: &Inventory, target: &Session) -> bool {
    target.version_num >= 180_000 && snapshot.of_kind(ObjectKind::NotNullConstraint).next().is_some()
}

/// Objects that others depend on come last, so that CASCADE drops little.
fn in_order_of_drops<'a>(extra: &[&'a CatalogObject]) -> Vec<&'a CatalogObject> {
    const FIRST: [ObjectKind; 12] = [
        ObjectKind::EventTrigger,
        ObjectKind::Publication,
        ObjectKind::Policy,
        ObjectKind::Trigger,
        ObjectKind::Rule,
        ObjectKind::View,
        ObjectKind::MaterializedView,
        ObjectKind::FkConstraint,
        ObjectKind::CheckConstraint,
        ObjectKind::Constraint,
        ObjectKind::Index,
        ObjectKind::Statistics,
    ];
    const LAST: [ObjectKind; 4] = [ObjectKind::Type, ObjectKind::Domain, ObjectKind::Extension, ObjectKind::Schema];
    let rank = |o: &CatalogObject| {
        let first = FIRST.iter().position(|k| *k == o.kind);
        let last = LAST.iter().position(|k| *k == o.kind).map(|n| n + FIRST.len() + 1);
        first.or(last).unwrap_or(FIRST.len())
    };
    let mut sorted = extra.to_vec();
    sorted.sort_by_key(|o| (rank(o), ObjectName::of(o)));
    sorted
}
