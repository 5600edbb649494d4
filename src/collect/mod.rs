//! What stands beside the archive: one file a collector, one registry, one outcome each.
//!
//! Invariant: a collector reads through the context's session (on the exported snapshot) or from the archive's data
//! files, writes through the context's sink, and opens no connection or file of its own below the snapshot. A
//! collector that fails costs its part, never the run: the failure becomes an outcome and a gap.

pub mod access_grants;
pub mod acl;
pub mod aggregate_def;
pub mod context;
pub mod database_roles;
pub mod do_block;
pub mod encryption;
pub mod extension_state;
pub mod function_def;
pub mod functions;
pub mod managed_objects;
pub mod platform;
pub mod policies;
pub mod registry;
pub mod savepoint;
pub mod setting;
pub mod sql_file;
pub mod triggers;
pub mod views;
