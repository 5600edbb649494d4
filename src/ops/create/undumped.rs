//! What the restore script has to know about the archive: what is not in it and comes from a file beside it, what in it
//! would stop or undo it, and what the script puts back in no way.
//!
//! Invariant: how an object is made without the archive is the restore engine's knowledge, and asked there. Whatever the
//! script does not put back is named. Pure.

use crate::collect::sql_file::SqlFile;
use crate::model::failure::Result;
use crate::model::identity::{on, qualified, unquoted};
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::{dollar_quoted, literal};
use crate::pgtools::toc::{Entry, Toc};
use crate::restore::entries::{Entries, Making};
use crate::restore::objects::drop::{comment, row_security};
use crate::restore::objects::invalid_indexes;
use crate::restore::objects::replace::{create_policy, create_trigger};

/// Its queues are made by its functions, after the archive.
const QUEUES: &str = "pgmq";

/// What was found.
#[derive(Debug, Default)]
pub struct Undumped {
    /// The file that makes what the archive lacks.
    pub sql: Option<String>,
    /// Dump ids of entries that pg_restore must not run.
    pub entries: Vec<i64>,
    /// One line for each thing that the script does not put back.
    pub not_restored: Vec<String>,
}

pub fn undumped(inventory: &Inventory, toc: &Toc, database: &str) -> Result<Undumped> {
    let entries = Entries::new(toc, inventory)?;
    let mut found = Undumped::default();
    let mut statements = Vec::new();
    for object in inventory.objects.iter().filter(|o| matches!(entries.making(o), Making::Within(_))) {
        match object.kind.as_str() {
            "COMMENT" if entries.is_comment_beside(object) => {
                statements.extend(comment(&object.identity, Some(&object.definition), database));
            }
            _ if object.extension.is_none() => {}
            "ROW SECURITY" => statements.push(row_security(&object.identity, Some(&object.definition))),
            "POLICY" => statements.extend(create_policy(object).and_then(|sql| unless_there(object, &sql))),
            "INDEX" => statements.extend(unless_there(object, &object.definition)),
            "TRIGGER" => match create_trigger(object) {
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
            "What no dump holds: policies, row security, indexes and triggers on tables of extensions,",
            "comments on what the server made by itself. Run it after the queues.",
        ]);
        statements.iter().for_each(|sql| file.statement(sql));
        found.sql = Some(file.finish());
    }
    Ok(found)
}

/// Grants on queues, which are there later (access_grants.sql has them).
fn not_to_run(inventory: &Inventory, toc: &Toc) -> Vec<i64> {
    let of_queues = |entry: &&Entry| entry.desc == "ACL" && entry.schema.as_deref() == Some(QUEUES);
    let is_member = |o: &&CatalogObject| o.extension.as_deref() == Some(QUEUES);
    let relations: Vec<String> = inventory
        .objects
        .iter()
        .filter(|o| is_member(o) && matches!(o.kind.as_str(), "TABLE" | "SEQUENCE"))
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

/// A statement that runs where its object is missing: extensions and queues bring some of their own.
fn unless_there(object: &CatalogObject, sql: &str) -> Option<String> {
    let there = match object.kind.as_str() {
        "INDEX" => format!("pg_catalog.to_regclass({}) IS NOT NULL", literal(&object.identity)),
        kind => {
            let (name, table) = on(&object.identity)?;
            let (catalog, column) = if kind == "POLICY" { ("pg_policy", "pol") } else { ("pg_trigger", "tg") };
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
