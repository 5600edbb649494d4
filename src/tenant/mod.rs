//! Who owns which row: finding the tenants, classing every table, labelling every row with one owner.
//!
//! Invariant: deciding is pure; reading is set-based, in one READ ONLY transaction, and each table is counted in one pass,
//! however many tenants there are. An owner comes by LEFT JOINs to unique keys, so no count changes. It never writes.

pub mod candidates;
pub mod classify;
pub mod count;
pub mod direct;
mod draft;
pub mod evidence;
pub mod graph;
pub mod leaks;
pub mod names;
pub mod paths;
pub mod polymorphic;
pub mod references;
pub mod roots;
pub mod sql;
