//! The end of `create`: prints the report and returns the exit kind.

use super::Ended;
use crate::model::connection::ConnSpec;
use crate::model::failure::FailureKind;
use crate::model::report::TakeReport;
use crate::ui::connection::With;
use crate::ui::out::{self, Ui, Verbosity};
use crate::ui::report;

/// Prints the report of `create` and returns how the command ends.
pub fn finish(ui: Ui, source: &ConnSpec, report: &TakeReport) -> Ended {
    let ended = report.exit_kind();
    if !ui.is_text() {
        ui.document("create", &With::new(source, report));
    } else if ui.verbosity > Verbosity::Quiet {
        out::data(&report::render(report));
    } else if ended == Some(FailureKind::Partial) {
        out::print_stderr("the snapshot is not complete; see: stacksnap show latest --gaps");
    }
    ended
}
