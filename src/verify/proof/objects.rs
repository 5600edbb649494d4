//! Classifies differences of objects: a finding, an expected loss that occurred, or a note.
//!
//! Invariant: the version of an extension decides about its members, except their privileges, policies, triggers and
//! sequence values, which are the user's. Apart from that, only differences between two major versions are excused.

use std::collections::{BTreeMap, BTreeSet};

use super::{Expected, Found};
use crate::model::difference::{Change, ObjectDifference, Severity};
use crate::model::inventory::CatalogObject;
use crate::model::membership::EquivalentMemberships;
use crate::model::name::{QualifiedName, ident};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{ObjectName, ProofFinding};

/// Definitions up to this length are shown whole; of longer ones the first line that differs.
const WHOLE_CHARS: usize = 300;

/// Sorts `differences` into findings, expected losses and notes.
pub fn judge(
    left: &[CatalogObject],
    right: &[CatalogObject],
    differences: &[ObjectDifference],
    expected: &[Expected],
    found: &mut Found,
) {
    let members = Members::of(left, right);
    let alike = EquivalentMemberships::new(left, right);
    for difference in differences {
        if difference.severity == Severity::Cosmetic && difference.note.is_some() {
            let note = difference.note.as_deref().unwrap_or_default();
            found.notes.push(format!("{} {}: {note}", difference.kind, difference.identity));
        } else if let Some(why) = members.excuse(difference) {
            found.notes.push(format!("{} {}: {why}", difference.kind, difference.identity));
        } else if let Some(at) = expected.iter().position(|e| e.objects.iter().any(|o| explains(o, difference))) {
            if let Some(explained) = found.explained.get_mut(at) {
                *explained = true;
            }
        } else if alike.holds(difference.kind, &difference.identity) {
            found.notes.push(format!("{} {}: granted by another role", difference.kind, difference.identity));
        } else {
            found.findings.push(finding(difference));
        }
    }
}

/// The extension of each object on either side, and the extensions that are the same on both.
struct Members<'a> {
    of: BTreeMap<(ObjectKind, &'a str), &'a str>,
    same: BTreeSet<&'a str>,
}

impl<'a> Members<'a> {
    fn of(left: &'a [CatalogObject], right: &'a [CatalogObject]) -> Self {
        let members =
            left.iter().chain(right).filter_map(|o| Some(((o.kind, o.identity.as_str()), o.extension.as_deref()?)));
        let versions = |all: &'a [CatalogObject]| -> BTreeMap<&'a str, &'a str> {
            all.iter()
                .filter(|o| o.kind == ObjectKind::Extension)
                .map(|o| (o.identity.as_str(), o.definition.as_str()))
                .collect()
        };
        let is = versions(right);
        let same = versions(left).into_iter().filter(|(name, was)| is.get(name) == Some(was)).map(|(name, _)| name);
        Self { same: same.collect(), of: members.collect() }
    }

    /// Why a difference of a member is not the restore's.
    fn excuse(&self, difference: &ObjectDifference) -> Option<String> {
        let extension = *self.of.get(&(difference.kind, difference.identity.as_str()))?;
        if !self.same.contains(ident_if_needed(extension).as_str()) {
            return Some(format!("a member of the extension {extension}, which is not the same on both sides"));
        }
        match difference.kind {
            ObjectKind::Acl
            | ObjectKind::Policy
            | ObjectKind::RowSecurity
            | ObjectKind::Trigger
            | ObjectKind::SecurityLabel => None,
            // A sequence that is behind would give the next row of a queue an id that exists.
            ObjectKind::SequenceSet => (position(difference.right.as_deref()) >= position(difference.left.as_deref()))
                .then(|| format!("a sequence of the extension {extension} moved on")),
            _ => Some(format!("a member of the extension {extension}, whose version is the same")),
        }
    }
}

/// Quotes a name only where necessary, like `quote_ident`.
fn ident_if_needed(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { name.to_string() } else { ident(name) }
}

/// `last_value, is_called` as a comparable value.
fn position(definition: Option<&str>) -> Option<(i64, bool)> {
    let (value, called) = definition?.split_once(", ")?;
    Some((value.parse().ok()?, called == "true"))
}

