//! A snapshot without its rows and without anything that would run, for a restore that only checks whether the schema
//! can be created.
//!
//! Invariant: no function of the source runs while it is restored. The guarantees, by kind:
//! - No row is loaded, so CHECK constraints, domains, defaults, generated columns, triggers, policies and expression
//!   indexes have nothing to evaluate. No materialized view is refreshed, no job and no message is restored.
//! - Event triggers are disabled in the message that creates them, and ALTER EVENT TRIGGER fires none.
//! - The planner evaluates immutable functions of constants when an index, a check or a partition is created (`CREATE
//!   INDEX … ((a + f(1)))`), and the server calls validators of languages and of foreign data wrappers. So each
//!   function is put to sleep as soon as it is created: until the end its row in `pg_proc` names a built-in function
//!   that does nothing. The catalogs are read under a savepoint with all functions awake.
//! - Can the body of an SQL function be parsed where a table, an index or a check uses it (the planner inlines it
//!   there)? That is tried first, with the SQL functions awake and volatile, so they are inlined and never evaluated;
//!   then it is rolled back. Afterwards the object is created with the non-immutable functions awake: they are not
//!   evaluated either, and only their bodies show whether they are allowed there.
//!
//! C functions and internal ones are the server's own code and stay as they are.

use std::collections::{HashMap, HashSet};

use super::source::SnapshotSource;
use crate::model::failure::Result;
use crate::model::identity;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::{dollar_quoted, ident, literal};
use crate::model::object_kind::ObjectKind;
use crate::pg::catalog::inventory::inventory;
use crate::pg::meaning::Within;
use crate::pg::session::Session;
use crate::pgtools::toc::{Entry, Toc};
use crate::snapshot::layout;

/// The first major version that lets a session change its catalogs.
pub const SERVER_MIN: u32 = 13;

/// Puts a function's row to sleep. `probin` keeps the original: only C functions have a `probin` of their own.
const SLEEP: &str = include_str!("sql/function_sleep.sql");
const WAKE: &str = include_str!("sql/functions_wake.sql");
/// Before and after a statement: wakes SQL functions that the planner may inline but never evaluates.
const WAKE_INLINED: &str = include_str!("sql/functions_inlined.sql");
const SLEEP_INLINED: &str = include_str!("sql/functions_sleep_again.sql");
/// Tries to plan a statement with SQL functions awake, then rolls it back.
const TRIAL: &str = include_str!("sql/plan_trial.sql");

const SAVEPOINT: &str = "SAVEPOINT stacksnap_awake";
const BACK: &str = "ROLLBACK TO SAVEPOINT stacksnap_awake; RELEASE SAVEPOINT stacksnap_awake";

/// Entries that hold rows or create large objects.
const ROWS: [ObjectKind; 5] = [
    ObjectKind::TableData,
    ObjectKind::MaterializedViewData,
    ObjectKind::Blobs,
    ObjectKind::Blob,
    ObjectKind::BlobMetadata,
];
/// Kinds whose expressions the planner processes when they are created.
const PLANNED: [ObjectKind; 4] =
    [ObjectKind::Table, ObjectKind::Index, ObjectKind::Constraint, ObjectKind::CheckConstraint];

impl SnapshotSource {
    /// The same snapshot without rows, with everything asleep.
    #[must_use]
    pub fn only_schema(mut self) -> Self {
        self.manifest.tables.clear();
        self.manifest.member_marks.clear();
        self.manifest.computed = None;
        put_toc_to_sleep(&mut self.toc, &self.inventory);
        expect_asleep(&mut self.inventory);
        self.only_schema = true;
        self
    }

    /// Does this restore skip a file of the snapshot because it restores rows or enables something that would run?
    pub fn leaves_file(&self, file: &str) -> bool {
        self.only_schema && matches!(file, layout::CRON_JOBS_SQL | layout::EVENT_TRIGGERS_SQL)
    }

    /// The target's inventory, with all functions awake.
    pub(super) async fn read_awake(&self, session: &Session, within: Within) -> Result<Inventory> {
        if !self.only_schema || within == Within::Nothing {
            return inventory(session).await;
        }
        session.execute(&format!("{SAVEPOINT};\n{WAKE}")).await?;
        let live = inventory(session).await?;
        session.execute(BACK).await?;
        Ok(live)
    }
}

