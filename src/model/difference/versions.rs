//! Texts that two major versions of PostgreSQL write differently for the same object (trap 23).
//!
//! Invariant: only the differences listed here are excused, and each check compares the rest of the definition
//! strictly. Never excuses a privilege that a role may have granted or revoked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Change, ObjectDifference, Pair, Severity};
use crate::model::inventory::CatalogObject;
use crate::model::membership::{EquivalentMemberships, ROLE_MEMBERSHIP};
use crate::model::object_kind::ObjectKind;

/// Catalog columns that were renamed: older and newer name.
const RENAMED_COLUMNS: [(&str, &str); 2] = [("daticulocale", "datlocale"), ("colliculocale", "colllocale")];

/// Why the versions explain the difference, or `None`. `parser_asked`: texts with the same meaning are equal already.
pub fn by_nature(pair: &Pair<'_>, moved: &BTreeSet<&str>, parser_asked: bool) -> Option<String> {
    let either = pair.left.or(pair.right)?;
    let kind = either.kind;
    if let Some(extension) = either.extension.as_deref().filter(|e| moved.contains(e))
        && (!is_about_rights(kind) || (kind == ObjectKind::Acl && (pair.left.is_none() || pair.right.is_none())))
    {
        return Some(format!("it belongs to the extension {extension}, whose versions differ"));
    }
    let (left, right) = (pair.left?, pair.right?);
    if left.extension != right.extension {
        return None;
    }
    let (was, is) = (left.definition.as_str(), right.definition.as_str());
    let (equal, why) = match kind {
        ObjectKind::Acl | ObjectKind::DefaultAcl => {
            (without_maintain(was) == without_maintain(is), "the privilege MAINTAIN exists since PostgreSQL 17")
        }
        ObjectKind::Extension => {
            (without_version(was) == without_version(is), "the servers have different versions of the extension")
        }
        ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Rule if parser_asked => (false, ""),
        ObjectKind::View | ObjectKind::MaterializedView => {
            (around_query(was) == around_query(is), "each major version prints a query in its own way: read both texts")
        }
        ObjectKind::Rule => (true, "each major version prints a rule in its own way: read both texts"),
        ObjectKind::Table => (
            without_inherited_identity(was) == without_inherited_identity(is),
            "partitions have the identity of their parent's column since PostgreSQL 17",
        ),
        ObjectKind::Database | ObjectKind::Collation | ObjectKind::Publication => {
            (same_row(was, is) == Some(true), "the catalogs of one version have columns that those of the other lack")
        }
        _ => (false, ""),
    };
    equal.then(|| why.to_string())
}

/// Kinds that a different extension version does not excuse: access that an administrator may have changed.
fn is_about_rights(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Policy
            | ObjectKind::RowSecurity
            | ObjectKind::Acl
            | ObjectKind::DefaultAcl
            | ObjectKind::Trigger
            | ObjectKind::SecurityLabel
    )
}

/// Extensions that both sides have in different versions.
pub fn moved_extensions<'a>(left: &'a [CatalogObject], right: &'a [CatalogObject]) -> BTreeSet<&'a str> {
    let of = |objects: &'a [CatalogObject]| -> BTreeMap<&'a str, &'a str> {
        let extensions = objects.iter().filter(|o| o.kind == ObjectKind::Extension);
        // Members carry the plain name of their extension; the extension's own identity is quoted where needed.
        extensions.map(|o| (o.identity.trim_matches('"'), version(&o.definition))).collect()
    };
    let is = of(right);
    of(left)
        .into_iter()
        .filter(|(name, v)| is.get(name).is_some_and(|other| other != v))
        .map(|(name, _)| name)
        .collect()
}

fn version(definition: &str) -> &str {
    definition.split(" SCHEMA ").next().unwrap_or_default()
}

fn without_version(definition: &str) -> &str {
    definition.split_once(" SCHEMA ").map_or(definition, |(_, rest)| rest)
}

/// An ACL (one `grantee=PRIVILEGES/grantor` per line) without MAINTAIN. A line with no other privilege is dropped.
fn without_maintain(acl: &str) -> String {
    let mut out = String::new();
    for line in acl.lines() {
        let at = after_name(line);
        let (grantee, rest) = line.split_at(at);
        let Some((privileges, grantor)) = rest.strip_prefix('=').and_then(|rest| rest.split_once('/')) else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let kept: Vec<&str> = privileges.split(',').filter(|p| p.trim_end_matches('*') != "MAINTAIN").collect();
        if !kept.is_empty() {
            out.push_str(&format!("{grantee}={}/{grantor}\n", kept.join(",")));
        }
    }
    out
}

