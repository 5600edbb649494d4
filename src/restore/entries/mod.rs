//! Which entries of the archive make an object of the inventory.
//!
//! Invariant: every entry has a class, and one of a kind that is not known is an error in words. An object and its
//! entry are tied by the catalog address, never by a name, where pg_dump writes one; what has none (row security,
//! partitions, comments, user mappings) is tied by what it depends on and by names that are compared whole.
//! It runs nothing: see `entry_sql` for the statements.

mod class;
pub mod creation;
#[cfg(test)]
pub mod entries_tests;
pub mod entry_sql;
mod names;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::objects::constraint::{Constraint, Origin};
use super::objects::invalid_indexes;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::pgtools::toc::{Entry, Toc};
pub use class::EntryClass;
use class::classify;
use names::{Key, key_of_comment, key_of_object, mapping_tag, names_of};

/// When pg_restore runs an entry, whatever its place in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    Main,
    Privileges,
    /// Event triggers would act on what is made after them; a refresh needs the privileges.
    Last,
}

/// How an object comes into being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making<'a> {
    /// By these entries, in the archive's order: its own, and those of its parts.
    Entries(Vec<&'a Entry>),
    /// It needs no entry of its own; the text says why.
    Within(&'static str),
    /// The archive does not carry it. Nobody may pass that over in silence.
    Missing,
}

/// `pg_class`; and what belongs to the whole server.
const CLASS: u32 = 1259;
const SHARED: [u32; 5] = [1213, 1260, 1261, 1262, 6243];
/// Below it is what initdb makes.
const FIRST_OWN_OID: u32 = 16_384;

const OTHER_FILES: &str = "roles, settings and the database itself are in files of their own";
const GRANTS: &str = "access_grants.sql holds the full state of every privilege";
const EXTENSION: &str = "CREATE EXTENSION makes it";
const EVERYWHERE: &str = "every database has it";
const IN_ITS_TABLE: &str = "the definition of its table or domain has it";
const BY_ITS_PARENT: &str = "its parent makes it";
const FROM_INVENTORY: &str = "the inventory has its text, and pg_dump leaves it out";
const SHELL: &str = "the operator that names it makes it";
const NOT_VALID: &str = "pg_dump leaves out an index that is not valid or not ready";
const NOT_SUPERUSER: &str = "pg_dump writes subscriptions for a superuser alone";

/// The archive's entries by what they make.
#[derive(Debug)]
pub struct Entries<'a> {
    toc: &'a Toc,
    classes: Vec<EntryClass>,
    by_id: HashMap<i64, usize>,
    by_address: HashMap<(u32, u32), usize>,
    parts: HashMap<i64, Vec<usize>>,
    comments: HashMap<Key, usize>,
    /// Tables and servers that an extension makes: kind and identity.
    members: Vec<(String, String)>,
    /// Where indexes stand that no archive holds.
    left_over: HashSet<Address>,
}