/// Does an object that the plan named explain this difference? It is the object itself, or a missing object that it
/// belongs to.
fn explains(object: &ObjectName, difference: &ObjectDifference) -> bool {
    let identity = &difference.identity;
    if object.kind == difference.kind && &object.identity == identity {
        return true;
    }
    if object.kind == ObjectKind::Extension {
        return difference.kind == ObjectKind::Comment && *identity == format!("extension {}", object.identity);
    }
    let has_dependents = matches!(
        object.kind,
        ObjectKind::Table | ObjectKind::ForeignTable | ObjectKind::View | ObjectKind::MaterializedView
    );
    if !has_dependents || difference.change != Change::Missing {
        return false;
    }
    let of_table = |definition: &str| {
        [" ON ", " ON ONLY "].iter().any(|on| definition.contains(&format!("{on}{} ", object.identity)))
    };
    (difference.kind == ObjectKind::Index && difference.left.as_deref().is_some_and(of_table))
        || belongs_to_table(&object.identity, difference.kind, identity)
}

/// Does the object belong to that table: its index, constraint, policy, trigger, grant, comment?
fn belongs_to_table(table: &str, kind: ObjectKind, identity: &str) -> bool {
    let of_column = |rest: Option<&str>| rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    match kind {
        ObjectKind::Acl => {
            identity == format!("TABLE {table}") || of_column(identity.strip_prefix(&format!("COLUMN {table}")))
        }
        ObjectKind::Comment => {
            identity.ends_with(&format!(" on {table}"))
                || of_column(identity.strip_prefix(&format!("table {table}")))
                || of_column(identity.strip_prefix(&format!("table column {table}")))
                || of_column(identity.strip_prefix(&format!("view {table}")))
        }
        _ => {
            identity == table
                || identity.ends_with(&format!(" on {table}"))
                || identity.starts_with(&format!("{table} in "))
        }
    }
}

/// Is the object that table? Identities are quoted only where necessary.
pub fn is_table(object: &ObjectName, table: &QualifiedName) -> bool {
    object.identity == format!("{}.{}", ident_if_needed(&table.schema), ident_if_needed(&table.name))
        || object.identity == table.sql()
}

fn finding(difference: &ObjectDifference) -> ProofFinding {
    let what = format!("{} {}", difference.kind, difference.identity);
    let owned = |owner: &Option<String>| owner.clone().unwrap_or_else(|| "nobody".to_string());
    let (code, expected, found) = match difference.change {
        Change::Missing => ("object_missing", short(difference.left.as_deref()), missing(difference)),
        Change::Extra => ("object_extra", "it is not in the snapshot".to_string(), short(difference.right.as_deref())),
        Change::Differs if difference.left == difference.right && difference.owner_left != difference.owner_right => {
            ("owner_differs", owned(&difference.owner_left), owned(&difference.owner_right))
        }
        Change::Differs => {
            let code = if difference.kind == ObjectKind::SequenceSet { "sequence_differs" } else { "object_differs" };
            let (was, is) = lines(difference.left.as_deref(), difference.right.as_deref());
            (code, was, is)
        }
    };
    ProofFinding { code: code.to_string(), what, expected, found }
}

fn missing(difference: &ObjectDifference) -> String {
    match &difference.renamed_to {
        Some(name) => format!("it is missing; perhaps it was renamed to {name}"),
        None => "it is missing".to_string(),
    }
}

fn short(definition: Option<&str>) -> String {
    let text = definition.filter(|t| !t.is_empty()).unwrap_or("there");
    cut(text)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WHOLE_CHARS) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_string(),
    }
}

/// Both definitions, or of long ones the first line that differs.
fn lines(left: Option<&str>, right: Option<&str>) -> (String, String) {
    let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
    if left.len().max(right.len()) <= WHOLE_CHARS {
        return (left.to_string(), right.to_string());
    }
    let (mut was, mut is) = (left.lines(), right.lines());
    for number in 1.. {
        let pair = (was.next(), is.next());
        if pair.0 != pair.1 {
            let said = |line: Option<&str>| match line {
                Some(line) => format!("line {number}: {}", cut(line)),
                None => format!("no line {number}"),
            };
            return (said(pair.0), said(pair.1));
        }
        if pair.0.is_none() {
            break;
        }
    }
    (cut(left), cut(right))
}

/// Is the finding about an object that decides the privileges on `name` (a table or a function of the census)?
pub fn decides_about(finding: &ProofFinding, name: &str) -> bool {
    let Some((kind, identity)) = KINDS_OF_RIGHTS
        .iter()
        .find_map(|kind| Some((*kind, finding.what.strip_prefix(kind.word())?.strip_prefix(' ')?)))
    else {
        return false;
    };
    match kind {
        ObjectKind::Role | ObjectKind::RoleMembership => true,
        ObjectKind::Acl => {
            identity.strip_prefix("SCHEMA ").is_some_and(|schema| name.starts_with(&format!("{schema}.")))
                || identity.ends_with(&format!(" {name}"))
                || identity.starts_with(&format!("COLUMN {name}."))
        }
        _ => identity == name,
    }
}

