//! Foreign keys with disabled triggers: pg_restore would recreate them validated and enabled (trap 10).
//!
//! Invariant: the key is created as valid if the rows satisfy it, else as NOT VALID with a warning. Then each of its
//! triggers gets its recorded state. The restore script leaves the archive's own entry out.

use serde_json::{Value, json};

use crate::collect::context::{Collected, Context};
use crate::collect::do_block::do_block;
use crate::collect::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::snapshot::layout::FOREIGN_KEYS_SQL;

const LIST: &str = include_str!("../sql/foreign_keys.sql");
const APPLY: &str = include_str!("../sql/foreign_keys_apply.sql");

pub async fn collect(ctx: &Context<'_>, collected: &mut Collected) -> Result<()> {
    let rows = ctx.session.rows(LIST, &[]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let keys: Vec<Value> = rows
        .iter()
        .map(|row| {
            let text = |at: usize| row.get::<_, String>(at);
            let states: Value = serde_json::from_str(&text(4)).unwrap_or(Value::Null);
            json!({"schema": text(0), "table": text(1), "name": text(2), "definition": text(3), "states": states})
        })
        .collect();
    collected.count(Count::ForeignKeysSwitchedOff, keys.len() as u64);
    let mut file = SqlFile::new(&["Foreign keys with disabled triggers, in their recorded state."]);
    file.statement(&do_block(APPLY, &json!({ "keys": keys })));
    ctx.sink.write(FOREIGN_KEYS_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    Ok(())
}
