//! Role memberships: parses the inventory's `ROLE MEMBERSHIP` objects, and decides when two sides give the same rights.
//!
//! Invariant: since PostgreSQL 16 a role can be a member of another one several times, once per grantor, each grant
//! with its own options. The member has the union of these options, so two sides are alike if the unions are equal,
//! regardless of grantors: not every role may grant in another role's name. Pure.

use crate::model::object_kind::ObjectKind;
use std::collections::{BTreeMap, BTreeSet};

use super::identity::identifier_end;
use super::inventory::CatalogObject;

use super::restore::ObjectName;

/// The object kind of memberships.
pub const ROLE_MEMBERSHIP: ObjectKind = ObjectKind::RoleMembership;

/// `member in group [by grantor]`; names are quoted as in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership<'a> {
    pub member: &'a str,
    pub group: &'a str,
    pub grantor: Option<&'a str>,
}

impl<'a> Membership<'a> {
    pub fn parse(identity: &'a str) -> Option<Self> {
        let (member, rest) = identity.split_at(identifier_end(identity)?);
        let rest = rest.strip_prefix(" in ")?;
        let (group, rest) = rest.split_at(identifier_end(rest)?);
        let grantor = rest.strip_prefix(" by ");
        (grantor.is_some() || rest.is_empty()).then_some(Self { member, group, grantor })
    }

    pub fn of(object: &'a CatalogObject) -> Option<Self> {
        if object.kind == ROLE_MEMBERSHIP { Self::parse(&object.identity) } else { None }
    }

    pub fn of_name(name: &'a ObjectName) -> Option<Self> {
        if name.kind == ROLE_MEMBERSHIP { Self::parse(&name.identity) } else { None }
    }

    /// Member and group, without the grantor.
    pub fn pair(self) -> (&'a str, &'a str) {
        (self.member, self.group)
    }

    pub fn revoke(self) -> String {
        let by = self.grantor.map(|grantor| format!(" GRANTED BY {grantor}")).unwrap_or_default();
        format!("REVOKE {} FROM {}{by}", self.group, self.member)
    }
}

/// Pairs of member and group that have the same options on both sides, over all grants of the pair.
#[derive(Debug, Default)]
pub struct EquivalentMemberships(BTreeSet<(String, String)>);

impl EquivalentMemberships {
    pub fn new<'a>(
        left: impl IntoIterator<Item = &'a CatalogObject>,
        right: impl IntoIterator<Item = &'a CatalogObject>,
    ) -> Self {
        let (left, right) = (options(left), options(right));
        let same = left.into_iter().filter(|(pair, options)| right.get(pair) == Some(options));
        Self(same.map(|((member, group), _)| (member.to_string(), group.to_string())).collect())
    }

    pub fn holds(&self, kind: ObjectKind, identity: &str) -> bool {
        let parsed = if kind == ROLE_MEMBERSHIP { Membership::parse(identity) } else { None };
        parsed.is_some_and(|m| self.0.contains(&(m.member.to_string(), m.group.to_string())))
    }
}

/// The options in the inventory's words, merged over all grants of each pair.
fn options<'a>(
    objects: impl IntoIterator<Item = &'a CatalogObject>,
) -> BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>> {
    let mut options: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for object in objects {
        if let Some(membership) = Membership::of(object) {
            options.entry(membership.pair()).or_default().extend(object.definition.split_whitespace());
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::super::inventory::object;
    use super::*;

    #[test]
    fn names_in_quotes_hide_the_words_between_them() {
        let text = "\"m in g\" in \"g by x\" by \"a by b\"";
        let membership = Membership::parse(text).unwrap();
        assert_eq!(membership.revoke(), "REVOKE \"g by x\" FROM \"m in g\" GRANTED BY \"a by b\"");
        assert_eq!(Membership::parse("m in g").unwrap().revoke(), "REVOKE g FROM m");
        assert_eq!(Membership::parse("m of g"), None);
        assert_eq!(Membership::of(&object("ROLE", "m in g", "")), None);
    }

    #[test]
    fn grants_of_several_count_together() {
        let row = |identity: &str, options: &str| object(ROLE_MEMBERSHIP, identity, options);
        let wanted = [row("a in g by admin", "WITH ADMIN"), row("a in g by a", "INHERIT SET")];
        let alike = |live: &[CatalogObject]| {
            EquivalentMemberships::new(&wanted, live).holds(ROLE_MEMBERSHIP, "a in g by anybody")
        };
        assert!(alike(&[row("a in g by other", "WITH ADMIN INHERIT SET")]));
        assert!(alike(&[row("a in g by other", "INHERIT"), row("a in g by admin", "WITH ADMIN SET")]));
        for less_or_more in ["WITH ADMIN", "INHERIT SET", ""] {
            assert!(!alike(&[row("a in g by other", less_or_more)]), "{less_or_more}");
        }
        assert!(
            !EquivalentMemberships::new(&wanted[..1], &wanted).holds(ROLE_MEMBERSHIP, "a in g by a"),
            "one that may do more"
        );
        assert!(!alike(&[row("a in h by other", "WITH ADMIN INHERIT SET")]) && !alike(&[]));
        assert!(!EquivalentMemberships::new(&wanted, &wanted).holds(ObjectKind::Role, "a in g by a"));
    }
}