/// A longer word comes before the words that it starts with.
const KINDS_OF_RIGHTS: [ObjectKind; 9] = [
    ObjectKind::Acl,
    ObjectKind::RowSecurity,
    ObjectKind::RoleMembership,
    ObjectKind::Role,
    ObjectKind::MaterializedView,
    ObjectKind::View,
    ObjectKind::ForeignTable,
    ObjectKind::Table,
    ObjectKind::Function,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::difference::{Rules, compare};
    use crate::model::inventory::object;
    use crate::model::membership::ROLE_MEMBERSHIP;

    #[test]
    fn what_belongs_to_a_missing_table_is_known_by_its_name() {
        let t = "public.\"odd t\"";
        for (kind, identity) in [
            ("ROW SECURITY", "public.\"odd t\""),
            ("POLICY", "p on public.\"odd t\""),
            ("FK CONSTRAINT", "fk on public.\"odd t\""),
            ("ACL", "TABLE public.\"odd t\""),
            ("ACL", "COLUMN public.\"odd t\".a"),
            ("COMMENT", "table column public.\"odd t\".a"),
            ("COMMENT", "policy p on public.\"odd t\""),
            ("PUBLICATION TABLE", "public.\"odd t\" in publication p"),
        ] {
            assert!(belongs_to_table(t, ObjectKind::of(kind), identity), "{kind} {identity}");
        }
        for (kind, identity) in
            [("ACL", "TABLE public.odd"), ("ACL", "COLUMN public.\"odd t\"2.a"), ("POLICY", "p on public.t")]
        {
            assert!(!belongs_to_table(t, ObjectKind::of(kind), identity), "{kind} {identity}");
        }
    }

    #[test]
    fn of_a_long_definition_the_line_that_differs_is_told() {
        let body = |word: &str| format!("{}\n{word}\nend", "x".repeat(WHOLE_CHARS));
        let (was, is) = lines(Some(&body("a")), Some(&body("b")));
        assert_eq!((was.as_str(), is.as_str()), ("line 2: a", "line 2: b"));
        assert_eq!(lines(Some("a"), Some("b")), ("a".to_string(), "b".to_string()));
    }

    #[test]
    fn a_finding_decides_about_its_own_table_only() {
        let of = |what: &str| ProofFinding {
            code: "object_differs".into(),
            what: what.into(),
            expected: String::new(),
            found: String::new(),
        };
        for what in [
            "ACL TABLE p.t",
            "ACL COLUMN p.t.a",
            "ACL SCHEMA p",
            "ROW SECURITY p.t",
            "ROLE anon",
            "ROLE MEMBERSHIP anon in x",
        ] {
            assert!(decides_about(&of(what), "p.t"), "{what}");
        }
        for what in ["ACL TABLE p.u", "ROW SECURITY p.u", "COMMENT table p.t", "ACL SCHEMA q"] {
            assert!(!decides_about(&of(what), "p.t"), "{what}");
        }
        assert!(decides_about(&of("ACL FUNCTION p.f(integer)"), "p.f(integer)"));
    }

    #[test]
    fn a_membership_that_another_role_granted_is_the_same_one() {
        let one = |identity: &str, options: &str| object(ROLE_MEMBERSHIP, identity, options);
        let judged = |left: &[CatalogObject], right: &[CatalogObject]| {
            let mut found = Found::default();
            judge(left, right, &compare(left, right, &Rules::default()), &[], &mut found);
            (found.findings.len(), found.notes.len())
        };
        let was = [one("anon in staff by supabase_admin", "WITH ADMIN")];
        assert_eq!(judged(&was, &[one("anon in staff by postgres", "WITH ADMIN")]), (0, 2));
        // One that may do less or more is another one; so are other members, other groups, and one that is simply gone.
        assert_eq!(judged(&was, &[one("anon in staff by postgres", "")]), (2, 0));
        assert_eq!(judged(&was, &[one("anon in staff by postgres", "WITH ADMIN SET")]), (2, 0));
        assert_eq!(judged(&was, &[one("other in staff by postgres", "WITH ADMIN")]), (2, 0));
        assert_eq!(judged(&was, &[one("anon in others by postgres", "WITH ADMIN")]), (2, 0));
        assert_eq!(judged(&was, &[]), (1, 0));
        // What several granted counts together.
        let several = [one("anon in staff by supabase_admin", ""), one("anon in staff by postgres", "WITH ADMIN")];
        assert_eq!(judged(&was, &several), (0, 2));
    }
}
