//! What stands in for extensions that a target lacks, and what cannot be proven without them.
//!
//! Invariant (trap 26): pure: table of contents, inventory and the target's list of extensions in, a plan out. What is
//! stubbed lets tables, rows and definitions exist; nothing that an extension *does* is ever called proven or broken.
//! Each object that hangs on a missing extension is named, whether it is made or left out.

mod member;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::identity::unquoted;
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::pgtools::toc::{Entry, Toc};
use member::Members;

/// Rows are loaded and definitions are made with stand-ins for an extension.
pub const STUBBED: &str = "extension_stubbed";
/// Something is left out because an extension is missing.
pub const MISSING: &str = "extension_missing";

/// What to run before anything else is made, what to leave out, and what to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StubPlan {
    /// Each a complete statement, in order. Run as superuser, before the schema.
    pub statements: Vec<String>,
    /// What hangs on a missing extension: never good, never broken.
    pub not_proven: Vec<Exception>,
    /// Entries of the archive that are not made (`Entry::dump_id`).
    pub skip: BTreeSet<i64>,
    /// Objects of the inventory that will not be on the target, or only as a stand-in: not to be compared.
    pub objects: BTreeSet<ObjectName>,
}

impl StubPlan {
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty() && self.not_proven.is_empty() && self.skip.is_empty()
    }
}

/// Plans for a target that offers the extensions in `available`.
pub fn plan(toc: &Toc, inventory: &Inventory, available: &[String]) -> StubPlan {
    let missing: BTreeSet<String> = inventory
        .of_kind(ObjectKind::Extension)
        .map(|o| unquoted(&o.identity))
        .filter(|name| !available.contains(name))
        .collect();
    if missing.is_empty() {
        return StubPlan::default();
    }
    let members = Members::new(inventory, &missing);
    let mut plan = StubPlan { statements: members.statements(), ..StubPlan::default() };
    plan.not_proven.extend(missing.iter().map(|name| of_extension(name)));
    for object in &inventory.objects {
        let is_missing = object.kind == ObjectKind::Extension && missing.contains(&unquoted(&object.identity));
        if is_missing || object.extension.as_ref().is_some_and(|e| missing.contains(e)) {
            plan.objects.insert(name(object));
        }
    }
    let mut entries = Entries::new(toc, &missing, &members);
    entries.judge();
    let objects = by_address(inventory);
    for entry in &toc.entries {
        let Some(verdict) = entries.verdicts.get(&entry.dump_id) else { continue };
        if verdict.skipped {
            plan.skip.insert(entry.dump_id);
            let address = Address { class: entry.catalog_oid, oid: entry.oid, sub: 0 };
            // With what is said about it: its comment, its privileges.
            let made = objects.get(&address).into_iter().flatten();
            plan.objects.extend(made.map(|object| name(object)));
        }
        let object = objects.get(&Address { class: entry.catalog_oid, oid: entry.oid, sub: 0 });
        let object = object.into_iter().flatten().find(|o| o.kind == entry.desc);
        plan.not_proven.extend(exception(entry, verdict, members.stubbed_columns(entry), object.copied()));
    }
    let gone: BTreeSet<Address> =
        inventory.objects.iter().filter(|o| plan.objects.contains(&name(o))).filter_map(whole).collect();
    let about = inventory.objects.iter().filter(|o| whole(o).is_some_and(|address| gone.contains(&address)));
    plan.objects.extend(about.map(name));
    plan.not_proven.sort();
    plan.not_proven.dedup();
    plan
}

fn name(object: &CatalogObject) -> ObjectName {
    ObjectName { kind: object.kind, identity: object.identity.clone() }
}

/// The address of the whole object that this is, or is said about.
fn whole(object: &CatalogObject) -> Option<Address> {
    object.address.map(|address| Address { sub: 0, ..address })
}

fn by_address(inventory: &Inventory) -> HashMap<Address, Vec<&CatalogObject>> {
    let mut found: HashMap<Address, Vec<&CatalogObject>> = HashMap::new();
    for object in &inventory.objects {
        if let Some(address) = object.address {
            found.entry(address).or_default().push(object);
        }
    }
    found
}

/// What hangs on a missing extension, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    extensions: BTreeSet<String>,
    skipped: bool,
}

/// The archive's entries, judged one by one and then by what they depend on.
struct Entries<'a> {
    toc: &'a Toc,
    members: &'a Members<'a>,
    /// Dump ids of the missing extensions' own entries.
    extension_ids: BTreeMap<i64, String>,
    known: HashSet<i64>,
    verdicts: HashMap<i64, Verdict>,
}

