//! Views with owner, options, comment and grants, as statements that can be run twice.
//!
//! Invariant: `CREATE OR REPLACE VIEW` keeps the view's dependents. Materialized views cannot be replaced: they are
//! created only if they are missing, WITH NO DATA; the archive refreshes them.

use super::acl::AclState;
use super::context::Context;
use super::setting::quoted;
use super::sql_file::SqlFile;
use crate::model::failure::Result;
use crate::model::name::{QualifiedName, dollar_quoted, ident};
use crate::pg::session::Row;

pub struct View {
    pub name: QualifiedName,
    plain: String,
    pub owner: String,
    materialized: bool,
    options: Vec<String>,
    definition: String,
    comment: Option<String>,
}

/// The views in `schemas`, and those that depend on `functions`; dependencies first.
pub async fn read(ctx: &Context<'_>, schemas: &[String], functions: &[u32]) -> Result<Vec<View>> {
    let rows = ctx.session.rows(include_str!("sql/views.sql"), &[&schemas, &functions]).await?;
    let read = |row: &Row| View {
        name: QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("name")),
        plain: row.get("plain"),
        owner: row.get("owner"),
        materialized: row.get::<_, String>("kind") == "m",
        options: row.get("options"),
        definition: row.get("definition"),
        comment: row.get("comment"),
    };
    Ok(rows.iter().map(read).collect())
}

/// Writes views and then their grants. `only_changes`: a view that exists and is equal is not touched, because the
/// restoring role may lack CREATE on its schema.
pub async fn write(ctx: &Context<'_>, views: &[&View], file: &mut SqlFile, only_changes: bool) -> Result<()> {
    if views.is_empty() {
        return Ok(());
    }
    for view in views {
        if only_changes {
            file.statement(&view.unless_equal());
        } else {
            view.statements().iter().for_each(|statement| file.statement(statement));
        }
        file.blank();
    }
    let names: Vec<&str> = views.iter().map(|view| view.plain.as_str()).collect();
    let query = format!(
        "SELECT * FROM ({}) all_objects WHERE kind IN ('relation', 'column') AND name[1] = ANY ($1)",
        include_str!("sql/acl_state.sql")
    );
    let mut acl = AclState::default();
    acl.add_rows(&ctx.session.rows(&query, &[&names]).await?)?;
    file.statement(&acl.statement(ctx.session.version_num)?);
    file.blank();
    Ok(())
}

impl View {
    fn unless_equal(&self) -> String {
        let make: String = self.statements().iter().map(|s| format!("        {s};\n")).collect();
        let options: Vec<String> = self.options.iter().map(|o| quoted(o)).collect();
        let body = format!(
            "\nBEGIN\n    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner\n                   \
             WHERE c.oid = to_regclass({}) AND r.rolname = {} AND coalesce(c.reloptions, '{{}}') = ARRAY[{}]::text[]\n                     \
             AND pg_get_viewdef(c.oid) = {}) THEN\n{make}    END IF;\nEND\n",
            quoted(&self.name.sql()),
            quoted(&self.owner),
            options.join(", "),
            quoted(&self.definition),
        );
        format!("DO {}", dollar_quoted(&body))
    }

    fn statements(&self) -> Vec<String> {
        let (name, word) = (self.name.sql(), if self.materialized { "MATERIALIZED VIEW" } else { "VIEW" });
        let options: Vec<String> = self
            .options
            .iter()
            .filter_map(|option| option.split_once('='))
            .map(|(key, value)| format!("{} = {}", ident(key), quoted(value)))
            .collect();
        let with = if options.is_empty() { String::new() } else { format!(" WITH ({})", options.join(", ")) };
        let query = self.definition.trim_end().trim_end_matches(';');
        let create = if self.materialized {
            let body = format!(
                "\nBEGIN\n    IF to_regclass({}) IS NULL THEN\n        CREATE MATERIALIZED VIEW {name}{with} AS\n{query}\n        WITH NO DATA;\n    END IF;\nEND\n",
                quoted(&name)
            );
            format!("DO {}", dollar_quoted(&body))
        } else {
            format!("CREATE OR REPLACE VIEW {name}{with} AS\n{query}")
        };
        let comment = self.comment.as_deref().map_or("NULL".to_string(), quoted);
        vec![
            create,
            format!("ALTER {word} {name} OWNER TO {}", ident(&self.owner)),
            format!("COMMENT ON {word} {name} IS {comment}"),
        ]
    }
}
