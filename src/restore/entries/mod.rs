//! Which entries of the archive create which object of the inventory.
//!
//! Invariant: every entry has a class, and an unknown kind is an error. Object and entry are tied by catalog address,
//! never by name, where pg_dump writes an address. Entries without one (row security, partitions, comments, user
//! mappings) are tied by their dependencies and by whole names. It runs nothing: see `entry_sql` for the statements.

mod class;
pub mod creation;
#[cfg(test)]
pub mod entries_tests;
pub mod entry_sql;
mod names;
pub mod step;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::objects::constraint::{Constraint, Origin};
use super::objects::invalid_indexes;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::pgtools::toc::{Entry, Toc};
pub use class::EntryClass;
use class::classify;
use names::{Key, key_of_comment, key_of_object, mapping_tag, names_of};

/// The pass in which pg_restore runs an entry, regardless of its position in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    Main,
    Privileges,
    /// Event triggers would fire for what is created after them; a refresh needs the privileges.
    Last,
}

/// How an object is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making<'a> {
    /// By these entries, in the archive's order: its own and those of its parts.
    Entries(Vec<&'a Entry>),
    /// It needs no entry of its own; the text is the reason.
    NotNeeded(&'static str),
    /// The archive does not contain it. The caller must report that.
    Missing,
}

/// `pg_class`.
const CLASS: u32 = 1259;
/// Catalogs of the whole server: `pg_tablespace`, `pg_authid`, `pg_auth_members`, `pg_database`, `pg_parameter_acl`.
const SHARED: [u32; 5] = [1213, 1260, 1261, 1262, 6243];
/// `FirstNormalObjectId`: objects below are created by initdb.
const FIRST_OWN_OID: u32 = 16_384;

const OTHER_FILES: &str = "roles, settings and the database itself are in files of their own";
const GRANTS: &str = "access_grants.sql holds the full state of every privilege";
const EXTENSION: &str = "CREATE EXTENSION creates it";
const EVERYWHERE: &str = "every database has it";
const IN_ITS_TABLE: &str = "it is part of the definition of its table or domain";
const BY_ITS_PARENT: &str = "it is created with that of its parent";
const FROM_INVENTORY: &str = "pg_dump leaves it out, so it is created from the inventory";
const SHELL: &str = "the operator that refers to it creates it as a shell";
const NOT_VALID: &str = "pg_dump leaves out an index that is not valid or not ready";
const NOT_SUPERUSER: &str = "pg_dump dumps subscriptions for a superuser only";

/// The archive's entries, indexed by what they create.
#[derive(Debug)]
pub struct Entries<'a> {
    toc: &'a Toc,
    classes: Vec<EntryClass>,
    by_id: HashMap<i64, usize>,
    by_address: HashMap<(u32, u32), usize>,
    parts: HashMap<i64, Vec<usize>>,
    comments: HashMap<Key, usize>,
    /// Tables and servers that an extension creates: kind and identity.
    members: Vec<(ObjectKind, String)>,
    /// Addresses of indexes that no archive contains.
    left_over: HashSet<Address>,
}

