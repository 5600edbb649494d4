//! Triggers as of the snapshot, and the statements that recreate them.
//!
//! Invariant: `pg_get_triggerdef()` may show a newer trigger than the snapshot. A trigger with a newer row version is a
//! gap and is not written. Arguments of a trigger may hold keys (webhooks), so the collectors that write one report it.

use std::collections::BTreeSet;

use super::context::Context;
use super::setting::quoted;
use crate::model::failure::Result;
use crate::model::gap::Gap;
use crate::model::name::{QualifiedName, dollar_quoted, ident, visible};
use crate::pg::session::Row;

pub struct Trigger {
    pub name: String,
    pub table: QualifiedName,
    /// `O` default, `D` disabled, `R` replica, `A` always.
    pub enabled: String,
    /// `None`: the trigger was dropped meanwhile.
    pub definition: Option<String>,
    pub arguments: String,
    pub function_name: String,
    pub function_schema: String,
    pub function_owner: String,
    pub comment: Option<String>,
    pub of_extension: bool,
    /// Replaced or altered since the snapshot.
    pub changed: bool,
}

/// The triggers on tables in `schemas`, and those that call one of `functions`.
pub async fn read(ctx: &Context<'_>, schemas: &[String], functions: &[u32]) -> Result<Vec<Trigger>> {
    let rows = ctx.session.rows(include_str!("sql/triggers.sql"), &[&schemas, &functions]).await?;
    let oids: Vec<u32> = rows.iter().map(|row| row.get("oid")).collect();
    let changed = ctx.session.rows(include_str!("sql/triggers_changed.sql"), &[&oids]).await?;
    let changed: BTreeSet<u32> = changed.iter().map(|row| row.get(0)).collect();
    let read = |row: &Row| Trigger {
        name: row.get("name"),
        table: QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("table")),
        enabled: row.get("enabled"),
        definition: row.get("definition"),
        arguments: row.get("arguments"),
        function_name: row.get("function_name"),
        function_schema: row.get("function_schema"),
        function_owner: row.get("function_owner"),
        comment: row.get("comment"),
        of_extension: row.get("of_extension"),
        changed: changed.contains(&row.get("oid")),
    };
    Ok(rows.iter().map(read).collect())
}

impl Trigger {
    /// The definition, or the gap that says why there is none.
    pub fn definition(&self) -> std::result::Result<&str, Gap> {
        match &self.definition {
            Some(definition) if !self.changed => Ok(definition),
            _ => Err(Gap::new(
                "trigger_changed_while_read",
                format!("trigger {} on {}", visible(&self.name), visible(&self.table.plain())),
                "another session altered, replaced or dropped it while it was read",
                "take the snapshot again when no migration is running",
            )),
        }
    }

    /// Do the arguments look like they contain a key?
    pub fn holds_secret(&self) -> bool {
        let text = self.arguments.to_lowercase();
        ["authorization", "bearer", "apikey", "api_key", "secret", "token", "password", "eyj"]
            .iter()
            .any(|word| text.contains(word))
    }

    fn make(&self, definition: &str) -> Vec<String> {
        let on = format!("{} ON {}", ident(&self.name), self.table.sql());
        let mut out = vec![format!("DROP TRIGGER IF EXISTS {on}"), definition.to_string()];
        let state = match self.enabled.as_str() {
            "D" => Some("DISABLE"),
            "R" => Some("ENABLE REPLICA"),
            "A" => Some("ENABLE ALWAYS"),
            _ => None,
        };
        if let Some(state) = state {
            out.push(format!("ALTER TABLE {} {state} TRIGGER {}", self.table.sql(), ident(&self.name)));
        }
        if let Some(comment) = &self.comment {
            out.push(format!("COMMENT ON TRIGGER {on} IS {}", quoted(comment)));
        }
        out
    }

    /// Statements that drop and recreate the trigger.
    pub fn statements(&self, definition: &str) -> Vec<String> {
        self.make(definition)
    }

    /// A DO block that does so only if the trigger is missing or different, because the restoring role may not own the
    /// table.
    pub fn unless_equal(&self, definition: &str) -> String {
        let make: String = self.make(definition).iter().map(|s| format!("        {s};\n")).collect();
        let body = format!(
            "\nBEGIN\n    IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = {}::regclass AND t.tgname = {}\n                   \
             AND t.tgenabled = {} AND pg_get_triggerdef(t.oid) = {}) THEN\n{make}    END IF;\nEND\n",
            quoted(&self.table.sql()),
            quoted(&self.name),
            quoted(&self.enabled),
            quoted(definition),
        );
        format!("DO {}", dollar_quoted(&body))
    }
}
