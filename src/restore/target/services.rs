//! In place: the platform's own services. Finds which of their schemas are at the snapshot's version, so that damage in
//! them is repaired like a user's, and which differences stay in the others.
//!
//! Invariant: a service is at the snapshot's version if the rows of its migration table equal the snapshot's, or only
//! lack some while everything else in its schema is equal. Objects of the platform that differ and stay are named in
//! the plan. It only reads the target.

use std::collections::{BTreeMap, BTreeSet};

use super::belongs::index_table;
use super::scope::{Scope, is_users_own};
use super::versions;
use super::versions::Version;
use crate::model::difference::{Change, ObjectDifference, Rules, Severity, compare};
use crate::model::failure::Result;
use crate::model::identity::on;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::{QualifiedName, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::platform::{MANAGED_SCHEMAS, PLATFORM_EVENT_TRIGGERS, is_service_partition};
use crate::model::restore::{Exception, ObjectName, RestorePlan, TargetKind};
use crate::pg::meaning::Within;
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::restore::objects::delta;
use crate::restore::objects::members::MEMBER_DIFFERS;

/// The exception code of a difference in the platform's objects that stays and affects access.
pub const PLATFORM_OPEN: &str = "platform_open";
/// The exception code of any other difference in the platform's objects that stays.
pub const PLATFORM_DIFFERS: &str = "platform_differs";
/// The exception code of services at another version than in the snapshot.
pub const PLATFORM_UPGRADED: &str = "platform_upgraded";

/// Schemas whose rows a restore loads: everything in them can be recreated.
const FILLED: [&str; 2] = ["auth", "storage"];

/// Schemas whose objects a service or an extension creates at run time.
const MADE_AT_RUN_TIME: [&str; 9] =
    ["_analytics", "_supavisor", "pgsodium_masks", "pgtle", "dbdev", "etl", "repack", "topology", "tiger"];

/// More objects of one schema are counted, not named.
const NAMED_MAX: usize = 12;

/// Exceptions that the proof does not match: what they name is out of its scope, or a finding anyway.
pub fn is_left(exception: &Exception) -> bool {
    [PLATFORM_OPEN, PLATFORM_DIFFERS, PLATFORM_UPGRADED, MEMBER_DIFFERS].contains(&exception.code.as_str())
}

/// What is known about the platform's services in the snapshot's own database.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// Schemas at the snapshot's version.
    restored: BTreeSet<String>,
    /// Why the others are not.
    left: BTreeMap<String, String>,
    /// Migration tables that lack rows of the snapshot while nothing else differs: their rows are restored.
    pub rows_lost: BTreeSet<QualifiedName>,
    /// Roles whose objects this role may change. `None`: all.
    mine: Option<BTreeSet<String>>,
    /// Owners of the snapshot's relations in the platform's schemas.
    owners: BTreeMap<String, String>,
}

impl Services {
    /// Only the rights: what this role may change of the platform's objects.
    pub async fn rights(
        source: &Inventory,
        live: &Inventory,
        session: &Session,
        scope: &Scope,
        is_superuser: bool,
    ) -> Result<Self> {
        let mut services = Self { mine: mine(session, is_superuser).await?, ..Self::default() };
        let relations = source.objects.iter().chain(&live.objects).filter(|o| scope.is_managed(o.schema.as_deref()));
        services.owners = relations.filter_map(|o| Some((o.identity.clone(), o.owner.clone()?))).collect();
        Ok(services)
    }

    /// Reads the services' versions. `scope`: what the restore may touch otherwise.
    pub async fn read(engine: &Engine<'_>, session: &Session, scope: &Scope, is_superuser: bool) -> Result<Self> {
        let mut services = Self { mine: mine(session, is_superuser).await?, ..Self::default() };
        if !scope.platform {
            return Ok(services);
        }
        let inventory = &engine.source.inventory;
        let relations = inventory.objects.iter().filter(|o| scope.is_managed(o.schema.as_deref()));
        services.owners = relations.filter_map(|o| Some((o.identity.clone(), o.owner.clone()?))).collect();
        let mut lost = Vec::new();
        for (schema, table) in versions::TABLES {
            let name = QualifiedName::new(schema, table);
            match versions::version(engine, session, &name).await? {
                Version::Same => {
                    services.restored.insert(schema.to_string());
                }
                Version::RowsGone => lost.push(name),
                Version::Other(why) => {
                    services.left.insert(schema.to_string(), why);
                }
            }
        }
        if !lost.is_empty() {
            services.rows_gone(engine, session, scope, lost).await?;
        }
        services.without_versions(session.version_num == engine.source.manifest.source.server_version_num);
        Ok(services)
    }

