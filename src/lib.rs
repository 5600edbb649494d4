//! stacksnap takes one complete, consistent, provable snapshot of a Supabase or PostgreSQL stack.
//!
//! The flow: settings -> source -> exported snapshot -> inventory -> pg_dump alongside the collectors -> everything
//! derived from the archive's data files -> seal -> manifest. See `doc/design.md` for the layers; a module imports only
//! lower layers, which `tests/architecture/main.rs` checks.

pub mod cli;
pub mod collect;
pub mod config;
pub mod model;
pub mod monitor;
pub mod ops;
pub mod ownership;
pub mod pg;
pub mod pgtools;
pub mod proc;
pub mod render;
pub mod restore;
pub mod root;
pub mod snapshot;
pub mod tenant;
pub mod ui;
pub mod verify;
