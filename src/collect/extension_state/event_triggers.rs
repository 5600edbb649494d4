//! Event triggers: the user's as SQL, the platform's as a fingerprint.
//!
//! Invariant (R17): an event trigger of the platform is never written as SQL: every project has its own, and only the
//! platform may change it. A comparison reports differences.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::context::{Collected, Context};
use super::super::do_block::do_block;
use super::super::sql_file::SqlFile;
use super::write_json;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::hex::hex;
use crate::model::name::QualifiedName;
use crate::model::platform::{PLATFORM_EVENT_TRIGGERS, is_managed_schema};
use crate::snapshot::layout::{EVENT_TRIGGERS_JSON, EVENT_TRIGGERS_SQL};

pub async fn collect(ctx: &Context<'_>, collected: &mut Collected) -> Result<()> {
    let (mut own, mut platform): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for row in ctx.session.rows(include_str!("../sql/event_triggers.sql"), &[]).await? {
        let text = |name: &str| row.get::<_, String>(name);
        let function = QualifiedName::new(text("function_schema"), text("function_name"));
        let (name, owner) = (text("name"), text("owner"));
        let of_platform = owner == "supabase_admin"
            && (PLATFORM_EVENT_TRIGGERS.contains(&name.as_str()) || is_managed_schema(&function.schema));
        let mut entry = json!({
            "name": name, "event": text("event"), "owner": owner, "enabled": text("enabled"),
            "tags": row.get::<_, Option<Vec<String>>>("tags"), "function": function.sql(),
        });
        if of_platform {
            entry["function_sha256"] = json!(hex(&Sha256::digest(text("source").as_bytes())));
            platform.push(entry);
        } else {
            entry["comment"] = json!(row.get::<_, Option<String>>("comment"));
            own.push(entry);
        }
    }
    write_json(ctx, EVENT_TRIGGERS_JSON, &json!({"platform": platform, "user": own}))?;
    let mut file = SqlFile::new(&[
        "Event triggers of the user. Those of the platform are listed in event_triggers.json and are not created here.",
        "Run it last of the schema: they fire for later statements.",
    ]);
    file.statement(&do_block(include_str!("../sql/event_triggers_apply.sql"), &json!({"triggers": own})));
    ctx.sink.write(EVENT_TRIGGERS_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    collected.count(Count::EventTriggers, own.len() as u64);
    Ok(())
}
