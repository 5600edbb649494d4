//! Use cases, one file each: what a command does, apart from how it is shown.
//!
//! Invariant: nothing here prints, reads the environment or the clock; a use case returns what it found.

pub mod doctor;
