//! Statements on their way to the target: cut out of files, run, counted, and their failures kept.

pub(crate) mod files;
pub mod runner;
pub(crate) mod statements;
