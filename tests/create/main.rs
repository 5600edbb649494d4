//! `create`: one instant, bad days, client programs that lie, rows and encodings as they are.
#![allow(clippy::disallowed_methods)]

mod bad_days;
mod consistency;
mod csv_reload;
mod encodings;
mod fakes;
mod large_things;
#[path = "../support/mod.rs"]
mod support;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
