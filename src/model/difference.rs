//! Compares two inventories: each object that differs, by kind and identity, with its severity.
//!
//! Invariant: pure. Catalog addresses are compared only for two states of one database. It never leaves out a
//! difference unless a field of [`Rules`] says so: what two major versions print differently is still reported, as
//! [`Severity::Cosmetic`] with a note.

pub mod columns;
mod database;
mod lineage;
mod passwords;
mod severity;
mod versions;

use crate::model::object_kind::ObjectKind;
use std::collections::{BTreeMap, BTreeSet};

pub use database::{PropertyDifference, database_properties};
pub use passwords::{is_seen, same_view_of_passwords, verifier_of};
use serde::{Deserialize, Serialize};

use super::index_state::is_repaired;
use super::inventory::CatalogObject;

/// How much a difference matters, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Access: policies, row security, grants, owners, roles, SECURITY DEFINER.
    Security,
    /// The structure of the database.
    Structure,
    /// Comments, and text that major versions print differently.
    Cosmetic,
}

/// The side that has the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only on the left.
    Missing,
    /// Only on the right.
    Extra,
    /// On both sides, but different.
    Differs,
}

/// One object that differs between the sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectDifference {
    pub kind: ObjectKind,
    pub schema: Option<String>,
    /// As in the inventory. It is text from the database: print it through `name::visible`.
    pub identity: String,
    pub change: Change,
    pub severity: Severity,
    /// The definition on the left; `None` if the object does not exist there.
    pub left: Option<String>,
    pub right: Option<String>,
    pub owner_left: Option<String>,
    pub owner_right: Option<String>,
    /// The extension it is a member of, on either side.
    pub extension: Option<String>,
    /// For a missing object: the extra object that seems to be the same under another name. A hint, not a proof.
    pub renamed_to: Option<String>,
    /// One sentence that explains why it matters less (or more) than it seems.
    pub note: Option<String>,
}

/// What counts as a difference. The default is strict: everything counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The sides have different major versions. MAINTAIN grants, extension versions (with the members), text of views
    /// and rules, and catalog columns that one version lacks are [`Severity::Cosmetic`] with a note.
    pub across_majors: bool,
    /// Do not compare roles, memberships, role settings and comments on roles: they belong to the whole server.
    pub ignore_roles: bool,
    /// Do not compare the owners of objects.
    pub ignore_owners: bool,
    /// Do not compare sequence values (`SEQUENCE SET`): they move with every insert.
    pub ignore_sequence_values: bool,
    /// Compare INHERIT and SET of memberships. They exist since 16: false if one side is older.
    pub membership_options: bool,
    /// Compare NOT NULL constraints as objects. They are objects since 18, before that a property of the column: false
    /// if one side is older.
    pub not_null_constraints: bool,
    /// A server's parser has compared the definitions whose texts differ (`pg/meaning`). A remaining difference is
    /// real; version-specific printing does not explain it.
    pub parser_asked: bool,
    /// Both sides are the same database: two objects with the same address are one object, renamed.
    pub same_database: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            across_majors: false,
            ignore_roles: false,
            ignore_owners: false,
            ignore_sequence_values: false,
            membership_options: true,
            not_null_constraints: true,
            parser_asked: false,
            same_database: false,
        }
    }
}

impl Rules {
    /// Strict, except for what servers of these versions (e.g. 150018) cannot have in common.
    pub fn between(left_version_num: u32, right_version_num: u32) -> Self {
        let (left, right) = (left_version_num / 10_000, right_version_num / 10_000);
        let older = left.min(right);
        Self {
            across_majors: left != right,
            membership_options: left == right || older >= 16,
            not_null_constraints: left == right || older >= 18,
            ..Self::default()
        }
    }

    fn ignores(&self, object: &CatalogObject) -> bool {
        let of_roles = matches!(object.kind, ObjectKind::Role | ObjectKind::RoleMembership | ObjectKind::RoleSetting)
            || (matches!(object.kind, ObjectKind::Comment | ObjectKind::SecurityLabel)
                && object.identity.starts_with("role "));
        (self.ignore_roles && of_roles)
            || (self.ignore_sequence_values && object.kind == ObjectKind::SequenceSet)
            || (!self.not_null_constraints && object.kind == ObjectKind::NotNullConstraint)
            || object.is_shell_operator()
    }
}

/// The two sides of one identity; at least one is `Some`.
#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    left: Option<&'a CatalogObject>,
    right: Option<&'a CatalogObject>,
}

/// Everything that differs, sorted by severity, kind and identity. Empty for equal inventories.
pub fn compare(left: &[CatalogObject], right: &[CatalogObject], rules: &Rules) -> Vec<ObjectDifference> {
    let moved = versions::moved_extensions(left, right);
    let pairs = different_pairs(left, right, rules);
    let mut found: Vec<(ObjectDifference, Pair<'_>)> =
        pairs.into_iter().map(|pair| (difference(&pair, rules, &moved), pair)).collect();
    lineage::mark(&mut found, rules.same_database);
    let mut differences: Vec<ObjectDifference> = found.into_iter().map(|(difference, _)| difference).collect();
    if rules.across_majors {
        versions::mark_parts_of_foreign_keys(&mut differences);
    }
    if !rules.membership_options {
        versions::mark_grantors(&mut differences, left, right);
    }
    with_their_extension(&mut differences);
    differences.sort_by(|a, b| {
        let key = |d: &ObjectDifference| (d.severity, d.kind, d.identity.clone(), d.change);
        key(a).cmp(&key(b))
    });
    differences
}

type Key<'a> = (ObjectKind, &'a str, Option<&'a str>);

fn by_key<'a>(objects: &'a [CatalogObject], rules: &Rules) -> BTreeMap<Key<'a>, Vec<&'a CatalogObject>> {
    let mut map: BTreeMap<Key<'a>, Vec<&CatalogObject>> = BTreeMap::new();
    for object in objects.iter().filter(|o| !rules.ignores(o)) {
        let key = (object.kind, object.identity.as_str(), object.schema.as_deref());
        map.entry(key).or_default().push(object);
    }
    // Identities are unique except for rare kinds; sort those so that equal objects are paired.
    map.values_mut().for_each(|several| several.sort_by(|a, b| content(a).cmp(&content(b))));
    map
}

