//! `stacksnap list`

use super::{Ended, Surroundings, clock, wiring};
use crate::model::failure::Result;
use crate::ops::list;
use crate::ui::{out, snapshots};

pub fn run(around: &Surroundings) -> Result<Ended> {
    let root = wiring::root(around.ui, &around.globals, &around.environment)?;
    let listing = list::list(&root, clock::now())?;
    if around.ui.is_text() {
        out::data(&snapshots::listing(&listing));
    } else {
        around.ui.document("list", &listing);
    }
    Ok(None)
}
