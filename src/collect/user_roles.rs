//! The application's own tables of roles and permissions, as SQL that can be run twice.
//!
//! Invariant: it uses the configured tables, else those that [`role_tables`](super::role_tables) finds. Rows come from
//! the archive. A configured table that the archive lacks is a gap.

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::role_tables::{RoleTable, kind_of, may_be_role_table, named, pick};
use super::tables::{self, SequenceMeta, TableMeta};
use super::upsert::UpsertFile;
use super::values::blocking;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::snapshot::layout::USER_ROLES_SQL;
use crate::snapshot::reader::ArchiveData;

pub const COLLECTOR: Collector = Collector {
    name: "user_roles",
    category: Category::UserRoles,
    stage: Stage::Archive,
    run: |ctx| Box::pin(run(ctx)) as CollectFuture<'_>,
};

const ABOUT: [&str; 3] = [
    "Application roles: role assignments, permissions, departments, the audit of grants.",
    "It can be run twice: existing rows are made equal to the snapshot's, nothing is deleted.",
    "Run it with: psql -X -v ON_ERROR_STOP=1 -f user_roles_complete.sql",
];

async fn run(ctx: &Context<'_>) -> Result<Collected> {
    let listed = tables::list(ctx.session).await?;
    let wanted = &ctx.settings.user_role_tables;
    let auth_users = listed.iter().find(|t| t.name.schema == "auth" && t.name.name == "users").map(|t| t.oid);
    let matches = |patterns: &[String], t: &TableMeta| named(patterns, &t.root) || named(patterns, &t.name);
    let fits = |t: &TableMeta| {
        if wanted.is_empty() { may_be_role_table(&t.root) } else { matches(wanted, t) }
    };
    let unmatched: Vec<&String> =
        wanted.iter().filter(|w| !listed.iter().any(|t| matches(std::slice::from_ref(*w), t))).collect();
    let mut collected = Collected::default();
    for pattern in unmatched {
        let why = "no table has this name (user_roles.tables in the configuration)";
        collected.gap(Gap::new(
            "user_role_table_not_found",
            pattern.as_str(),
            why,
            "correct the name in the configuration",
        ));
    }
    let candidates = tables::describe(ctx.session, listed.iter().filter(|t| fits(t)).cloned().collect()).await?;
    let chosen: Vec<(u32, RoleTable)> = if wanted.is_empty() {
        pick(&candidates, auth_users)
    } else {
        candidates.iter().map(|t| (t.oid, kind_of(&t.root))).collect()
    };
    let kind = |t: &TableMeta| chosen.iter().find(|(oid, _)| *oid == t.oid).map(|(_, kind)| *kind);
    let tables: Vec<(TableMeta, RoleTable)> = candidates.into_iter().filter_map(|t| kind(&t).map(|k| (t, k))).collect();
    if tables.is_empty() {
        collected.skipped = Some("no table of application roles was found".into());
        return Ok(collected);
    }
    let Some(archive) = ctx.archive else {
        return Err(Failure::msg(FailureKind::Failed, "the archive does not exist yet"));
    };
    let metas: Vec<TableMeta> = tables.iter().map(|(t, _)| t.clone()).collect();
    let sequences = tables::sequences(ctx.session, &metas).await?;
    blocking(|| write(ctx, archive, &tables, &sequences, collected))
}

fn write(
    ctx: &Context<'_>,
    archive: &ArchiveData,
    tables: &[(TableMeta, RoleTable)],
    sequences: &[SequenceMeta],
    mut collected: Collected,
) -> Result<Collected> {
    let mut sql = UpsertFile::begin(ctx.sink, USER_ROLES_SQL, Category::UserRoles, &ABOUT)?;
    let mut assigned = 0;
    for (table, kind) in tables {
        let Some(rows) = sql.table(archive, table, |_, _| Ok(()))? else {
            let why = "the archive has no data file for it";
            let todo = "take a snapshot whose archive holds this table with its data";
            collected.gap(Gap::new("user_role_rows_not_captured", table.name.plain(), why, todo));
            continue;
        };
        if *kind == RoleTable::Assignment {
            assigned += rows;
        }
    }
    for sequence in sequences {
        sql.sequence(sequence)?;
    }
    sql.finish()?;
    collected.count(Count::UserRoles, assigned);
    collected.count(Count::RoleTables, tables.len() as u64);
    Ok(collected)
}
