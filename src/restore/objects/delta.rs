//! The differences between the snapshot's objects and the target's that a restore has to remove.
//!
//! Invariant: objects are matched by kind and identity and compared by definition and owner; catalog addresses do not
//! count. A delta contains nothing that is out of scope. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::invalid_indexes;
use crate::model::difference;
use crate::model::difference::{Change, ObjectDifference, Severity, columns};
use crate::model::identity::on;
use crate::model::inventory::CatalogObject;
use crate::model::membership::{EquivalentMemberships, Membership, ROLE_MEMBERSHIP};
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::restore::target::belongs::belongs;
use crate::restore::target::scope::Scope;

/// The differences; each list is ordered by kind and identity.
#[derive(Debug, Default)]
pub struct Delta<'s, 't> {
    /// Only in the snapshot.
    pub missing: Vec<&'s CatalogObject>,
    /// Only in the target, and within the scope of what may be dropped.
    pub extra: Vec<&'t CatalogObject>,
    /// In both but different: (snapshot, target).
    pub differs: Vec<(&'s CatalogObject, &'t CatalogObject)>,
    /// In both, and equal except for the column order: named and left as they are.
    pub reordered: Vec<&'s CatalogObject>,
}

/// Kinds whose definition may contain a password, a verifier or a token.
const SECRETIVE: [ObjectKind; 9] = [
    ObjectKind::Role,
    ObjectKind::RoleSetting,
    ObjectKind::DatabaseSetting,
    ObjectKind::UserMapping,
    ObjectKind::Server,
    ObjectKind::Subscription,
    ObjectKind::Trigger,
    ObjectKind::Function,
    ObjectKind::Procedure,
];

/// How the text of a difference begins.
pub const SEEN: &str = "the snapshot";

const SHOWN_CHARS: usize = 200;

type Key<'a> = (ObjectKind, &'a str);

fn key(object: &CatalogObject) -> Key<'_> {
    (object.kind, &object.identity)
}

impl<'s, 't> Delta<'s, 't> {
    pub fn new(wanted: &'s [CatalogObject], live: &'t [CatalogObject], scope: &Scope) -> Self {
        let counted = counted(wanted, live, scope);
        // With `--untrusted` everything belongs to the restoring role, so owners do not count.
        let fenced = |w: &CatalogObject, f: &CatalogObject| scope.untrusted && w.definition == f.definition;
        let own = |o: &CatalogObject| {
            o.kind == ObjectKind::Role && crate::model::identity::unquoted(&o.identity) == scope.restorer
        };
        let counts = |o: &CatalogObject| counted.as_ref().is_none_or(|names| names.contains(&ObjectName::of(o)));
        let there: BTreeMap<Key, &CatalogObject> = live.iter().map(|o| (key(o), o)).collect();
        let wanted_keys: BTreeSet<Key> = wanted.iter().map(key).collect();
        // Invalid indexes are in no archive: neither they nor what is attached to them counts as missing.
        let left_over = invalid_indexes::addresses(wanted);
        let lacks = |o: &CatalogObject| invalid_indexes::whole(o).is_some_and(|address| left_over.contains(&address));
        let mut delta = Self::default();
        for object in wanted.iter().filter(|o| scope.brings_back(o) && counts(o)) {
            match there.get(&key(object)) {
                None if lacks(object) => {}
                None if depends_on_absent_member(object, |key| there.contains_key(&key))
                    || is_granted_by_another(object, there.keys(), scope) => {}
                None => delta.missing.push(object),
                Some(found) if is_equal(object, found) || (own(object) && equal_except_password(object, found)) => {}
                Some(found) if fenced(object, found) || invalid_indexes::may_stay(object, found) => {}
                Some(found) if columns::same_but_for_order(object, found) => delta.reordered.push(object),
                Some(found) => delta.differs.push((object, found)),
            }
        }
        let theirs = |o: &CatalogObject| {
            depends_on_absent_member(o, |key| wanted_keys.contains(&key))
                || is_granted_by_another(o, wanted_keys.iter(), scope)
        };
        let ours = |o: &&CatalogObject| {
            let goes = !wanted_keys.contains(&key(o)) && scope.may_drop(o) && counts(o) && !theirs(o);
            goes && !is_column_acl_of_dropped_table(o, &wanted_keys)
        };
        delta.extra = live.iter().filter(ours).collect();
        delta.only_tables(scope);
        delta
    }

    /// `-t`: an existing table keeps its definition; a missing one is created with all that belongs to it.
    fn only_tables(&mut self, scope: &Scope) {
        if scope.tables.is_empty() {
            return;
        }
        self.differs.clear();
        let is_missing =
            |table: &&QualifiedName| self.missing.iter().any(|o| o.kind == ObjectKind::Table && belongs(o, table));
        let tables: Vec<&QualifiedName> = scope.tables.iter().filter(is_missing).collect();
        self.missing.retain(|o| tables.iter().any(|table| belongs(o, table)));
    }