impl<'a> Entries<'a> {
    /// Classifies every entry. `Configuration` when a kind is not known or the inventory has no addresses (format
    /// 1.0), `Integrity` when a part does not say what it is a part of.
    pub fn new(toc: &'a Toc, inventory: &Inventory) -> Result<Self> {
        if !inventory.objects.is_empty() && inventory.objects.iter().all(|o| o.address.is_none()) {
            let text = "the snapshot is of format 1.0: it does not say which entry of its archive makes which object";
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
                EntryClass::Object if entry.desc == "BLOB METADATA" => {
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

    /// When pg_restore runs it.
    pub fn pass(&self, entry: &Entry) -> Pass {
        let of = |desc: &str| match desc {
            "ACL" | "DEFAULT ACL" => Pass::Privileges,
            "EVENT TRIGGER" | "MATERIALIZED VIEW DATA" => Pass::Last,
            _ => Pass::Main,
        };
        match self.by_id.get(&entry.dump_id).map(|n| self.classes[*n]) {
            Some(EntryClass::Satellite(main)) => {
                of(&entry.desc).max(self.entry(main).map_or(Pass::Main, |e| of(&e.desc)))
            }
            _ => of(&entry.desc),
        }
    }

    /// How an object of the snapshot's inventory is made.
    pub fn making(&self, object: &CatalogObject) -> Making<'a> {
        let found = match object.kind.as_str() {
            "DATABASE" | "DATABASE SETTING" | "ROLE" | "ROLE MEMBERSHIP" | "ROLE SETTING" => {
                return Making::Within(OTHER_FILES);
            }
            "ACL" | "COMMENT" | "SECURITY LABEL" => return self.attached(object),
            "INDEX ATTACH" | "SEQUENCE SET" | "TABLE ATTACH" => self.named(object),
            "ROW SECURITY" => self.whole(object.address).into_iter().filter(|e| e.desc == "ROW SECURITY").collect(),
            "USER MAPPING" => self.mapping(object),
            "BLOB" if object.address.is_none() => self.blobs_of(object),
            _ => self.whole(object.address),
        };
        if !found.is_empty() {
            return Making::Entries(found);
        }
        self.left_out(object).map_or(Making::Missing, Making::Within)
    }

    /// The rows of a table, or the refresh of a materialized view.
    pub fn data(&self, object: &CatalogObject) -> Option<&'a Entry> {
        let oid = object.address.filter(|a| a.class == CLASS)?.oid;
        let rows = |e: &&Entry| e.oid == oid && ["TABLE DATA", "MATERIALIZED VIEW DATA"].contains(&e.desc.as_str());
        self.toc.entries.iter().find(rows)
    }

    /// The statements of an entry, without its owner: see [`entry_sql::statements`].
    pub fn statements(&self, entry: &Entry, server_version_num: u32) -> Vec<String> {
        if entry.desc == "ACL"
            && entry.tag.starts_with("LARGE OBJECTS")
            && let Some(group) = entry.depends_on.first().and_then(|id| self.entry(*id))
        {
            return entry_sql::group_privileges(entry, group);
        }
        entry_sql::statements(entry, server_version_num)
    }

    /// The entry at an address, with its parts and their parts, in the archive's order.
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

    /// What has the object's kind, schema and name.
    fn named(&self, object: &CatalogObject) -> Vec<&'a Entry> {
        let Some(names) = names_of(&object.identity) else { return Vec::new() };
        let [schema, name] = names.as_slice() else { return Vec::new() };
        let same = |e: &&Entry| e.desc == object.kind && e.schema.as_ref() == Some(schema) && &e.tag == name;
        self.toc.entries.iter().filter(same).collect()
    }

