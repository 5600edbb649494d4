//! Parts that are restored from files alongside the archive, or not at all: queues, jobs, secrets, replication, the
//! database.
//!
//! Invariant: what a part cannot restore is an exception with its reason.

pub(crate) mod database;
pub(crate) mod jobs;
pub(crate) mod queues;
pub(crate) mod replication;
pub mod vault;