    /// Exceptions for tables with another column order.
    pub fn column_order_exceptions(&self) -> impl Iterator<Item = Exception> + '_ {
        self.reordered.iter().map(|table| Exception {
            code: "column_order".into(),
            what: format!("{} {}", table.kind, table.identity),
            why: columns::NOTE.into(),
            todo: "name the columns in INSERT and COPY, and do not rely on the order of SELECT *".into(),
        })
    }

    /// Does the delta contain an object of one of these kinds?
    pub fn touches(&self, kinds: &[ObjectKind]) -> bool {
        let of = |o: &CatalogObject| kinds.contains(&o.kind);
        self.missing.iter().any(|o| of(o))
            || self.extra.iter().any(|o| of(o))
            || self.differs.iter().any(|(o, _)| of(o))
    }

    /// The first difference of each differing object, for messages. Leaves out kinds whose definitions may hold
    /// secrets.
    pub fn words(&self) -> BTreeMap<String, String> {
        let shown = self.differs.iter().filter(|(wanted, _)| !SECRETIVE.contains(&wanted.kind));
        shown
            .map(|(wanted, found)| (format!("{} {}", wanted.kind, wanted.identity), first_difference(wanted, found)))
            .collect()
    }

    /// Two sets: objects that still differ, and memberships of the snapshot that another role granted here. A role may
    /// not be able to grant in the name of the original grantor.
    pub fn left(
        &self,
        wanted: &[CatalogObject],
        live: &[CatalogObject],
    ) -> (BTreeSet<ObjectName>, BTreeSet<ObjectName>) {
        let alike = EquivalentMemberships::new(wanted, live);
        let (mut regranted, left): (BTreeSet<_>, _) =
            self.names().into_iter().partition(|name| alike.holds(name.kind, &name.identity));
        regranted.retain(|name| !self.extra.iter().any(|o| ObjectName::of(o) == *name));
        (left, regranted)
    }

    /// Names of all objects in the delta: equal names mean that a pass changed nothing.
    pub fn names(&self) -> BTreeSet<ObjectName> {
        let missing = self.missing.iter().map(|o| ObjectName::of(o));
        missing
            .chain(self.extra.iter().map(|o| ObjectName::of(o)))
            .chain(self.differs.iter().map(|(o, _)| ObjectName::of(o)))
            .collect()
    }
}

/// The first line in which two definitions differ, shortened.
fn first_difference(wanted: &CatalogObject, found: &CatalogObject) -> String {
    if wanted.definition == found.definition {
        let name = |o: &CatalogObject| o.owner.clone().unwrap_or_default();
        return format!("{SEEN} has the owner {}, the target has {}", name(wanted), name(found));
    }
    let lines = |o: &CatalogObject| o.definition.lines().map(str::to_string).collect::<Vec<_>>();
    let (left, right) = (lines(wanted), lines(found));
    let at = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let line = |lines: &[String]| {
        lines.get(at).map_or("nothing".to_string(), |line| line.trim().chars().take(SHOWN_CHARS).collect())
    };
    format!("{SEEN} has: {}; the target has: {}", line(&left), line(&right))
}

/// What happened to an object, for a message.
pub fn change_in_words(difference: &ObjectDifference) -> String {
    match difference.change {
        Change::Missing => "is missing".to_string(),
        Change::Extra => "is not in the snapshot".to_string(),
        Change::Differs => "differs from the snapshot".to_string(),
    }
}

/// Between major versions: the objects that differ by more than how each major prints them. `None`: everything counts.
fn counted(wanted: &[CatalogObject], live: &[CatalogObject], scope: &Scope) -> Option<BTreeSet<ObjectName>> {
    let rules = scope.rules.as_ref()?;
    let real = difference::compare(wanted, live, rules).into_iter();
    let real = real.filter(|d| d.severity != Severity::Cosmetic || d.note.is_none());
    Some(real.map(|d| ObjectName { kind: d.kind, identity: d.identity }).collect())
}

/// Grantors are not comparable before PostgreSQL 16, and since then a role may not grant in the name of every other: a
/// membership by another grantor counts as the same.
fn is_granted_by_another<'k>(
    object: &CatalogObject,
    mut there: impl Iterator<Item = &'k Key<'k>>,
    scope: &Scope,
) -> bool {
    if object.kind != ROLE_MEMBERSHIP || scope.rules.as_ref().is_none_or(|rules| rules.membership_options) {
        return false;
    }
    let pair = |identity| Membership::parse(identity).map(Membership::pair);
    let wanted = pair(&object.identity);
    there.any(|(kind, identity)| *kind == ROLE_MEMBERSHIP && pair(identity) == wanted)
}

