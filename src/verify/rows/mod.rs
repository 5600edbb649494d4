//! Rows of two places side by side: where they come from, line by line, and which of them are not the same.
//!
//! Invariant: it reads only, and memory does not grow with the rows.

pub mod keys;
mod primary_key;
pub mod row_source;
