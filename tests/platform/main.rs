//! The platform: its schemas, services, extensions, vault, and targets that differ from the source.
#![allow(clippy::disallowed_methods)]

mod built_on_platform;
mod damage;
mod other_servers;
mod state;
mod stubs;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod vault;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
