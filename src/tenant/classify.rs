//! The class of every table, and with it who owns its rows.
//!
//! Invariant: pure: the same catalogs and the same configuration give the same decision. What is open is `ambiguous` and
//! never guessed; what the configuration names and is not there is refused.

use super::draft::{Draft, Entry, Via};
use super::names::people;
use super::references::references;
use super::roots::{known_column, known_table};
use super::{direct, paths, polymorphic};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, visible};
use crate::model::relations::Relations;
use crate::model::tenancy::{Class, Root, Suggestion, Tenancy};
use crate::model::tenant_settings::{StorageRule, TenantSettings};

/// Decides. `stored_files` says whether `storage.objects` has rows.
pub fn classify(relations: &Relations, root: &Root, settings: &TenantSettings, stored_files: bool) -> Result<Tenancy> {
    let index = relations.tables.iter().enumerate().map(|(n, t)| (t.name.clone(), n)).collect();
    let mut draft = Draft {
        relations,
        settings,
        root,
        references: references(relations, settings)?,
        entries: vec![Entry::default(); relations.tables.len()],
        index,
    };
    draft.configured()?;
    draft.seed();
    draft.storage(stored_files)?;
    direct::by_keys(&mut draft);
    direct::by_names(&mut draft);
    draft.derived();
    draft.ambiguous();
    draft.members();
    draft.rest();
    let suggestions = draft.suggestions();
    let mut tenancy = paths::decide(draft)?;
    tenancy.suggestions = suggestions;
    Ok(tenancy)
}

