//! The migrations that were applied to the database: the project's own history as SQL that can be run twice, and the
//! histories of the platform's services and of other tools as a list for comparison.
//!
//! Invariant (R22): only `supabase_migrations` is restored. A service's history describes that service's schema on that
//! server; it is captured for comparison and never written.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::tables::{self, TableMeta};
use super::upsert::UpsertFile;
use super::values::blocking;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::model::name::{QualifiedName, dollar_quoted, ident, literal};
use crate::snapshot::layout::{MIGRATION_HISTORY_SQL, PROJECT_DIR};
use crate::snapshot::reader::ArchiveData;

pub const COLLECTOR: Collector = Collector {
    name: "migration_history",
    category: Category::Migrations,
    stage: Stage::Archive,
    run: |ctx| Box::pin(run(ctx)) as CollectFuture<'_>,
};

const ABOUT: [&str; 3] = [
    "Migration history of the project (supabase_migrations).",
    "It can be run twice: existing rows are made equal to the snapshot's, nothing is deleted.",
    "Run it with: psql -X -v ON_ERROR_STOP=1 -f migration_history.sql",
];

/// The owner of a history table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum History {
    /// `supabase_migrations`: restored by this file.
    Project,
    /// A service of the platform keeps it for its own schema.
    Service,
    /// Another tool's: an ordinary table of the application, restored with the archive.
    Tool(&'static str),
}

/// Table names that well-known tools use for their history.
const TOOLS: [(&str, &str); 14] = [
    ("schema_migrations", "Rails, golang-migrate, dbmate or Ecto"),
    ("_prisma_migrations", "Prisma"),
    ("__drizzle_migrations", "Drizzle"),
    ("flyway_schema_history", "Flyway"),
    ("databasechangelog", "Liquibase"),
    ("knex_migrations", "Knex"),
    ("alembic_version", "Alembic"),
    ("django_migrations", "Django"),
    ("_sqlx_migrations", "sqlx"),
    ("__diesel_schema_migrations", "Diesel"),
    ("goose_db_version", "goose"),
    ("atlas_schema_revisions", "Atlas"),
    ("__efmigrationshistory", "Entity Framework"),
    ("pgmigrations", "node-pg-migrate"),
];

fn history(name: &QualifiedName) -> Option<History> {
    match (name.schema.as_str(), name.name.as_str()) {
        ("supabase_migrations", _) => Some(History::Project),
        ("auth" | "realtime" | "_realtime", "schema_migrations") | ("storage" | "supabase_functions", "migrations") => {
            Some(History::Service)
        }
        (_, table) => {
            let lower = table.to_lowercase();
            TOOLS.iter().find(|(known, _)| *known == lower).map(|(_, tool)| History::Tool(tool))
        }
    }
}

async fn run(ctx: &Context<'_>) -> Result<Collected> {
    let listed = tables::list(ctx.session).await?;
    let found: Vec<TableMeta> = listed.into_iter().filter(|t| history(&t.root).is_some()).collect();
    if found.is_empty() {
        return Ok(Collected::skipped("the database has no migration history"));
    }
    let Some(archive) = ctx.archive else {
        return Err(Failure::msg(FailureKind::Failed, "the archive does not exist yet"));
    };
    let found = tables::describe(ctx.session, found).await?;
    blocking(|| write(ctx, archive, &found))
}

fn write(ctx: &Context<'_>, archive: &ArchiveData, found: &[TableMeta]) -> Result<Collected> {
    let mut collected = Collected::default();
    let (own, others): (Vec<&TableMeta>, Vec<&TableMeta>) =
        found.iter().partition(|t| history(&t.root) == Some(History::Project));
    let applied = if own.is_empty() { None } else { Some(write_sql(ctx, archive, &own, &mut collected)?) };
    let by_tools = write_list(ctx, archive, &others)?;
    collected.count(Count::MigrationsApplied, applied.unwrap_or(by_tools));
    Ok(collected)
}

