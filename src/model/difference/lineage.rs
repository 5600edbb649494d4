//! Finds missing and extra objects that are probably one object, renamed.
//!
//! Invariant: a hint only: both stay differences. It is given only if exactly one pair fits. An object on a table
//! (policy, trigger, constraint) is never matched unless its table is the same or was renamed too.

use std::collections::{BTreeMap, HashMap};

use super::{Change, ObjectDifference, Pair};
use crate::model::inventory::{Address, CatalogObject};
use crate::model::object_kind::ObjectKind;

/// Kinds whose definition does not identify the object.
const TOO_PLAIN: [ObjectKind; 13] = [
    ObjectKind::Schema,
    ObjectKind::Acl,
    ObjectKind::DefaultAcl,
    ObjectKind::Comment,
    ObjectKind::SecurityLabel,
    ObjectKind::RowSecurity,
    ObjectKind::Sequence,
    ObjectKind::SequenceSet,
    ObjectKind::Role,
    ObjectKind::RoleMembership,
    ObjectKind::RoleSetting,
    ObjectKind::DatabaseSetting,
    ObjectKind::Blob,
];

type Found<'a> = [(ObjectDifference, Pair<'a>)];

/// Sets `renamed_to` of the missing object and the note of the extra one.
pub fn mark(found: &mut Found<'_>, same_database: bool) {
    let mut renames: HashMap<(ObjectKind, String), String> = HashMap::new();
    if same_database {
        by_address(found, &mut renames);
    }
    // Tables first: objects on a table are matched by the table's new name.
    for on_a_table in [false, true] {
        by_definition(found, on_a_table, &mut renames);
    }
    for at in 0..found.len() {
        let (difference, _) = &found[at];
        if difference.change != Change::Missing {
            continue;
        }
        let Some(new) = renames.get(&(difference.kind, difference.identity.clone())).cloned() else { continue };
        let (kind, old) = (difference.kind, difference.identity.clone());
        let is_new = |d: &ObjectDifference| d.change == Change::Extra && d.kind == kind && d.identity == new;
        if let Some((extra, _)) = found.iter_mut().find(|(d, _)| is_new(d)) {
            extra.note.get_or_insert(format!("it may be {old}, renamed"));
        }
        found[at].0.renamed_to = Some(new);
    }
}

fn one_sided<'a, 'b>(
    found: &'b Found<'a>,
    change: Change,
) -> impl Iterator<Item = (&'b ObjectDifference, &'a CatalogObject)> {
    let of = move |(difference, pair): &'b (ObjectDifference, Pair<'a>)| {
        (difference.change == change).then(|| pair.left.or(pair.right).map(|object| (difference, object))).flatten()
    };
    found.iter().filter_map(of)
}

fn by_address(found: &Found<'_>, renames: &mut HashMap<(ObjectKind, String), String>) {
    let key = |object: &CatalogObject| object.address.map(|address| (object.kind, address));
    let extra: HashMap<(ObjectKind, Address), &str> = one_sided(found, Change::Extra)
        .filter(|(_, object)| has_own_address(object))
        .filter_map(|(_, object)| Some((key(object)?, object.identity.as_str())))
        .collect();
    for (_, object) in one_sided(found, Change::Missing).filter(|(_, object)| has_own_address(object)) {
        if let Some(new) = key(object).and_then(|key| extra.get(&key)) {
            renames.insert((object.kind, object.identity.clone()), (*new).to_string());
        }
    }
}

/// Kinds with at most one object per address. An address can have several comments, labels, default ACLs, memberships.
fn has_own_address(object: &CatalogObject) -> bool {
    !matches!(
        object.kind,
        ObjectKind::Comment | ObjectKind::SecurityLabel | ObjectKind::DefaultAcl | ObjectKind::RoleMembership
    )
}

fn by_definition(found: &Found<'_>, on_a_table: bool, renames: &mut HashMap<(ObjectKind, String), String>) {
    let fits = |object: &CatalogObject| {
        !TOO_PLAIN.contains(&object.kind) && split_on(&object.identity).1.is_some() == on_a_table
    };
    type Group<'b> = (Vec<&'b str>, Vec<&'b str>);
    let mut groups: BTreeMap<(ObjectKind, String, Option<String>), Group<'_>> = BTreeMap::new();
    for (_, object) in one_sided(found, Change::Missing).filter(|(_, object)| fits(object)) {
        // The current name of the table.
        let table = split_on(&object.identity).1.map(|table| {
            let tables = [ObjectKind::Table, ObjectKind::View, ObjectKind::MaterializedView, ObjectKind::ForeignTable];
            let renamed = tables.iter().find_map(|kind| renames.get(&(*kind, table.to_string())));
            renamed.cloned().unwrap_or_else(|| table.to_string())
        });
        groups.entry((object.kind, plain(object), table)).or_default().0.push(&object.identity);
    }
    for (_, object) in one_sided(found, Change::Extra).filter(|(_, object)| fits(object)) {
        let table = split_on(&object.identity).1.map(str::to_string);
        if let Some(group) = groups.get_mut(&(object.kind, plain(object), table)) {
            group.1.push(&object.identity);
        }
    }
    for ((kind, ..), (missing, extra)) in groups {
        if let ([old], [new]) = (missing.as_slice(), extra.as_slice()) {
            renames.entry((kind, (*old).to_string())).or_insert_with(|| (*new).to_string());
        }
    }
}

/// The definition with the object's name (and its table's) replaced by a placeholder.
fn plain(object: &CatalogObject) -> String {
    let (own, table) = split_on(&object.identity);
    let mut text = object.definition.clone();
    for name in [Some(own), table].into_iter().flatten() {
        let name = before_arguments(name);
        text = replace_word(&text, name, "\u{1}");
    }
    // In other kinds the bare name could be the name of a column.
    if matches!(object.kind, ObjectKind::Index | ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Statistics) {
        text = replace_word(&text, last_part(before_arguments(own)), "\u{1}");
    }
    text
}

/// Splits `policy on schema.table` into its two parts.
fn split_on(identity: &str) -> (&str, Option<&str>) {
    let on = outside_quotes(identity, " on ");
    on.map_or((identity, None), |at| (&identity[..at], Some(&identity[at + " on ".len()..])))
}

fn before_arguments(name: &str) -> &str {
    outside_quotes(name, "(").map_or(name, |at| &name[..at])
}

/// `b` of `a.b`.
fn last_part(name: &str) -> &str {
    outside_quotes(name, ".").map_or(name, |at| &name[at + 1..])
}

/// The byte where `wanted` first occurs outside double quotes.
fn outside_quotes(text: &str, wanted: &str) -> Option<usize> {
    let mut inside = false;
    text.char_indices().find_map(|(at, c)| {
        inside ^= c == '"';
        (!inside && text[at..].starts_with(wanted)).then_some(at)
    })
}

/// Replaces `word` where it is not part of a longer word.
fn replace_word(text: &str, word: &str, with: &str) -> String {
    if word.is_empty() {
        return text.to_string();
    }
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let alone = !before.ends_with(part) && !after.starts_with(part) || word.starts_with('"');
        out.push_str(before);
        out.push_str(if alone { with } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}
