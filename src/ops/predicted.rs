//! Differences that any restore may end with, predicted before the proof.
//!
//! Invariant: each has one code and one sentence, the same for `restore`, `undo`, `guard` and a drill.

use crate::model::identity::qualified;
use crate::model::left_out;
use crate::model::left_out::{Instead, LeftOut, TABLE_DATA};
use crate::model::manifest::TableRecord;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::verify::proof::Expected;

pub fn exception(code: &str, what: &str, why: &str, todo: &str) -> Exception {
    Exception { code: code.into(), what: what.into(), why: why.into(), todo: todo.into() }
}

/// Objects that were left out, as a proof expects them: each cause with its dependents. An object that is missing
/// without a known cause is not expected, so the proof reports it as a finding.
pub fn left_out(all: &[LeftOut], tables: &[TableRecord]) -> Vec<Expected> {
    let causes = all.iter().filter(|one| one.because_of.is_none() && !one.is_unexplained());
    let expected = |cause: &LeftOut| {
        let with = |one: &&LeftOut| one.object == cause.object || one.because_of.as_ref() == Some(&cause.object);
        let objects: Vec<ObjectName> = all.iter().filter(with).map(|one| one.object.clone()).collect();
        let rows = |o: &&ObjectName| o.kind == TABLE_DATA || o.kind == ObjectKind::Table;
        let without: Vec<(String, String)> = all
            .iter()
            .filter(with)
            .filter(|one| matches!(one.instead, Instead::NoRows | Instead::Missing))
            .map(|one| &one.object)
            .filter(rows)
            .filter_map(|o| qualified(&o.identity))
            .collect();
        let is_without = |t: &&TableRecord| without.iter().any(|(s, n)| (&t.name.schema, &t.name.name) == (s, n));
        let rows_of = tables.iter().filter(is_without).map(|t| t.name.clone()).collect();
        Expected { exception: left_out::exception(cause, all), objects, rows_of }
    };
    causes.map(expected).collect()
}

/// Expected of every extension; the proof uses it only where the extension differs.
pub fn extension_differs(name: &str) -> Exception {
    let why = "its version is the server's choice, and its owner cannot be changed";
    exception("extension_differs", &format!("extension {name}"), why, "")
}
