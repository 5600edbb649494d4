//! PostgreSQL's own programs as types: finding and choosing them, their arguments, the archive's table of contents.
//!
//! Invariant: argv never contains user text that a program would expand (trap 14): connections are passed in the
//! environment and a 0600 passfile, options are `--name=value`. Programs are started only through `proc`.

pub mod client;
pub mod cluster;
pub mod dump;
pub mod environment;
pub mod passfile;
pub mod toc;
