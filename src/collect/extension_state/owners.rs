//! Owners of what extensions brought: a platform hands members (queue tables, functions) to roles that are no
//! superusers, and CREATE EXTENSION gives them all to whoever restores.
//!
//! Invariant: only members whose owner is no superuser are listed; a member that is not there is passed over, because
//! another version of the extension may not have it.

use serde_json::{Value, json};

use crate::archive::layout::MEMBER_OWNERS_SQL;
use crate::collect::context::Context;
use crate::collect::do_block::do_block;
use crate::collect::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::failure::Result;
use crate::pg::session::Row;

const LIST: &str = include_str!("../sql/member_owners.sql");
const APPLY: &str = include_str!("../sql/member_owners_apply.sql");

pub async fn collect(ctx: &Context<'_>) -> Result<()> {
    let rows = ctx.session.rows(LIST, &[]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let member = |row: &Row| {
        let text = |at: usize| row.get::<_, String>(at);
        json!({"alter": text(0), "identity": text(1), "owner": text(2)})
    };
    let members: Vec<Value> = rows.iter().map(member).collect();
    let mut file = SqlFile::new(&["Owners of extension members that were handed to other roles."]);
    file.statement(&do_block(APPLY, &json!({ "members": members })));
    ctx.sink.write(MEMBER_OWNERS_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    Ok(())
}
