//! Another project as the target: what users built on tables of the platform, for example an index on `auth.users`.
//!
//! Invariant: if the target's service has the snapshot's migrations, missing or extra objects on its tables are a
//! user's: they are created, or dropped with the other project, as far as the role's rights allow. The rest is named
//! before anything is written. If the versions differ, ownership cannot be determined: the objects stay and are named.
//! It writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::Scope;
use super::services::{Services, relation_of};
use super::versions;
use crate::model::difference::{Change, ObjectDifference, compare};
use crate::model::failure::Result;
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::name::{QualifiedName, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, TargetKind};
use crate::pg::session::Session;
use crate::restore::Engine;

/// Kinds that a user can build on another role's table.
const KINDS: [ObjectKind; 6] = [
    ObjectKind::Index,
    ObjectKind::Statistics,
    ObjectKind::Constraint,
    ObjectKind::CheckConstraint,
    ObjectKind::FkConstraint,
    ObjectKind::Rule,
];

/// More objects are counted, not named.
const NAMED_MAX: usize = 8;

/// The result of the comparison.
#[derive(Debug, Clone, Default)]
pub struct BuiltOn {
    /// Objects that this restore creates, alters or drops, with their comments.
    ours: BTreeSet<ObjectName>,
    /// Schemas at the snapshot's version.
    pub same_version: BTreeSet<String>,
    left: Vec<Exception>,
}

impl BuiltOn {
    /// Compares. `scope`: what the restore may touch otherwise.
    pub async fn read(
        engine: &Engine<'_>,
        session: &Session,
        live: &Inventory,
        scope: &Scope,
        is_superuser: bool,
    ) -> Result<Self> {
        let mut found = Self::default();
        for (schema, table) in versions::TABLES {
            let name = QualifiedName::new(schema, table);
            if versions::has_same_migrations(engine, session, &name).await? {
                found.same_version.insert(schema.to_string());
            }
        }
        let source = &engine.source.inventory;
        let services = Services::rights(source, live, session, scope, is_superuser).await?;
        let relations: BTreeSet<&str> = live.objects.iter().map(|o| o.identity.as_str()).collect();
        let on_theirs = |o: &&CatalogObject| {
            KINDS.contains(&o.kind)
                && scope.is_managed(o.schema.as_deref())
                && o.extension.is_none()
                && !scope.brings_back(o)
                && (o.kind == ObjectKind::Statistics
                    || relation_of(o).is_some_and(|relation| relations.contains(relation)))
        };
        let part = |all: &[CatalogObject]| all.iter().filter(on_theirs).cloned().collect::<Vec<_>>();
        let rules = scope.rules.clone().unwrap_or_default();
        let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for difference in compare(&part(&source.objects), &part(&live.objects), &rules) {
            // A new project has only its platform's objects.
            if difference.note.is_some()
                || (difference.change == Change::Extra && scope.kind != TargetKind::OtherDatabase)
            {
                continue;
            }
            let name = ObjectName { kind: difference.kind, identity: difference.identity.clone() };
            let schema = difference.schema.clone().unwrap_or_default();
            if !found.same_version.contains(&schema) {
                unknown.entry(schema).or_default().push(name.to_string());
                continue;
            }
            let either = |all: &[CatalogObject]| all.iter().find(|o| ObjectName::of(o) == name).cloned();
            let object = either(&source.objects).or_else(|| either(&live.objects));
            if object.is_some_and(|object| services.may_change(&object)) {
                found.ours.insert(name);
            } else {
                found.left.push(not_permitted(&difference));
            }
        }
        found.left.extend(unknown.into_iter().map(|(schema, names)| of_unknown(&schema, &names)));
        found.with_comments(source);
        Ok(found)
    }

    /// Does this restore handle the object?
    pub fn has(&self, object: &CatalogObject) -> bool {
        !self.ours.is_empty() && self.ours.contains(&ObjectName::of(object))
    }

    /// What stays different, for the plan.
    pub fn exceptions(&self) -> impl Iterator<Item = Exception> + '_ {
        self.left.iter().cloned()
    }

    fn with_comments(&mut self, source: &Inventory) {
        let addresses: BTreeSet<Address> =
            source.objects.iter().filter(|o| self.has(o)).filter_map(|o| o.address).collect();
        let about =
            |o: &&CatalogObject| o.kind == ObjectKind::Comment && o.address.is_some_and(|a| addresses.contains(&a));
        let comments: Vec<ObjectName> = source.objects.iter().filter(about).map(ObjectName::of).collect();
        self.ours.extend(comments);
    }
}

fn not_permitted(difference: &ObjectDifference) -> Exception {
    let (why, todo) = match (&difference.change, &difference.left) {
        (Change::Extra, _) => {
            ("the target's project has it on a table of the platform, which this role does not own", None)
        }
        (_, Some(text)) if difference.kind == ObjectKind::Index || difference.kind == ObjectKind::Statistics => (
            "it is on a table of the platform, which this role does not own",
            Some(format!("as its owner: {}", visible(text))),
        ),
        _ => ("it is on a table of the platform, which this role does not own", None),
    };
    Exception {
        code: "not_permitted".into(),
        what: format!("{} {}", difference.kind, difference.identity),
        why: why.into(),
        todo: todo.unwrap_or_else(|| "restore as a superuser or as a member of the table's owner".into()),
    }
}

fn of_unknown(schema: &str, names: &[String]) -> Exception {
    let mut named: Vec<String> = names.iter().take(NAMED_MAX).map(|name| visible(name)).collect();
    if names.len() > NAMED_MAX {
        named.push(format!("{} more", names.len() - NAMED_MAX));
    }
    Exception {
        code: super::services::PLATFORM_UPGRADED.into(),
        what: format!("{} objects on tables of the platform in {}", names.len(), visible(schema)),
        why: format!(
            "its service has other migrations than in the snapshot, so they may be the platform's: they stay as they \
             are: {}",
            named.join(", ")
        ),
        todo: "create your own objects by hand: inventory.json has the definitions".into(),
    }
}
