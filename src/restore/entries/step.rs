//! One archive entry as a step of a restore: the object that it creates, and the SQL to send.
//!
//! Invariant: a fenced step has no SQL.

use super::Pass;
use crate::model::inventory::CatalogObject;
use crate::pgtools::toc::Entry;

/// One entry and the object that it creates.
#[derive(Debug, Clone)]
pub struct Step<'s> {
    pub entry: &'s Entry,
    /// `None` for parts of other entries.
    pub object: Option<&'s CatalogObject>,
    /// The SQL to run, as one message of the simple protocol.
    pub sql: String,
    pub pass: Pass,
    /// The fence removed its SQL: it must not run.
    pub fenced: bool,
}
