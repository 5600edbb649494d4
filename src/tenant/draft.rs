//! The decision about every table while it is being made.
//!
//! Invariant: the first reason that decides a table's class stays.

use std::collections::HashMap;

use crate::model::name::QualifiedName;
use crate::model::platform::is_managed_schema;
use crate::model::relations::Relations;
use crate::model::tenancy::{Class, OwnColumn, Reference, Root};
use crate::model::tenant_settings::{StorageRule, TenantSettings};

/// What is decided about one table so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub class: Option<Class>,
    pub why: String,
    pub column: Option<OwnColumn>,
    pub storage: Vec<(String, StorageRule)>,
    pub via: Option<Via>,
}

/// What `owner_via` says about a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Via {
    Column(String),
    Parent(QualifiedName),
}

/// The work in progress.
pub(super) struct Draft<'r> {
    pub relations: &'r Relations,
    pub settings: &'r TenantSettings,
    pub root: &'r Root,
    pub references: Vec<Reference>,
    /// One for each table of `relations`.
    pub entries: Vec<Entry>,
    pub index: HashMap<QualifiedName, usize>,
}

impl Draft<'_> {
    pub fn set(&mut self, n: usize, class: Class, why: impl Into<String>) {
        let entry = &mut self.entries[n];
        if entry.class.is_none() {
            (entry.class, entry.why) = (Some(class), why.into());
        }
    }

    pub fn class(&self, table: &QualifiedName) -> Option<Class> {
        self.entries[*self.index.get(table)?].class
    }

    pub fn is_owned(&self, table: &QualifiedName) -> bool {
        self.class(table).is_some_and(Class::is_owned)
    }

    pub fn is_platform(&self, n: usize) -> bool {
        let table = &self.relations.tables[n];
        is_managed_schema(&table.name.schema) || table.extension.is_some()
    }
}
