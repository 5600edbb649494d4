//! Sends statements to the target: cuts them out of files, runs and counts them, and keeps their failures.
//!
//! Invariant: a failed statement is returned or recorded, and undoes nothing but itself.

pub(crate) mod files;
pub mod runner;
pub(crate) mod statements;
