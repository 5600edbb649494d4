//! Tests of the schedule, without a server.

use super::*;
use proptest::prelude::*;

fn table(name: &str) -> QualifiedName {
    QualifiedName::new("s", name)
}

fn load(name: &str, bytes_raw: u64) -> LoadTask {
    LoadTask {
        table: table(name),
        columns: vec![],
        folder: "/".into(),
        file_name: String::new(),
        rows: 1,
        fingerprint: String::new(),
        bytes_raw,
        freeze: false,
        may_fail: false,
    }
}

fn build(dump_id: i64, on: &[&str], shared: bool, needs: &[i64], weight: u64) -> BuildTask {
    let tables: Vec<QualifiedName> = on.iter().map(|name| table(name)).collect();
    let what = format!("build {dump_id}");
    BuildTask {
        dump_id,
        what,
        statements: vec![],
        needs: needs.to_vec(),
        after_rows: tables.clone(),
        tables,
        shared,
        weight,
    }
}

fn starts(schedule: &mut Schedule, idle: usize) -> Vec<Work> {
    let mut left = idle;
    let mut started = Vec::new();
    while let Some(work) = schedule.next(left) {
        left -= if let Work::Load { streams, .. } = work { streams } else { 1 };
        started.push(work);
    }
    started
}

const fn one(index: usize) -> Work {
    Work::Load { index, streams: 1 }
}

const fn built(index: usize) -> Work {
    Work::Build { index }
}

#[test]
fn the_largest_table_first_and_its_indexes_while_others_load() {
    let loads = [load("small", 1), load("large", 100), load("middle", 10)];
    let builds = [build(1, &["small"], true, &[], 1), build(2, &["large"], true, &[], 50)];
    let mut schedule = Schedule::new(&loads, &builds, 2);
    assert_eq!(starts(&mut schedule, 2), [one(1), one(2)]);
    schedule.load_done(1);
    assert_eq!(starts(&mut schedule, 1), [built(1)]);
    schedule.load_done(2);
    assert!(!schedule.loads_done());
    assert_eq!(starts(&mut schedule, 1), [one(0)]);
    schedule.load_done(0);
    assert!(schedule.loads_done());
    assert_eq!(starts(&mut schedule, 1), [built(0)]);
}

#[test]
fn a_table_whose_indexes_are_heavy_goes_before_a_larger_one() {
    let loads = [load("rows", 100), load("vectors", 60)];
    let builds = [build(1, &["vectors"], true, &[], 500)];
    let mut schedule = Schedule::new(&loads, &builds, 1);
    assert_eq!(starts(&mut schedule, 1), [one(1)]);
    schedule.load_done(1);
    assert_eq!(starts(&mut schedule, 1), [built(0)]);
}

#[test]
fn indexes_share_a_table_and_what_alters_it_has_it_alone() {
    let builds = [build(1, &["t"], true, &[], 5), build(2, &["t"], true, &[], 4), build(3, &["t"], false, &[], 3)];
    let mut schedule = Schedule::new(&[], &builds, 4);
    assert_eq!(starts(&mut schedule, 4), [built(0), built(1)]);
    schedule.build_done(0);
    assert_eq!(starts(&mut schedule, 3), []);
    schedule.build_done(1);
    assert_eq!(starts(&mut schedule, 4), [built(2)]);
}

#[test]
fn foreign_keys_wait_for_both_keys_and_never_meet_on_a_table() {
    let loads = [load("a", 3), load("b", 2), load("c", 1)];
    let key = |id, name| build(id, &[name], false, &[], 1);
    let builds = [
        build(10, &["a", "b"], false, &[1, 2], 1),
        build(11, &["b", "a"], false, &[1, 2], 1),
        build(12, &["c", "b"], false, &[2, 3], 1),
        key(1, "a"),
        key(2, "b"),
        key(3, "c"),
    ];
    let mut schedule = Schedule::new(&loads, &builds, 8);
    assert_eq!(starts(&mut schedule, 8), [one(0), one(1), one(2)]);
    (0..3).for_each(|index| schedule.load_done(index));
    assert_eq!(starts(&mut schedule, 8), [built(3), built(4), built(5)]);
    (3..6).for_each(|index| schedule.build_done(index));
    for index in 0..3 {
        assert_eq!(starts(&mut schedule, 8), [built(index)]);
        schedule.build_done(index);
    }
    assert!(schedule.stuck().is_empty());
}

#[test]
fn a_table_goes_over_several_connections_where_they_would_have_nothing_to_do() {
    let mut schedule = Schedule::new(&[load("large", 60 << 20), load("rest", 20 << 20)], &[], 2);
    assert_eq!(starts(&mut schedule, 2), [Work::Load { index: 0, streams: 2 }]);
    let mut schedule = Schedule::new(&[load("large", 60 << 20), load("rest", 40 << 20)], &[], 2);
    assert_eq!(starts(&mut schedule, 2), [one(0), one(1)], "the other has enough to do");
    let mut schedule = Schedule::new(&[load("large", 60 << 20), load("rest", 40 << 20)], &[], 4);
    assert_eq!(starts(&mut schedule, 4)[0], Work::Load { index: 0, streams: 3 });
    // Not split: there are many like it, or it is small.
    let many: Vec<LoadTask> = (0..20).map(|n| load(&n.to_string(), SPLIT_BYTES)).collect();
    assert_eq!(starts(&mut Schedule::new(&many, &[], 2), 2), [one(0), one(1)]);
    assert_eq!(starts(&mut Schedule::new(&[load("t", SPLIT_BYTES - 1)], &[], 4), 4), [one(0)]);
}

