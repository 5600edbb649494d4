//! `stacksnap restore SNAP --to URL`
//!
//! Invariant: the target comes only from `--to`, never from connection variables, `.env` or the configuration.

use super::args::{AuthRows, RestoreArgs, Sessions};
use super::recovery::{self, Order};
use super::{Ended, Surroundings, clock, wiring};
use crate::config::Settings;
use crate::model::failure::Result;
use crate::model::restore::{ConflictPolicy, RestoreRequest};
use crate::monitor::millis;
use crate::ops::restore::Options;
use crate::root::folder::Root;

pub fn run(around: &Surroundings, args: &RestoreArgs) -> Result<Ended> {
    let inputs = recovery::inputs(around, &args.how);
    let mut settings = wiring::settings(around.ui, &inputs)?;
    let target = recovery::target(around, &args.target.to)?;
    recovery::root_of_path(around, &mut settings, &args.snapshot);
    let root = Root::new(settings.root.clone());
    let place = root.resolve(&args.snapshot)?;
    let keys = recovery::keys(around, &args.how, &inputs, &mut settings)?;
    let order = Order {
        verb: "restore",
        place,
        target,
        request: request(args, &settings),
        settings,
        options: Options {
            safety_snapshot: !args.no_safety_snapshot,
            proof: !args.how.no_proof,
            undo_of: None,
            expected: None,
            keys,
            vouch: args.vouch.clone(),
        },
        confirm: args.target.confirm.as_deref(),
        dry_run: args.target.dry_run,
        long: args.long,
        plan_file: args.plan.as_deref(),
        save_plan: args.save_plan.as_deref(),
        timeout: args.timeout,
    };
    recovery::carry(around, &root, &order)
}

fn request(args: &RestoreArgs, settings: &Settings) -> RestoreRequest {
    RestoreRequest {
        now: clock::now(),
        only: args.only.clone(),
        tables: args.tables.clone(),
        into_schema: args.into_schema.clone(),
        conflicts: match args.auth_rows {
            AuthRows::Overwrite => ConflictPolicy::Overwrite,
            AuthRows::Keep => ConflictPolicy::Keep,
            AuthRows::Abort => ConflictPolicy::Abort,
        },
        keep_sessions: args.sessions == Sessions::Keep,
        activate_jobs: args.activate_jobs,
        allow_partial: args.allow_partial,
        replace_other: args.replace_other_project,
        untrusted: args.untrusted,
        read_all: args.read_all,
        leave_out: args.how.leave_out.clone(),
        checks_not_valid: false,
        drop_roles: Vec::new(),
        jobs: recovery::jobs(settings),
        lock_wait_ms: millis(settings.lock_wait),
    }
}
