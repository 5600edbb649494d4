//! Extensions, and the settings of the database: the input for CREATE EXTENSION and ALTER DATABASE.
//!
//! Invariant (R18, R23): an extension is created in the version that it had; if the target does not offer it, the
//! target's default version is used, with a warning. Database settings apply to the database that the file runs in,
//! whatever its name.

use serde_json::{Value, json};

use super::super::context::{Collected, Context};
use super::super::do_block::do_block;
use super::super::setting::Setting;
use super::super::sql_file::SqlFile;
use super::write_json;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::snapshot::layout::{DATABASE_SETTINGS_SQL, EXTENSIONS_JSON, EXTENSIONS_SQL};

pub async fn collect(ctx: &Context<'_>, collected: &mut Collected) -> Result<()> {
    let mut list: Vec<Value> = Vec::new();
    for row in ctx.session.rows(include_str!("../sql/extensions.sql"), &[]).await? {
        let text = |name: &str| row.get::<_, Option<String>>(name);
        list.push(json!({
            "name": text("name"), "version": text("version"), "schema": text("schema"), "owner": text("owner"),
            "relocatable": row.get::<_, bool>("relocatable"), "requires": row.get::<_, Vec<String>>("requires"),
            "makes_schema": row.get::<_, bool>("makes_schema"), "comment": text("comment"),
        }));
    }
    let list = required_first(list);
    write_json(ctx, EXTENSIONS_JSON, &json!({"extensions": list}))?;
    let mut file = SqlFile::new(&[
        "Extensions, each in its schema and, where this server has it, in its version.",
        "Run it before the schema. The owners of extensions are in extensions.json.",
    ]);
    file.statement(&do_block(include_str!("../sql/extensions_apply.sql"), &json!({"extensions": list})));
    ctx.sink.write(EXTENSIONS_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    collected.count(Count::Extensions, list.len() as u64);
    database_settings(ctx, collected).await
}

/// Keeps the order of creation, except that an extension that was altered to require a later one comes after it.
fn required_first(mut waiting: Vec<Value>) -> Vec<Value> {
    let mut done: Vec<Value> = Vec::new();
    while !waiting.is_empty() {
        let names: Vec<Value> = waiting.iter().map(|e| e["name"].clone()).collect();
        let needs_waiting = |e: &Value| e["requires"].as_array().is_some_and(|r| r.iter().any(|n| names.contains(n)));
        let next = waiting.iter().position(|e| !needs_waiting(e)).unwrap_or(0);
        done.push(waiting.remove(next));
    }
    done
}

async fn database_settings(ctx: &Context<'_>, collected: &mut Collected) -> Result<()> {
    let query = "SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s \
        JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
        WHERE s.setrole = 0 AND d.datname = pg_catalog.current_database()";
    let rows = ctx.session.rows(query, &[]).await?;
    let config: Vec<String> = rows.iter().flat_map(|row| row.get::<_, Vec<String>>(0)).collect();
    let settings: Vec<Setting> = config.iter().filter_map(|text| Setting::parse(text)).collect();
    if settings.iter().any(Setting::looks_secret) {
        collected.secret(DATABASE_SETTINGS_SQL, "settings of the database whose names look secret");
    }
    let state: Vec<Value> =
        settings.iter().map(|s| json!({"name": s.name, "value": s.value, "items": s.items})).collect();
    let query = "SELECT pg_catalog.pg_get_userbyid(d.datdba)::pg_catalog.text, d.datconnlimit, \
        pg_catalog.shobj_description(d.oid, 'pg_database') FROM pg_catalog.pg_database d \
        WHERE d.datname = pg_catalog.current_database()";
    let row = ctx.session.one(query, &[]).await?;
    let (owner, limit, comment): (Option<String>, i32, Option<String>) = (row.get(0), row.get(1), row.get(2));
    let state = json!({"owner": owner, "connection_limit": limit, "comment": comment, "settings": state});
    let mut file = SqlFile::new(&[
        "Owner, comment, connection limit and settings of the database (ALTER DATABASE … SET). They may hold secrets, such as a JWT secret.",
        "If a platform does not allow to set them, this is a manual step.",
    ]);
    file.statement(&do_block(include_str!("../sql/database_settings_apply.sql"), &state));
    ctx.sink.write(DATABASE_SETTINGS_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    collected.count(Count::DatabaseSettings, settings.len() as u64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_come_first_and_a_circle_ends() {
        let e = |name: &str, requires: &[&str]| json!({"name": name, "requires": requires});
        let order = required_first(vec![e("a", &["c"]), e("b", &[]), e("c", &["plpgsql"])]);
        assert_eq!(order.iter().map(|e| e["name"].as_str().unwrap()).collect::<Vec<_>>(), ["b", "c", "a"]);
        assert_eq!(required_first(vec![e("a", &["b"]), e("b", &["a"])]).len(), 2);
    }
}
