//! What two databases differ in: every object by kind and identity, every table by columns and fingerprint.

use std::collections::{BTreeMap, BTreeSet};

use super::Snapshot;

/// One line for each object or table that is not the same.
pub fn differences(source: &Snapshot, target: &Snapshot) -> Vec<String> {
    let mut found = objects(source, target);
    found.extend(tables(source, target));
    found
}

type Object = (String, Option<String>, Option<String>);

fn by_identity(snapshot: &Snapshot) -> BTreeMap<(String, String), Vec<Object>> {
    let mut objects: BTreeMap<(String, String), Vec<Object>> = BTreeMap::new();
    for o in snapshot.inventory.objects.iter().cloned() {
        objects.entry((o.kind.to_string(), o.identity)).or_default().push((o.definition, o.owner, o.extension));
    }
    objects
}

/// `KIND identity: definition|owner|extension|lost|new`.
fn objects(source: &Snapshot, target: &Snapshot) -> Vec<String> {
    let (was, is) = (by_identity(source), by_identity(target));
    let keys: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let mut found = Vec::new();
    for key in keys {
        let what = match (was.get(key), is.get(key)) {
            (Some(a), Some(b)) if a == b => continue,
            (Some(_), None) => "lost",
            (None, _) => "new",
            (Some(a), Some(b)) if a.len() != b.len() => "another number",
            (Some(a), Some(b)) if a.iter().zip(b).any(|(a, b)| a.0 != b.0) => "definition",
            (Some(a), Some(b)) if a.iter().zip(b).any(|(a, b)| a.1 != b.1) => "owner",
            _ => "extension",
        };
        found.push(format!("{} {}: {what}", key.0, key.1));
    }
    found
}

pub fn tables(source: &Snapshot, target: &Snapshot) -> Vec<String> {
    let rows = |snapshot: &Snapshot| {
        let record = |t: &stacksnap::model::manifest::TableRecord| {
            (t.name.clone(), (t.rows, t.fingerprint.clone(), t.columns.clone()))
        };
        snapshot.manifest.tables.iter().map(record).collect::<BTreeMap<_, _>>()
    };
    let (was, is) = (rows(source), rows(target));
    let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let line = |name: &stacksnap::model::name::QualifiedName| {
        let what = match (was.get(name), is.get(name)) {
            (a, b) if a == b => return None,
            (Some(_), None) => "lost".into(),
            (None, _) => "new".into(),
            (Some(a), Some(b)) if a.2 != b.2 => format!("columns {:?}, {:?}", a.2, b.2),
            (Some(a), Some(b)) if a.0 != b.0 => format!("{} and {}", a.0, b.0),
            _ => "values".to_string(),
        };
        Some(format!("rows of {}: {what}", name.plain()))
    };
    names.into_iter().filter_map(line).collect()
}

/// Fails with every difference that is not one of `expected` (difference, why it may be), and with every one of those
/// that is not there: a tolerance that is not needed is a lie.
#[track_caller]
pub fn same_but(source: &Snapshot, target: &Snapshot, expected: &[(&str, &str)]) {
    let found: BTreeSet<String> = differences(source, target).into_iter().collect();
    let tolerated: BTreeSet<String> = expected.iter().map(|(what, _)| (*what).to_string()).collect();
    let surprising: Vec<_> = found.difference(&tolerated).collect();
    let missing: Vec<_> = tolerated.difference(&found).collect();
    assert!(surprising.is_empty() && missing.is_empty(), "differ: {surprising:#?}; no longer differ: {missing:#?}");
}
