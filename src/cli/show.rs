//! `stacksnap show SNAP [--tables|--files|--gaps]`

use super::args::ShowArgs;
use super::{Ended, Surroundings, clock, wiring};
use crate::model::failure::Result;
use crate::ops::show;
use crate::ui::out;
use crate::ui::snapshots::{self, Sections};

pub fn run(around: &Surroundings, args: &ShowArgs) -> Result<Ended> {
    let root = wiring::root(around.ui, &around.globals, &around.environment)?;
    let shown = show::show(&root, &args.snapshot, clock::now())?;
    let sections = Sections { tables: args.tables, files: args.files, gaps: args.gaps };
    if around.ui.is_text() {
        out::data(&snapshots::show(&shown, sections));
    } else {
        around.ui.document("show", &snapshots::show_document(&shown, sections));
    }
    Ok(None)
}
