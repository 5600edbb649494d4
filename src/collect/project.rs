//! Facts about the stack from the project's folder: settings, import maps, the commit, names of secrets. And the list
//! of things that no database snapshot holds.
//!
//! Invariant: it writes names of secrets, never values (see [`config_mask`](super::config_mask)). The list of things
//! outside of the database is a note for the reader and not a gap: it is the same for every snapshot of such a stack.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use serde_json::{Value, json};

use super::config_mask::mask;
use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::env_names::env_names;
use super::folder::open_file_below;
use super::git_facts::git_facts;
use super::project_dir::open_project;
use super::tree::{NotCopied, begin, copy_open_file};
use super::values::blocking;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::gap::Gap;
use crate::snapshot::layout::PROJECT_DIR;

pub const COLLECTOR: Collector = Collector {
    name: "project",
    category: Category::Project,
    stage: Stage::Catalogs,
    run: |ctx| Box::pin(run(ctx)) as CollectFuture<'_>,
};

const TEXT_LIMIT_BYTES: u64 = 4 * 1024 * 1024;

/// Import maps and runtime settings outside of `supabase/functions`, which is copied as a whole.
pub const COPIED: [&[&str]; 8] = [
    &["supabase", "import_map.json"],
    &["supabase", "deno.json"],
    &["supabase", "deno.jsonc"],
    &["supabase", "deno.lock"],
    &["import_map.json"],
    &["deno.json"],
    &["deno.jsonc"],
    &["deno.lock"],
];

/// Environment files whose variable names are listed.
pub const ENV_FILES: [&[&str]; 6] = [
    &[".env"],
    &[".env.local"],
    &[".env.production"],
    &["supabase", ".env"],
    &["supabase", ".env.local"],
    &["supabase", "functions", ".env"],
];

async fn run(ctx: &Context<'_>) -> Result<Collected> {
    let outside = if ctx.abilities.is_supabase { outside_items(ctx).await? } else { Vec::new() };
    blocking(|| write(ctx, &outside))
}

fn write(ctx: &Context<'_>, outside: &[Value]) -> Result<Collected> {
    let mut collected = Collected::default();
    if !outside.is_empty() {
        write_json(ctx, "not_in_snapshot.json", &json!(outside))?;
        collected.count(Count::NotInSnapshot, outside.len() as u64);
    }
    let Some(project) = open_project(ctx)? else {
        if outside.is_empty() {
            collected.skipped = Some("no project folder given".into());
        }
        return Ok(collected);
    };
    write_config(ctx, &project, &mut collected)?;
    for steps in COPIED {
        copy_one(ctx, &project, steps, &mut collected)?;
    }
    write_secret_names(ctx, &project, &mut collected)?;
    if let Some(git) = ctx.settings.project_dir.as_deref().and_then(git_facts) {
        // Only git itself could tell whether files differ from the commit: null means unknown.
        write_json(ctx, "git.json", &json!({ "commit": git.commit, "branch": git.branch, "dirty": null }))?;
    }
    if collected.counts.is_empty() && collected.gaps.is_empty() {
        collected.count(Count::ProjectFiles, 0);
    }
    Ok(collected)
}

fn write_json(ctx: &Context<'_>, name: &str, value: &Value) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(anyhow::Error::new)?;
    ctx.sink.write(&format!("{PROJECT_DIR}/{name}"), Category::Project, &text)?;
    Ok(())
}

fn unreadable(steps: &[&str], why: &str) -> Gap {
    let todo = "make the file readable and take the snapshot again, or keep a copy of it yourself";
    Gap::new("project_file_not_copied", steps.join("/"), why, todo)
}

/// Reads a small text file of the project: `None` when it does not exist; a gap when it cannot be read.
fn read_text(project: &OwnedFd, steps: &[&str], collected: &mut Collected) -> Option<String> {
    let opened = open_file_below(project.as_fd(), steps);
    let text = opened.and_then(|file| {
        let Some((file, _)) = file else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(TEXT_LIMIT_BYTES).read_to_end(&mut bytes)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    });
    text.unwrap_or_else(|error| {
        collected.gap(unreadable(steps, &error.to_string()));
        None
    })
}

