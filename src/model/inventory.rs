//! What the catalogs say that the database holds: every object by kind, identity and definition; every table
//! with its columns.
//!
//! Invariant: an inventory is read under one exported snapshot and then never changes. `inventory.json` is it.

use crate::model::object_kind::ObjectKind;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::identity::of_any_major;
use super::name::QualifiedName;
use super::rls_view::RlsView;

/// One object. `kind` is pg_dump's TOC word where there is one (`TABLE`, `FUNCTION`, `POLICY`, …).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CatalogObject {
    pub kind: ObjectKind,
    pub schema: Option<String>,
    /// Identity within the database, as `pg_identify_object` writes it; names of parts quoted where needed.
    #[serde(deserialize_with = "any_major")]
    pub identity: String,
    /// The definition as SQL or as a stable line; secrets are replaced by their sha256.
    pub definition: String,
    pub owner: Option<String>,
    /// The extension that it belongs to. Members are recreated by CREATE EXTENSION and are in no dump.
    pub extension: Option<String>,
    /// Where it stands in the catalogs that were read: its own row, or the row of what it describes or is a part of
    /// (ACL, COMMENT, ROW SECURITY, …). None where there is no such row, and in snapshots of format 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// Snapshots of older servers name some objects as these do.
fn any_major<'d, D: serde::Deserializer<'d>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(of_any_major)
}

impl CatalogObject {
    /// An operator that another one named before it was made: it can do nothing, and goes or comes with that one. Older
    /// snapshots tell of them.
    pub fn is_only_a_name(&self) -> bool {
        self.kind == ObjectKind::Operator && self.definition.starts_with("FUNCTION -")
    }
}

/// `pg_depend`'s way to name an object. It ties an object to its entry in the archive, and holds in one database only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The catalog's own oid, e.g. 1259 for `pg_class`.
    pub class: u32,
    pub oid: u32,
    /// Column number; 0 for the whole.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sub: i32,
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// One column of a table, in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// `format_type` under an empty search_path.
    pub type_name: String,
    /// Stored generated columns are never written to CSV and never inserted.
    pub generated: bool,
}

/// One table with rows of its own (ordinary table or partition leaf; partitioned parents have none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    pub oid: u32,
    pub name: QualifiedName,
    pub columns: Vec<Column>,
    /// `p` permanent, `u` unlogged.
    pub persistence: char,
    pub extension: Option<String>,
    /// The member is a configuration table of its extension: pg_dump carries its rows.
    pub extension_config: bool,
    pub bytes_estimated: u64,
    pub rows_estimated: i64,
}

/// Everything, as one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub objects: Vec<CatalogObject>,
    pub tables: Vec<TableFacts>,
    /// Privileges that are written down although they say what is so without them, by kind and name. None where nobody
    /// looked: a snapshot before format 1.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_acls: Option<Vec<String>>,
    /// What row security showed. None where nobody looked: another kind of snapshot, or one before format 1.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rls_view: Option<RlsView>,
    /// Definitions of constraints tell the state of their indexes: since format 1.4.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_index_state: bool,
    /// It tells of replication slots and of subscriptions' options: since format 1.5.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_replication: bool,
}

impl Inventory {
    /// How many objects of each kind are not members of an extension: what pg_dump must carry.
    pub fn counts(&self) -> BTreeMap<ObjectKind, u64> {
        let mut counts = BTreeMap::new();
        for object in self.objects.iter().filter(|o| o.extension.is_none()) {
            *counts.entry(object.kind).or_insert(0) += 1;
        }
        counts
    }

    pub fn of_kind(&self, kind: ObjectKind) -> impl Iterator<Item = &CatalogObject> {
        self.objects.iter().filter(move |o| o.kind == kind)
    }

    pub fn table(&self, name: &QualifiedName) -> Option<&TableFacts> {
        self.tables.iter().find(|t| &t.name == name)
    }
}

/// For tests: an object of nobody, in no schema, of no extension.
#[cfg(test)]
pub fn object(kind: impl Into<ObjectKind>, identity: &str, definition: &str) -> CatalogObject {
    CatalogObject {
        kind: kind.into(),
        schema: None,
        identity: identity.into(),
        definition: definition.into(),
        owner: None,
        extension: None,
        address: None,
    }
}
