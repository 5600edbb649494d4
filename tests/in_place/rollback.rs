//! In place: whatever a migration broke, a restore of the snapshot from before brings back, and nothing else changes.
//!
//! The judges are pg_dump and pg_dumpall, before and after, and then this program's own `diff`.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stderr)]

mod world;

use world::World;

const FILES: [&str; 3] =
    [include_str!("rollback/first.sql"), include_str!("rollback/second.sql"), include_str!("rollback/third.sql")];

/// One thing that a migration may break.
struct Damage {
    name: &'static str,
    sql: &'static str,
}

fn batches(file: &'static str) -> Vec<Vec<Damage>> {
    let damage = |text: &'static str| {
        let (name, sql) = text.split_once('\n').unwrap();
        Damage { name, sql }
    };
    file.split("\n-- ##\n").skip(1).map(|batch| batch.split("-- # ").skip(1).map(damage).collect()).collect()
}

/// Plants and rolls back; one line for everything that is wrong.
fn failure(world: &World, damages: &[Damage]) -> Option<String> {
    let name = damages.iter().map(|d| d.name).collect::<Vec<_>>().join("; ");
    let planted = damages.iter().try_for_each(|d| world.plant(d.sql).map_err(|e| format!("{}: {e}", d.name)));
    planted.and_then(|()| world.roll_back()).err().map(|why| format!("{name}:\n    {why}"))
}

/// A batch that fails is taken apart: each damage in turn, in a world of its own after one that failed.
fn check(file: &'static str) {
    let mut world = World::new();
    let mut failures = Vec::new();
    for batch in batches(file) {
        let Some(together) = failure(&world, &batch) else { continue };
        world = World::new();
        let known = failures.len();
        for damage in batch.chunks(1).filter(|_| batch.len() > 1) {
            if let Some(alone) = failure(&world, damage) {
                eprintln!("{alone}\n");
                failures.push(alone);
                world = World::new();
            }
        }
        if failures.len() == known {
            eprintln!("{together}\n");
            failures.push(together);
        }
    }
    assert!(failures.is_empty(), "{} kinds of damage are not rolled back:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn what_a_migration_broke_is_as_before_1() {
    check(FILES[0]);
}

#[test]
fn what_a_migration_broke_is_as_before_2() {
    check(FILES[1]);
}

#[test]
fn what_a_migration_broke_is_as_before_3() {
    check(FILES[2]);
}

#[test]
fn every_kind_of_damage_has_a_name_of_its_own() {
    let names: Vec<_> = FILES.into_iter().flat_map(batches).flatten().map(|d| d.name).collect();
    let different: std::collections::BTreeSet<_> = names.iter().collect();
    assert!(names.len() > 100 && different.len() == names.len(), "{names:?}");
}
