//! A snapshot without its rows, and with nothing in it that would run: for a restore that asks only whether the schema
//! can be made.
//!
//! Invariant: no function of the source runs while it is restored. What guarantees it, kind by kind:
//! - No row is loaded, so CHECK constraints, domains, defaults, generated columns, triggers, policies and indexes on
//!   expressions have nothing to be evaluated for. No materialized view is refreshed, no job and no message comes back.
//! - Event triggers are disabled in the same message that makes them; what acts on event triggers fires none.
//! - The planner evaluates immutable functions of constants when an index, a check or a partition is made
//!   (`CREATE INDEX … ((a + f(1)))`), and the server calls validators of languages and of foreign data wrappers. So each
//!   function is put to sleep as soon as it is made: until the end its row in `pg_proc` names a function of the
//!   server's own that does nothing. Whoever reads the catalogs reads them with everything awake, under a savepoint.
//! - Whether the body of an SQL function can be read where an index or a check uses it (the planner inlines it there) is
//!   asked first, with the SQL functions awake and volatile: so they are inlined and never evaluated. That is rolled back.
//!
//! Functions in C and internal ones are the server's own code and stay as they are.

use std::collections::{HashMap, HashSet};

use super::source::SnapshotSource;
use crate::archive::layout;
use crate::model::failure::Result;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::{dollar_quoted, ident, literal};
use crate::pg::catalog::inventory::inventory;
use crate::pg::meaning::Within;
use crate::pg::session::Session;
use crate::pgtools::toc::{Entry, Toc};

/// The first server that lets a session alter its catalogs.
pub const SERVER_MIN: u32 = 13;

/// Puts the row of a function to sleep. `probin` keeps what it was: functions that have one of their own are in C.
const SLEEP: &str = include_str!("sql/function_sleep.sql");
const WAKE: &str = include_str!("sql/functions_wake.sql");
/// Asks whether a statement can be planned, with SQL functions awake, and takes it back.
const TRIAL: &str = include_str!("sql/plan_trial.sql");

const SAVEPOINT: &str = "SAVEPOINT stacksnap_awake";
const BACK: &str = "ROLLBACK TO SAVEPOINT stacksnap_awake; RELEASE SAVEPOINT stacksnap_awake";

/// Entries that hold rows, or make what holds nothing else.
const ROWS: [&str; 5] = ["TABLE DATA", "MATERIALIZED VIEW DATA", "BLOBS", "BLOB", "BLOB METADATA"];
/// The planner works on the expressions of these when they are made.
const PLANNED: [&str; 3] = ["INDEX", "CONSTRAINT", "CHECK CONSTRAINT"];

impl SnapshotSource {
    /// The same without rows, asleep.
    #[must_use]
    pub fn only_schema(mut self) -> Self {
        self.manifest.tables.clear();
        self.manifest.member_marks.clear();
        self.manifest.computed = None;
        quieten_toc(&mut self.toc, &self.inventory);
        quieten_inventory(&mut self.inventory);
        self.only_schema = true;
        self
    }

    /// Does this restore leave a file of the snapshot alone: one that brings rows, or switches on what would run?
    pub fn leaves_file(&self, file: &str) -> bool {
        self.only_schema && matches!(file, layout::CRON_JOBS_SQL | layout::EVENT_TRIGGERS_SQL)
    }

    /// The target's inventory, where functions are asleep in it.
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

fn quieten_toc(toc: &mut Toc, inventory: &Inventory) {
    let can_ask = inventory.of_kind("EXTENSION").any(|o| o.identity == "plpgsql");
    let routines = inventory.of_kind("FUNCTION").chain(inventory.of_kind("PROCEDURE"));
    let signatures: HashMap<u32, &str> = routines.filter_map(|o| Some((o.address?.oid, o.identity.as_str()))).collect();
    let large_objects: HashSet<i64> =
        toc.entries.iter().filter(|e| e.desc.starts_with("BLOB")).map(|e| e.dump_id).collect();
    let is_of_large_object = |e: &Entry| e.depends_on.first().is_some_and(|id| large_objects.contains(id));
    toc.entries.retain(|e| !ROWS.contains(&e.desc.as_str()) && !is_of_large_object(e));
    let is_function = |e: &&Entry| matches!(e.desc.as_str(), "FUNCTION" | "PROCEDURE");
    let functions: HashSet<i64> = toc.entries.iter().filter(is_function).map(|e| e.dump_id).collect();
    for entry in &mut toc.entries {
        match entry.desc.as_str() {
            "FUNCTION" | "PROCEDURE" => {
                let sleep = signatures.get(&entry.oid).map(|s| SLEEP.replace("/*SIGNATURE*/", &literal(s)));
                // In one message with the definition: nothing can come in between.
                entry.definition.push('\n');
                entry.definition.push_str(&sleep.unwrap_or_default());
            }
            "EVENT TRIGGER" => {
                let disable = format!("\nALTER EVENT TRIGGER {} DISABLE;\n", ident(&entry.tag));
                entry.definition.push_str(&disable);
            }
            kind if can_ask && PLANNED.contains(&kind) && entry.depends_on.iter().any(|id| functions.contains(id)) => {
                let statement = literal(&entry.definition);
                let trial = TRIAL.replace("/*STATEMENT*/", &statement);
                entry.definition = format!("DO {};\n{}", dollar_quoted(&trial), entry.definition);
            }
            _ => {}
        }
    }
}

/// What the target is expected to be: event triggers disabled, materialized views without rows, no large object.
fn quieten_inventory(inventory: &mut Inventory) {
    let is_large_object = |o: &CatalogObject| {
        o.kind == "BLOB" || (o.kind == "ACL" && o.identity.starts_with("LARGE OBJECT ")) || is_said_of_large_object(o)
    };
    inventory.objects.retain(|o| !is_large_object(o));
    for object in &mut inventory.objects {
        match object.kind.as_str() {
            "EVENT TRIGGER" => {
                let endings = [" DISABLED", " ENABLED ALWAYS", " ENABLED REPLICA"];
                let plain = endings.iter().find_map(|ending| object.definition.strip_suffix(ending));
                object.definition = format!("{} DISABLED", plain.unwrap_or(&object.definition));
            }
            "MATERIALIZED VIEW" => {
                // Behind it is at most a tablespace.
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

fn is_said_of_large_object(object: &CatalogObject) -> bool {
    matches!(object.kind.as_str(), "COMMENT" | "SECURITY LABEL")
        && object.address.is_some_and(|address| address.class == LARGE_OBJECT)
}
