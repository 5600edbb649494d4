//! What the restore script needs to know about the archive: objects that it lacks and that come from a separate file,
//! entries that would fail or undo something, and objects that the script does not restore.
//!
//! Invariant: the restore engine knows how an object is created without the archive, and is asked for it. Every object
//! that the script does not restore is named. Pure.

use crate::collect::sql_file::SqlFile;
use crate::model::failure::Result;
use crate::model::identity::{on, qualified, unquoted};
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::{dollar_quoted, literal};
use crate::model::object_kind::ObjectKind;
use crate::pgtools::toc::{Entry, Toc};
use crate::restore::entries::{Entries, Making};
use crate::restore::objects::drop::{comment, row_security};
use crate::restore::objects::invalid_indexes;
use crate::restore::objects::replace::{create_policy, create_trigger};

/// The extension whose own functions create its queues, after the archive is restored.
const QUEUES: &str = "pgmq";

/// The result.
#[derive(Debug, Default)]
pub struct Undumped {
    /// The SQL file that creates what the archive lacks.
    pub sql: Option<String>,
    /// Dump ids of entries that pg_restore must not run.
    pub entries: Vec<i64>,
    /// One line for each object that the script does not restore.
    pub not_restored: Vec<String>,
}

pub fn undumped(inventory: &Inventory, toc: &Toc, database: &str) -> Result<Undumped> {
    let entries = Entries::new(toc, inventory)?;
    let mut found = Undumped::default();
    let mut statements = Vec::new();
    for object in inventory.objects.iter().filter(|o| matches!(entries.making(o), Making::NotNeeded(_))) {
        match object.kind {
            ObjectKind::Comment if entries.is_comment_beside(object) => {
                statements.extend(comment(&object.identity, Some(&object.definition), database));
            }
            _ if object.extension.is_none() => {}
            ObjectKind::RowSecurity => statements.push(row_security(&object.identity, Some(&object.definition))),
            ObjectKind::Policy => statements.extend(create_policy(object).and_then(|sql| unless_there(object, &sql))),
            ObjectKind::Index => statements.extend(unless_there(object, &object.definition)),
            ObjectKind::Trigger => match create_trigger(object) {
                Some(sql) => statements.extend(unless_there(object, &sql)),
                None => found.not_restored.push(format!(
                    "trigger {}: its arguments hold a secret, managed_schema_objects.sql has it",
                    object.identity
                )),
            },
            _ => {}
        }
    }
    let invalid = invalid_indexes::all(inventory).into_iter().map(|o| o.exception);
    found.not_restored.extend(invalid.map(|e| format!("{}: {}", e.what, e.why)));
    found.entries = not_to_run(inventory, toc);
    if !statements.is_empty() {
        let mut file = SqlFile::new(&[
            "Objects that no dump holds: policies, row security, indexes and triggers on tables of extensions,",
            "comments on objects that the server creates by itself. Run it after the queues.",
        ]);
        statements.iter().for_each(|sql| file.statement(sql));
        found.sql = Some(file.finish());
    }
    Ok(found)
}

/// Grants on queues, which do not exist yet when the archive is restored (access_grants.sql has them).
fn not_to_run(inventory: &Inventory, toc: &Toc) -> Vec<i64> {
    let of_queues = |entry: &&Entry| entry.desc == ObjectKind::Acl && entry.schema.as_deref() == Some(QUEUES);
    let is_member = |o: &&CatalogObject| o.extension.as_deref() == Some(QUEUES);
    let relations: Vec<String> = inventory
        .objects
        .iter()
        .filter(|o| is_member(o) && matches!(o.kind, ObjectKind::Table | ObjectKind::Sequence))
        .filter_map(|o| qualified(&o.identity).map(|(_, name)| name))
        .collect();
    let on_relation = |entry: &&Entry| {
        relations.iter().any(|name| {
            let of = |word: &str| entry.tag.strip_prefix(word).map(str::trim_start);
            of("TABLE ") == Some(name)
                || of("SEQUENCE ") == Some(name)
                || of("COLUMN ")
                    .is_some_and(|rest| rest.strip_prefix(name.as_str()).is_some_and(|r| r.starts_with('.')))
        })
    };
    toc.entries.iter().filter(|e| of_queues(e) && on_relation(e)).map(|e| e.dump_id).collect()
}

/// Wraps the statement so that it runs only if its object is missing: extensions and queues create some of their own.
fn unless_there(object: &CatalogObject, sql: &str) -> Option<String> {
    let there = match object.kind {
        ObjectKind::Index => format!("pg_catalog.to_regclass({}) IS NOT NULL", literal(&object.identity)),
        kind => {
            let (name, table) = on(&object.identity)?;
            let (catalog, column) =
                if kind == ObjectKind::Policy { ("pg_policy", "pol") } else { ("pg_trigger", "tg") };
            format!(
                "EXISTS (SELECT FROM pg_catalog.{catalog} WHERE {column}relid = pg_catalog.to_regclass({}) AND {column}name = {})",
                literal(table),
                literal(&unquoted(name))
            )
        }
    };
    let body = format!("\nBEGIN\n    IF NOT {there} THEN\n        {sql};\n    END IF;\nEND\n");
    Some(format!("DO {}", dollar_quoted(&body)))
}