    fn mapping(&self, object: &CatalogObject) -> Vec<&'a Entry> {
        let Some(tag) = mapping_tag(&object.identity) else { return Vec::new() };
        self.toc.entries.iter().filter(|e| e.desc == "USER MAPPING" && e.tag == tag).collect()
    }

    /// An inventory tells very many large objects by their owner only.
    fn blobs_of(&self, object: &CatalogObject) -> Vec<&'a Entry> {
        let own = |e: &&Entry| e.desc.starts_with("BLOB") && Some(&e.owner) == object.owner.as_ref();
        let mains = self.all().filter(|(e, class)| *class == EntryClass::Object && own(e));
        mains.flat_map(|(e, _)| self.with_parts(self.by_id[&e.dump_id])).collect()
    }

    /// Privileges, comments and labels.
    fn attached(&self, object: &CatalogObject) -> Making<'a> {
        let Some(address) = object.address.filter(|a| !SHARED.contains(&a.class)) else {
            return Making::Within(OTHER_FILES);
        };
        let key = (object.kind == "COMMENT").then(|| key_of_object(object)).flatten();
        let found = match key {
            Some(key) => self.comments.get(&key).map(|n| &self.toc.entries[*n]).into_iter().collect(),
            None => {
                let mut parts = self.whole(Some(address));
                let column = object.kind == "ACL" && address.sub != 0;
                parts.retain(|e| {
                    let fits = if column { e.tag.starts_with("COLUMN ") } else { key_of_comment(e).is_none() };
                    e.desc == object.kind && fits
                });
                parts
            }
        };
        match object.kind.as_str() {
            _ if !found.is_empty() => Making::Entries(found),
            "ACL" => Making::Within(GRANTS),
            _ => self.left_out(object).map_or(Making::Missing, Making::Within),
        }
    }

    /// Why an object needs no entry.
    fn left_out(&self, object: &CatalogObject) -> Option<&'static str> {
        let says = |text: &str| object.definition.contains(text);
        if object.extension.is_some() || self.hangs_on_member(object) {
            return Some(EXTENSION);
        }
        match object.kind.as_str() {
            _ if object.address.is_some_and(|a| a.oid < FIRST_OWN_OID) => Some(EVERYWHERE),
            _ if invalid_indexes::whole(object).is_some_and(|a| self.left_over.contains(&a)) => Some(NOT_VALID),
            "CHECK CONSTRAINT" | "NOT NULL CONSTRAINT" | "FK CONSTRAINT" => in_a_table(object),
            "TRIGGER" if says("OF A PARTITIONED PARENT") => Some(BY_ITS_PARENT),
            // On what the server makes by itself: inherited constraints, cloned triggers, types of rows, of arrays and of
            // several ranges with their constructors, the rule of a view.
            "COMMENT" => Some(FROM_INVENTORY),
            "ROW SECURITY" if says("DISABLE, FORCE") => Some(IN_ITS_TABLE),
            "OPERATOR" if object.is_only_a_name() => Some(SHELL),
            "SUBSCRIPTION" => Some(NOT_SUPERUSER),
            _ => None,
        }
    }

    /// A comment that no archive holds though what it is on comes from there.
    pub fn is_comment_beside(&self, object: &CatalogObject) -> bool {
        let of_ours = |a: &Address| !SHARED.contains(&a.class) && a.oid >= FIRST_OWN_OID;
        object.kind == "COMMENT"
            && object.extension.is_none()
            && object.address.as_ref().is_some_and(of_ours)
            && !invalid_indexes::whole(object).is_some_and(|a| self.left_over.contains(&a))
            && matches!(self.making(object), Making::Within(_))
    }

    /// A table of an extension in a publication, a mapping on a server of an extension: pg_dump writes neither.
    fn hangs_on_member(&self, object: &CatalogObject) -> bool {
        let of = |kind: &str, fits: &dyn Fn(&str) -> bool| self.members.iter().any(|(k, i)| k == kind && fits(i));
        match object.kind.as_str() {
            "PUBLICATION TABLE" => of("TABLE", &|t| object.identity.starts_with(&format!("{t} in publication "))),
            "USER MAPPING" => of("SERVER", &|s| object.identity.ends_with(&format!(" on server {s}"))),
            _ => false,
        }
    }
}

/// Why a constraint needs no entry: its table's definition has it, or what a parent has comes down to it.
fn in_a_table(object: &CatalogObject) -> Option<&'static str> {
    let constraint = Constraint::of(object)?;
    match constraint.from {
        Origin::PartitionedParent => Some(BY_ITS_PARENT),
        Origin::Parent if object.kind != "FK CONSTRAINT" => Some(BY_ITS_PARENT),
        Origin::Itself if object.kind != "FK CONSTRAINT" && constraint.proved => Some(IN_ITS_TABLE),
        _ => None,
    }
}

fn members(inventory: &Inventory) -> Vec<(String, String)> {
    let kinds = ["TABLE", "SERVER"];
    let members = inventory.objects.iter().filter(|o| o.extension.is_some() && kinds.contains(&o.kind.as_str()));
    members.map(|o| (o.kind.clone(), o.identity.clone())).collect()
}
