//! What the server refused, why, and whether the restore may end without it.
//!
//! Invariant: every missing object has a cause or is a failure of the restore. Nothing here decides by a message.

pub(crate) mod causes;
pub(crate) mod judge;
pub mod leave_out;
pub(crate) mod mend;
pub(crate) mod refusals;
