//! Which entries of the archive create the objects that a target lacks, and in which order.
//!
//! Invariant: an entry is tied to an object by its catalog address, never by a line of SQL (trap 7): see `entries`.
//! pg_dump's order is kept: it is sorted by dependency. An object that the archive does not contain is an error, never
//! skipped.

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
use crate::restore::objects::overloads::{Overloads, RivalRenames};

/// Set from the inventory or by a file of the snapshot, after everything else.
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
    /// Entries of an object's grants, by the identity of the `ACL`.
    grants: HashMap<(ObjectKind, &'s str), Vec<usize>>,
    overloads: Overloads,
}

impl<'s> Creation<'s> {
    /// Ties every entry. `server_version_num`: the target's, for example 150018.
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
                // No entry creates `public`, but the archive may have grants on it.
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
                Making::NotNeeded(_) => continue,
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

    /// The entries that create `missing`, with their parts, in the archive's order.
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

    /// The entry that creates the object itself, without its parts.
    pub fn own(&self, object: &CatalogObject) -> Option<&Step<'s>> {
        let made = self.makings.get(&(object.kind, object.identity.as_str()))?;
        made.iter().map(|n| &self.entries[*n]).find(|s| s.entry.desc == object.kind)
    }

    /// The renames that keep other overloads from taking the calls in this entry.
    pub fn rival_renames(&self, step: &Step<'_>) -> Option<&RivalRenames> {
        self.overloads.of(step.entry.dump_id)
    }

    /// The same for an object, or for the table or domain that it is a part of.
    pub fn rival_renames_for(&self, object: &CatalogObject) -> Option<&RivalRenames> {
        if let Some(own) = self.own(object) {
            return self.rival_renames(own);
        }
        let (_, whole) = on(&object.identity)?;
        let whole = whole.strip_prefix("domain ").unwrap_or(whole);
        let made = [ObjectKind::Table, ObjectKind::ForeignTable, ObjectKind::Domain]
            .iter()
            .find_map(|kind| self.makings.get(&(*kind, whole)))?;
        made.iter().find_map(|n| self.rival_renames(&self.entries[*n]))
    }

    /// The dump ids of the entries that create an object and its parts.
    pub fn entry_ids(&self, object: &CatalogObject) -> Vec<i64> {
        let key = (object.kind, object.identity.as_str());
        let made = self.makings.get(&key).or_else(|| self.grants.get(&key));
        if let Some(made) = made {
            return made.iter().map(|n| self.entries[*n].entry.dump_id).collect();
        }
        // Kinds that a file creates still have an entry at the same catalog address.
        let Some(address) = object.address else { return Vec::new() };
        let same = |s: &&Step| {
            let entry = s.entry;
            entry.desc == object.kind && (entry.catalog_oid, entry.oid) == (address.class, address.oid)
        };
        self.entries.iter().filter(same).map(|s| s.entry.dump_id).collect()
    }

    /// The objects that an entry creates, completely or in part.
    pub fn objects_of(&self, step: &Step<'_>) -> Vec<ObjectName> {
        if let Some(object) = step.object {
            return vec![ObjectName::of(object)];
        }
        let all = self.makings.iter().chain(&self.grants);
        let is_part =
            |numbers: &Vec<usize>| numbers.iter().any(|n| self.entries[*n].entry.dump_id == step.entry.dump_id);
        // Grants, comments and labels count as objects of their own, not as parts.
        let is_attribute = matches!(step.entry.desc, ObjectKind::Acl | ObjectKind::Comment | ObjectKind::SecurityLabel);
        let of_kind = |kind: ObjectKind| !is_attribute || kind == step.entry.desc;
        let found = all.filter(|((kind, _), numbers)| of_kind(*kind) && is_part(numbers));
        found.map(|((kind, identity), _)| ObjectName { kind: *kind, identity: (*identity).into() }).collect()
    }

    /// Did the fence remove the SQL that creates this object?
    pub fn is_fenced(&self, object: &CatalogObject) -> bool {
        let Some(made) = self.makings.get(&(object.kind, object.identity.as_str())) else { return false };
        let steps = || made.iter().map(|n| &self.entries[*n]);
        match self.own(object) {
            Some(own) => own.fenced,
            None => !made.is_empty() && steps().all(|step| step.fenced),
        }
    }

    /// The archive's GRANT statements on these objects, in its order: the order of an ACL matters.
    pub fn grants(&self, missing: &[&CatalogObject]) -> Vec<&Step<'s>> {
        let numbers: BTreeSet<usize> =
            missing.iter().filter_map(|o| self.grants.get(&(o.kind, o.identity.as_str()))).flatten().copied().collect();
        numbers.into_iter().map(|n| &self.entries[n]).filter(|s| !s.sql.is_empty()).collect()
    }

    /// The REFRESH entries of materialized views, in the archive's order.
    pub fn refreshes(&self) -> impl Iterator<Item = &Step<'s>> {
        self.entries.iter().filter(|s| s.entry.desc == ObjectKind::MaterializedViewData)
    }
}

impl Step<'_> {
    pub fn is_post_data(&self) -> bool {
        self.entry.section == Section::PostData
    }

    /// Kind and name for messages.
    pub fn what(&self) -> String {
        let schema = self.entry.schema.as_ref().map(|s| format!("{s}.")).unwrap_or_default();
        format!("{} {}{}", self.entry.desc, visible(&schema), visible(&self.entry.tag))
    }
}

fn is_grant_on_public(entry: &Entry) -> bool {
    entry.desc == ObjectKind::Acl && entry.tag == "SCHEMA public"
}

fn not_carried(object: &CatalogObject) -> Failure {
    let text = format!("the archive has no entry for {} {}", object.kind, visible(&object.identity));
    Failure::msg(FailureKind::Integrity, text)
        .hint("see the snapshot's gaps: stacksnap show SNAPSHOT --gaps; take a new snapshot: stacksnap create")
}
