//! The root folder: the snapshots in it, its lock, logs, status and records of restores.
//!
//! Invariant: one writer at a time (`lock`); a snapshot's own bytes are only read and named here, `snapshot` writes
//! them. It never talks to a database.

pub mod folder;
pub mod lock;
pub mod logs;
pub mod restores;
pub mod status;
