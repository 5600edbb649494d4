//! Restores over a database that is in use: `restore` in place, `undo` and `guard`, with what they leave alone.
#![allow(clippy::disallowed_methods)]

mod guard;
mod marks;
mod named_leftovers;
mod other_project;
mod partitions;
mod roles;
mod rollback;
#[path = "../support/mod.rs"]
mod support;
mod undo_roles;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
