//! Tables whose rows may be the tenants, with what speaks for each.
//!
//! Invariant: pure; it proposes and never decides for good: what was found is shown, and only the configuration confirms
//! it. Tables of the platform and of extensions speak for nothing, `auth.users` may be a root all the same.

use std::collections::BTreeSet;

use serde::Serialize;

use super::names::{self, own_columns, rank};
use crate::model::name::QualifiedName;
use crate::model::platform::is_managed_schema;
use crate::model::relations::{Relation, Relations};

/// Values of a column without a foreign key that have to be found in a root before it is proposed.
pub const HIT_RATE_MIN_PERCENT: u64 = 99;

/// One table that may be the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    pub table: QualifiedName,
    pub key: String,
    pub label: Option<String>,
    /// How many tables refer to it by a column whose name says so.
    pub score: u64,
    /// The names of these columns, the likeliest first.
    pub columns: Vec<String>,
    pub tables: Vec<QualifiedName>,
    pub membership: Option<Membership>,
    /// Policies that mention one of the columns.
    pub policies: u64,
    /// Columns that are called like it and have no foreign key.
    pub unlinked: Vec<Unlinked>,
    /// Another candidate with members that it belongs to itself.
    pub below: Option<QualifiedName>,
    /// Its columns have names that tenants usually have.
    #[serde(skip)]
    pub listed: bool,
}

/// Who belongs to which tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Membership {
    pub table: QualifiedName,
    /// The people.
    pub members: QualifiedName,
}

/// A column without a foreign key, and what looking at its values showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unlinked {
    pub table: QualifiedName,
    pub column: String,
    /// None: nobody looked, or it holds none.
    pub values: Option<Hits>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hits {
    pub looked_at: u64,
    pub found: u64,
}

impl Hits {
    pub fn are_enough(self) -> bool {
        self.looked_at > 0 && self.found * 100 >= self.looked_at * HIT_RATE_MIN_PERCENT
    }
}

impl Candidate {
    /// Tables that refer to it, by keys or by values.
    fn strength(&self) -> u64 {
        self.score + self.unlinked.iter().filter(|u| u.values.is_some_and(Hits::are_enough)).count() as u64
    }
}

/// All of them, the likeliest first. `configured` are the names of tenant columns from the configuration.
pub fn candidates(relations: &Relations, configured: &[String]) -> Vec<Candidate> {
    let people = names::people(relations);
    let mut found: Vec<Candidate> =
        relations.tables.iter().filter_map(|table| candidate(relations, table, &people, configured)).collect();
    nest(relations, &mut found);
    sort(&mut found);
    found
}

/// Is it worth a line? What has neither members, nor keys, nor values to it is none.
pub fn is_likely(candidate: &Candidate) -> bool {
    candidate.membership.is_some() || candidate.strength() > 0
}

/// The likeliest first.
pub fn sort(found: &mut [Candidate]) {
    found.sort_by_cached_key(|c| {
        let name = c.columns.first().and_then(|name| rank(name, &[], &[])).unwrap_or(usize::MAX);
        (
            (c.membership.is_none(), !c.listed, c.below.is_some()),
            (std::cmp::Reverse(c.strength()), name, c.table.schema.clone(), c.table.name.clone()),
        )
    });
}

fn candidate(
    relations: &Relations,
    table: &Relation,
    people: &[QualifiedName],
    configured: &[String],
) -> Option<Candidate> {
    let is_users = table.name.schema == "auth" && table.name.name == "users";
    if (is_managed_schema(&table.name.schema) && !is_users) || table.extension.is_some() {
        return None;
    }
    let [key] = table.primary_key()?.columns.as_slice() else { return None };
    let own = own_columns(&table.name);
    let mut columns = BTreeSet::new();
    let mut tables = BTreeSet::new();
    for fk in &relations.foreign_keys {
        let [column] = fk.columns.as_slice() else { continue };
        let counts = fk.parent == table.name && fk.child != table.name && fk.parent_columns == [key.clone()];
        if let Some(place) = rank(column, configured, &own).filter(|_| counts && !is_managed_schema(&fk.child.schema)) {
            columns.insert((place, column.clone()));
            tables.insert(fk.child.clone());
        }
    }
    let membership = membership(relations, table, people, |column| rank(column, configured, &[]).is_some());
    let unlinked = unlinked(relations, table, key, configured, &own);
    let usual = |place: usize| place < configured.len() + names::TENANT_COLUMNS.len();
    let mut listed = columns.iter().any(|(place, _)| usual(*place));
    listed |= unlinked.iter().any(|u| rank(&u.column, configured, &[]).is_some());
    // Without a name that tenants have, only members make a tenant of it: every table has children.
    if membership.is_none() && !listed {
        return None;
    }
    let columns: Vec<String> = columns.into_iter().map(|(_, name)| name).collect();
    let policies = policies(relations, &columns);
    Some(Candidate {
        table: table.name.clone(),
        key: key.clone(),
        label: names::label(table),
        score: tables.len() as u64,
        columns,
        tables: tables.into_iter().collect(),
        membership,
        policies,
        unlinked,
        below: None,
        listed,
    })
}