    /// Missing rows of a migration table are restored if everything else in the schema is equal.
    async fn rows_gone(
        &mut self,
        engine: &Engine<'_>,
        session: &Session,
        scope: &Scope,
        lost: Vec<QualifiedName>,
    ) -> Result<()> {
        let live = engine.source.read_target(session, Within::Nothing).await?;
        for name in lost {
            let of_schema = |o: &&CatalogObject| {
                o.schema.as_deref() == Some(name.schema.as_str())
                    && is_theirs(o, scope)
                    && o.kind != ObjectKind::SequenceSet
            };
            let part = |all: &[CatalogObject]| all.iter().filter(of_schema).cloned().collect::<Vec<_>>();
            let differ = compare(&part(&engine.source.inventory.objects), &part(&live.objects), &Rules::default());
            if differ.is_empty() && versions::may_write(session, &name).await? {
                self.restored.insert(name.schema.clone());
                self.rows_lost.insert(name);
            } else {
                let also = if differ.is_empty() { ", and this role may not write them" } else { "" };
                self.left.insert(name.schema.clone(), format!("rows of {} are missing{also}", name.plain()));
            }
        }
        Ok(())
    }

    /// Schemas without migrations of their own belong to the server's version and to the other services.
    fn without_versions(&mut self, same_server: bool) {
        let as_it_was = same_server && self.left.is_empty();
        for schema in MANAGED_SCHEMAS {
            if self.restored.contains(schema) || self.left.contains_key(schema) {
                continue;
            }
            if MADE_AT_RUN_TIME.contains(&schema) {
                self.left.insert(schema.to_string(), "a service or an extension creates it at run time".to_string());
            } else if as_it_was {
                self.restored.insert(schema.to_string());
            } else {
                self.left.insert(schema.to_string(), "the platform is not at the snapshot's version".to_string());
            }
        }
    }

    /// Is this object of the platform restored, or dropped if the snapshot does not have it?
    pub fn restores(&self, object: &CatalogObject) -> bool {
        // The platform's event triggers call functions of this schema.
        let schema =
            if object.kind == ObjectKind::EventTrigger { "extensions" } else { object.schema.as_deref().unwrap_or("") };
        self.restored.contains(schema)
            && object.extension.is_none()
            && can_be_made_again(object, schema)
            && self.may_change(object)
    }

    /// May this role change it? If the owner is unknown, only a superuser may.
    pub fn may_change(&self, object: &CatalogObject) -> bool {
        let Some(mine) = &self.mine else { return true };
        let owner = object.owner.as_ref().or_else(|| self.owners.get(relation_of(object)?));
        owner.is_some_and(|owner| mine.contains(owner))
    }

    /// An object of the platform that could not be restored stays as it is, if that is no worse than before. An object
    /// that existed and was dropped to be recreated is never excused.
    pub fn excuse(&self, object: &CatalogObject, words: Option<&str>, plan: &RestorePlan) -> Option<Exception> {
        const ALTERED: [ObjectKind; 4] =
            [ObjectKind::Function, ObjectKind::Procedure, ObjectKind::RowSecurity, ObjectKind::EventTrigger];
        let name = ObjectName::of(object);
        let no_worse = plan.create.contains(&name) || ALTERED.contains(&object.kind);
        if !no_worse || is_users_own(object) || !self.restores(object) {
            return None;
        }
        let security = ALTERED.contains(&object.kind);
        let code = if security { PLATFORM_OPEN } else { PLATFORM_DIFFERS };
        let why = format!("it is the platform's and could not be restored: {}", words.unwrap_or("it still differs"));
        Some(left(code, format!("{} {}", object.kind, object.identity), why))
    }

    /// Every difference in the platform's objects that stays, for the plan.
    pub fn exceptions(&self, source: &Inventory, live: &Inventory, scope: &Scope) -> Vec<Exception> {
        if scope.kind != TargetKind::SameDatabase || !scope.is_whole() {
            return Vec::new();
        }
        let theirs = |all: &[CatalogObject]| -> Vec<CatalogObject> {
            all.iter().filter(|o| is_theirs(o, scope) && !scope.brings_back(o)).cloned().collect()
        };
        let extra = |all: &[CatalogObject]| -> Vec<CatalogObject> {
            let known: BTreeSet<(ObjectKind, &str)> =
                source.objects.iter().map(|o| (o.kind, o.identity.as_str())).collect();
            let left = all.iter().filter(|o| is_theirs(o, scope));
            left.filter(|o| {
                let is_known = known.contains(&(o.kind, o.identity.as_str()));
                if is_known { !scope.brings_back(o) } else { !scope.may_drop(o) && !is_dropped_with_its_object(o) }
            })
            .cloned()
            .collect()
        };
        let differences = compare(&theirs(&source.objects), &extra(&live.objects), &Rules::default());
        let mut found = Vec::new();
        let mut upgraded: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for difference in &differences {
            let what = format!("{} {}", difference.kind, difference.identity);
            let schema = difference.schema.as_deref().unwrap_or_default();
            if let Some((schema, _)) = self.left.get_key_value(schema) {
                upgraded.entry(schema).or_default().push(what);
                continue;
            }
            let security = difference.severity == Severity::Security || is_open(difference, live);
            let code = if security { PLATFORM_OPEN } else { PLATFORM_DIFFERS };
            found.push(left(code, what, format!("it is the platform's and {}", delta::change_in_words(difference))));
        }
        // Name a service at another version even if no object differs.
        for (schema, _) in versions::TABLES.iter().filter(|(schema, _)| self.left.contains_key(*schema)) {
            upgraded.entry(schema).or_default();
        }
        for (schema, objects) in upgraded {
            let reason = self.left.get(schema).map_or("", String::as_str);
            let why = format!("{reason}: it is left as it is{}", listed(&objects));
            found.push(left(PLATFORM_UPGRADED, format!("schema {schema} of the platform"), why));
        }
        found
    }
}

