//! `access_grants.sql`: the complete ACL of every object, as a state that the file makes a target equal to.
//!
//! Invariant (R6, R32): every object that can have an ACL is in the file, even with the default ACL, because a target's
//! own default privileges add to what a restore creates. Objects outside of the snapshot are not touched.

use serde_json::{Value, json};

use super::acl::AclState;
use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::do_block::do_block;
use super::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::snapshot::layout::ACCESS_GRANTS_SQL;

pub const COLLECTOR: Collector =
    Collector { name: "access_grants", category: Category::Grants, stage: Stage::Catalogs, run };

const DEFAULTS_APPLY: &str = include_str!("sql/default_acl_apply.sql");

fn run<'a>(ctx: &'a Context<'a>) -> CollectFuture<'a> {
    Box::pin(collect(ctx))
}

async fn collect(ctx: &Context<'_>) -> Result<Collected> {
    let version = ctx.session.version_num;
    let mut state = AclState::default();
    state.add_rows(&ctx.session.rows(include_str!("sql/acl_database.sql"), &[]).await?)?;
    if version >= 150_000 {
        state.add_rows(&ctx.session.rows(include_str!("sql/acl_parameters.sql"), &[]).await?)?;
    }
    state.add_rows(&ctx.session.rows(include_str!("sql/acl_state.sql"), &[]).await?)?;

    let mut file = SqlFile::new(&[
        "Grants: the whole state of every object, column and default privilege.",
        "Run it after the schema and the roles. Each object gets exactly these grants; others are revoked.",
        "An object whose grants are equal is not touched. A missing role stops the file.",
    ]);
    let (defaults, default_grants) = defaults(ctx).await?;
    file.statement(&do_block(DEFAULTS_APPLY, &defaults));
    file.blank();
    file.statement(&state.statement(version)?);
    ctx.sink.write(ACCESS_GRANTS_SQL, Category::Grants, file.finish().as_bytes())?;

    let mut collected = Collected::default();
    collected.count(Count::Grants, state.grants + default_grants);
    Ok(collected)
}

/// The default privileges, with the roles and schemas of the snapshot.
async fn defaults(ctx: &Context<'_>) -> Result<(Value, u64)> {
    let mut entries = Vec::new();
    let mut grants = 0;
    for row in ctx.session.rows(include_str!("sql/default_acl_state.sql"), &[]).await? {
        let text: String = row.get("acl");
        let acl: Value = serde_json::from_str(&text).map_err(|e| Failure::new(FailureKind::Failed, e))?;
        grants += acl.as_array().map_or(0, |list| list.len() as u64);
        let (role, schema, objects): (String, Option<String>, String) = (row.get(0), row.get(1), row.get(2));
        entries.push(json!({"role": role, "schema": schema, "objects": objects, "acl": acl}));
    }
    let known = |sql: &'static str| async move {
        let rows = ctx.session.rows(sql, &[]).await?;
        Ok::<_, Failure>(rows.iter().map(|row| Value::from(row.get::<_, String>(0))).collect::<Vec<_>>())
    };
    let roles = known("SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY 1").await?;
    let schemas = known(
        "SELECT nspname::text FROM pg_catalog.pg_namespace \
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1",
    )
    .await?;
    let server = ctx.session.version_num;
    Ok((json!({"server": server, "roles": roles, "schemas": schemas, "defaults": entries}), grants))
}
