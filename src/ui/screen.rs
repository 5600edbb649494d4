//! Selects the progress monitor: bars on a terminal, lines elsewhere, JSON for scripts, none with `-q`.

use super::bars::Bars;
use super::lines::Lines;
use super::ndjson::Ndjson;
use super::out::{Format, Ui, Verbosity, stderr_is_terminal};
use crate::monitor::{Monitor, Silent};

/// The monitor for this output format and verbosity. Dropping it removes its bars from the screen.
pub fn screen(ui: Ui) -> Box<dyn Monitor> {
    if ui.format == Format::Ndjson {
        Box::new(Ndjson)
    } else if ui.verbosity == Verbosity::Quiet {
        Box::new(Silent)
    } else if stderr_is_terminal() {
        Box::new(Bars::new(ui))
    } else {
        Box::new(Lines { ui })
    }
}
