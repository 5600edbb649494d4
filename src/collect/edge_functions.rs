//! Copies the project's edge functions with their import maps and settings.
//!
//! Invariant: bytes and structure are kept. Of environment files only the names of the variables are listed, not the
//! values (see [`tree`](super::tree)). A function is a folder with an entry point; `_shared` and `.hidden` are not.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::AsFd;

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::folder::open_file_below;
use super::project_dir::{Found, find, open_project};
use super::tree::copy_tree;
use super::values::blocking;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::snapshot::layout::EDGE_FUNCTIONS_DIR;

pub const COLLECTOR: Collector = Collector {
    name: "edge_functions",
    category: Category::EdgeFunctions,
    stage: Stage::Catalogs,
    run: |ctx| Box::pin(async move { blocking(|| run(ctx)) }) as CollectFuture<'_>,
};

const ENTRY_POINTS: [&str; 7] =
    ["index.ts", "index.tsx", "index.js", "index.jsx", "index.mjs", "index.mts", "index.cjs"];

const CONFIG_LIMIT_BYTES: u64 = 4 * 1024 * 1024;

fn run(ctx: &Context<'_>) -> Result<Collected> {
    let folder = match find(ctx, "functions")? {
        Found::Folder(folder) => folder,
        Found::Not(collected) => return Ok(collected),
    };
    let mut collected = Collected::default();
    let mut report = copy_tree(&folder, EDGE_FUNCTIONS_DIR, Category::EdgeFunctions, ctx.sink)?;
    let functions = functions(&report.files, &configured(ctx)?);
    collected.count(Count::EdgeFunctions, functions.len() as u64);
    collected.count(Count::EdgeFunctionFiles, report.files.len() as u64);
    report.record(EDGE_FUNCTIONS_DIR, Category::EdgeFunctions, ctx.sink, &mut collected)?;
    Ok(collected)
}

/// Top-level folders that have an entry point, or one configured in `config.toml`.
fn functions<'f>(files: &'f [String], configured: &BTreeSet<String>) -> BTreeSet<&'f str> {
    let function = |path: &'f String| {
        let (folder, rest) = path.split_once('/')?;
        let is_entry = ENTRY_POINTS.contains(&rest) || configured.contains(folder);
        (is_entry && !folder.starts_with(['_', '.'])).then_some(folder)
    };
    files.iter().filter_map(function).collect()
}

/// Functions with an `entrypoint` in `config.toml`.
fn configured(ctx: &Context<'_>) -> Result<BTreeSet<String>> {
    let mut text = String::new();
    if let Some(project) = open_project(ctx)?
        && let Ok(Some((file, _))) = open_file_below(project.as_fd(), &["supabase", "config.toml"])
        && file.take(CONFIG_LIMIT_BYTES).read_to_string(&mut text).is_err()
    {
        text.clear(); // The `project` collector reports the error.
    }
    Ok(entry_points(&text))
}

fn entry_points(config: &str) -> BTreeSet<String> {
    let Ok(config) = config.parse::<toml::Table>() else { return BTreeSet::new() };
    let Some(functions) = config.get("functions").and_then(toml::Value::as_table) else { return BTreeSet::new() };
    functions.iter().filter(|(_, f)| f.get("entrypoint").is_some()).map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_a_folder_with_an_entry_point() {
        let files = [
            "_shared/index.ts",
            ".x/index.ts",
            "a/index.ts",
            "b/main.js",
            "c/readme.md",
            "deno.json",
            "d/lib/index.ts",
        ];
        let files: Vec<String> = files.iter().map(|f| (*f).to_string()).collect();
        let configured =
            entry_points("[functions.b]\nentrypoint = './functions/b/main.js'\n[functions.c]\nverify_jwt = false\n");
        assert_eq!(functions(&files, &configured), BTreeSet::from(["a", "b"]));
        assert!(entry_points("not toml [").is_empty());
    }
}
