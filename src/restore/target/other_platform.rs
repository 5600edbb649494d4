//! Another project as the target: what its platform has of its own and keeps, and what its older services lack.
//!
//! Invariant: whatever the target lacks of the snapshot's platform is named before anything is written; what depends on
//! it is not attempted, and the proof expects it. It reads the target's catalogs and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::belongs::belongs;
use crate::model::identity::{qualified, unquoted};
use crate::model::object_kind::ObjectKind;

use super::scope::Scope;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::manifest::TableRecord;
use crate::model::membership::Membership;
use crate::model::name::{QualifiedName, visible};
use crate::model::platform::is_platform_role;
use crate::model::restore::{Exception, ObjectName};

/// The exception code of what the target's platform lacks.
pub const PLATFORM_OLDER: &str = "platform_older";

/// Services whose schemas the platform migrates in every project: missing objects are named one by one.
const SERVICES: [&str; 3] = ["auth", "storage", "realtime"];

/// The role that a platform gives to its user.
const USER: &str = "postgres";

/// What is known about a target that is another project.
#[derive(Debug, Clone, Default)]
pub struct OtherPlatform {
    /// Memberships (member, group) of the snapshot, if this role may not revoke what the target's platform granted in
    /// addition.
    memberships: Option<BTreeSet<(String, String)>>,
    /// Objects of the snapshot's platform that the target's platform lacks.
    absent: Vec<CatalogObject>,
    /// Tables among them.
    pub absent_tables: BTreeSet<QualifiedName>,
    /// Columns that the target's tables of the platform lack.
    pub lacking: BTreeMap<QualifiedName, Vec<String>>,
}

impl OtherPlatform {
    /// Compares the platform's schemas. `scope`: what the restore may touch otherwise.
    pub fn new(source: &Inventory, live: &Inventory, scope: &Scope, is_superuser: bool) -> Self {
        let there: BTreeSet<(ObjectKind, &str)> = live.objects.iter().map(|o| (o.kind, o.identity.as_str())).collect();
        let partitions: BTreeSet<&str> = source.of_kind(ObjectKind::TableAttach).map(|o| o.identity.as_str()).collect();
        let theirs = |o: &&CatalogObject| {
            scope.is_managed(o.schema.as_deref()) && o.extension.is_none() && !scope.brings_back(o)
        };
        let is_absent = |o: &&CatalogObject| {
            theirs(o)
                && is_of_its_own(o.kind)
                && !partitions.contains(o.identity.as_str())
                && !there.contains(&(o.kind, o.identity.as_str()))
        };
        let absent: Vec<CatalogObject> = source.objects.iter().filter(is_absent).cloned().collect();
        let tables = absent.iter().filter(|o| o.kind == ObjectKind::Table).filter_map(|o| qualified(&o.identity));
        let absent_tables = tables.map(|(schema, name)| QualifiedName::new(schema, name)).collect();
        let known = || source.of_kind(ObjectKind::RoleMembership).filter_map(Membership::of).map(Membership::pair);
        let memberships = (!is_superuser).then(|| known().map(|(m, g)| (unquoted(m), unquoted(g))).collect());
        Self { memberships, absent, absent_tables, lacking: lacking(source, live, scope) }
    }

    /// Objects of the snapshot that depend on absent ones: they cannot exist on the target.
    pub fn hanging(&self, source: &Inventory) -> BTreeSet<ObjectName> {
        let hangs = |o: &&CatalogObject| {
            o.extension.is_none()
                && (self.absent.iter().any(|absent| is_set_on(o, absent))
                    || self.absent_tables.iter().any(|table| belongs(o, table))
                    || self.lacking.iter().any(|(table, columns)| is_of_column(o, table, columns)))
        };
        let hanging = source.objects.iter().filter(hangs).map(ObjectName::of);
        hanging.chain(self.absent.iter().map(ObjectName::of)).collect()
    }

    /// Does the target's platform keep this membership, which is between its own roles and not in the snapshot?
    pub fn keeps(&self, object: &CatalogObject) -> bool {
        let (Some(known), Some(membership)) = (&self.memberships, Membership::of(object)) else { return false };
        let (member, group) = (unquoted(membership.member), unquoted(membership.group));
        let theirs = |name: &String| is_platform_role(name) || name == USER || name.starts_with("pg_");
        theirs(&member) && theirs(&group) && !known.contains(&(member, group))
    }

