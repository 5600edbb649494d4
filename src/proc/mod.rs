//! The only door to other programs.
//!
//! Invariant: no secret is in an argument list; nothing is started through a shell.

pub mod detach;
pub mod own;