/// The end of the name at the start of a line. A quoted name may contain any character.
fn after_name(line: &str) -> usize {
    if !line.starts_with('"') {
        return line.find('=').unwrap_or(line.len());
    }
    let mut inside = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => inside = !inside,
            '=' if !inside => return at,
            _ => {}
        }
    }
    line.len()
}

/// `WITH ADMIN INHERIT SET` without the options added in PostgreSQL 16.
pub fn without_membership_options(definition: &str) -> Vec<String> {
    let kept = definition.split(' ').filter(|word| !matches!(*word, "INHERIT" | "SET" | ""));
    kept.map(str::to_string).collect()
}

/// Grantors of memberships are not comparable before PostgreSQL 16, and since 16 not every role may grant in another's
/// name. A membership that differs only in its grantor, with the same admin option, is cosmetic.
pub fn mark_grantors(differences: &mut [ObjectDifference], left: &[CatalogObject], right: &[CatalogObject]) {
    let without_options = |all: &[CatalogObject]| -> Vec<CatalogObject> {
        let memberships = all.iter().filter(|o| o.kind == ROLE_MEMBERSHIP);
        let plain = |o: &CatalogObject| without_membership_options(&o.definition).join(" ");
        memberships.map(|o| CatalogObject { definition: plain(o), ..o.clone() }).collect()
    };
    let alike = EquivalentMemberships::new(&without_options(left), &without_options(right));
    for difference in differences.iter_mut().filter(|d| alike.holds(d.kind, &d.identity)) {
        difference.severity = Severity::Cosmetic;
        difference.note = Some("granted by another role; grantors are not comparable before PostgreSQL 16".to_string());
    }
}

/// A table's definition without the identity of inherited columns.
fn without_inherited_identity(definition: &str) -> String {
    let plain = |line: &str| {
        if !line.trim_end_matches(',').ends_with(" INHERITED") {
            return line.to_string();
        }
        line.replace(" GENERATED BY DEFAULT AS IDENTITY", "").replace(" GENERATED ALWAYS AS IDENTITY", "")
    };
    definition.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// The server generates the names of the foreign keys of partitions, and since 18 it does so differently.
pub fn mark_parts_of_foreign_keys(differences: &mut [ObjectDifference]) {
    let is_part = |d: &ObjectDifference| {
        let definition = d.left.as_deref().or(d.right.as_deref()).unwrap_or_default();
        d.kind == ObjectKind::FkConstraint && definition.contains(" OF A PARTITIONED PARENT")
    };
    let missing = differences.iter().filter(|d| d.change == Change::Missing && is_part(d));
    let renamed: BTreeMap<String, String> =
        missing.filter_map(|d| Some((d.renamed_to.clone()?, d.identity.clone()))).collect();
    for difference in differences.iter_mut().filter(|d| d.change != Change::Differs && is_part(d)) {
        if difference.renamed_to.is_some() || renamed.contains_key(&difference.identity) {
            difference.severity = Severity::Cosmetic;
            difference.note = Some("each major version names the parts of a foreign key in its own way".to_string());
        }
    }
}

/// The parts of a view's definition around its query: options and columns, and whether it is populated. The deparsed
/// query starts with a blank and ends with a semicolon.
fn around_query(definition: &str) -> (&str, Option<&str>) {
    match definition.split_once(" AS  ") {
        Some((head, query)) => (head, query.rsplit(';').next()),
        None => (definition, None),
    }
}

/// Compares two catalog rows (JSON after the same prefix) in the columns that both have. `None`: not such a definition.
fn same_row(left: &str, right: &str) -> Option<bool> {
    let (at_left, at_right) = (left.find('{')?, right.find('{')?);
    if left[..at_left] != right[..at_right] {
        return Some(false);
    }
    let (was, is) = (row(&left[at_left..])?, row(&right[at_right..])?);
    Some(was.iter().all(|(column, value)| is.get(column).is_none_or(|other| other == value)))
}

pub(super) fn row(json: &str) -> Option<Map<String, Value>> {
    let mut row: Map<String, Value> = serde_json::from_str(json).ok()?;
    for (older, newer) in RENAMED_COLUMNS {
        if let Some(value) = row.remove(older) {
            row.insert(newer.to_string(), value);
        }
    }
    Some(row)
}
