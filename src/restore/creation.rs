//! Which entries of the archive make the objects that a target lacks, in which order.
//!
//! Invariant: an entry is tied to an object of the inventory by its catalog address, never by a line of SQL (facts 7).
//! pg_dump's own order is kept: it is sorted by dependency. An entry that hangs on an object (its default, its
//! sequence's owner) comes with it. A kind of entry that is not known is an error, never passed over.

use std::collections::{HashMap, HashSet};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::name::visible;
use crate::pgtools::toc::{Entry, Section, Toc};

/// What becomes of a kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Makes an object of the inventory.
    Object,
    /// Belongs to the entries that it depends on, and comes with any of them.
    Part,
    /// Rows, values and contents, which are loaded apart.
    Data,
    /// Made equal from the inventory or from a file of the snapshot after everything else.
    Elsewhere,
    /// Settings of the dump itself.
    Preamble,
}

/// The class of an entry by its kind. `None`: not known.
pub fn class(desc: &str) -> Option<Class> {
    Some(match desc {
        "DEFAULT" | "SEQUENCE OWNED BY" | "SHELL TYPE" => Class::Part,
        "TABLE DATA" | "SEQUENCE SET" | "BLOBS" | "BLOB" | "BLOB METADATA" | "MATERIALIZED VIEW DATA" => Class::Data,
        "ACL"
        | "ACL LANGUAGE"
        | "DEFAULT ACL"
        | "COMMENT"
        | "SECURITY LABEL"
        | "ROW SECURITY"
        | "PUBLICATION"
        | "PUBLICATION TABLE"
        | "PUBLICATION TABLES IN SCHEMA"
        | "SUBSCRIPTION"
        | "SUBSCRIPTION TABLE"
        | "STATISTICS DATA" => Class::Elsewhere,
        "ENCODING" | "STDSTRINGS" | "SEARCHPATH" | "DATABASE" | "DATABASE PROPERTIES" => Class::Preamble,
        "SCHEMA"
        | "EXTENSION"
        | "TABLE"
        | "FOREIGN TABLE"
        | "VIEW"
        | "MATERIALIZED VIEW"
        | "SEQUENCE"
        | "INDEX"
        | "TABLE ATTACH"
        | "INDEX ATTACH"
        | "CONSTRAINT"
        | "CHECK CONSTRAINT"
        | "FK CONSTRAINT"
        | "NOT NULL CONSTRAINT"
        | "TRIGGER"
        | "RULE"
        | "POLICY"
        | "FUNCTION"
        | "PROCEDURE"
        | "AGGREGATE"
        | "TYPE"
        | "DOMAIN"
        | "COLLATION"
        | "CONVERSION"
        | "CAST"
        | "TRANSFORM"
        | "OPERATOR"
        | "OPERATOR CLASS"
        | "OPERATOR FAMILY"
        | "ACCESS METHOD"
        | "PROCEDURAL LANGUAGE"
        | "EVENT TRIGGER"
        | "STATISTICS"
        | "SERVER"
        | "FOREIGN DATA WRAPPER"
        | "USER MAPPING"
        | "TEXT SEARCH CONFIGURATION"
        | "TEXT SEARCH DICTIONARY"
        | "TEXT SEARCH PARSER"
        | "TEXT SEARCH TEMPLATE" => Class::Object,
        _ => return None,
    })
}

/// The archive's entries, tied to the inventory.
pub struct Creation<'s> {
    pub entries: Vec<Step<'s>>,
}

/// One entry and what it makes.
#[derive(Debug, Clone, Copy)]
pub struct Step<'s> {
    pub entry: &'s Entry,
    pub class: Class,
    /// `None` for parts, and for what the inventory tells with its owner (a constraint inside of its table).
    pub object: Option<&'s CatalogObject>,
}

impl<'s> Creation<'s> {
    /// Ties every entry. An unknown kind is `Configuration`: the archive is newer than this program.
    pub fn new(toc: &'s Toc, inventory: &'s Inventory) -> Result<Self> {
        let mut by_address: HashMap<(Address, &str), &CatalogObject> = HashMap::new();
        let mut by_name: HashMap<(&str, &str), &CatalogObject> = HashMap::new();
        for object in &inventory.objects {
            if let Some(address) = object.address {
                by_address.insert((address, object.kind.as_str()), object);
            }
            by_name.insert((&object.kind, &object.identity), object);
        }
        let mut entries = Vec::with_capacity(toc.entries.len());
        for entry in &toc.entries {
            let class = class(&entry.desc).ok_or_else(|| unknown(entry))?;
            let address = Address { class: entry.catalog_oid, oid: entry.oid, sub: 0 };
            let object = match class {
                Class::Object if entry.catalog_oid != 0 => by_address.get(&(address, entry.desc.as_str())).copied(),
                Class::Object => attached(entry, &by_name),
                _ => None,
            };
            entries.push(Step { entry, class, object });
        }
        Ok(Self { entries })
    }

    /// The entries that make `missing`, with their parts, in the archive's order.
    pub fn of(&self, missing: &[&CatalogObject]) -> Vec<Step<'s>> {
        let wanted: HashSet<(&str, &str)> = missing.iter().map(|o| (o.kind.as_str(), o.identity.as_str())).collect();
        let mut made: HashSet<i64> = HashSet::new();
        let mut steps = Vec::new();
        // A shell type comes before the type that it is a part of: parts are looked for both ways.
        for step in &self.entries {
            if step.object.is_some_and(|o| wanted.contains(&(o.kind.as_str(), o.identity.as_str()))) {
                made.insert(step.entry.dump_id);
            }
        }
        for step in &self.entries {
            let is_part = step.class == Class::Part && self.belongs(step.entry, &made);
            if made.contains(&step.entry.dump_id) || is_part {
                steps.push(*step);
            }
        }
        steps
    }

    fn belongs(&self, part: &Entry, made: &HashSet<i64>) -> bool {
        if part.desc == "SHELL TYPE" {
            let whole = |s: &&Step| s.entry.desc == "TYPE" && s.entry.tag == part.tag && s.entry.schema == part.schema;
            return self.entries.iter().find(whole).is_some_and(|s| made.contains(&s.entry.dump_id));
        }
        part.depends_on.iter().any(|id| made.contains(id))
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

/// `TABLE ATTACH` and `INDEX ATTACH` have no address: they are found by the child's name.
fn attached<'s>(entry: &Entry, by_name: &HashMap<(&str, &str), &'s CatalogObject>) -> Option<&'s CatalogObject> {
    let schema = entry.schema.as_deref()?;
    let find = |o: &&&CatalogObject| {
        o.kind == entry.desc
            && super::identity::qualified(&o.identity).is_some_and(|(s, n)| s == schema && n == entry.tag)
    };
    let direct = format!("{schema}.{}", entry.tag);
    by_name.get(&(entry.desc.as_str(), direct.as_str())).copied().or_else(|| by_name.values().find(find).copied())
}

fn unknown(entry: &Entry) -> Failure {
    let text = format!("the archive holds a kind of object that is not known: {}", visible(&entry.desc));
    Failure::msg(FailureKind::Configuration, text)
        .hint("use a newer stacksnap, or restore by hand with pg_restore: see doc/restore.md")
}