fn put_toc_to_sleep(toc: &mut Toc, inventory: &Inventory) {
    let can_ask = inventory.of_kind(ObjectKind::Extension).any(|o| o.identity == "plpgsql");
    let routines = inventory.of_kind(ObjectKind::Function).chain(inventory.of_kind(ObjectKind::Procedure));
    let names: HashMap<u32, (String, String)> = routines.filter_map(|o| Some((o.address?.oid, name(o)?))).collect();
    let large_objects: HashSet<i64> =
        toc.entries.iter().filter(|e| e.desc.is_large_objects()).map(|e| e.dump_id).collect();
    let is_of_large_object = |e: &Entry| e.depends_on.first().is_some_and(|id| large_objects.contains(id));
    toc.entries.retain(|e| !ROWS.contains(&e.desc) && !is_of_large_object(e));
    let is_function = |e: &&Entry| matches!(e.desc, ObjectKind::Function | ObjectKind::Procedure);
    let functions: HashSet<i64> = toc.entries.iter().filter(is_function).map(|e| e.dump_id).collect();
    for entry in &mut toc.entries {
        match entry.desc {
            ObjectKind::Function | ObjectKind::Procedure => {
                let sleep = names.get(&entry.oid).map(|(schema, name)| {
                    SLEEP.replace("/*SCHEMA*/", &literal(schema)).replace("/*NAME*/", &literal(name))
                });
                // In one message with the definition, so that nothing runs in between.
                entry.definition.push('\n');
                entry.definition.push_str(&sleep.unwrap_or_default());
            }
            ObjectKind::EventTrigger => {
                let disable = format!("\nALTER EVENT TRIGGER {} DISABLE;\n", ident(&entry.tag));
                entry.definition.push_str(&disable);
            }
            kind if PLANNED.contains(&kind) && entry.depends_on.iter().any(|id| functions.contains(id)) => {
                let trial = TRIAL.replace("/*STATEMENT*/", &literal(&entry.definition));
                let trial = if can_ask { format!("DO {};\n", dollar_quoted(&trial)) } else { String::new() };
                entry.definition = format!("{trial}{WAKE_INLINED}{}\n{SLEEP_INLINED}", entry.definition);
            }
            _ => {}
        }
    }
}

/// Schema and name of a routine. Arguments are left out: a type that is still a shell cannot be named in a query, and
/// it does no harm if overloads sleep too.
fn name(routine: &CatalogObject) -> Option<(String, String)> {
    let mut quoted = false;
    let end = routine.identity.find(|c| {
        quoted ^= c == '"';
        c == '(' && !quoted
    })?;
    identity::qualified(&routine.identity[..end])
}

/// The expected state of the target: disabled event triggers, empty materialized views, no large objects.
fn expect_asleep(inventory: &mut Inventory) {
    let is_large_object = |o: &CatalogObject| {
        o.kind == ObjectKind::Blob
            || (o.kind == ObjectKind::Acl && o.identity.starts_with("LARGE OBJECT "))
            || is_attribute_of_large_object(o)
    };
    inventory.objects.retain(|o| !is_large_object(o));
    for object in &mut inventory.objects {
        match object.kind {
            ObjectKind::EventTrigger => {
                let endings = [" DISABLED", " ENABLED ALWAYS", " ENABLED REPLICA"];
                let plain = endings.iter().find_map(|ending| object.definition.strip_suffix(ending));
                object.definition = format!("{} DISABLED", plain.unwrap_or(&object.definition));
            }
            ObjectKind::MaterializedView => {
                // At most a tablespace follows.
                if let Some(at) = object.definition.rfind(" WITH DATA") {
                    object.definition.replace_range(at..at + " WITH DATA".len(), " WITH NO DATA");
                }
            }
            _ => {}
        }
    }
}

/// `pg_largeobject`.
const LARGE_OBJECT: u32 = 2613;

fn is_attribute_of_large_object(object: &CatalogObject) -> bool {
    matches!(object.kind, ObjectKind::Comment | ObjectKind::SecurityLabel)
        && object.address.is_some_and(|address| address.class == LARGE_OBJECT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn a_routine_is_named_without_its_arguments() {
        let of = |identity: &str| name(&object("FUNCTION", identity, ""));
        let pair = |schema: &str, name: &str| Some((schema.to_string(), name.to_string()));
        assert_eq!(of("public.f(integer,text)"), pair("public", "f"));
        assert_eq!(of("\"a.(b\".\"f\"\"(x\"()"), pair("a.(b", "f\"(x"));
        assert_eq!(of("public.f"), None);
    }

    #[test]
    fn what_would_run_is_expected_to_be_off() {
        let objects = vec![
            object("EVENT TRIGGER", "a", "ON ddl_command_end EXECUTE FUNCTION public.f() ENABLED ALWAYS"),
            object("EVENT TRIGGER", "b", "ON ddl_command_end EXECUTE FUNCTION public.f()"),
            object("EVENT TRIGGER", "c", "ON ddl_command_end EXECUTE FUNCTION public.f() DISABLED"),
            object("MATERIALIZED VIEW", "public.m", "AS SELECT ' WITH DATA' WITH DATA TABLESPACE t"),
            object("BLOB", "1", ""),
            object("ACL", "LARGE OBJECT 1", ""),
        ];
        let mut inventory = Inventory { objects, ..Inventory::default() };
        expect_asleep(&mut inventory);
        assert!(inventory.of_kind(ObjectKind::EventTrigger).all(|o| o.definition.ends_with("public.f() DISABLED")));
        let views: Vec<&str> = inventory.of_kind(ObjectKind::MaterializedView).map(|o| o.definition.as_str()).collect();
        assert_eq!(views, ["AS SELECT ' WITH DATA' WITH NO DATA TABLESPACE t"]);
        assert_eq!(inventory.objects.len(), 4);
    }
}
