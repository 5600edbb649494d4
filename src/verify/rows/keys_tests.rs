//! Tests of key comparison on two small archives: added, removed and changed rows, with and without a primary key.

use proptest::prelude::*;

use super::*;
use crate::model::name::QualifiedName;
use crate::snapshot::reader::{ArchiveData, DataFile};

fn record(columns: &[&str]) -> TableRecord {
    TableRecord {
        name: QualifiedName::new("s", "t"),
        rows: 0,
        fingerprint: String::new(),
        bytes_raw: 0,
        data_file: None,
        csv_file: None,
        columns: columns.iter().map(|c| (*c).to_string()).collect(),
        mark: None,
    }
}

fn key(columns: &str) -> Vec<CatalogObject> {
    vec![CatalogObject {
        kind: "CONSTRAINT".into(),
        schema: Some("s".into()),
        identity: "t_pkey on s.t".into(),
        definition: format!("PRIMARY KEY ({columns})"),
        owner: None,
        extension: None,
        address: None,
    }]
}

fn compared(left: &[String], right: &[String], columns: &[&str], objects: &[CatalogObject]) -> KeyDifferences {
    let dir = tempfile::tempdir().unwrap();
    let record = record(columns);
    let archive = |name: &str, lines: &[String]| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).chain(["\\.\n".to_string()]).collect();
        std::fs::write(dir.path().join(name), text).unwrap();
        let file = DataFile { table: record.name.clone(), columns: record.columns.clone(), file_name: name.into() };
        ArchiveData { folder: dir.path().to_path_buf(), files: vec![file] }
    };
    let (left, right) = (archive("1.dat", left), archive("2.dat", right));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let sources = (&RowSource::Archive(&left), &RowSource::Archive(&right));
    runtime.block_on(compare_keys(&record, (objects, &[]), sources, &Cancel::new())).unwrap().unwrap()
}

fn lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| (*t).to_string()).collect()
}

fn shown(values: &[&str]) -> KeyValues {
    values.iter().map(|v| Some((*v).to_string())).collect()
}

#[test]
fn added_removed_and_changed_by_key() {
    let left = lines(&["1\ta\tx", "2\ta\tx", "3\ta\\tb\tx", "1\tb\t\\N"]);
    let right = lines(&["1\tb\t\\N", "3\ta\\tb\ty", "1\ta\tx", "9\t\t"]);
    let found = compared(&left, &right, &["id", "part", "v"], &key("part, id"));
    assert_eq!((found.added, found.removed, found.changed), (1, 1, 1));
    assert_eq!(found.key, ["part", "id"]);
    assert_eq!(found.added_keys, [shown(&["", "9"])]);
    assert_eq!(found.removed_keys, [shown(&["a", "2"])]);
    assert_eq!(found.changed_keys, [shown(&["a\tb", "3"])]);
}

#[test]
fn without_a_key_whole_rows_are_counted_as_often_as_they_are_there() {
    let left = lines(&["a", "a", "a", "b"]);
    let right = lines(&["a", "c", "c"]);
    for objects in [vec![], key("generated_one")] {
        let found = compared(&left, &right, &["v"], &objects);
        assert_eq!((found.added, found.removed, found.changed), (2, 3, 0));
        assert!(found.key.is_empty() && found.added_keys.is_empty() && found.removed_keys.is_empty());
    }
}

#[test]
fn the_first_keys_are_shown_and_all_are_counted() {
    let rows = |range: std::ops::Range<u32>, v: &str| range.map(|n| format!("{n}\t{v}")).collect::<Vec<_>>();
    let (left, right) = ([rows(0..100, "a"), rows(500..600, "a")], [rows(0..100, "b"), rows(700..800, "a")]);
    let found = compared(&left.concat(), &right.concat(), &["id", "v"], &key("id"));
    assert_eq!((found.added, found.removed, found.changed), (100, 100, 100));
    assert_eq!(found.changed_keys, (0..20).map(|n| shown(&[&n.to_string()])).collect::<Vec<_>>());
    assert_eq!((found.added_keys.len(), found.removed_keys[0].clone()), (KEYS_SHOWN, shown(&["500"])));
}

#[test]
fn parts_that_differ_are_split_when_they_are_many() {
    let mut buckets = vec![Bucket { sum: 1, left: ROWS_AT_ONCE / 2, right: 0 }; 5];
    buckets.push(Bucket { sum: 0, left: 7, right: 7 });
    let groups = groups(&buckets);
    assert_eq!(groups.iter().map(|g| g.rows).collect::<Vec<_>>(), [900_000, 900_000, 450_000]);
    assert!(groups.iter().all(|g| !g.member[5]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_counts_are_those_of_sets(
        left in proptest::collection::btree_map(0u8..40, 0u8..3, 0..30),
        right in proptest::collection::btree_map(0u8..40, 0u8..3, 0..30),
    ) {
        let text = |side: &std::collections::BTreeMap<u8, u8>| -> Vec<String> {
            side.iter().map(|(k, v)| format!("{k}\t{v}")).collect()
        };
        let found = compared(&text(&left), &text(&right), &["k", "v"], &key("k"));
        let added = right.keys().filter(|k| !left.contains_key(k)).count() as u64;
        let removed = left.keys().filter(|k| !right.contains_key(k)).count() as u64;
        let changed = left.iter().filter(|(k, v)| right.get(k).is_some_and(|other| other != *v)).count() as u64;
        prop_assert_eq!((found.added, found.removed, found.changed), (added, removed, changed));
    }
}

#[test]
fn a_row_in_parts_has_the_hashes_and_the_key_of_the_whole_row() {
    let record = record(&["a", "b", "c", "d"]);
    let line = b"12\tx\\ty\t\\N\t\\\\last";
    for names in [&[][..], &["a"], &["d", "b"], &["c", "a"]] {
        let keying = Keying::new(names.iter().map(|n| (*n).to_string()).collect(), &record);
        let mut reading = Reading::new(&keying);
        let whole = reading.push(LinePart { bytes: line, ends: true }).unwrap();
        let wanted = (whole.key, whole.row, keying.values(whole.line));
        for first in 0..=line.len() {
            for second in first..=line.len() {
                assert!(reading.push(LinePart { bytes: &line[..first], ends: false }).is_none());
                assert!(reading.push(LinePart { bytes: &line[first..second], ends: false }).is_none());
                let read = reading.push(LinePart { bytes: &line[second..], ends: true }).unwrap();
                assert_eq!((read.key, read.row, keying.values(read.line)), wanted, "cut at {first} and {second}");
            }
        }
    }
}
