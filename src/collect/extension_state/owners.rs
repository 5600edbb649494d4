//! Owners of what extensions brought, and how its routines run: a platform hands members (queue tables, functions) to
//! roles that are no superusers and makes functions SECURITY DEFINER, and CREATE EXTENSION knows nothing of it.
//!
//! Invariant: only members whose owner is no superuser are listed, and only routines that are not as a plain CREATE
//! FUNCTION makes them; a member that is not there is passed over, because another version may not have it.

use serde_json::{Value, json};

use crate::archive::layout::MEMBER_OWNERS_SQL;
use crate::collect::context::Context;
use crate::collect::do_block::do_block;
use crate::collect::setting::Setting;
use crate::collect::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::failure::Result;

const LIST: &str = include_str!("../sql/member_owners.sql");
const APPLY: &str = include_str!("../sql/member_owners_apply.sql");
const ROUTINES: &str = include_str!("../sql/member_routines.sql");
const ROUTINES_APPLY: &str = include_str!("../sql/member_routines_apply.sql");

pub async fn collect(ctx: &Context<'_>) -> Result<()> {
    let rows = ctx.session.rows(LIST, &[]).await?;
    let routines: Vec<Value> = ctx.session.rows(ROUTINES, &[]).await?.iter().map(routine).collect();
    if rows.is_empty() && routines.is_empty() {
        return Ok(());
    }
    let member = |row: &tokio_postgres::Row| {
        let text = |at: usize| row.get::<_, String>(at);
        json!({"alter": text(0), "identity": text(1), "owner": text(2)})
    };
    let members: Vec<Value> = rows.iter().map(member).collect();
    let mut file = SqlFile::new(&["Owners of extension members that were handed to other roles, and how members run."]);
    file.statement(&do_block(APPLY, &json!({ "members": members })));
    file.statement(&do_block(ROUTINES_APPLY, &json!({ "routines": routines })));
    ctx.sink.write(MEMBER_OWNERS_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    Ok(())
}

fn routine(row: &tokio_postgres::Row) -> Value {
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