fn content(object: &CatalogObject) -> (&str, Option<&str>, Option<&str>) {
    (&object.definition, object.owner.as_deref(), object.extension.as_deref())
}

fn different_pairs<'a>(left: &'a [CatalogObject], right: &'a [CatalogObject], rules: &Rules) -> Vec<Pair<'a>> {
    let (was, is) = (by_key(left, rules), by_key(right, rules));
    let keys: BTreeSet<&Key<'_>> = was.keys().chain(is.keys()).collect();
    let mut pairs = Vec::new();
    for key in keys {
        let (l, r) = (was.get(key).map_or(&[][..], Vec::as_slice), is.get(key).map_or(&[][..], Vec::as_slice));
        for at in 0..l.len().max(r.len()) {
            let pair = Pair { left: l.get(at).copied(), right: r.get(at).copied() };
            if !same(&pair, rules) {
                pairs.push(pair);
            }
        }
    }
    pairs
}

fn same(pair: &Pair<'_>, rules: &Rules) -> bool {
    let (Some(left), Some(right)) = (pair.left, pair.right) else { return false };
    let membership = !rules.membership_options && left.kind == ObjectKind::RoleMembership;
    let definitions = if membership {
        let plain = |o: &'_ CatalogObject| versions::without_membership_options(&o.definition);
        plain(left) == plain(right)
    } else {
        left.definition == right.definition
    };
    definitions && left.extension == right.extension && (rules.ignore_owners || left.owner == right.owner)
}

fn difference(pair: &Pair<'_>, rules: &Rules, moved: &BTreeSet<&str>) -> ObjectDifference {
    let (left, right) = (pair.left, pair.right);
    let change = match (left, right) {
        (Some(_), Some(_)) => Change::Differs,
        (Some(_), None) => Change::Missing,
        _ => Change::Extra,
    };
    let either = left.or(right);
    let mut severity = severity::of(pair, rules);
    let mut note = membership_note(pair);
    let owners_equal = rules.ignore_owners || change != Change::Differs || owners(pair).0 == owners(pair).1;
    if rules.across_majors
        && owners_equal
        && let Some(why) = versions::by_nature(pair, moved, rules.parser_asked)
    {
        severity = Severity::Cosmetic;
        note = Some(why);
    }
    if let (Some(was), Some(is)) = (left, right)
        && is_repaired(was, is)
    {
        severity = Severity::Cosmetic;
        note = Some("it was invalid, and is valid here".to_string());
    }
    if let (Some(left), Some(right)) = (left, right)
        && columns::same_but_for_order(left, right)
    {
        severity = Severity::Cosmetic;
        note = Some(columns::NOTE.to_string());
    }
    let (owner_left, owner_right) = owners(pair);
    ObjectDifference {
        kind: either.map_or(ObjectKind::Other(""), |o| o.kind),
        schema: either.and_then(|o| o.schema.clone()),
        identity: either.map(|o| o.identity.clone()).unwrap_or_default(),
        change,
        severity,
        left: left.map(|o| o.definition.clone()),
        right: right.map(|o| o.definition.clone()),
        owner_left: owner_left.map(str::to_string),
        owner_right: owner_right.map(str::to_string),
        extension: left.and_then(|o| o.extension.clone()).or_else(|| right.and_then(|o| o.extension.clone())),
        renamed_to: None,
        note,
    }
}

/// Members of an extension that exists on one side only follow that extension: their grants get no severity of their
/// own.
fn with_their_extension(differences: &mut [ObjectDifference]) {
    let one_sided = differences.iter().filter(|d| d.kind == ObjectKind::Extension && d.change != Change::Differs);
    let gone: BTreeSet<(Change, String)> =
        one_sided.map(|d| (d.change, d.identity.trim_matches('"').to_string())).collect();
    for difference in differences.iter_mut().filter(|d| d.change != Change::Differs) {
        let Some(extension) = difference.extension.clone() else { continue };
        if gone.contains(&(difference.change, extension.clone())) {
            if difference.kind == ObjectKind::Acl {
                difference.severity = Severity::Structure;
            }
            difference
                .note
                .get_or_insert(format!("a member of the extension {extension}, which exists on one side only"));
        }
    }
}

fn owners<'a>(pair: &Pair<'a>) -> (Option<&'a str>, Option<&'a str>) {
    (pair.left.and_then(|o| o.owner.as_deref()), pair.right.and_then(|o| o.owner.as_deref()))
}

/// A note if extension membership differs: the definitions may look the same otherwise.
fn membership_note(pair: &Pair<'_>) -> Option<String> {
    let (left, right) = (pair.left?, pair.right?);
    let word = |o: &CatalogObject| match &o.extension {
        Some(name) => format!("a member of the extension {name}"),
        None => "not a member of an extension".to_string(),
    };
    (left.extension != right.extension).then(|| format!("it was {}, and is {}", word(left), word(right)))
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
