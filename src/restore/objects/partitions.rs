//! Tables that became partitions, or are no more: detached and attached again with their rows, instead of made again.
//!
//! Invariant: it moves only tables that are there on both sides and differ in nothing but whose partitions they are.
//! Each move runs under its own savepoint; where the server refuses one, the table is made again as any other.

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
/// Kinds that the server may have named by itself.
const RENAMED: [ObjectKind; 2] = [ObjectKind::FkConstraint, ObjectKind::NotNullConstraint];

/// Does a table lack, or have too much, of nothing but its place below a partitioned parent?
pub fn only_moved(delta: &Delta<'_, '_>, wanted: &CatalogObject, live: &CatalogObject) -> bool {
    let is_it = |o: &&CatalogObject| o.kind == ATTACH && o.identity == wanted.identity;
    let moved = delta.missing.iter().copied().any(|o| is_it(&o)) || delta.extra.iter().copied().any(|o| is_it(&o));
    moved && wanted.kind == ObjectKind::Table && without_place(wanted) == without_place(live)
}

/// The definition without the mark of columns that come from a parent. A partition has no others and no INHERITS.
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
    /// True when anything was moved: all that hangs on it is another one now, and has to be compared anew.
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
            moved |= self.moved(table, &sql, words).await?;
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
            moved |= self.moved(table, &sql.join(";\n"), words).await?;
        }
        Ok(moved)
    }

    /// A partition that was made again, below a parent that was not: it has to have the parent's constraints before it is
    /// attached. Those that were never proved are in no archive but with the parent's.
    pub(crate) async fn attached_with_checks(&self, step: &Step<'_>) -> Result<bool> {
        let Some(table) = step.object.filter(|o| o.kind == ATTACH) else { return Ok(false) };
        let of_table = |o: &&CatalogObject| on(&o.identity).is_some_and(|(_, t)| t == table.identity);
        let all = self.source.inventory.objects.iter();
        let checks = all.filter(|o| matches!(o.kind, ObjectKind::CheckConstraint | ObjectKind::NotNullConstraint));
        for check in checks.filter(of_table).filter_map(add_before_attach) {
            // What came with the table is there already.
            self.runner.attempt("check of a partition", &check).await?;
        }
        Ok(self.runner.attempt(&step.what(), &step.sql).await?.is_none())
    }

    /// True when any constraint got its name back. What was just made has to be looked at too, where nothing else may
    /// be dropped.
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
        Ok(self.runner.attempt("names of constraints", &sql).await?.is_none())
    }

    async fn moved(&self, table: &CatalogObject, sql: &str, words: &mut BTreeMap<String, String>) -> Result<bool> {
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
