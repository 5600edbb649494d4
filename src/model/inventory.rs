//! The content of the catalogs: every object by kind, identity and definition; every table with its columns.
//!
//! Invariant: an inventory is read under one exported snapshot and never changes afterwards. It is stored as
//! `inventory.json`.

use crate::model::object_kind::ObjectKind;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::identity::of_any_major;
use super::name::QualifiedName;
use super::rls_view::RlsView;

/// One object. `kind` is pg_dump's TOC word if there is one (`TABLE`, `FUNCTION`, `POLICY`, …).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CatalogObject {
    pub kind: ObjectKind,
    pub schema: Option<String>,
    /// Identity within the database, as `pg_identify_object` writes it; parts are quoted where needed.
    #[serde(deserialize_with = "any_major")]
    pub identity: String,
    /// The definition as SQL or as a stable line; secrets are replaced by their sha256.
    pub definition: String,
    pub owner: Option<String>,
    /// The extension it is a member of. CREATE EXTENSION recreates members, so no dump contains them.
    pub extension: Option<String>,
    /// Its address in the source's catalogs: its own row, or the row of the object that it describes or is a part of
    /// (ACL, COMMENT, ROW SECURITY, …). `None` if there is no such row, and in snapshots of format 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// Normalizes identities from snapshots of older servers.
fn any_major<'d, D: serde::Deserializer<'d>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(of_any_major)
}

impl CatalogObject {
    /// A shell operator, created because another operator named it as commutator or negator. It has no function and
    /// is created and dropped with that operator. Only older snapshots list them.
    pub fn is_shell_operator(&self) -> bool {
        self.kind == ObjectKind::Operator && self.definition.starts_with("FUNCTION -")
    }
}

/// An object address as in `pg_depend`. It ties an object to its TOC entry and is valid in one database only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// OID of the catalog, e.g. 1259 for `pg_class`.
    pub class: u32,
    pub oid: u32,
    /// Column number; 0 for the whole object.
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

/// One table with rows of its own (an ordinary table or a leaf partition; partitioned parents have none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    pub oid: u32,
    pub name: QualifiedName,
    pub columns: Vec<Column>,
    /// `p` permanent, `u` unlogged.
    pub persistence: char,
    pub extension: Option<String>,
    /// A configuration table of its extension: pg_dump dumps its rows.
    pub extension_config: bool,
    pub bytes_estimated: u64,
    pub rows_estimated: i64,
}

/// The whole inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub objects: Vec<CatalogObject>,
    pub tables: Vec<TableFacts>,
    /// Objects with an explicit ACL that equals the default, by kind and name. `None` if unknown: snapshots before
    /// format 1.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_acls: Option<Vec<String>>,
    /// Rows visible under row security. `None` if not probed: other kinds of snapshots, and those before format 1.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rls_view: Option<RlsView>,
    /// Definitions of constraints include the state of their index: since format 1.4.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_index_state: bool,
    /// The inventory has replication slots and the options of subscriptions: since format 1.5.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tells_replication: bool,
}

impl Inventory {
    /// Number of objects per kind that are not members of an extension, i.e. that pg_dump must dump.
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

/// For tests: an object without owner, schema and extension.
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
