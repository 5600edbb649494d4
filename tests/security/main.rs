//! Secrets stay where they belong, and files of others decide nothing.
#![allow(clippy::disallowed_methods)]

mod foreign_files;
mod passwords_left;
mod redaction;
#[path = "../support/mod.rs"]
mod support;
mod trust;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
