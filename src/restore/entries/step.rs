//! One entry of the archive as a step of a restore: what it makes, and the SQL that is sent.

use super::Pass;
use crate::model::inventory::CatalogObject;
use crate::pgtools::toc::Entry;

/// One entry and what it makes.
#[derive(Debug, Clone)]
pub struct Step<'s> {
    pub entry: &'s Entry,
    /// `None` for parts of other entries.
    pub object: Option<&'s CatalogObject>,
    /// What to run, as one message of the simple protocol.
    pub sql: String,
    pub pass: Pass,
    /// It may not be run: its SQL was taken away.
    pub fenced: bool,
}
