//! The use cases, one file (or folder) each.
//!
//! Invariant: a use case knows the order of things and nothing of terminals, arguments or the wall clock.

pub mod take;
