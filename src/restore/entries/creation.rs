//! What makes the objects that a target lacks, in which order.
//!
//! Invariant: an entry is tied to an object by its catalog address, never by a line of SQL (trap 7): see `entries`.
//! pg_dump's own order is kept: it is sorted by dependency. An object that the archive does not carry is an error in
//! words, never passed over.

use std::collections::{BTreeSet, HashMap};

pub use super::step::Step;
use super::{Entries, Making};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::identity::on;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::visible;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::pgtools::toc::{Entry, Section, Toc};
use crate::restore::objects::overloads::{Apart, Overloads};

/// Made equal from the inventory or from a file of the snapshot, after everything else.
const ELSEWHERE: [ObjectKind; 11] = [
    ObjectKind::Acl,
    ObjectKind::DefaultAcl,
    ObjectKind::Blob,
    ObjectKind::BlobMetadata,
    ObjectKind::Publication,
    ObjectKind::PublicationTable,
    ObjectKind::PublicationTablesInSchema,
    ObjectKind::Subscription,
    ObjectKind::ReplicationSlot,
    ObjectKind::SecurityLabel,
    ObjectKind::SequenceSet,
];

/// The archive's entries, tied to the inventory.
pub struct Creation<'s> {
    pub entries: Vec<Step<'s>>,
    makings: HashMap<(ObjectKind, &'s str), Vec<usize>>,
    /// By the identity of the `ACL`.
    grants: HashMap<(ObjectKind, &'s str), Vec<usize>>,
    overloads: Overloads,
}

impl<'s> Creation<'s> {
    /// Ties every entry, for a server of that version (e.g. 150018).
    pub fn new(toc: &'s Toc, inventory: &'s Inventory, server_version_num: u32) -> Result<Self> {
        let entries = Entries::new(toc, inventory)?;
        let mut steps: Vec<Step<'s>> = entries
            .all()
            .map(|(entry, _)| Step {
                entry,
                object: None,
                sql: entries.statements(entry, server_version_num).join("\n;\n"),
                pass: entries.pass(entry),
                fenced: false,
            })
            .collect();
        let numbers: HashMap<i64, usize> = toc.entries.iter().enumerate().map(|(n, e)| (e.dump_id, n)).collect();
        let mut makings = HashMap::new();
        let mut grants: HashMap<_, Vec<usize>> = HashMap::new();
        for object in inventory.of_kind(ObjectKind::Acl) {
            let made: Vec<usize> = match entries.making(object) {
                Making::Entries(made) => made.iter().filter_map(|e| numbers.get(&e.dump_id).copied()).collect(),
                // `public` has grants of its own although no entry makes it.
                _ if object.identity == "SCHEMA public" => {
                    (0..steps.len()).filter(|n| is_grant_on_public(steps[*n].entry)).collect()
                }
                _ => continue,
            };
            grants.insert((object.kind, object.identity.as_str()), made);
        }
        for object in inventory.objects.iter().filter(|o| !ELSEWHERE.contains(&o.kind)) {
            let made = match entries.making(object) {
                Making::Entries(made) => made,
                Making::Within(_) => continue,
                Making::Missing => return Err(not_carried(object)),
            };
            let made: Vec<usize> = made.iter().filter_map(|e| numbers.get(&e.dump_id).copied()).collect();
            if let Some(own) = made.iter().find(|n| steps[**n].entry.desc == object.kind) {
                steps[*own].object.get_or_insert(object);
            }
            makings.insert((object.kind, object.identity.as_str()), made);
        }
        let overloads = Overloads::new(&steps);
        Ok(Self { entries: steps, makings, grants, overloads })
    }

    /// The entries that make `missing`, with their parts, in the archive's order.
    pub fn of(&self, missing: &[&CatalogObject]) -> Vec<&Step<'s>> {
        let numbers: BTreeSet<usize> = missing
            .iter()
            .filter_map(|o| self.makings.get(&(o.kind, o.identity.as_str())))
            .flatten()
            .copied()
            .collect();
        let steps = numbers.into_iter().map(|n| &self.entries[n]);
        steps.filter(|s| !s.sql.is_empty() && !ELSEWHERE.contains(&s.entry.desc)).collect()
    }

    /// The entry that makes an object itself, without its parts.
    pub fn own(&self, object: &CatalogObject) -> Option<&Step<'s>> {
        let made = self.makings.get(&(object.kind, object.identity.as_str()))?;
        made.iter().map(|n| &self.entries[*n]).find(|s| s.entry.desc == object.kind)
    }

    /// What keeps other functions from taking the calls of what an entry makes.
    pub fn apart(&self, step: &Step<'_>) -> Option<&Apart> {
        self.overloads.of(step.entry.dump_id)
    }

    /// The same of an object, or of the table or domain that it is inside of.
    pub fn apart_for(&self, object: &CatalogObject) -> Option<&Apart> {
        if let Some(own) = self.own(object) {
            return self.apart(own);
        }
        let (_, whole) = on(&object.identity)?;
        let whole = whole.strip_prefix("domain ").unwrap_or(whole);
        let made = [ObjectKind::Table, ObjectKind::ForeignTable, ObjectKind::Domain]
            .iter()
            .find_map(|kind| self.makings.get(&(*kind, whole)))?;
        made.iter().find_map(|n| self.apart(&self.entries[*n]))
    }

    /// The numbers of the archive's entries that make an object with its parts.
    pub fn entry_ids(&self, object: &CatalogObject) -> Vec<i64> {
        let key = (object.kind, object.identity.as_str());
        let made = self.makings.get(&key).or_else(|| self.grants.get(&key));
        if let Some(made) = made {
            return made.iter().map(|n| self.entries[*n].entry.dump_id).collect();
        }
        // Kinds that a file makes have an entry all the same, at the same place in the catalogs.
        let Some(address) = object.address else { return Vec::new() };
        let same = |s: &&Step| {
            let entry = s.entry;
            entry.desc == object.kind && (entry.catalog_oid, entry.oid) == (address.class, address.oid)
        };
        self.entries.iter().filter(same).map(|s| s.entry.dump_id).collect()
    }

    /// The objects that an entry makes, or makes a part of.
    pub fn objects_of(&self, step: &Step<'_>) -> Vec<ObjectName> {
        if let Some(object) = step.object {
            return vec![ObjectName::of(object)];
        }
        let all = self.makings.iter().chain(&self.grants);
        let is_part =
            |numbers: &Vec<usize>| numbers.iter().any(|n| self.entries[*n].entry.dump_id == step.entry.dump_id);
        // What is said about an object is none of its parts here.
        let said = matches!(step.entry.desc, ObjectKind::Acl | ObjectKind::Comment | ObjectKind::SecurityLabel);
        let of_kind = |kind: ObjectKind| !said || kind == step.entry.desc;
        let found = all.filter(|((kind, _), numbers)| of_kind(*kind) && is_part(numbers));
        found.map(|((kind, identity), _)| ObjectName { kind: *kind, identity: (*identity).into() }).collect()
    }

    /// Was what makes an object taken away?
    pub fn is_fenced(&self, object: &CatalogObject) -> bool {
        let Some(made) = self.makings.get(&(object.kind, object.identity.as_str())) else { return false };
        let steps = || made.iter().map(|n| &self.entries[*n]);
        match self.own(object) {
            Some(own) => own.fenced,
            None => !made.is_empty() && steps().all(|step| step.fenced),
        }
    }

    /// The archive's own grants on objects, in its order: grants are an ordered list.
    pub fn grants(&self, missing: &[&CatalogObject]) -> Vec<&Step<'s>> {
        let numbers: BTreeSet<usize> =
            missing.iter().filter_map(|o| self.grants.get(&(o.kind, o.identity.as_str()))).flatten().copied().collect();
        numbers.into_iter().map(|n| &self.entries[n]).filter(|s| !s.sql.is_empty()).collect()
    }

    /// What fills materialized views, in the archive's order.
    pub fn refreshes(&self) -> impl Iterator<Item = &Step<'s>> {
        self.entries.iter().filter(|s| s.entry.desc == ObjectKind::MaterializedViewData)
    }
}

impl Step<'_> {
    pub fn is_post_data(&self) -> bool {
        self.entry.section == Section::PostData
    }

    /// For messages.
    pub fn what(&self) -> String {
        let schema = self.entry.schema.as_ref().map(|s| format!("{s}.")).unwrap_or_default();
        format!("{} {}{}", self.entry.desc, visible(&schema), visible(&self.entry.tag))
    }
}

fn is_grant_on_public(entry: &Entry) -> bool {
    entry.desc == ObjectKind::Acl && entry.tag == "SCHEMA public"
}

fn not_carried(object: &CatalogObject) -> Failure {
    let text = format!("the archive does not hold {} {}", object.kind, visible(&object.identity));
    Failure::msg(FailureKind::Integrity, text)
        .hint("see what the snapshot lacks: stacksnap show SNAPSHOT --gaps; take another one: stacksnap create")
}