impl Draft<'_> {
    /// Whatever the configuration names has to be there.
    fn configured(&mut self) -> Result<()> {
        let settings = self.settings;
        for name in &settings.shared_tables {
            known_table(self.relations, "shared_tables", name)?;
            if Some(name) == self.root.table.as_ref() {
                let text = format!("[projects.NAME.tenants] shared_tables holds the root, {}", visible(&name.plain()));
                return Err(Failure::msg(FailureKind::Configuration, text).hint("take it out of shared_tables"));
            }
            self.set(self.index[name], Class::Shared, "the configuration says so (shared_tables)");
        }
        for name in &settings.required_tables {
            known_table(self.relations, "required_tables", name)?;
        }
        for (name, via) in &settings.owner_via {
            let table = known_table(self.relations, "owner_via", name)?;
            let parent = QualifiedName::parse(via).unwrap_or_else(|_| QualifiedName::new(&name.schema, via));
            let via = if table.column(via).is_some() {
                Via::Column(via.clone())
            } else if self.references.iter().any(|r| &r.child == name && r.parent == parent) {
                Via::Parent(parent)
            } else {
                let (table, via) = (visible(&name.plain()), visible(via));
                let text =
                    format!("[projects.NAME.tenants] owner_via: {table} has no column {via} and no reference to it");
                return Err(Failure::msg(FailureKind::Configuration, text)
                    .hint("name a column of the table, or a table that it refers to, as schema.table"));
            };
            self.entries[self.index[name]].via = Some(via);
        }
        Ok(())
    }

    /// The root, the people, what belongs to extensions.
    fn seed(&mut self) {
        if let Some(root) = &self.root.table
            && let Some(n) = self.index.get(root).copied()
        {
            self.set(n, Class::Root, "its rows are the tenants");
        }
        if let (Some(members), Some(membership)) = (&self.root.members, &self.root.membership)
            && let Some(n) = self.index.get(members).copied()
        {
            self.set(n, Class::Member, format!("the people that {} names", membership.plain()));
        }
        for n in 0..self.entries.len() {
            if let Some(extension) = &self.relations.tables[n].extension {
                self.set(n, Class::Excluded, format!("belongs to the extension {extension}"));
            }
        }
    }

    /// Files of storage belong by their path or by their owner.
    fn storage(&mut self, stored_files: bool) -> Result<()> {
        let name = QualifiedName::new("storage", "objects");
        let objects =
            self.relations.table(&name).filter(|t| t.column("bucket_id").is_some() && t.column("name").is_some());
        let Some(objects) = objects else {
            return match self.settings.storage.is_empty() {
                true => Ok(()),
                false => {
                    known_table(self.relations, "storage", &name).and_then(|t| known_column(t, "storage", "bucket_id"))
                }
            };
        };
        let n = self.index[&name];
        let has_owner = objects.column("owner_id").is_some();
        let users = self.root.table.as_ref().is_some_and(|t| people(self.relations).contains(t));
        if !self.settings.storage.is_empty() {
            if self.settings.storage.values().any(|rule| *rule == StorageRule::Owner) {
                known_column(objects, "storage", "owner_id")?;
            }
            self.entries[n].storage = self.settings.storage.clone().into_iter().collect();
            self.set(n, Class::Direct, "by bucket, as the configuration says (storage)");
        } else if users && has_owner {
            self.entries[n].storage = vec![("*".to_string(), StorageRule::Owner)];
            self.set(n, Class::Direct, "by owner_id: the tenants are users");
        } else if stored_files {
            self.set(
                n,
                Class::Ambiguous,
                "nothing says which folder of a bucket is a tenant's: add [projects.NAME.tenants.storage]",
            );
        }
        Ok(())
    }

    /// Everything from which a reference leads to an owner.
    fn derived(&mut self) {
        loop {
            let reached: Vec<(usize, String)> = self
                .references
                .iter()
                .filter(|r| r.child != r.parent && self.class(&r.child).is_none() && self.is_owned(&r.parent))
                .map(|r| (self.index[&r.child], format!("refers to {}", r.parent.plain())))
                .collect();
            if reached.is_empty() {
                return;
            }
            for (n, why) in reached {
                self.set(n, Class::Derived, why);
            }
        }
    }

    /// What leads to an ambiguous table only, and what has a reference that nobody declared.
    fn ambiguous(&mut self) {
        for n in 0..self.entries.len() {
            let table = &self.relations.tables[n];
            let open = self.entries[n].class.is_none() && !self.is_platform(n);
            let pair = open.then(|| polymorphic::pairs(self.relations, table).into_iter().next()).flatten();
            if let Some(pair) = pair {
                let (kind, id) = (pair.type_column, pair.id_column);
                let why = format!("{kind} and {id} refer to several tables: add [[projects.NAME.tenants.references]]");
                self.set(n, Class::Ambiguous, why);
            }
        }
        loop {
            let reached: Vec<(usize, String)> = self
                .references
                .iter()
                .filter(|r| self.class(&r.child).is_none() && self.class(&r.parent) == Some(Class::Ambiguous))
                .filter(|r| r.parent.schema != "storage")
                .map(|r| (self.index[&r.child], format!("refers to {}, which is ambiguous", r.parent.plain())))
                .collect();
            if reached.is_empty() {
                return;
            }
            for (n, why) in reached {
                self.set(n, Class::Ambiguous, why);
            }
        }
    }

    /// What hangs on the people and on nothing else.
    fn members(&mut self) {
        loop {
            let reached: Vec<(usize, String)> = self
                .references
                .iter()
                .filter(|r| self.class(&r.child).is_none() && self.class(&r.parent) == Some(Class::Member))
                .map(|r| (self.index[&r.child], format!("hangs on {}", r.parent.plain())))
                .collect();
            if reached.is_empty() {
                return;
            }
            for (n, why) in reached {
                self.set(n, Class::Member, why);
            }
        }
    }

    fn rest(&mut self) {
        for n in 0..self.entries.len() {
            if self.is_platform(n) {
                self.set(n, Class::Excluded, "belongs to the platform");
            } else {
                self.set(n, Class::Shared, "no reference and no column leads to a tenant");
            }
        }
    }

    /// What could be said about references that nobody declared.
    fn suggestions(&self) -> Vec<Suggestion> {
        let mut found = Vec::new();
        for (n, table) in self.relations.tables.iter().enumerate().filter(|(n, _)| !self.is_platform(*n)) {
            let given = self.settings.references.iter().any(|r| r.table == table.name);
            if given || self.entries[n].class == Some(Class::Root) || self.settings.shared_tables.contains(&table.name)
            {
                continue;
            }
            for pair in polymorphic::pairs(self.relations, table) {
                let (kind, id) = (&pair.type_column, &pair.id_column);
                let what = format!("{kind} and {id} look like a reference to several tables");
                found.push(Suggestion { table: table.name.clone(), what });
            }
        }
        found
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
