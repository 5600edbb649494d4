//! What stands beside the archive: one file a collector, one registry, one outcome each.
//!
//! Invariant: a collector reads through the context's session (on the exported snapshot) or from the archive's data
//! files, writes through the context's sink, and opens no connection or file of its own below the snapshot. A
//! collector that fails costs its part, never the run: the failure becomes an outcome and a gap.

pub mod context;
pub mod registry;
pub mod sql_file;
pub mod tables;
pub mod upsert;
pub mod users;
pub mod values;
