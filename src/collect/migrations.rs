//! Copies the project's migration files.
//!
//! Invariant: bytes and structure are kept, links are recorded and not followed (see [`tree`](super::tree)).

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::project_dir::{Found, find};
use super::tree::copy_tree;
use super::values::blocking;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::snapshot::layout::MIGRATIONS_DIR;

pub const COLLECTOR: Collector = Collector {
    name: "migrations",
    category: Category::Migrations,
    stage: Stage::Catalogs,
    run: |ctx| Box::pin(async move { blocking(|| run(ctx)) }) as CollectFuture<'_>,
};

fn run(ctx: &Context<'_>) -> Result<Collected> {
    let folder = match find(ctx, "migrations")? {
        Found::Folder(folder) => folder,
        Found::Not(collected) => return Ok(collected),
    };
    let mut collected = Collected::default();
    let mut report = copy_tree(&folder, MIGRATIONS_DIR, Category::Migrations, ctx.sink)?;
    let scripts = report.files.iter().filter(|path| path.to_ascii_lowercase().ends_with(".sql")).count();
    collected.count(Count::Migrations, scripts as u64);
    report.record(MIGRATIONS_DIR, Category::Migrations, ctx.sink, &mut collected)?;
    Ok(collected)
}