impl<'a> Entries<'a> {
    fn new(toc: &'a Toc, missing: &BTreeSet<String>, members: &'a Members<'a>) -> Self {
        let own = toc.entries.iter().filter(|e| e.desc == ObjectKind::Extension && missing.contains(&e.tag));
        let extension_ids = own.map(|e| (e.dump_id, e.tag.clone())).collect();
        let known = toc.entries.iter().map(|e| e.dump_id).collect();
        Self { toc, members, extension_ids, known, verdicts: HashMap::new() }
    }

    fn judge(&mut self) {
        for entry in &self.toc.entries {
            if let Some(verdict) = self.directly(entry) {
                self.verdicts.insert(entry.dump_id, verdict);
            }
        }
        // What hangs on something that is left out is left out. Entries are not always behind what they depend on.
        loop {
            let mut changed = false;
            for entry in &self.toc.entries {
                if self.verdicts.get(&entry.dump_id).is_some_and(|v| v.skipped) {
                    continue;
                }
                if let Some(extensions) = self.skipped_below(entry) {
                    self.verdicts.insert(entry.dump_id, Verdict { extensions, skipped: true });
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn directly(&self, entry: &Entry) -> Option<Verdict> {
        if let Some(name) = self.extension_ids.get(&entry.dump_id) {
            return Some(Verdict { extensions: BTreeSet::from([name.clone()]), skipped: true });
        }
        let mut extensions: BTreeSet<String> =
            entry.depends_on.iter().filter_map(|id| self.extension_ids.get(id).cloned()).collect();
        // Members of an extension have no entry of their own, so what hangs on them points at nothing.
        let dangling = entry.depends_on.iter().any(|id| !self.known.contains(id));
        if extensions.is_empty() && !dangling {
            return None;
        }
        let absent = self.members.absent_in(entry);
        let built_on_it = !extensions.is_empty() && is_built_on(entry);
        if !built_on_it && absent.is_empty() && extensions.is_empty() {
            return None;
        }
        let skipped = built_on_it || !absent.is_empty();
        extensions.extend(absent);
        Some(Verdict { extensions, skipped })
    }

    /// The extensions whose absence takes away something that this entry needs.
    fn skipped_below(&self, entry: &Entry) -> Option<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for id in &entry.depends_on {
            if self.extension_ids.contains_key(id) {
                continue;
            }
            if let Some(below) = self.verdicts.get(id).filter(|v| v.skipped) {
                found.extend(below.extensions.iter().cloned());
            }
        }
        (!found.is_empty()).then_some(found)
    }
}

/// Does it use what the extension knows of its types, and not only their names: how to sort, to compare, to index?
fn is_built_on(entry: &Entry) -> bool {
    let sorts = || ["ORDER BY", "GROUP BY", "DISTINCT", "UNION"].iter().any(|word| entry.definition.contains(word));
    match entry.desc {
        // The comment of the extension itself.
        ObjectKind::Index | ObjectKind::Constraint | ObjectKind::Comment => true,
        ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Rule => sorts(),
        _ => false,
    }
}

/// Kinds that only say something about another object, which is named already.
const SAID_ELSEWHERE: [ObjectKind; 6] = [
    ObjectKind::Acl,
    ObjectKind::Comment,
    ObjectKind::SecurityLabel,
    ObjectKind::Default,
    ObjectKind::SequenceOwnedBy,
    ObjectKind::StatisticsData,
];

fn of_extension(name: &str) -> Exception {
    Exception {
        code: MISSING.to_string(),
        what: format!("extension {name}"),
        why: "the server does not offer it: what it does was not tried".to_string(),
        todo: format!("install the package of {name} for this server and do it again"),
    }
}

/// What is left out is named as the inventory names it, so that a proof can tell it; what is made has to be equal.
fn exception(
    entry: &Entry,
    verdict: &Verdict,
    columns: Vec<String>,
    object: Option<&CatalogObject>,
) -> Option<Exception> {
    if SAID_ELSEWHERE.contains(&entry.desc) || entry.desc == ObjectKind::Extension {
        return None;
    }
    let schema = entry.schema.as_ref().map(|s| format!("{s}.")).unwrap_or_default();
    let what = match object.filter(|_| verdict.skipped) {
        Some(object) => format!("{} {}", object.kind, object.identity),
        None => format!("{} {schema}{}", entry.desc.word().to_lowercase(), entry.tag),
    };
    let list: Vec<&str> = verdict.extensions.iter().map(String::as_str).collect();
    let list = list.join(", ");
    let todo = format!("install {list} for this server to prove it");
    let (code, why) = if verdict.skipped {
        (MISSING, format!("left out: it cannot be made without {list}"))
    } else if !columns.is_empty() {
        let why = format!("its rows are loaded; columns whose type is a stand-in for {list}: {}", columns.join(", "));
        (STUBBED, why)
    } else {
        (STUBBED, format!("its definition is made with stand-ins for {list}; what it does was not tried"))
    };
    Some(Exception { code: code.to_string(), what, why, todo })
}

#[cfg(test)]
#[path = "stubs_tests.rs"]
mod tests;
