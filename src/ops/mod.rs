//! The use cases, one file (or folder) each: what a command does, without arguments and without a terminal.
//!
//! Invariant: a use case knows the order of the steps. `now` is a parameter, events go to the monitor, results are
//! values. Nothing here prints or reads the environment.

pub mod create;
pub mod diff;
pub mod doctor;
pub mod drill;
pub mod flight;
pub mod guard;
pub mod list;
pub mod logs;
mod predicted;
pub mod restore;
pub mod show;
pub mod tenant;
pub mod trust;
pub mod undo;