impl<'a> Entries<'a> {
    /// Classifies every entry.
    ///
    /// # Errors
    /// `Configuration`: a kind is unknown, or the inventory has no addresses (format 1.0). `Integrity`: a part does not
    /// name its object.
    pub fn new(toc: &'a Toc, inventory: &Inventory) -> Result<Self> {
        if !inventory.objects.is_empty() && inventory.objects.iter().all(|o| o.address.is_none()) {
            let text = "the snapshot has format 1.0, which does not tie archive entries to objects";
            return Err(Failure::msg(FailureKind::Configuration, text)
                .hint("restore it with its own script: restore_complete_backup.sh"));
        }
        let by_id = toc.entries.iter().enumerate().map(|(n, e)| (e.dump_id, n)).collect();
        let classes = classify(toc, inventory)?;
        let mut found = Self {
            toc,
            classes,
            by_id,
            by_address: HashMap::new(),
            parts: HashMap::new(),
            comments: HashMap::new(),
            members: members(inventory),
            left_over: invalid_indexes::addresses(&inventory.objects),
        };
        for (n, entry) in toc.entries.iter().enumerate() {
            match found.classes[n] {
                EntryClass::Object if entry.desc == ObjectKind::BlobMetadata => {
                    let oids = entry_sql::large_objects(entry);
                    found.by_address.extend(oids.into_iter().map(|oid| ((entry.catalog_oid, oid), n)));
                }
                EntryClass::Object if entry.catalog_oid != 0 => {
                    found.by_address.insert((entry.catalog_oid, entry.oid), n);
                }
                EntryClass::Satellite(main) => {
                    found.parts.entry(main).or_default().push(n);
                    if let Some(key) = key_of_comment(entry) {
                        found.comments.insert(key, n);
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Every entry with its class, in the archive's order.
    pub fn all(&self) -> impl Iterator<Item = (&'a Entry, EntryClass)> + '_ {
        self.toc.entries.iter().zip(self.classes.iter().copied())
    }

    /// The entry with that dump id.
    pub fn entry(&self, dump_id: i64) -> Option<&'a Entry> {
        self.by_id.get(&dump_id).map(|n| &self.toc.entries[*n])
    }

    /// The pass in which pg_restore runs it.
    pub fn pass(&self, entry: &Entry) -> Pass {
        let of = |desc: ObjectKind| match desc {
            ObjectKind::Acl | ObjectKind::DefaultAcl => Pass::Privileges,
            ObjectKind::EventTrigger | ObjectKind::MaterializedViewData => Pass::Last,
            _ => Pass::Main,
        };
        match self.by_id.get(&entry.dump_id).map(|n| self.classes[*n]) {
            Some(EntryClass::Satellite(main)) => {
                of(entry.desc).max(self.entry(main).map_or(Pass::Main, |e| of(e.desc)))
            }
            _ => of(entry.desc),
        }
    }

    /// How an object of the snapshot's inventory is created.
    pub fn making(&self, object: &CatalogObject) -> Making<'a> {
        let found = match object.kind {
            ObjectKind::Database
            | ObjectKind::DatabaseSetting
            | ObjectKind::Role
            | ObjectKind::RoleMembership
            | ObjectKind::RoleSetting => {
                return Making::NotNeeded(OTHER_FILES);
            }
            ObjectKind::Acl | ObjectKind::Comment | ObjectKind::SecurityLabel => return self.attached(object),
            ObjectKind::IndexAttach | ObjectKind::SequenceSet | ObjectKind::TableAttach => self.named(object),
            ObjectKind::RowSecurity => {
                self.whole(object.address).into_iter().filter(|e| e.desc == ObjectKind::RowSecurity).collect()
            }
            ObjectKind::UserMapping => self.mapping(object),
            ObjectKind::Blob if object.address.is_none() => self.blobs_of(object),
            _ => self.whole(object.address),
        };
        if !found.is_empty() {
            return Making::Entries(found);
        }
        self.why_no_entry(object).map_or(Making::Missing, Making::NotNeeded)
    }

    /// The entry of a table's rows or of a materialized view's refresh.
    pub fn data(&self, object: &CatalogObject) -> Option<&'a Entry> {
        let oid = object.address.filter(|a| a.class == CLASS)?.oid;
        let rows =
            |e: &&Entry| e.oid == oid && [ObjectKind::TableData, ObjectKind::MaterializedViewData].contains(&e.desc);
        self.toc.entries.iter().find(rows)
    }

    /// The statements of an entry, without its owner: see [`entry_sql::statements`].
    pub fn statements(&self, entry: &Entry, server_version_num: u32) -> Vec<String> {
        if entry.desc == ObjectKind::Acl
            && entry.tag.starts_with("LARGE OBJECTS")
            && let Some(group) = entry.depends_on.first().and_then(|id| self.entry(*id))
        {
            return entry_sql::group_privileges(entry, group);
        }
        entry_sql::statements(entry, server_version_num)
    }

    /// The entry at an address with its parts and their parts, in the archive's order.
    fn whole(&self, address: Option<Address>) -> Vec<&'a Entry> {
        let Some(first) = address.and_then(|a| self.by_address.get(&(a.class, a.oid))) else { return Vec::new() };
        self.with_parts(*first)
    }

    fn with_parts(&self, first: usize) -> Vec<&'a Entry> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![first];
        while let Some(n) = waiting.pop() {
            if found.insert(n) {
                waiting.extend(self.parts.get(&self.toc.entries[n].dump_id).into_iter().flatten());
            }
        }
        found.into_iter().map(|n| &self.toc.entries[n]).collect()
    }

    /// Entries with the object's kind, schema and name.
    fn named(&self, object: &CatalogObject) -> Vec<&'a Entry> {
        let Some(names) = names_of(&object.identity) else { return Vec::new() };
        let [schema, name] = names.as_slice() else { return Vec::new() };
        let same = |e: &&Entry| e.desc == object.kind && e.schema.as_ref() == Some(schema) && &e.tag == name;
        self.toc.entries.iter().filter(same).collect()
    }