/// Attributes of a member of an extension: if the target lacks the member, they are not missing; if the snapshot lacks
/// the member, they are dropped with it.
fn depends_on_absent_member(object: &CatalogObject, there: impl Fn(Key) -> bool) -> bool {
    if object.extension.is_none() {
        return false;
    }
    let privileges = match object.kind {
        ObjectKind::Acl => return !there((ObjectKind::Acl, &object.identity)),
        ObjectKind::RowSecurity => format!("TABLE {}", object.identity),
        ObjectKind::Policy | ObjectKind::Trigger => {
            format!("TABLE {}", on(&object.identity).map_or("", |(_, table)| table))
        }
        ObjectKind::Comment
            if object.identity.starts_with("table ") && !object.identity.starts_with("table column ") =>
        {
            format!("TABLE {}", &object.identity["table ".len()..])
        }
        _ => return false,
    };
    !there((ObjectKind::Acl, &privileges))
}

/// Is it a column privilege on a table that is dropped? Then it disappears with the table.
fn is_column_acl_of_dropped_table(object: &CatalogObject, wanted: &BTreeSet<Key>) -> bool {
    let Some(column) = object.identity.strip_prefix("COLUMN ").filter(|_| object.kind == ObjectKind::Acl) else {
        return false;
    };
    let of = |identity: &str| {
        let table = identity.strip_prefix("TABLE ");
        table.is_some_and(|table| column.strip_prefix(table).is_some_and(|rest| rest.starts_with('.')))
    };
    !wanted.iter().any(|(kind, identity)| *kind == ObjectKind::Acl && of(identity))
}

/// Equal in everything that a restore can set.
pub fn is_equal(wanted: &CatalogObject, found: &CatalogObject) -> bool {
    match wanted.kind {
        // The owner of an extension cannot be altered, and the server decides its version. Its schema can be changed.
        ObjectKind::Extension => extension_schema(&wanted.definition) == extension_schema(&found.definition),
        // If one side may not read the verifier, it does not count.
        ObjectKind::Role => roles_equal(&wanted.definition, &found.definition),
        _ => wanted.definition == found.definition && wanted.owner == found.owner,
    }
}

/// `… SCHEMA extensions RELOCATABLE …`
pub fn extension_schema(definition: &str) -> Option<&str> {
    let rest = &definition[definition.find(" SCHEMA ")? + 8..];
    Some(&rest[..rest.find(" RELOCATABLE ")?])
}

/// The restoring role keeps its own password: it logs in with that.
fn equal_except_password(wanted: &CatalogObject, found: &CatalogObject) -> bool {
    let cut = |o: &CatalogObject| o.definition.split("PASSWORD ").next().map(|t| t.trim_end().to_string());
    cut(wanted) == cut(found)
}

fn roles_equal(wanted: &str, found: &str) -> bool {
    let apart = |text: &str| match text.split_once("PASSWORD ") {
        Some((before, after)) => (before.trim_end().to_string(), Some(after.to_string())),
        None => (text.to_string(), None),
    };
    let ((a, left), (b, right)) = (apart(wanted), apart(found));
    let unknown = |p: &Option<String>| p.as_deref() == Some("not readable");
    a == b && (left == right || unknown(&left) || unknown(&right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory;
    use crate::model::restore::TargetKind;
    use crate::restore::target::other_platform::OtherPlatform;
    use crate::restore::target::services::Services;

    fn object(kind: &str, identity: &str, definition: &str) -> CatalogObject {
        CatalogObject { schema: Some("public".into()), ..inventory::object(kind, identity, definition) }
    }

    #[test]
    fn objects_are_matched_by_kind_and_identity() {
        let scope = Scope {
            platform: false,
            kind: TargetKind::SameDatabase,
            restorer: String::new(),
            only: vec![],
            tables: vec![],
            extensions_missing: BTreeSet::new(),
            left_out: BTreeSet::new(),
            roles_new: BTreeSet::new(),
            roles_kept: BTreeSet::new(),
            untrusted: false,
            rules: None,
            other: OtherPlatform::default(),
            services: Services::default(),
            built_on: crate::restore::target::built_on::BuiltOn::default(),
        };
        let wanted =
            [object("TABLE", "public.a", "1"), object("VIEW", "public.b", "1"), object("TABLE", "public.c", "1")];
        let live =
            [object("TABLE", "public.a", "2"), object("TABLE", "public.b", "1"), object("TABLE", "public.c", "1")];
        let delta = Delta::new(&wanted, &live, &scope);
        assert_eq!(delta.differs.len(), 1);
        assert_eq!(delta.missing[0].identity, "public.b");
        assert_eq!(delta.extra[0].identity, "public.b");
        assert_eq!(delta.missing.len() + delta.extra.len() + delta.differs.len(), 3);
        assert!(delta.touches(&[ObjectKind::View]) && !delta.touches(&[ObjectKind::Index]));
    }

    #[test]
    fn r8_a_verifier_that_cannot_be_read_is_no_difference() {
        assert!(roles_equal("LOGIN PASSWORD sha256:a", "LOGIN PASSWORD not readable"));
        assert!(!roles_equal("LOGIN PASSWORD sha256:a", "LOGIN PASSWORD sha256:b"));
        assert!(!roles_equal("LOGIN PASSWORD sha256:a", "NOLOGIN PASSWORD not readable"));
        assert!(!roles_equal("LOGIN PASSWORD sha256:a", "LOGIN"));
    }
}
