//! Opens the project's folder for the collectors that copy from it.
//!
//! Invariant: only the configured folder is opened by path; below it, links in `supabase/…` are not followed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::context::{Collected, Context};
use super::folder::{open_below, open_root};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;

/// A folder in the project, or the collector's result without it.
pub enum Found {
    Folder(OwnedFd),
    Not(Collected),
}

/// Opens the project's folder; `None` when none is configured.
pub fn open_project(ctx: &Context<'_>) -> Result<Option<OwnedFd>> {
    let Some(path) = &ctx.settings.project_dir else { return Ok(None) };
    let opened = open_root(path).map_err(|error| {
        Failure::new(FailureKind::Configuration, error)
            .context(format!("the project folder {path:?} cannot be opened"))
            .hint("correct project_dir in the configuration")
    })?;
    Ok(Some(opened))
}

/// Finds `supabase/<name>` of the project.
pub fn find(ctx: &Context<'_>, name: &str) -> Result<Found> {
    let Some(project) = open_project(ctx)? else {
        return Ok(Found::Not(Collected::skipped("no project folder given")));
    };
    match open_below(project.as_fd(), &["supabase", name]) {
        Ok(Some(folder)) => Ok(Found::Folder(folder)),
        Ok(None) => Ok(Found::Not(Collected::skipped(format!("the project folder has no supabase/{name}")))),
        Err(error) => Ok(Found::Not(not_opened(name, &error))),
    }
}

/// The folder exists and cannot be opened. A link is not followed, because it may lead out of the project.
fn not_opened(name: &str, error: &io::Error) -> Collected {
    let mut collected = Collected::default();
    let todo =
        "make it a folder that this user may read (a link is not followed: name the real project folder instead)";
    collected.gap(Gap::new("project_folder_not_read", format!("supabase/{name}"), error.to_string(), todo));
    collected
}
