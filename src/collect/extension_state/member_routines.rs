//! How the routines of extensions run: a platform makes some of them SECURITY DEFINER or gives them settings, and CREATE
//! EXTENSION knows nothing of it. Whose they are comes back with the grants.
//!
//! Invariant: only routines that are not as a plain CREATE FUNCTION makes them are listed; one that is not there is
//! passed over, because another version of the extension may not have it.

use serde_json::{Value, json};

use crate::archive::layout::MEMBER_ROUTINES_SQL;
use crate::collect::context::Context;
use crate::collect::do_block::do_block;
use crate::collect::setting::Setting;
use crate::collect::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::failure::Result;
use crate::pg::session::Row;

const LIST: &str = include_str!("../sql/member_routines.sql");
const APPLY: &str = include_str!("../sql/member_routines_apply.sql");

pub async fn collect(ctx: &Context<'_>) -> Result<()> {
    let routines: Vec<Value> = ctx.session.rows(LIST, &[]).await?.iter().map(routine).collect();
    if routines.is_empty() {
        return Ok(());
    }
    let mut file = SqlFile::new(&["How routines of extensions run, where that was changed."]);
    file.statement(&do_block(APPLY, &json!({ "routines": routines })));
    ctx.sink.write(MEMBER_ROUTINES_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    Ok(())
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
