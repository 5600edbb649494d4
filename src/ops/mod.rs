//! Use cases, one file each: what a command does, without arguments and without a terminal.
//!
//! Invariant: `now` is a parameter, events go to the monitor, results are values; nothing here prints or reads the
//! environment.

pub mod flight;
pub mod list;
pub mod logs;
pub mod show;
