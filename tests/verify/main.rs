//! Is a snapshot what it was, and can it be restored? `verify`, proof, probes, drills and throw-away clusters.
#![allow(clippy::disallowed_methods)]

mod cluster;
mod damage;
mod drill;
mod health_check;
mod live_rows;
mod old_formats;
mod probes;
mod proof;
mod schema;
mod schema_findings;
#[path = "../support/mod.rs"]
mod support;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
