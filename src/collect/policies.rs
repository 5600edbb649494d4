//! `rls_policies_complete.sql`: row security of every schema, executable.
//!
//! Invariant (R3, R33): every table with row security is in the file with its two flags, even without a policy (then
//! it shows no rows). A policy for a missing role stops the restore, because silently losing a restrictive policy would
//! expose data.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::do_block::do_block;
use super::setting::quoted;
use super::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::name::{QualifiedName, dollar_quoted, ident};
use crate::model::platform::is_managed_schema;
use crate::pg::session::Row;
use crate::snapshot::layout::POLICIES_SQL;

pub const COLLECTOR: Collector =
    Collector { name: "policies", category: Category::Policies, stage: Stage::Catalogs, run };

const APPLY: &str = include_str!("sql/policies_apply.sql");

/// One policy, as `sql/policies.sql` reads it.
pub struct Policy {
    pub table: QualifiedName,
    pub name: String,
    pub permissive: bool,
    pub command: &'static str,
    /// Quoted, or PUBLIC.
    pub roles: Vec<String>,
    /// Unquoted; `public` for PUBLIC.
    pub role_names: Vec<String>,
    pub using: Option<String>,
    pub with_check: Option<String>,
    pub comment: Option<String>,
    pub of_extension: bool,
}

impl Policy {
    fn read(row: &Row) -> Self {
        let command = match row.get::<_, String>("command").as_str() {
            "r" => "SELECT",
            "a" => "INSERT",
            "w" => "UPDATE",
            "d" => "DELETE",
            _ => "ALL",
        };
        let mut role_names: Vec<String> = row.get("roles");
        let mut roles: Vec<String> = role_names.iter().map(|r| ident(r)).collect();
        if row.get("to_public") {
            roles.insert(0, "PUBLIC".to_string());
            role_names.insert(0, "public".to_string());
        }
        Self {
            table: QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("table")),
            name: row.get("name"),
            permissive: row.get("permissive"),
            command,
            roles,
            role_names,
            using: row.get("using"),
            with_check: row.get("with_check"),
            comment: row.get("comment"),
            of_extension: row.get("of_extension"),
        }
    }

    /// The statements that drop and recreate this policy.
    fn statements(&self) -> Vec<String> {
        let on = format!("{} ON {}", ident(&self.name), self.table.sql());
        let kind = if self.permissive { "PERMISSIVE" } else { "RESTRICTIVE" };
        let mut create = format!("CREATE POLICY {on} AS {kind} FOR {} TO {}", self.command, self.roles.join(", "));
        for (word, expression) in [("USING", &self.using), ("WITH CHECK", &self.with_check)] {
            if let Some(expression) = expression {
                create.push_str(&format!("\n    {word} ({expression})"));
            }
        }
        let mut out = vec![format!("DROP POLICY IF EXISTS {on}"), create];
        if let Some(comment) = &self.comment {
            out.push(format!("COMMENT ON POLICY {on} IS {}", quoted(comment)));
        }
        out
    }

    /// A DO block that creates the policy only if it is missing or different, because the restoring role may not own
    /// the table.
    pub fn unless_equal(&self) -> String {
        let statements: Vec<String> = self.statements().iter().map(|s| format!("        {s};\n")).collect();
        let roles: Vec<String> = self.role_names.iter().map(|role| quoted(role)).collect();
        let text = |e: &Option<String>| e.as_deref().map_or("NULL".to_string(), quoted);
        let body = format!(
            "\nBEGIN\n    IF NOT EXISTS (SELECT FROM pg_catalog.pg_policies p\n        \
             WHERE p.schemaname = {} AND p.tablename = {} AND p.policyname = {} AND p.permissive = '{}'\n          \
             AND p.cmd = '{}' AND p.roles::text[] @> ARRAY[{roles}]::text[] AND p.roles::text[] <@ ARRAY[{roles}]::text[]\n          \
             AND p.qual IS NOT DISTINCT FROM {} AND p.with_check IS NOT DISTINCT FROM {}) THEN\n{}    END IF;\nEND\n",
            quoted(&self.table.schema),
            quoted(&self.table.name),
            quoted(&self.name),
            if self.permissive { "PERMISSIVE" } else { "RESTRICTIVE" },
            self.command,
            text(&self.using),
            text(&self.with_check),
            statements.concat(),
            roles = roles.join(", "),
        );
        format!("DO {}", dollar_quoted(&body))
    }

    /// A policy that its extension creates. The restoring role may not own its table, so it is created only if it is
    /// missing.
    fn only_where_missing(&self) -> String {
        let statements: Vec<String> = self.statements().iter().skip(1).map(|s| format!("        {s};\n")).collect();
        let table = quoted(&self.table.sql());
        let body = format!(
            "\nBEGIN\n    IF to_regclass({table}) IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy\n                   \
             WHERE polrelid = to_regclass({table}) AND polname = {}) THEN\n{}    END IF;\nEND\n",
            quoted(&self.name),
            statements.concat()
        );
        format!("DO {}", dollar_quoted(&body))
    }
}

fn run<'a>(ctx: &'a Context<'a>) -> CollectFuture<'a> {
    Box::pin(collect(ctx))
}

/// All policies of the snapshot, by schema, table and name.
pub async fn read(ctx: &Context<'_>) -> Result<Vec<Policy>> {
    Ok(ctx.session.rows(include_str!("sql/policies.sql"), &[]).await?.iter().map(Policy::read).collect())
}

async fn collect(ctx: &Context<'_>) -> Result<Collected> {
    let policies = read(ctx).await?;
    let mut names: BTreeMap<&QualifiedName, Vec<&str>> = BTreeMap::new();
    for policy in &policies {
        names.entry(&policy.table).or_default().push(&policy.name);
    }
    let mut tables: Vec<Value> = Vec::new();
    let mut enabled = 0;
    for row in ctx.session.rows(include_str!("sql/policy_tables.sql"), &[]).await? {
        let table = QualifiedName::new(row.get::<_, String>("schema"), row.get::<_, String>("table"));
        let (on, forced, member): (bool, bool, bool) = (row.get("enabled"), row.get("forced"), row.get("of_extension"));
        enabled += u64::from(on);
        let policies = names.get(&table).cloned().unwrap_or_default();
        tables.push(json!({
            "table": table.sql(), "enabled": on, "forced": forced, "of_extension": member, "policies": policies,
        }));
    }
    let mut file = SqlFile::new(&[
        "Row level security: ENABLE and FORCE of every table, and every policy.",
        "Run it after the roles and the schema. A missing role stops the file; nothing is applied in part.",
    ]);
    file.statement(&do_block(APPLY, &json!({"tables": tables})));
    for policy in &policies {
        file.blank();
        if policy.of_extension {
            file.statement(&policy.only_where_missing());
        } else if is_managed_schema(&policy.table.schema) {
            file.statement(&policy.unless_equal());
        } else {
            policy.statements().iter().for_each(|statement| file.statement(statement));
        }
    }
    ctx.sink.write(POLICIES_SQL, Category::Policies, file.finish().as_bytes())?;
    let mut collected = Collected::default();
    collected.count(Count::Policies, policies.len() as u64);
    collected.count(Count::TablesWithRls, enabled);
    Ok(collected)
}
