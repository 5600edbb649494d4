//! Compares the counts of the catalogs with the counts of the archive, kind by kind. Pure.
//!
//! Invariant: a compared kind whose counts differ is a disagreement, regardless of which side has more. The only
//! exception are the three kinds of [`SPLIT_OFF`]: the archive may have more (never fewer) than the catalogs predict.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::manifest::Coverage;
use crate::model::object_kind::ObjectKind;

/// Kinds that are not compared. Preamble entries are not objects. pg_dump writes an ACL only if it differs from the
/// default, split by column, and adds comments and labels to each of its own entries, so catalog rows do not predict
/// their number; separate collectors capture them. The entries for the database itself exist only with `--create`.
pub const NOT_COMPARED: [ObjectKind; 10] = [
    ObjectKind::Acl,
    ObjectKind::Comment,
    ObjectKind::Database,
    ObjectKind::DatabaseProperties,
    ObjectKind::Encoding,
    ObjectKind::SearchPath,
    ObjectKind::SecurityLabel,
    ObjectKind::StatisticsData,
    ObjectKind::StdStrings,
    ObjectKind::SubscriptionTable,
];

/// To break a dependency cycle, pg_dump moves a default, a check or a view's rule out of its table into an entry of its
/// own. Which one it picks depends on its sorting, so an archive may have more of these than the catalogs predict.
pub const SPLIT_OFF: [ObjectKind; 3] = [ObjectKind::CheckConstraint, ObjectKind::Default, ObjectKind::Rule];

/// One row per compared kind that either side has, ordered by kind.
pub fn coverage(catalog: &BTreeMap<ObjectKind, u64>, archive: &BTreeMap<ObjectKind, u64>) -> Vec<Coverage> {
    let kinds: BTreeSet<ObjectKind> = catalog.keys().chain(archive.keys()).copied().collect();
    let count = |side: &BTreeMap<ObjectKind, u64>, kind: ObjectKind| side.get(&kind).copied().unwrap_or(0);
    kinds
        .into_iter()
        .filter(|kind| !NOT_COMPARED.contains(kind))
        .map(|kind| Coverage { kind, in_catalogs: count(catalog, kind), in_archive: count(archive, kind) })
        .collect()
}

/// The rows that disagree; empty if the archive has everything that the catalogs have.
pub fn disagreements(coverage: &[Coverage]) -> Vec<&Coverage> {
    let fine = |row: &Coverage| {
        row.in_archive == row.in_catalogs || (SPLIT_OFF.contains(&row.kind) && row.in_archive > row.in_catalogs)
    };
    coverage.iter().filter(|row| !fine(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn side(counts: &[(&str, u64)]) -> BTreeMap<ObjectKind, u64> {
        counts.iter().map(|(kind, n)| (ObjectKind::of(kind), *n)).collect()
    }

    #[test]
    fn every_difference_is_named_but_a_default_split_off() {
        let catalog = side(&[("TABLE", 3), ("POLICY", 2), ("DEFAULT", 1), ("TRIGGER", 1)]);
        let archive = side(&[("TABLE", 3), ("POLICY", 1), ("DEFAULT", 2), ("TYPE", 1), ("ACL", 9)]);
        let rows = coverage(&catalog, &archive);
        let kinds: Vec<&str> = disagreements(&rows).iter().map(|row| row.kind.word()).collect();
        assert_eq!(kinds, ["POLICY", "TRIGGER", "TYPE"]);
        assert!(rows.iter().all(|row| row.kind != ObjectKind::Acl));
    }

    proptest! {
        #[test]
        fn one_entry_less_is_always_noticed(counts in proptest::collection::btree_map("[A-Z]{1,12}", 1_u64..50, 1..20), pick in 0_usize..20) {
            let counts: BTreeMap<ObjectKind, u64> = counts.iter().map(|(kind, n)| (ObjectKind::of(kind), *n)).collect();
            prop_assume!(counts.keys().all(|kind| !NOT_COMPARED.contains(kind)));
            prop_assert!(disagreements(&coverage(&counts, &counts)).is_empty());
            let mut archive = counts.clone();
            let kind = counts.keys().nth(pick % counts.len()).unwrap();
            *archive.get_mut(kind).unwrap() -= 1;
            prop_assert_eq!(disagreements(&coverage(&counts, &archive)).len(), 1);
        }
    }
}
