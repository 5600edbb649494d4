//! What is read from the catalogs: inventory, coverage, drift, privileges, and the collectors of each part.
#![allow(clippy::disallowed_methods)]

mod archive_addresses;
mod collect_catalogs;
mod collect_data;
mod collect_grants;
mod collect_objects;
mod coverage;
mod drift;
mod inventory;
mod marker;
mod privileges;
#[path = "../support/mod.rs"]
mod support;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
