//! Classifies the entries of an archive for a restore: an object, a part of one, rows, or a preamble.
//!
//! Invariant: no kind is guessed. An unknown kind ends the restore before its first write.

use std::collections::{BTreeSet, HashMap};

use super::names::{names_of, table_of_constraint, table_of_default, view_of_rule};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::Inventory;
use crate::model::name::visible;
use crate::model::object_kind::{InArchive, ObjectKind};
use crate::pgtools::toc::{Entry, Toc};

/// The role of an entry in a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryClass {
    /// An object of its own.
    Object,
    /// A part of the entry with that dump id, created with it. If the archive lacks that entry, the part belongs to a
    /// member of an extension, or to the schema `public`.
    Satellite(i64),
    /// Rows, a sequence's value, contents of large objects, the refresh of a materialized view.
    Data,
    /// Settings for reading the archive, and the database itself.
    Preamble,
    /// A kind that this version does not know.
    Unknown,
}

/// Dump ids by schema and name.
type Names = HashMap<(String, String), i64>;

/// The class of every entry, in the archive's order. Errors: see `Entries::new`.
pub(crate) fn classify(toc: &Toc, inventory: &Inventory) -> Result<Vec<EntryClass>> {
    let relations = relations(toc, inventory);
    let types: Names =
        toc.entries.iter().filter(|e| e.desc == ObjectKind::Type).map(|e| (name(e), e.dump_id)).collect();
    let databases: BTreeSet<i64> =
        toc.entries.iter().filter(|e| e.desc == ObjectKind::Database).map(|e| e.dump_id).collect();
    let class = |entry: &Entry| {
        let found = match entry.desc {
            ObjectKind::Acl | ObjectKind::Comment | ObjectKind::RowSecurity | ObjectKind::SecurityLabel => {
                entry.depends_on.first().copied()
            }
            ObjectKind::Default => table_of_default(entry).and_then(|table| relations.get(&table).copied()),
            ObjectKind::IndexAttach | ObjectKind::SequenceOwnedBy | ObjectKind::TableAttach => {
                relations.get(&name(entry)).copied()
            }
            ObjectKind::ShellType => types.get(&name(entry)).copied(),
            ObjectKind::Rule => match view_of_rule(entry) {
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

/// The class of a kind that does not depend on the entry's contents.
fn by_kind(kind: ObjectKind, entry: &Entry) -> Result<EntryClass> {
    match kind_class(kind) {
        EntryClass::Unknown => {
            let text = format!(
                "the archive holds {} \"{}\": this version does not know that kind of entry, so it cannot restore it",
                visible(kind.word()),
                visible(&entry.tag)
            );
            Err(Failure::msg(FailureKind::Configuration, text)
                .hint("update stacksnap, or restore with the snapshot's own script: restore_complete_backup.sh"))
        }
        class => Ok(class),
    }
}

fn kind_class(kind: ObjectKind) -> EntryClass {
    match kind.in_archive() {
        InArchive::Object => EntryClass::Object,
        InArchive::Data => EntryClass::Data,
        InArchive::Preamble => EntryClass::Preamble,
        InArchive::Part | InArchive::Nowhere | InArchive::Unknown => EntryClass::Unknown,
    }
}

fn orphan(entry: &Entry) -> Failure {
    let text = format!(
        "{} \"{}\" in the archive does not name the object that it belongs to",
        visible(entry.desc.word()),
        visible(&entry.tag)
    );
    Failure::msg(FailureKind::Integrity, text)
        .hint("check the snapshot: stacksnap verify; or restore with its own script, which does not need this: restore_complete_backup.sh")
}

fn name(entry: &Entry) -> (String, String) {
    (entry.schema.clone().unwrap_or_default(), entry.tag.clone())
}

fn relations(toc: &Toc, inventory: &Inventory) -> Names {
    let kind = |e: &&Entry| e.desc.is_relation();
    let mut found: Names = toc.entries.iter().filter(kind).map(|e| (name(e), e.dump_id)).collect();
    // A NOT NULL that is NOT VALID has an entry of the same kind but no index: the inventory tells them apart.
    let of_index: BTreeSet<(u32, u32)> =
        inventory.of_kind(ObjectKind::Constraint).filter_map(|o| o.address.map(|a| (a.class, a.oid))).collect();
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
    fn the_class_of_a_kind_follows_from_its_place_in_the_archive() {
        assert_eq!(kind_class(ObjectKind::of("TABLE")), EntryClass::Object);
        assert_eq!(kind_class(ObjectKind::of("BLOBS")), EntryClass::Data);
        assert_eq!(kind_class(ObjectKind::of("STDSTRINGS")), EntryClass::Preamble);
        assert_eq!(kind_class(ObjectKind::of("PROPERTY GRAPH")), EntryClass::Unknown);
    }
}
