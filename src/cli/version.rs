//! `stacksnap version`

use serde::Serialize;

use super::Ended;
use crate::model::failure::Result;
use crate::model::manifest::{FORMAT, FormatVersion};
use crate::ui::out::{self, Ui};

#[derive(Serialize)]
struct VersionDocument {
    version: &'static str,
    /// Format version of the snapshots that this program writes.
    format: FormatVersion,
}

pub fn run(ui: Ui) -> Result<Ended> {
    let version = env!("CARGO_PKG_VERSION");
    if ui.is_text() {
        out::data(&format!("stacksnap {version} (snapshot format {}.{})", FORMAT.major, FORMAT.minor));
    } else {
        ui.document("version", &VersionDocument { version, format: FORMAT });
    }
    Ok(None)
}
