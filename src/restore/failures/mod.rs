//! What the server refused, why, and whether the restore may end without it.
//!
//! Invariant: every missing object has a cause, or the restore fails. Nothing here decides by the text of a message.

pub(crate) mod causes;
pub(crate) mod judge;
pub mod leave_out;
pub(crate) mod refusals;
pub(crate) mod repair;
