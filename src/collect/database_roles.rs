//! `database_roles.sql`: every role with attributes, password verifier, comment, settings and memberships.
//!
//! Invariant (R7, R8): verifiers are in this file and nowhere else. If they cannot be read, a gap names the roles with
//! LOGIN, because their passwords must be set again. Predefined roles (`pg_*`) belong to the server.

use serde_json::{Value, json};

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::do_block::do_block;
use super::setting::Setting;
use super::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::gap::Gap;
use crate::model::name::visible;
use crate::pg::session::Row;
use crate::snapshot::layout::DATABASE_ROLES_SQL;

pub const COLLECTOR: Collector =
    Collector { name: "database_roles", category: Category::DatabaseRoles, stage: Stage::Catalogs, run };

/// The server logs the text of a failing statement, and these statements contain verifiers.
const KEEP_OUT_OF_THE_LOG: &str = "DO $$\nBEGIN\n    \
    PERFORM set_config('log_statement', 'none', true), set_config('log_min_error_statement', 'panic', true),\n            \
    set_config('log_min_duration_statement', '-1', true);\n\
    EXCEPTION WHEN insufficient_privilege THEN\n    NULL;\nEND\n$$";

/// Makes the memberships between the snapshot's roles equal to the snapshot's. `server` in the state is the version of
/// the source.
const MEMBERS: &str = concat!(
    "\nDECLARE\n    state jsonb := /*DATA*/;\n    server int := current_setting('server_version_num')::int;\nBEGIN\n\
     IF server >= 160000 AND (state ->> 'server')::int >= 160000 THEN\n",
    include_str!("sql/role_members_apply.sql"),
    ";\nELSE\n",
    include_str!("sql/role_members_before_16_apply.sql"),
    ";\nEND IF;\nEND\n"
);

fn run<'a>(ctx: &'a Context<'a>) -> CollectFuture<'a> {
    Box::pin(collect(ctx))
}

async fn collect(ctx: &Context<'_>) -> Result<Collected> {
    let passwords = ctx.abilities.reads_role_passwords;
    let roles = roles(ctx, passwords).await?;
    let settings = settings(ctx).await?;
    let members = members(ctx).await?;
    let names: Vec<&Value> = roles.iter().map(|role| &role["role"]).collect();

    let mut file = SqlFile::new(&[
        "Roles: attributes, password verifiers, comments, settings and memberships.",
        "Roles belong to the whole server. A role that exists and is equal is not touched.",
        "This file holds password verifiers: protect it like the passwords.",
    ]);
    file.statement(KEEP_OUT_OF_THE_LOG);
    file.blank();
    let state = json!({"passwords": passwords, "roles": roles, "settings": settings});
    file.statement(&do_block(include_str!("sql/roles_apply.sql"), &state));
    file.blank();
    file.statement(&do_block(MEMBERS, &json!({"server": ctx.session.version_num, "roles": names, "members": members})));
    ctx.sink.write(DATABASE_ROLES_SQL, Category::DatabaseRoles, file.finish().as_bytes())?;

    let mut collected = Collected::default();
    collected.count(Count::DatabaseRoles, roles.len() as u64);
    if roles.iter().any(|role| role["password"].is_string()) {
        collected.secret(DATABASE_ROLES_SQL, "password verifiers of database roles");
    }
    if let Some(gap) = unreadable_passwords(&roles).filter(|_| !passwords) {
        collected.gap(gap);
    }
    if settings.iter().any(|s| s["secret"] == true) {
        collected.secret(DATABASE_ROLES_SQL, "settings of roles whose names look secret");
    }
    Ok(collected)
}

fn unreadable_passwords(roles: &[Value]) -> Option<Gap> {
    let login: Vec<String> =
        roles.iter().filter(|r| r["login"] == true).filter_map(|r| r["role"].as_str()).map(visible).collect();
    if login.is_empty() {
        return None;
    }
    Some(Gap::new(
        "role_passwords_unreadable",
        format!("passwords of the roles {}", login.join(", ")),
        "the role that took the snapshot may not read pg_authid",
        "after a restore each password must be set again (ALTER ROLE … PASSWORD), or take the snapshot as a superuser \
         or a member of pg_read_all_data",
    ))
}

async fn roles(ctx: &Context<'_>, passwords: bool) -> Result<Vec<Value>> {
    let (source, password) =
        if passwords { ("pg_catalog.pg_authid", "r.rolpassword") } else { ("pg_catalog.pg_roles", "NULL::text") };
    let query = include_str!("sql/roles.sql").replace("/*SOURCE*/", source).replace("/*PASSWORD*/", password);
    let rows = ctx.session.rows(&query, &[]).await?;
    let role = |row: &Row| {
        let text = |name: &str| row.get::<_, Option<String>>(name);
        let flag = |name: &str| row.get::<_, bool>(name);
        json!({
            "role": text("role"), "super": flag("super"), "inherit": flag("inherit"), "createrole": flag("createrole"),
            "createdb": flag("createdb"), "login": flag("login"), "replication": flag("replication"),
            "bypassrls": flag("bypassrls"), "connection_limit": row.get::<_, i32>("connection_limit"),
            "valid_until": text("valid_until"), "password": text("password"), "comment": text("comment"),
        })
    };
    Ok(rows.iter().map(role).collect())
}

async fn settings(ctx: &Context<'_>) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    for row in ctx.session.rows(include_str!("sql/role_settings.sql"), &[]).await? {
        let (role, here): (Option<String>, bool) = (row.get("role"), row.get("here"));
        for setting in row.get::<_, Vec<String>>("settings").iter().filter_map(|text| Setting::parse(text)) {
            out.push(json!({
                "role": role, "here": here, "name": setting.name, "value": setting.value, "items": setting.items,
                "secret": setting.looks_secret(),
            }));
        }
    }
    Ok(out)
}

async fn members(ctx: &Context<'_>) -> Result<Vec<Value>> {
    let rows = ctx.session.rows(include_str!("sql/role_members.sql"), &[]).await?;
    let member = |row: &Row| {
        let text = |name: &str| row.get::<_, Option<String>>(name);
        let flag = |name: &str| row.get::<_, Option<bool>>(name);
        json!({
            "role": text("role"), "member": text("member"), "grantor": text("grantor"),
            "admin": flag("admin"), "inherit": flag("inherit"), "set": flag("set"),
        })
    };
    Ok(rows.iter().map(member).collect())
}