/// Writes `migration_history.sql`. Returns the number of applied migrations.
fn write_sql(ctx: &Context<'_>, archive: &ArchiveData, own: &[&TableMeta], collected: &mut Collected) -> Result<u64> {
    let mut sql = UpsertFile::begin(ctx.sink, MIGRATION_HISTORY_SQL, Category::Migrations, &ABOUT)?;
    // Not IF NOT EXISTS: it requires the CREATE privilege even if the schema exists.
    sql.statement(&unless(
        "EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'supabase_migrations')",
        "CREATE SCHEMA \"supabase_migrations\"",
    ))?;
    let mut applied = 0;
    for table in own {
        sql.statement(&create_table(table))?;
        match sql.table(archive, table, |_, _| Ok(()))? {
            Some(rows) if table.name.name == "schema_migrations" => applied = rows,
            Some(_) => {}
            None => {
                let why = "the archive has no data file for it";
                let todo = "take a snapshot whose archive holds this table with its data";
                collected.gap(Gap::new("migration_history_not_captured", table.name.plain(), why, todo));
            }
        }
    }
    sql.finish()?;
    Ok(applied)
}

fn create_table(table: &TableMeta) -> String {
    let mut parts: Vec<String> = Vec::new();
    for column in table.columns.iter().filter(|c| !c.generated) {
        let not_null = if column.not_null { " NOT NULL" } else { "" };
        parts.push(format!("{} {}{not_null}", ident(&column.name), column.type_name));
    }
    if let Some(key) = &table.key {
        parts.push(format!("PRIMARY KEY ({})", key.iter().map(|c| ident(c)).collect::<Vec<_>>().join(", ")));
    }
    let name = literal(&table.name.sql());
    let create = format!("CREATE TABLE {} ({})", table.name.sql(), parts.join(", "));
    unless(&format!("pg_catalog.to_regclass({}) IS NOT NULL", name.trim_start()), &create)
}

/// A statement that runs only if the condition is false.
fn unless(condition: &str, statement: &str) -> String {
    format!("DO {}", dollar_quoted(&format!("BEGIN IF NOT ({condition}) THEN {statement}; END IF; END")))
}

/// Writes `project/migration_versions.json`: all other histories, those of services with their rows. Returns the number
/// of rows of the tools' histories.
fn write_list(ctx: &Context<'_>, archive: &ArchiveData, others: &[&TableMeta]) -> Result<u64> {
    if others.is_empty() {
        return Ok(0);
    }
    let path = format!("{PROJECT_DIR}/migration_versions.json");
    let mut out = io::BufWriter::new(ctx.sink.create(&path, Category::Migrations)?);
    let mut by_tools = 0;
    out.write_all(b"[")?;
    for (i, table) in others.iter().enumerate() {
        let (kept_by, with_rows) = match history(&table.root) {
            Some(History::Tool(tool)) => (tool, false),
            _ => ("a service of the platform", true),
        };
        let head = json!({ "table": table.name.plain(), "kept_by": kept_by, "restored": !with_rows });
        let comma = if i > 0 { "," } else { "" };
        write!(out, "{comma}\n{{\"about\": {head}, \"applied\": [")?;
        let mut first = true;
        let rows = archive.for_each_row(&table.name, |file, row| {
            if !with_rows {
                return Ok(());
            }
            let value = |v: Option<String>| v.map_or(Value::Null, Value::String);
            let line: Map<String, Value> =
                file.columns.iter().cloned().zip(row.texts().into_iter().map(value)).collect();
            let comma = if std::mem::take(&mut first) { "" } else { "," };
            write!(out, "{comma}\n  {}", Value::Object(line))
        })?;
        if !with_rows {
            by_tools += rows.unwrap_or(0);
        }
        write!(out, "], \"rows\": {}}}", rows.map_or("null".to_string(), |n| n.to_string()))?;
    }
    out.write_all(b"\n]\n")?;
    out.into_inner().map_err(|e| e.into_error())?.finish()?;
    Ok(by_tools)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_known_by_name_and_place() {
        let of = |schema, name| history(&QualifiedName::new(schema, name));
        assert_eq!(of("supabase_migrations", "seed_files"), Some(History::Project));
        assert_eq!(of("auth", "schema_migrations"), Some(History::Service));
        assert_eq!(of("storage", "migrations"), Some(History::Service));
        assert!(matches!(of("public", "schema_migrations"), Some(History::Tool(_))));
        assert!(matches!(of("drizzle", "__drizzle_migrations"), Some(History::Tool("Drizzle"))));
        assert_eq!(of("public", "migrations"), None);
    }
}