    /// Everything that stays different, for the plan.
    pub fn exceptions(
        &self,
        live: &Inventory,
        tables: &[TableRecord],
        same_version: &BTreeSet<String>,
    ) -> Vec<Exception> {
        let mut found = Vec::new();
        for membership in live.of_kind(ObjectKind::RoleMembership).filter(|o| self.keeps(o)) {
            found.push(Exception {
                code: "platform_membership".into(),
                what: format!("{} {}", membership.kind, membership.identity),
                why: "the target's platform granted it and the snapshot's did not: it stays".into(),
                todo: String::new(),
            });
        }
        let mut others: BTreeMap<&str, usize> = BTreeMap::new();
        for object in &self.absent {
            let schema = object.schema.as_deref().unwrap_or_default();
            if !SERVICES.contains(&schema) {
                *others.entry(schema).or_default() += 1;
                continue;
            }
            let rows = tables
                .iter()
                .find(|t| object.kind == ObjectKind::Table && is_named(object, &t.name))
                .map_or(0, |t| t.rows);
            let lost = if rows > 0 { format!(", and so are its {rows} rows") } else { String::new() };
            let why = format!("the {schema} service of the target is older and does not have it: it is left out{lost}");
            found.push(older(format!("{} {}", object.kind, object.identity), why));
        }
        for (schema, count) in others {
            let why = "the platform of the target does not have them: they are left out".to_string();
            found.push(older(format!("{count} objects of the platform in {}", visible(schema)), why));
        }
        for (table, columns) in &self.lacking {
            let named = columns.iter().map(|c| visible(c)).collect::<Vec<_>>().join(", ");
            if same_version.contains(&table.schema) {
                found.push(added(table, &named));
                continue;
            }
            let why = format!(
                "the {} service of the target is older and has no {named}: the rows are restored without it and not compared",
                table.schema
            );
            found.push(older(format!("rows of {}", table.plain()), why));
        }
        found
    }
}

/// The exception for a user's column on a table of the platform.
fn added(table: &QualifiedName, columns: &str) -> Exception {
    Exception {
        code: "platform_column".into(),
        what: format!("rows of {}", table.plain()),
        why: format!(
            "{columns} was added to the platform's table, and the target's table lacks it: the rows are restored without it and \
             not compared"
        ),
        todo: format!("as the table's owner: ALTER TABLE {} ADD COLUMN …; then restore again", table.plain()),
    }
}

fn older(what: String, why: String) -> Exception {
    let todo = "update the services of the target to the source's version, then restore again".to_string();
    Exception { code: PLATFORM_OLDER.into(), what, why, todo }
}

/// Can other objects depend on this kind?
fn is_of_its_own(kind: ObjectKind) -> bool {
    const KINDS: [ObjectKind; 10] = [
        ObjectKind::Table,
        ObjectKind::ForeignTable,
        ObjectKind::View,
        ObjectKind::MaterializedView,
        ObjectKind::Sequence,
        ObjectKind::Type,
        ObjectKind::Domain,
        ObjectKind::Function,
        ObjectKind::Procedure,
        ObjectKind::Aggregate,
    ];
    KINDS.contains(&kind)
}

fn is_named(object: &CatalogObject, name: &QualifiedName) -> bool {
    qualified(&object.identity).is_some_and(|(schema, table)| schema == name.schema && table == name.name)
}

/// Is it a grant or a comment on that very object, or the value of that sequence?
fn is_set_on(object: &CatalogObject, on: &CatalogObject) -> bool {
    let rest = |word: &str| object.identity.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
    match object.kind {
        ObjectKind::Acl => rest(on.kind.granted_as().word()) == Some(on.identity.as_str()),
        ObjectKind::Comment => rest(&on.kind.word().to_lowercase()) == Some(on.identity.as_str()),
        ObjectKind::SequenceSet => on.kind == ObjectKind::Sequence && object.identity == on.identity,
        _ => false,
    }
}

/// Is it a grant or a comment on one of these columns?
fn is_of_column(object: &CatalogObject, table: &QualifiedName, columns: &[String]) -> bool {
    let column = match object.kind {
        ObjectKind::Acl => object.identity.strip_prefix("COLUMN "),
        ObjectKind::Comment => object.identity.strip_prefix("table column "),
        _ => None,
    };
    belongs(object, table) && column.is_some_and(|c| columns.iter().any(|name| ends_in_column(c, name)))
}

/// `s.t.c`, the last part quoted if needed.
fn ends_in_column(identity: &str, column: &str) -> bool {
    let quoted = format!(".\"{}\"", column.replace('"', "\"\""));
    identity.ends_with(&quoted) || identity.ends_with(&format!(".{column}"))
}

/// Columns that the target's tables of the platform lack, except generated ones.
fn lacking(source: &Inventory, live: &Inventory, scope: &Scope) -> BTreeMap<QualifiedName, Vec<String>> {
    let mut found = BTreeMap::new();
    for table in source.tables.iter().filter(|t| matches!(t.name.schema.as_str(), "auth" | "storage")) {
        let Some(there) = live.table(&table.name).filter(|_| scope.is_managed(Some(&table.name.schema))) else {
            continue;
        };
        let gone =
            |c: &&crate::model::inventory::Column| !c.generated && !there.columns.iter().any(|l| l.name == c.name);
        let columns: Vec<String> = table.columns.iter().filter(gone).map(|c| c.name.clone()).collect();
        if !columns.is_empty() {
            found.insert(table.name.clone(), columns);
        }
    }
    found
}
