//! Compares the rows of two sources: reading them line by line, and finding those that differ.
//!
//! Invariant: it only reads, and memory does not grow with the rows.

pub mod keys;
mod primary_key;
pub mod row_source;
