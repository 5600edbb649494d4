//! The text of `doctor`: one line per check, followed by what to do.

use super::out::{Ui, Verbosity};
use super::text::{counted, line};
use crate::ops::doctor::{Check, Status};

/// All checks; with `-q` only the failed ones.
pub fn render(ui: Ui, checks: &[Check]) -> String {
    let mut out = String::new();
    for check in checks.iter().filter(|c| ui.verbosity > Verbosity::Quiet || c.status == Status::Fail) {
        let word = match check.status {
            Status::Ok => ui.paint("32", "ok  "),
            Status::Warn => ui.paint("33", "warn"),
            Status::Fail => ui.paint("1;31", "FAIL"),
        };
        out.push_str(&format!("{word}  {:<14} {}\n", check.name, line(&check.what)));
        if let Some(todo) = &check.todo {
            out.push_str(&format!("      what to do: {}\n", line(todo)));
        }
    }
    let count = |status: Status| checks.iter().filter(|c| c.status == status).count() as u64;
    match (count(Status::Fail), count(Status::Warn)) {
        (0, 0) => out.push_str("ready: stacksnap create\n"),
        (0, warnings) => {
            out.push_str(&format!("ready, with {}: stacksnap create\n", counted(warnings, "warning", "warnings")))
        }
        (failures, _) => out.push_str(&format!("not ready: fix {} first\n", counted(failures, "problem", "problems"))),
    }
    out
}
