//! What each entry of an archive is to a restore: an object, a part of one, rows, or a preamble.
//!
//! Invariant: no kind is guessed. One that is not in these lists ends the restore before its first write.

use std::collections::{BTreeSet, HashMap};

use super::names::{names_of, table_of_constraint, table_of_default, view_of_rule};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::Inventory;
use crate::model::name::visible;
use crate::pgtools::toc::{Entry, Toc};

/// What an entry is to a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryClass {
    /// An object with a life of its own.
    Object,
    /// A part of the entry with that dump id, made with it. That entry may not be in the archive: then it describes a
    /// member of an extension, or the schema `public`.
    Satellite(i64),
    /// Rows, a sequence's value, large objects' content, the refresh of a materialized view.
    Data,
    /// How to read the archive, and the database itself.
    Preamble,
    /// A kind that this version does not know.
    Unknown,
}

const OBJECTS: [&str; 43] = [
    "ACCESS METHOD",
    "AGGREGATE",
    "BLOB",
    "BLOB METADATA",
    "CAST",
    "CHECK CONSTRAINT",
    "COLLATION",
    "CONSTRAINT",
    "CONVERSION",
    "DEFAULT ACL",
    "DOMAIN",
    "EVENT TRIGGER",
    "EXTENSION",
    "FK CONSTRAINT",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "MATERIALIZED VIEW",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "POLICY",
    "PROCEDURAL LANGUAGE",
    "PROCEDURE",
    "PUBLICATION",
    "PUBLICATION TABLE",
    "PUBLICATION TABLES IN SCHEMA",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "STATISTICS",
    "SUBSCRIPTION",
    "TABLE",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
    "TRANSFORM",
    "TRIGGER",
    "TYPE",
    "USER MAPPING",
    "VIEW",
];
const DATA: [&str; 5] = ["BLOBS", "MATERIALIZED VIEW DATA", "SEQUENCE SET", "STATISTICS DATA", "TABLE DATA"];
const PREAMBLE: [&str; 5] = ["DATABASE", "DATABASE PROPERTIES", "ENCODING", "SEARCHPATH", "STDSTRINGS"];
/// What has one namespace: `pg_class`. The index of a constraint is in it too.
const RELATIONS: [&str; 6] = ["FOREIGN TABLE", "INDEX", "MATERIALIZED VIEW", "SEQUENCE", "TABLE", "VIEW"];

/// Dump ids by schema and name.
type Names = HashMap<(String, String), i64>;

/// The class of every entry, in the archive's order. Errors: see `Entries::new`.
pub(crate) fn classify(toc: &Toc, inventory: &Inventory) -> Result<Vec<EntryClass>> {
    let relations = relations(toc, inventory);
    let types: Names = toc.entries.iter().filter(|e| e.desc == "TYPE").map(|e| (name(e), e.dump_id)).collect();
    let databases: BTreeSet<i64> = toc.entries.iter().filter(|e| e.desc == "DATABASE").map(|e| e.dump_id).collect();
    let class = |entry: &Entry| {
        let found = match entry.desc.as_str() {
            "ACL" | "COMMENT" | "ROW SECURITY" | "SECURITY LABEL" => entry.depends_on.first().copied(),
            "DEFAULT" => table_of_default(entry).and_then(|table| relations.get(&table).copied()),
            "INDEX ATTACH" | "SEQUENCE OWNED BY" | "TABLE ATTACH" => relations.get(&name(entry)).copied(),
            "SHELL TYPE" => types.get(&name(entry)).copied(),
            "RULE" => match view_of_rule(entry) {
                None => return Ok(EntryClass::Object),
                Some(view) => view.and_then(|view| relations.get(&view).copied()),
            },
            other => return by_kind(other, entry),
        };
        let main = found.ok_or_else(|| orphan(entry))?;
        Ok(if databases.contains(&main) { EntryClass::Preamble } else { EntryClass::Satellite(main) })
    };
    toc.entries.iter().map(class).collect()
}

/// The class of a kind that needs no look at the entry.
fn by_kind(kind: &str, entry: &Entry) -> Result<EntryClass> {
    match kind_class(kind) {
        EntryClass::Unknown => {
            let text = format!(
                "the archive holds {} \"{}\": this version does not know that kind of entry, so it cannot restore it",
                visible(kind),
                visible(&entry.tag)
            );
            Err(Failure::msg(FailureKind::Configuration, text)
                .hint("update stacksnap, or restore with the snapshot's own script: restore_complete_backup.sh"))
        }
        class => Ok(class),
    }
}

fn kind_class(kind: &str) -> EntryClass {
    if OBJECTS.contains(&kind) {
        EntryClass::Object
    } else if DATA.contains(&kind) {
        EntryClass::Data
    } else if PREAMBLE.contains(&kind) {
        EntryClass::Preamble
    } else {
        EntryClass::Unknown
    }
}

fn orphan(entry: &Entry) -> Failure {
    let text =
        format!("{} \"{}\" in the archive does not say what it belongs to", visible(&entry.desc), visible(&entry.tag));
    Failure::msg(FailureKind::Integrity, text)
        .hint("check the snapshot: stacksnap verify; restore_complete_backup.sh in it does without this")
}

fn name(entry: &Entry) -> (String, String) {
    (entry.schema.clone().unwrap_or_default(), entry.tag.clone())
}

fn relations(toc: &Toc, inventory: &Inventory) -> Names {
    let kind = |e: &&Entry| RELATIONS.contains(&e.desc.as_str());
    let mut found: Names = toc.entries.iter().filter(kind).map(|e| (name(e), e.dump_id)).collect();
    // A NOT NULL that is not valid has the same kind of entry and no index: the inventory knows which is which.
    let of_index: BTreeSet<(u32, u32)> =
        inventory.of_kind("CONSTRAINT").filter_map(|o| o.address.map(|a| (a.class, a.oid))).collect();
    for entry in toc.entries.iter().filter(|e| of_index.contains(&(e.catalog_oid, e.oid))) {
        let names = table_of_constraint(entry).and_then(|(_, rest)| names_of(rest.trim_end_matches(['\n', ';'])));
        if let Some([index]) = names.as_deref() {
            found.insert((entry.schema.clone().unwrap_or_default(), index.clone()), entry.dump_id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_class() {
        let all: Vec<&str> = [&OBJECTS[..], &DATA, &PREAMBLE].concat();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(kind_class("TABLE"), EntryClass::Object);
        assert_eq!(kind_class("BLOBS"), EntryClass::Data);
        assert_eq!(kind_class("STDSTRINGS"), EntryClass::Preamble);
        assert_eq!(kind_class("PROPERTY GRAPH"), EntryClass::Unknown);
    }
}
