//! Tables that became partitions, or stopped being one: they are detached and attached with their rows instead of
//! recreated.
//!
//! Invariant: it moves only tables that exist on both sides and differ only in their parent. Each move runs under its
//! own savepoint; if the server refuses it, the table is recreated like any other.

use std::collections::{BTreeMap, BTreeSet};

use super::constraint::{add_before_attach, renames};
use super::converge::Converge;
use super::delta::Delta;
use super::replace::table_parts;
use crate::model::failure::Result;
use crate::model::identity::on;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::pgtools::toc::dotted_name;
use crate::restore::entries::creation::Step;

const ATTACH: ObjectKind = ObjectKind::TableAttach;
/// Kinds that the server may have named itself.
const RENAMED: [ObjectKind; 2] = [ObjectKind::FkConstraint, ObjectKind::NotNullConstraint];

/// Does the table differ only in its place below a partitioned parent?
pub fn only_moved(delta: &Delta<'_, '_>, wanted: &CatalogObject, live: &CatalogObject) -> bool {
    let is_it = |o: &&CatalogObject| o.kind == ATTACH && o.identity == wanted.identity;
    let moved = delta.missing.iter().copied().any(|o| is_it(&o)) || delta.extra.iter().copied().any(|o| is_it(&o));
    moved && wanted.kind == ObjectKind::Table && without_place(wanted) == without_place(live)
}

/// The definition without the mark of inherited columns. A partition has no own columns and no INHERITS.
fn without_place(table: &CatalogObject) -> Option<(&str, Vec<&str>, &str)> {
    let (before, columns, after) = table_parts(&table.definition)?;
    Some((before, columns.into_iter().map(|c| c.strip_suffix(" INHERITED").unwrap_or(c)).collect(), after))
}

/// `PARTITION OF <parent> …`
fn parent_of(attach: &CatalogObject) -> Option<&str> {
    let text = attach.definition.strip_prefix("PARTITION OF ")?;
    let (_, rest) = dotted_name(text)?;
    text.strip_suffix(rest)
}

impl Converge<'_> {
    /// Detaches and attaches partitions. True if any was moved: its dependents changed too, so the caller must compare
    /// again.
    pub(crate) async fn move_partitions(
        &self,
        delta: &Delta<'_, '_>,
        words: &mut BTreeMap<String, String>,
    ) -> Result<bool> {
        let rebound = delta.differs.iter().filter(|(wanted, _)| wanted.kind == ATTACH);
        let mut moved = false;
        for table in delta.extra.iter().copied().filter(|o| o.kind == ATTACH).chain(rebound.map(|(_, live)| *live)) {
            let Some(parent) = parent_of(table) else { continue };
            let sql = format!("ALTER TABLE {parent} DETACH PARTITION {}", table.identity);
            moved |= self.attach_or_detach(table, &sql, words).await?;
        }
        if moved {
            return Ok(true);
        }
        for table in delta.missing.iter().copied().filter(|o| o.kind == ATTACH) {
            let lacks_itself = |o: &&CatalogObject| {
                o.identity == table.identity && matches!(o.kind, ObjectKind::Table | ObjectKind::ForeignTable)
            };
            let differs = delta.differs.iter().find(|(wanted, _)| lacks_itself(wanted));
            if delta.missing.iter().any(lacks_itself) || differs.is_some_and(|(w, l)| !only_moved(delta, w, l)) {
                continue;
            }
            let steps = self.creation.of(&[table]);
            let checks =
                delta.missing.iter().copied().filter(|o| on(&o.identity).is_some_and(|(_, t)| t == table.identity));
            let checks = checks.filter(|o| o.kind == ObjectKind::CheckConstraint).filter_map(add_before_attach);
            let sql: Vec<String> = checks.chain(steps.iter().map(|step| step.sql.clone())).collect();
            moved |= self.attach_or_detach(table, &sql.join(";\n"), words).await?;
        }
        Ok(moved)
    }

    /// Attaches a recreated partition to a parent that was not recreated. It needs the parent's constraints first; NOT
    /// VALID ones are in the archive only with the parent.
    pub(crate) async fn attached_with_checks(&self, step: &Step<'_>) -> Result<bool> {
        let Some(table) = step.object.filter(|o| o.kind == ATTACH) else { return Ok(false) };
        let of_table = |o: &&CatalogObject| on(&o.identity).is_some_and(|(_, t)| t == table.identity);
        let all = self.source.inventory.objects.iter();
        let checks = all.filter(|o| matches!(o.kind, ObjectKind::CheckConstraint | ObjectKind::NotNullConstraint));
        for check in checks.filter(of_table).filter_map(add_before_attach) {
            // Constraints that were created with the table exist already.
            self.runner.attempt("check of a partition", &check).await?;
        }
        Ok(self.runner.attempt(&step.what(), &step.sql).await?.is_none())
    }

    /// Renames constraints back to their names in the snapshot. True if any was renamed. Looks at all live constraints,
    /// because `delta.extra` is empty where nothing may be dropped.
    pub(crate) async fn rename_constraints(&self, delta: &Delta<'_, '_>, live: &Inventory) -> Result<bool> {
        let snapshot = self.source.inventory.objects.iter().filter(|o| RENAMED.contains(&o.kind));
        let known: BTreeSet<(ObjectKind, &str)> = snapshot.map(|o| (o.kind, o.identity.as_str())).collect();
        let (wanted, found): (Vec<_>, Vec<_>) = delta.differs.iter().copied().unzip();
        let extra = live
            .objects
            .iter()
            .filter(|o| RENAMED.contains(&o.kind) && !known.contains(&(o.kind, o.identity.as_str())));
        let renames = renames(&[&delta.missing[..], &wanted].concat(), &extra.chain(found).collect::<Vec<_>>());
        if renames.is_empty() {
            return Ok(false);
        }
        let (away, back): (Vec<_>, Vec<_>) = renames.into_iter().unzip();
        let sql = [away, back].concat().join(";\n");
        Ok(self.runner.attempt("rename constraints", &sql).await?.is_none())
    }

    async fn attach_or_detach(
        &self,
        table: &CatalogObject,
        sql: &str,
        words: &mut BTreeMap<String, String>,
    ) -> Result<bool> {
        let what = format!("{ATTACH} {}", table.identity);
        let failure = self.runner.attempt(&what, sql).await?;
        let moved = failure.is_none();
        words.extend(failure.map(|failure| (what, failure.to_string())));
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn a_detached_partition_is_told_from_an_altered_one() {
        let attach = object(ATTACH, "public.\"p q\"", "PARTITION OF s.\"a b\" FOR VALUES FROM (1) TO (2)");
        assert_eq!(parent_of(&attach), Some("s.\"a b\""));
        let table = |columns: &str| object("TABLE", "public.\"p q\"", &format!("(\n  {columns}\n) WITH ()"));
        let wanted = table("a integer INHERITED,\n  b text DEFAULT ' INHERITED'::text INHERITED");
        let live = table("a integer,\n  b text DEFAULT ' INHERITED'::text");
        let moved = Delta { missing: vec![&attach], ..Delta::default() };
        assert!(only_moved(&moved, &wanted, &live));
        assert!(!only_moved(&Delta::default(), &wanted, &live));
        assert!(!only_moved(&moved, &wanted, &table("a bigint,\n  b text DEFAULT ' INHERITED'::text")));
    }
}
