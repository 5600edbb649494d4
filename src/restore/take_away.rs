//! What goes: objects that the snapshot does not have, and those that differ and cannot be altered.
//!
//! Invariant: each statement runs under its own savepoint, and what the server said about one that failed is kept.
//! Nothing is made here: the catalogs are read again afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::converge::{ASLEEP, AWAKE, Converge};
use super::delta::Delta;
use super::drop::drop_statement;
use super::replace::{Way, way};
use crate::model::failure::Result;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::restore::ObjectName;
use crate::pg::meaning::Within;

/// How often a pass drops before it makes anything.
const DROPS_MAX: usize = 4;

impl Converge<'_> {
    /// Drops and alters until nothing that is there lacks a part: a type that goes takes attributes of others along,
    /// and what is made of these has to wait until they are whole. Gives what is there then, where anything was dropped.
    pub(super) async fn drop_all(
        &self,
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<Option<Inventory>> {
        let mut fresh: Option<Inventory> = None;
        for _ in 0..DROPS_MAX {
            let now = self.delta(fresh.as_ref().unwrap_or(live));
            let known = self.to_alter(&now);
            if !self.drop_and_alter(&now, words).await? {
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

    /// What is there and has to be altered or dropped.
    fn to_alter(&self, delta: &Delta<'_, '_>) -> BTreeSet<ObjectName> {
        let own = |wanted| self.creation.own(wanted).map(|s| s.entry);
        let differs = delta.differs.iter().filter(|(w, f)| way(w, f, own(w)) != Way::Elsewhere);
        differs.map(|(wanted, _)| ObjectName::of(wanted)).collect()
    }

    /// Drops what the snapshot does not have, and alters or drops what differs. True when anything was dropped.
    async fn drop_and_alter(&self, delta: &Delta<'_, '_>, words: &mut BTreeMap<String, String>) -> Result<bool> {
        let mut dropped = false;
        for object in in_order_of_drops(&delta.extra) {
            dropped |= self.drop(object, words).await?;
        }
        for (wanted, found) in &delta.differs {
            match way(wanted, found, self.creation.own(wanted).map(|s| s.entry)) {
                Way::Elsewhere => {}
                Way::Drop => dropped |= self.drop(found, words).await?,
                Way::Alter(statements) => {
                    let sql = statements.join(";\n");
                    if self.runner.attempt(&wanted.identity, &sql).await?.is_some() {
                        dropped |= self.drop(found, words).await?;
                    } else if wanted.kind == "TABLE" {
                        // Columns were dropped with what hung on them.
                        dropped = true;
                    }
                }
            }
        }
        Ok(dropped)
    }

    async fn drop(&self, object: &CatalogObject, words: &mut BTreeMap<String, String>) -> Result<bool> {
        let Some(mut sql) = drop_statement(object) else { return Ok(false) };
        if object.kind == "EXTENSION" && self.scope.platform {
            sql = format!("{AWAKE};\n{sql};\n{ASLEEP}");
        }
        match self.runner.attempt(&format!("drop {} {}", object.kind, object.identity), &sql).await? {
            None => Ok(true),
            Some(failure) => {
                words.insert(format!("{} {}", object.kind, object.identity), failure.to_string());
                Ok(false)
            }
        }
    }
}

/// What others hang on goes last, so that little is taken along unnamed.
fn in_order_of_drops<'a>(extra: &[&'a CatalogObject]) -> Vec<&'a CatalogObject> {
    const FIRST: [&str; 12] = [
        "EVENT TRIGGER",
        "PUBLICATION",
        "POLICY",
        "TRIGGER",
        "RULE",
        "VIEW",
        "MATERIALIZED VIEW",
        "FK CONSTRAINT",
        "CHECK CONSTRAINT",
        "CONSTRAINT",
        "INDEX",
        "STATISTICS",
    ];
    const LAST: [&str; 4] = ["TYPE", "DOMAIN", "EXTENSION", "SCHEMA"];
    let rank = |o: &CatalogObject| {
        let first = FIRST.iter().position(|k| *k == o.kind);
        let last = LAST.iter().position(|k| *k == o.kind).map(|n| n + FIRST.len() + 1);
        first.or(last).unwrap_or(FIRST.len())
    };
    let mut sorted = extra.to_vec();
    sorted.sort_by_key(|o| (rank(o), ObjectName::of(o)));
    sorted
}