/// Is it a new object that users of the API may access?
fn is_open(difference: &ObjectDifference, live: &Inventory) -> bool {
    const PEOPLE: [&str; 3] = ["PUBLIC=", "anon=", "authenticated="];
    let identity = format!("{} {}", difference.kind.granted_as(), difference.identity);
    let acl = live.of_kind(ObjectKind::Acl).find(|o| difference.change == Change::Extra && o.identity == identity);
    acl.is_some_and(|acl| acl.definition.lines().any(|line| PEOPLE.iter().any(|who| line.starts_with(who))))
}

fn left(code: &str, what: String, why: String) -> Exception {
    let todo = if code == PLATFORM_UPGRADED {
        "see the differences: stacksnap diff SNAPSHOT live".to_string()
    } else {
        "restore as a superuser or as a member of its owner, or ask the platform's support".to_string()
    };
    Exception { code: code.into(), what, why, todo }
}

fn listed(objects: &[String]) -> String {
    if objects.is_empty() {
        return String::new();
    }
    let named: Vec<String> = objects.iter().take(NAMED_MAX).map(|o| visible(o)).collect();
    let more = objects.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("; {} objects differ: {}{more}", objects.len(), named.join(", "))
}

/// Roles whose rights this role has. `None`: all.
async fn mine(session: &Session, is_superuser: bool) -> Result<Option<BTreeSet<String>>> {
    if is_superuser {
        return Ok(None);
    }
    let sql =
        "SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, 'USAGE')";
    let rows = session.rows(sql, &[]).await?;
    Ok(Some(rows.iter().filter_map(|row| row.try_get(0).ok()).collect()))
}

/// Does the object belong to the platform, judged by its schema? Default privileges always count.
fn is_theirs(object: &CatalogObject, scope: &Scope) -> bool {
    let of_service = || is_service_partition(object.schema.as_deref(), relation_of(object).unwrap_or_default());
    match object.kind {
        ObjectKind::EventTrigger => {
            scope.platform
                && PLATFORM_EVENT_TRIGGERS.contains(&crate::model::identity::unquoted(&object.identity).as_str())
        }
        ObjectKind::DefaultAcl => true,
        // Values move with the rows.
        ObjectKind::SequenceSet => false,
        _ => object.extension.is_none() && scope.is_managed(object.schema.as_deref()) && !of_service(),
    }
}

/// Privileges and comments are dropped with their object.
fn is_dropped_with_its_object(object: &CatalogObject) -> bool {
    matches!(object.kind, ObjectKind::Acl | ObjectKind::Comment)
}

/// In a schema whose rows are not loaded, objects that hold state are not recreated; the table of a service's version
/// never is.
fn can_be_made_again(object: &CatalogObject, schema: &str) -> bool {
    const HOLDS_STATE: [ObjectKind; 6] = [
        ObjectKind::Table,
        ObjectKind::Type,
        ObjectKind::Domain,
        ObjectKind::Sequence,
        ObjectKind::MaterializedView,
        ObjectKind::TableAttach,
    ];
    if is_service_partition(Some(schema), relation_of(object).unwrap_or_default()) {
        return false;
    }
    let of_versions = versions::TABLES.iter().any(|(s, t)| object.identity == format!("{s}.{t}"));
    let holds_state = HOLDS_STATE.contains(&object.kind);
    !holds_state || (FILLED.contains(&schema) && !of_versions)
}

/// The relation that an object is, or is on.
pub(crate) fn relation_of(object: &CatalogObject) -> Option<&str> {
    match object.kind {
        ObjectKind::Index => index_table(&object.definition),
        ObjectKind::Constraint
        | ObjectKind::CheckConstraint
        | ObjectKind::FkConstraint
        | ObjectKind::NotNullConstraint
        | ObjectKind::Trigger
        | ObjectKind::Policy
        | ObjectKind::Rule => on(&object.identity).map(|(_, table)| table),
        ObjectKind::Acl => {
            let rest = object.identity.strip_prefix("TABLE ").or_else(|| object.identity.strip_prefix("COLUMN "));
            rest.or_else(|| object.identity.strip_prefix("SEQUENCE "))
        }
        _ => Some(&object.identity),
    }
}
