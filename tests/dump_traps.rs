//! Databases whose own dump the server refuses, or reads otherwise than it was meant, in some order or under some name:
//! into an empty database, in place after damage, and back by `undo`.
#![allow(clippy::disallowed_methods)]

#[path = "dump_traps/cases.rs"]
mod cases;
mod round_support;
#[path = "families/rounds.rs"]
mod rounds;

use cases::CASES;
use round_support::{Cluster, server};
use rounds::round_trip;

#[test]
fn traps_of_a_dump_come_back_on_15() {
    round_trip(&server(), 15, CASES);
}

#[test]
fn traps_of_a_dump_come_back_on_18() {
    round_trip(&Cluster::start(18), 18, CASES);
}
