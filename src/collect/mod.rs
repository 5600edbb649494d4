//! The collectors, which write everything that is not in the archive: one file per collector, one registry, one outcome
//! each.
//!
//! Invariant: a collector reads through the context's session (on the exported snapshot) or from the archive's data
//! files, writes through the context's sink, and opens no connection of its own and no file below the snapshot. A
//! collector that fails loses its part, never the run: the failure becomes an outcome and a gap.

pub mod access_grants;
pub mod acl;
pub mod aggregate_def;
pub mod config_mask;
pub mod context;
pub mod database_roles;
pub mod do_block;
pub mod edge_functions;
pub mod encryption;
pub mod env_names;
pub mod extension_state;
pub mod files_marker;
pub mod folder;
pub mod function_def;
pub mod functions;
pub mod git_facts;
pub mod managed_objects;
pub mod migration_history;
pub mod migrations;
pub mod policies;
pub mod project;
pub mod project_dir;
pub mod registry;
pub mod role_tables;
pub mod savepoint;
pub mod setting;
pub mod sql_file;
pub mod storage;
pub mod storage_files;
mod storage_object;
pub mod stored_name;
pub mod tables;
pub mod tree;
pub mod triggers;
pub mod upsert;
pub mod user_roles;
pub mod users;
pub mod values;
pub mod views;
