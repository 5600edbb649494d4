//! `stacksnap undo [RESTORE --to URL]`
//!
//! Invariant: the record identifies the target but has no connection string: `--to` gives it, and the identity is
//! compared.

use serde::Serialize;

use super::args::UndoArgs;
use super::recovery::{self, Order};
use super::{Ended, Surroundings, clock, wiring};
use crate::model::failure::Result;
use crate::ops::undo::{self, Row};
use crate::root::folder::Root;
use crate::ui::{out, restore};

#[derive(Serialize)]
struct RestoresDocument<'a> {
    restores: &'a [Row],
}

pub fn run(around: &Surroundings, args: &UndoArgs) -> Result<Ended> {
    let inputs = recovery::inputs(around, &args.how);
    let mut settings = wiring::settings(around.ui, &inputs)?;
    let root = Root::new(settings.root.clone());
    let (Some(id), Some(to)) = (&args.restore, &args.to) else {
        let rows = undo::list(&root);
        if around.ui.is_text() {
            out::data(&restore::list(&rows));
        } else {
            around.ui.document("restores", &RestoresDocument { restores: &rows });
        }
        return Ok(None);
    };
    let target = recovery::target(around, to)?;
    let found = undo::find(&root, id)?;
    let keys = recovery::keys(around, &args.how, &inputs, &mut settings)?;
    let order = Order {
        verb: "undo",
        place: found.place,
        target,
        request: undo::request(
            clock::now(),
            recovery::jobs(&settings),
            settings.lock_wait,
            found.roles_made,
            args.how.leave_out.clone(),
        ),
        settings,
        options: undo::options(&found.record, args.safety_snapshot, !args.how.no_proof, keys),
        confirm: args.confirm.as_deref(),
        dry_run: args.dry_run,
        long: args.long,
        plan_file: None,
        timeout: None,
        save_plan: None,
    };
    recovery::carry(around, &root, &order)
}
