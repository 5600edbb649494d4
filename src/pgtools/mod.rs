//! PostgreSQL's own programs, typed: where they are, which one to take, their arguments, the archive's table of
//! contents.
//!
//! Invariant: argv holds no user text that a program would expand (trap 14): connections go through the environment
//! and a 0600 passfile, options are `--name=value`. It starts programs through `proc` only.

pub mod client;
pub mod cluster;
pub mod dump;
pub mod environment;
pub mod passfile;
pub mod toc;