fn write_config(ctx: &Context<'_>, project: &OwnedFd, collected: &mut Collected) -> Result<()> {
    let steps = ["supabase", "config.toml"];
    let Some(text) = read_text(project, &steps, collected) else { return Ok(()) };
    match mask(&text) {
        Ok(masked) => {
            ctx.sink.write(&format!("{PROJECT_DIR}/config.toml"), Category::Project, masked.text.as_bytes())?;
            collected.add(Count::ProjectFiles.word(), 1);
            if !masked.replaced.is_empty() {
                collected.count(Count::ConfigValuesMasked, masked.replaced.len() as u64);
                write_json(ctx, "config_masked.json", &json!(masked.replaced))?;
            }
        }
        Err(error) => collected
            .gap(unreadable(&steps, &format!("it is not valid TOML ({error}), so its secrets cannot be masked"))),
    }
    Ok(())
}

fn copy_one(ctx: &Context<'_>, project: &OwnedFd, steps: &[&str], collected: &mut Collected) -> Result<()> {
    let (mut file, stat) = match open_file_below(project.as_fd(), steps) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(()),
        Err(error) => {
            collected.gap(unreadable(steps, &error.to_string()));
            return Ok(());
        }
    };
    let path = format!("{PROJECT_DIR}/files/{}", steps.join("/"));
    let copied = match begin(ctx.sink, &path, Category::Project)? {
        Ok(out) => copy_open_file(&mut file, &stat, out)?,
        Err(why) => Err(why),
    };
    match copied {
        Ok(_) => collected.add(Count::ProjectFiles.word(), 1),
        Err(NotCopied(why)) => collected.gap(unreadable(steps, &why)),
    }
    Ok(())
}

/// Writes `secret_names.json`: the variables that the project's environment files set.
fn write_secret_names(ctx: &Context<'_>, project: &OwnedFd, collected: &mut Collected) -> Result<()> {
    let mut files = Vec::new();
    let mut total = 0;
    for steps in ENV_FILES {
        // A file that cannot be read costs only a list of names, which no restore needs: a note, not a gap.
        let mut trouble = Collected::default();
        let text = read_text(project, steps, &mut trouble);
        let names = text.map(|text| env_names(&text));
        total += names.as_ref().map_or(0, |n| n.len() as u64);
        let why = trouble.gaps.pop().map(|gap| gap.why);
        if names.is_some() || why.is_some() {
            files.push(json!({ "file": steps.join("/"), "names": names, "not_read": why }));
        }
    }
    if !files.is_empty() {
        write_json(ctx, "secret_names.json", &json!(files))?;
        collected.count(Count::SecretNames, total);
    }
    Ok(())
}

/// What a stack needs and no snapshot of its database holds (R25), for the parts that this stack has.
async fn outside_items(ctx: &Context<'_>) -> Result<Vec<Value>> {
    let item = |what: &str, why: &str, keep: &str| json!({ "what": what, "why": why, "keep": keep });
    let mut items = Vec::new();
    if ctx.has_schema("auth") {
        items.push(item(
            "JWT secret, anon key, service_role key, publishable and secret API keys",
            "they are settings of the services, not of the database",
            "the .env of the self-hosted stack, or the API settings of the hosted project; other keys end all sessions",
        ));
        items.push(item(
            "auth provider settings (SMTP, OAuth clients, SMS, hooks, templates)",
            "they are the auth service's environment",
            "the auth service's environment or supabase/config.toml; on a hosted project its management API",
        ));
    }
    items.push(item(
        "values of edge function secrets",
        "they are kept outside of the database, and only their names may be listed",
        "your own secret store; set them again with `supabase secrets set`",
    ));
    if ctx.has_extension("supabase_vault") || ctx.has_extension("pgsodium") {
        items.push(item(
            "the vault's root key",
            "it is a file outside of the database (pgsodium_root.key)",
            "a copy of the file or of the hosted project's pgsodium endpoint, stored apart from the snapshot",
        ));
    }
    let other = ctx.session.rows("SELECT 1 FROM pg_database WHERE datname = '_supabase'", &[]).await?;
    if !other.is_empty() {
        items.push(item(
            "the database _supabase (analytics and pooler)",
            "a snapshot holds one database",
            "a snapshot of its own, if its logs or the pooler's tenants matter",
        ));
    }
    Ok(items)
}