    fn mapping(&self, object: &CatalogObject) -> Vec<&'a Entry> {
        let Some(tag) = mapping_tag(&object.identity) else { return Vec::new() };
        self.toc.entries.iter().filter(|e| e.desc == ObjectKind::UserMapping && e.tag == tag).collect()
    }

    /// An inventory with very many large objects lists only their owners.
    fn blobs_of(&self, object: &CatalogObject) -> Vec<&'a Entry> {
        let own = |e: &&Entry| e.desc.is_large_objects() && Some(&e.owner) == object.owner.as_ref();
        let mains = self.all().filter(|(e, class)| *class == EntryClass::Object && own(e));
        mains.flat_map(|(e, _)| self.with_parts(self.by_id[&e.dump_id])).collect()
    }

    /// Privileges, comments and security labels.
    fn attached(&self, object: &CatalogObject) -> Making<'a> {
        let Some(address) = object.address.filter(|a| !SHARED.contains(&a.class)) else {
            return Making::NotNeeded(OTHER_FILES);
        };
        let key = (object.kind == ObjectKind::Comment).then(|| key_of_object(object)).flatten();
        let found = match key {
            Some(key) => self.comments.get(&key).map(|n| &self.toc.entries[*n]).into_iter().collect(),
            None => {
                let mut parts = self.whole(Some(address));
                let column = object.kind == ObjectKind::Acl && address.sub != 0;
                parts.retain(|e| {
                    let fits = if column { e.tag.starts_with("COLUMN ") } else { key_of_comment(e).is_none() };
                    e.desc == object.kind && fits
                });
                parts
            }
        };
        match object.kind {
            _ if !found.is_empty() => Making::Entries(found),
            ObjectKind::Acl => Making::NotNeeded(GRANTS),
            _ => self.why_no_entry(object).map_or(Making::Missing, Making::NotNeeded),
        }
    }

    /// Why an object needs no entry.
    fn why_no_entry(&self, object: &CatalogObject) -> Option<&'static str> {
        let says = |text: &str| object.definition.contains(text);
        if object.extension.is_some() || self.belongs_to_member(object) {
            return Some(EXTENSION);
        }
        match object.kind {
            _ if object.address.is_some_and(|a| a.oid < FIRST_OWN_OID) => Some(EVERYWHERE),
            _ if invalid_indexes::whole(object).is_some_and(|a| self.left_over.contains(&a)) => Some(NOT_VALID),
            ObjectKind::CheckConstraint | ObjectKind::NotNullConstraint | ObjectKind::FkConstraint => {
                in_a_table(object)
            }
            ObjectKind::Trigger if says("OF A PARTITIONED PARENT") => Some(BY_ITS_PARENT),
            // On objects that the server creates by itself: inherited constraints, cloned triggers, row and array types,
            // multiranges with their constructors, the rule of a view.
            ObjectKind::Comment => Some(FROM_INVENTORY),
            ObjectKind::RowSecurity if says("DISABLE, FORCE") => Some(IN_ITS_TABLE),
            ObjectKind::Operator if object.is_shell_operator() => Some(SHELL),
            ObjectKind::Subscription => Some(NOT_SUPERUSER),
            _ => None,
        }
    }

    /// A comment that no archive holds, on an object that the archive does hold.
    pub fn is_comment_beside(&self, object: &CatalogObject) -> bool {
        let of_ours = |a: &Address| !SHARED.contains(&a.class) && a.oid >= FIRST_OWN_OID;
        object.kind == ObjectKind::Comment
            && object.extension.is_none()
            && object.address.as_ref().is_some_and(of_ours)
            && !invalid_indexes::whole(object).is_some_and(|a| self.left_over.contains(&a))
            && matches!(self.making(object), Making::NotNeeded(_))
    }

    /// pg_dump writes neither an extension's table in a publication nor a user mapping on an extension's server.
    fn belongs_to_member(&self, object: &CatalogObject) -> bool {
        let of =
            |kind: ObjectKind, fits: &dyn Fn(&str) -> bool| self.members.iter().any(|(k, i)| *k == kind && fits(i));
        match object.kind {
            ObjectKind::PublicationTable => {
                of(ObjectKind::Table, &|t| object.identity.starts_with(&format!("{t} in publication ")))
            }
            ObjectKind::UserMapping => {
                of(ObjectKind::Server, &|s| object.identity.ends_with(&format!(" on server {s}")))
            }
            _ => false,
        }
    }
}

/// Why a constraint needs no entry: it is part of its table's definition, or inherited from a parent.
fn in_a_table(object: &CatalogObject) -> Option<&'static str> {
    let constraint = Constraint::of(object)?;
    match constraint.from {
        Origin::PartitionedParent => Some(BY_ITS_PARENT),
        Origin::Parent if object.kind != ObjectKind::FkConstraint => Some(BY_ITS_PARENT),
        Origin::Itself if object.kind != ObjectKind::FkConstraint && constraint.validated => Some(IN_ITS_TABLE),
        _ => None,
    }
}

fn members(inventory: &Inventory) -> Vec<(ObjectKind, String)> {
    let kinds = [ObjectKind::Table, ObjectKind::Server];
    let members = inventory.objects.iter().filter(|o| o.extension.is_some() && kinds.contains(&o.kind));
    members.map(|o| (o.kind, o.identity.clone())).collect()
}
