//! The root folder: its snapshots, lock, logs, status and restore records.
//!
//! Invariant: one writer at a time (`lock`). The files of a snapshot are only read here; `snapshot` writes them. It
//! never talks to a database.

pub mod folder;
pub mod lock;
pub mod logs;
pub mod restores;
pub mod status;
