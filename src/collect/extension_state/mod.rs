//! `extension_state/`: state of extensions and around the schema that a dump lacks or holds incompletely.
//!
//! Invariant: each part is one file that can be run by itself, and twice. Secrets are sealed, or named as not captured.
//! A part that cannot be read is a gap and does not stop the others.

mod cron;
mod event_triggers;
mod extensions;
mod foreign_keys;
mod member_routines;
mod members;
mod publications;
mod queues;
mod vault;

use serde_json::Value;

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};

pub const COLLECTOR: Collector =
    Collector { name: "extension_state", category: Category::ExtensionState, stage: Stage::Catalogs, run };

fn run<'a>(ctx: &'a Context<'a>) -> CollectFuture<'a> {
    Box::pin(collect(ctx))
}

async fn collect(ctx: &Context<'_>) -> Result<Collected> {
    let mut collected = Collected::default();
    for count in [Count::CronJobs, Count::VaultSecrets, Count::Queues] {
        collected.count(count, 0);
    }
    extensions::collect(ctx, &mut collected).await?;
    publications::collect(ctx, &mut collected).await?;
    event_triggers::collect(ctx, &mut collected).await?;
    foreign_keys::collect(ctx, &mut collected).await?;
    cron::collect(ctx, &mut collected).await?;
    vault::collect(ctx, &mut collected).await?;
    let members = members::collect(ctx, &mut collected).await?;
    queues::collect(ctx, &mut collected, &members).await?;
    member_routines::collect(ctx).await?;
    Ok(collected)
}

/// Writes a JSON file of this part.
fn write_json(ctx: &Context<'_>, path: &str, value: &Value) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| Failure::new(FailureKind::Failed, e))?;
    text.push(b'\n');
    ctx.sink.write(path, Category::ExtensionState, &text)?;
    Ok(())
}
