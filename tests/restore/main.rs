//! `restore` and the restore script into empty databases, and the engine part by part.
#![allow(clippy::disallowed_methods)]

mod beside;
mod command;
mod database_properties;
mod entries;
mod large_objects;
mod leave_out;
mod load;
mod locks;
mod odd;
mod pool;
mod refusals;
mod round_trip;
mod script;
mod script_beside_archive;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod upgrade;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
