//! All output: data on standard output, everything else on standard error.
//!
//! Invariant: only this module prints; control characters in foreign text are made visible before it reaches a terminal
//! or a log, and credentials in URLs are removed as a last defence. Output is readable without colour.

pub mod bars;
pub mod checks;
pub mod connection;
pub mod diff;
pub mod drill;
pub mod error;
pub mod exceptions;
pub mod gaps;
pub mod lines;
pub mod ndjson;
pub mod out;
pub mod plan;
pub mod prompt;
pub mod report;
pub mod restore;
pub mod screen;
pub mod snapshots;
pub mod table;
pub mod tenant;
pub mod terminal;
pub mod text;
pub mod text_diff;
pub mod verification;
