//! Properties of extension routines. A platform makes some of them SECURITY DEFINER or gives them settings, which
//! CREATE EXTENSION does not. (Their owners are restored with the grants.) Routines that an event trigger of the
//! platform created during CREATE EXTENSION are created where there is no such trigger.
//!
//! Invariant: only routines that differ from a plain CREATE FUNCTION are listed. A missing routine is skipped, because
//! another version of the extension may not have it.

use serde_json::{Value, json};

use crate::collect::context::Context;
use crate::collect::do_block::do_block;
use crate::collect::setting::{Setting, quoted};
use crate::collect::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::failure::Result;
use crate::model::name::{dollar_quoted, ident};
use crate::pg::session::Row;
use crate::snapshot::layout::MEMBER_ROUTINES_SQL;

const LIST: &str = include_str!("../sql/member_routines.sql");
const OUTSIDE: &str = include_str!("../sql/member_routines_outside.sql");
const APPLY: &str = include_str!("../sql/member_routines_apply.sql");

pub async fn collect(ctx: &Context<'_>) -> Result<()> {
    let routines: Vec<Value> = ctx.session.rows(LIST, &[]).await?.iter().map(routine).collect();
    let outside = ctx.session.rows(OUTSIDE, &[]).await?;
    if routines.is_empty() && outside.is_empty() {
        return Ok(());
    }
    let mut file = SqlFile::new(&[
        "Changed properties of extension routines, and routines that are not from the extensions' scripts.",
    ]);
    outside.iter().for_each(|row| file.statement(&from_outside(row)));
    file.statement(&do_block(APPLY, &json!({ "routines": routines })));
    ctx.sink.write(MEMBER_ROUTINES_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    Ok(())
}

/// Revokes from everyone but the owner what default privileges granted, or what PUBLIC has on a new routine.
const CLOSE: &str = "FOR r IN SELECT p.oid::pg_catalog.regprocedure AS routine, a.grantee, g.rolname FROM pg_catalog.pg_proc p \
    CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a \
    LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee \
    WHERE p.oid = pg_catalog.to_regprocedure({signature}) AND a.grantee <> p.proowner LOOP \
    EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM %s', r.routine, \
        CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END); END LOOP;";

/// Creates a routine where it is missing and its extension exists.
fn from_outside(row: &Row) -> String {
    let [definition, signature, schema, extension, owner] = [0, 1, 2, 3, 4].map(|column| row.get::<_, String>(column));
    let grants: Option<Vec<String>> = row.get(5);
    let grants = grants.map_or_else(String::new, |grants| {
        let close = CLOSE.replace("{signature}", &quoted(&signature));
        grants.iter().fold(close, |all, grant| format!("{all}\n        {grant};"))
    });
    let body = format!(
        "\nDECLARE\n    r record;\nBEGIN\n    IF to_regprocedure({sig}) IS NULL AND to_regnamespace({}) IS NOT NULL\n        \
         AND EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = {}) THEN\n        EXECUTE {};\n        \
         ALTER ROUTINE {signature} OWNER TO {};\n        ALTER EXTENSION {} ADD ROUTINE {signature};\n        {grants}\n    END IF;\nEND\n",
        quoted(&ident(&schema)),
        quoted(&extension),
        quoted(&definition),
        ident(&owner),
        ident(&extension),
        sig = quoted(&signature),
    );
    format!("DO {}", dollar_quoted(&body))
}

fn routine(row: &Row) -> Value {
    let config: Vec<String> = row.get::<_, Option<Vec<String>>>(3).unwrap_or_default();
    let settings: Vec<Value> = config
        .iter()
        .filter_map(|text| Setting::parse(text))
        .map(|s| json!({"name": s.name, "items": s.items}))
        .collect();
    json!({
        "alter": row.get::<_, String>(0),
        "identity": row.get::<_, String>(1),
        "definer": row.get::<_, bool>(2),
        "config": config,
        "settings": settings,
    })
}