#[test]
fn what_needs_a_failed_build_fails_and_the_rest_goes_on() {
    let builds = [
        build(1, &["a"], false, &[], 9),
        build(2, &["b"], false, &[1, 77], 1),
        build(3, &["c"], false, &[2], 1),
        build(4, &["a"], false, &[], 1),
    ];
    let mut schedule = Schedule::new(&[], &builds, 1);
    assert_eq!(starts(&mut schedule, 1), [built(0)]);
    assert_eq!(schedule.build_failed(0), [(1, 0), (2, 1)]);
    assert_eq!(starts(&mut schedule, 1), [built(3)]);
    schedule.build_done(3);
    assert!(schedule.stuck().is_empty());
}

#[test]
fn needs_in_a_circle_are_stuck_and_do_not_hang() {
    let builds = [build(1, &["a"], false, &[2], 1), build(2, &["b"], false, &[1], 1), build(3, &["b"], false, &[3], 1)];
    let mut schedule = Schedule::new(&[], &builds, 2);
    assert_eq!(starts(&mut schedule, 2), []);
    assert_eq!(schedule.stuck(), [0, 1, 2]);
}

/// Plays a whole phase: `choices` picks which work ends next and which builds fail. Checks locks and order at every step.
fn play(loads: &[LoadTask], builds: &[BuildTask], jobs: usize, choices: &[u8]) {
    let mut schedule = Schedule::new(loads, builds, jobs);
    let mut running: Vec<Work> = Vec::new();
    let (mut ended, mut failed) = (vec![false; loads.len()], BTreeSet::new());
    let (mut built, mut step, mut idle) = (BTreeSet::new(), 0, jobs);
    loop {
        for work in starts(&mut schedule, idle) {
            match work {
                Work::Load { streams, .. } => idle -= streams,
                Work::Build { index } => {
                    idle -= 1;
                    let build = &builds[index];
                    let rows = |t: &QualifiedName| loads.iter().position(|l| &l.table == t).is_none_or(|at| ended[at]);
                    assert!(build.after_rows.iter().all(rows));
                    let there = |id: &i64| built.contains(id) || !builds.iter().any(|b| b.dump_id == *id);
                    assert!(build.needs.iter().all(there));
                }
            }
            running.push(work);
        }
        let mut alone: Vec<&QualifiedName> = Vec::new();
        for work in &running {
            match work {
                Work::Load { index, .. } => alone.push(&loads[*index].table),
                Work::Build { index } if !builds[*index].shared => alone.extend(&builds[*index].tables),
                Work::Build { .. } => {}
            }
        }
        assert_eq!(alone.len(), alone.iter().collect::<BTreeSet<_>>().len());
        if running.is_empty() {
            break;
        }
        let choice = usize::from(choices[step % choices.len()]);
        step += 1;
        match running.swap_remove(choice % running.len()) {
            Work::Load { index, streams } => {
                idle += streams;
                ended[index] = true;
                schedule.load_done(index);
            }
            Work::Build { index } => {
                idle += 1;
                if choice % 7 == 0 {
                    failed.insert(index);
                    failed.extend(schedule.build_failed(index).into_iter().map(|(f, _)| f));
                } else {
                    built.insert(builds[index].dump_id);
                    schedule.build_done(index);
                }
            }
        }
    }
    assert_eq!(idle, jobs);
    assert!(schedule.loads_done() && schedule.stuck().is_empty());
    assert_eq!(built.len() + failed.len(), builds.len());
}

proptest! {
    #[test]
    fn everything_ends_and_no_lock_is_held_twice(
        sizes in proptest::collection::vec(0u64..100 << 20, 0..8),
        plan in proptest::collection::vec((proptest::collection::vec(0usize..9, 0..3), any::<bool>(), proptest::collection::vec(0i64..30, 0..3), 0u64..1000), 0..30),
        jobs in 1usize..6,
        choices in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let loads: Vec<LoadTask> = sizes.iter().enumerate().map(|(n, size)| load(&n.to_string(), *size)).collect();
        let builds: Vec<BuildTask> = plan.iter().enumerate().map(|(n, (on, shared, needs, weight))| {
            let on: BTreeSet<String> = on.iter().map(ToString::to_string).collect();
            let on: Vec<&str> = on.iter().map(String::as_str).collect();
            // Earlier ones only, so that there is no cycle; and some that no build has.
            let needs: Vec<i64> = needs.iter().filter(|id| **id < n as i64 || **id > 28).copied().collect();
            build(n as i64, &on, *shared, &needs, *weight)
        }).collect();
        // Dump id 29 exists only if there are 30 builds.
        play(&loads, &builds[..builds.len().min(28)], jobs, &choices);
    }
}