/// A table that pairs the candidate with people. `is_tenant` says whether a column's name is a tenant's: without such a
/// name the table has to be called after members, since people also have favourites, roles and badges.
pub fn membership(
    relations: &Relations,
    table: &Relation,
    people: &[QualifiedName],
    is_tenant: impl Fn(&str) -> bool,
) -> Option<Membership> {
    if people.contains(&table.name) {
        return None;
    }
    let key = &table.primary_key()?.columns;
    let mut found: Vec<(bool, Membership)> = Vec::new();
    for fk in relations.foreign_keys.iter().filter(|fk| fk.parent == table.name && &fk.parent_columns == key) {
        let Some(pair) = relations.table(&fk.child) else { continue };
        let others = relations.foreign_keys.iter().filter(|other| other.child == fk.child && other.columns.len() == 1);
        for other in others.filter(|other| people.contains(&other.parent)) {
            let of_one_person = pair.primary_key().is_some_and(|pk| pk.columns == other.columns);
            if people.contains(&pair.name) && !of_one_person {
                continue;
            }
            let both: Vec<&str> = fk.columns.iter().chain(&other.columns).map(String::as_str).collect();
            let filled = both.iter().all(|c| pair.column(c).is_some_and(|c| c.not_null));
            let unique = pair.is_unique(&both) && !fk.columns.iter().any(|c| pair.is_unique(&[c.as_str()]));
            let named = fk.columns.iter().any(|c| is_tenant(c));
            let sounds = names::sounds_like_membership(&pair.name.name);
            // Somebody's profile names the one tenant of theirs, and may name none yet.
            let fits = of_one_person || (filled && (unique || sounds));
            if (named && fits) || (filled && names::names_members(&pair.name.name)) {
                let membership = Membership { table: pair.name.clone(), members: other.parent.clone() };
                found.push((!sounds, membership));
            }
        }
    }
    found.sort_by_key(|(silent, m)| (*silent, m.table.clone(), m.members.schema != "auth"));
    found.into_iter().next().map(|(_, membership)| membership)
}

/// Columns that are called after the table, are of its key's type and have no foreign key.
fn unlinked(
    relations: &Relations,
    table: &Relation,
    key: &str,
    configured: &[String],
    own: &[String],
) -> Vec<Unlinked> {
    let called = |column: &str| own.iter().any(|name| name == column) || configured.iter().any(|name| name == column);
    let mut found = Vec::new();
    for other in relations
        .tables
        .iter()
        .filter(|t| t.name != table.name && t.extension.is_none() && !is_managed_schema(&t.name.schema))
    {
        for column in other.columns.iter().filter(|c| called(&c.name)) {
            let linked =
                relations.foreign_keys.iter().any(|fk| fk.child == other.name && fk.columns.contains(&column.name));
            if !linked && relations.same_texts((&other.name, &column.name), (&table.name, key)) {
                found.push(Unlinked { table: other.name.clone(), column: column.name.clone(), values: None });
            }
        }
    }
    found
}

fn policies(relations: &Relations, columns: &[String]) -> u64 {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let mentions = |text: &str, column: &str| {
        text.match_indices(column)
            .any(|(at, _)| !text[..at].ends_with(inside) && !text[at + column.len()..].starts_with(inside))
    };
    relations.policies.iter().filter(|p| columns.iter().any(|column| mentions(&p.expression, column))).count() as u64
}

/// Projects with members, in organisations with members, belong to these.
fn nest(relations: &Relations, found: &mut [Candidate]) {
    let above: Vec<QualifiedName> = found.iter().filter(|c| c.membership.is_some()).map(|c| c.table.clone()).collect();
    for candidate in found {
        let mut up =
            relations.foreign_keys.iter().filter(|fk| fk.child == candidate.table && fk.parent != candidate.table);
        candidate.below = up.find(|fk| above.contains(&fk.parent)).map(|fk| fk.parent.clone());
    }
}
