//! Logical replication slots: in the snapshot, compared, never made by a restore, named with the command that makes them.
#![allow(clippy::disallowed_methods)]

mod restore_cli_support;
mod take_support;

use restore_cli_support::{restore, snapshot};
use take_support::{Place, Ran, read, server};

#[test]
fn a_slot_that_is_gone_is_named_with_the_command_that_makes_it() {
    let database = server().small();
    let slot = format!("slot_of_{}", database.name);
    database.sql(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    let place = Place::new();
    let folder = snapshot(&place, &database, &[]);
    assert!(read(&folder, "inventory.json").contains(&slot));
    assert!(read(&folder, "manifest.json").contains("\"replication_slots\": 1"));
    database.sql(&format!("SELECT pg_drop_replication_slot('{slot}')"));

    let args = ["-o", "json", "--confirm", &database.name];
    let lost = Ran::of(&mut restore(&place, database.access(), "latest", &args));
    assert_eq!(lost.code, 3, "{lost:?}");
    let report = lost.json();
    let exceptions = report["exceptions"].as_array().unwrap();
    let named =
        exceptions.iter().find(|e| e["code"] == "replication_slot_not_made").unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(named["what"], format!("REPLICATION SLOT {slot}"));
    let todo = named["todo"].as_str().unwrap();
    let command = todo.split(": ").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    let drill = Ran::of(place.bare(&["drill", "latest", "-o", "json"]).arg("--pg-bin").arg(&server().bin));
    assert_eq!(drill.code, 3, "{drill:?}");
    assert!(drill.stdout.contains("replication_slot_not_made"), "{drill:?}");

    database.sql(command);
    let there = Ran::of(&mut restore(&place, database.access(), "latest", &args));
    assert_eq!(there.code, 0, "{there:?}");
}
