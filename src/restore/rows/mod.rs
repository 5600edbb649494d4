//! Rows: which tables' rows are restored, how they are loaded, and how several connections share the work.
//!
//! Invariant: rows come from the archive's data files, in chunks. Memory does not grow with a table or a row.

pub(crate) mod around;
pub(crate) mod computed;
pub(crate) mod contents;
pub mod large_objects;
pub mod load;
pub(crate) mod marks;
pub(crate) mod member_rows;
pub(crate) mod merge;
pub(crate) mod parallel;
pub(crate) mod policy;
pub mod pool;
pub(crate) mod tables;
