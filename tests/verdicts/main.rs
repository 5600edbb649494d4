//! Every verdict about a database is true: equal is called equal, a difference is found, there and back.
#![allow(clippy::disallowed_methods)]

mod computed_contents;
mod dump_traps;
mod extension_rows;
mod families;
mod generated;
mod index_state;
mod meaning;
mod publication_forms;
mod replication;
mod role_memberships;
mod rounds;
mod session_settings;
#[path = "../support/mod.rs"]
mod support;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
