//! The command line: help, exit codes, configuration, which database it finds and how it connects.
#![allow(clippy::disallowed_methods)]

mod background;
mod config_sources;
mod connect;
mod diff;
mod exit_codes;
mod help;
mod list_show;
mod stalled_network;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod wrong_database;

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
