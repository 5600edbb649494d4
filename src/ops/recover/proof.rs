//! The proof after a restore: the seam between the restore and `verify`.
//!
//! Invariant: it reads the target only. What was true before the first write is kept in [`Before`].

use super::{Prepared, Recovery};
use crate::model::failure::Result;
use crate::model::restore::{Proof, SecurityCensus};
use crate::restore::Done;

/// What must be asked before the first write.
#[derive(Debug, Clone, Default)]
pub struct Before {
    pub census: Option<SecurityCensus>,
}

/// How open the target is before it is written to.
pub async fn before(_recovery: &Recovery<'_>) -> Result<Before> {
    Ok(Before::default())
}

/// SEAM of the proof: `recovery.target` is the database, `prepared.source` the snapshot (inventory, manifest), `done` what
/// was done and left out, `before` the census. `None`: no proof could be made, and the command ends with 15.
pub async fn prove(
    _recovery: &Recovery<'_>,
    _prepared: &Prepared,
    _done: &Done,
    _before: Before,
) -> Result<Option<Proof>> {
    Ok(None)
}
