//! `create`: one complete, consistent, provable snapshot.
//!
//! Invariant: nothing gets the name of a snapshot before everything is written, hashed and sealed; what could not be
//! captured is a named gap; whatever ends the run early leaves no child and no partial folder.

pub mod dump;
pub mod dump_failure;
mod readable;
