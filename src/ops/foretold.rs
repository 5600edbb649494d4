//! Differences that every restore may end with, said before the proof looks.
//!
//! Invariant: each has one word and one sentence, whoever restores: `restore`, `undo`, `guard` or a drill.

use crate::model::restore::Exception;

pub fn exception(code: &str, what: &str, why: &str, todo: &str) -> Exception {
    Exception { code: code.into(), what: what.into(), why: why.into(), todo: todo.into() }
}

/// Comes true only where it differs.
pub fn extension_differs(name: &str) -> Exception {
    let why = "its version is the server's choice, and its owner cannot be changed";
    exception("extension_differs", &format!("extension {name}"), why, "")
}
