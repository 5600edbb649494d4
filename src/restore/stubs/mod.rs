//! Stand-ins for extensions that a target lacks, and what cannot be proved without these extensions.
//!
//! Invariant (trap 26): pure: it takes the TOC, the inventory and the target's list of extensions, and returns a plan.
//! Stand-ins let tables, rows and definitions exist; the behaviour of an extension is never reported as proved or
//! broken. Each object that depends on a missing extension is named, whether it is created or left out.

mod member;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::identity::unquoted;
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::pgtools::toc::{Entry, Toc};
use member::Members;

/// The exception code of objects that were created with stand-ins for an extension.
pub const STUBBED: &str = "extension_stubbed";
/// The exception code of objects that are left out because an extension is missing.
pub const MISSING: &str = "extension_missing";

/// What to run before anything else is created, what to leave out, and what to report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StubPlan {
    /// Complete statements, in order. Run as superuser, before the schema.
    pub statements: Vec<String>,
    /// What depends on a missing extension: neither proved nor broken.
    pub not_proven: Vec<Exception>,
    /// Archive entries that are not created (`Entry::dump_id`).
    pub skip: BTreeSet<i64>,
    /// Objects of the inventory that will be missing on the target, or exist as stand-ins: do not compare them.
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
            // Including its attributes: comment and privileges.
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

/// The address of the whole object that this is, or is an attribute of.
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

/// How an entry depends on missing extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    extensions: BTreeSet<String>,
    skipped: bool,
}

/// The archive's entries, judged by themselves first and then by their dependencies.
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
            if let Some(verdict) = self.judge_by_itself(entry) {
                self.verdicts.insert(entry.dump_id, verdict);
            }
        }
        // What depends on a skipped entry is skipped too. Entries do not always come after their dependencies.
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

    fn judge_by_itself(&self, entry: &Entry) -> Option<Verdict> {
        if let Some(name) = self.extension_ids.get(&entry.dump_id) {
            return Some(Verdict { extensions: BTreeSet::from([name.clone()]), skipped: true });
        }
        let mut extensions: BTreeSet<String> =
            entry.depends_on.iter().filter_map(|id| self.extension_ids.get(id).cloned()).collect();
        // Members have no entry, so what depends on them has a dependency on a dump id that does not exist.
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

    /// The extensions whose absence removes something that this entry depends on.
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

/// Does it use the behaviour of the extension's types (sorting, comparing, indexing), and not only their names?
fn is_built_on(entry: &Entry) -> bool {
    let sorts = || ["ORDER BY", "GROUP BY", "DISTINCT", "UNION"].iter().any(|word| entry.definition.contains(word));
    match entry.desc {
        // The only comment that depends on an extension directly is the extension's own.
        ObjectKind::Index | ObjectKind::Constraint | ObjectKind::Comment => true,
        ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Rule => sorts(),
        _ => false,
    }
}

/// Kinds that are attributes of another object, which is named already.
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
        why: "the server does not offer it: its behaviour was not tested".to_string(),
        todo: format!("install the package of {name} for this server and run this again"),
    }
}

/// What is left out has the inventory's name, so that a proof can match it. What is created must be equal.
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
        (MISSING, format!("left out: it cannot be created without {list}"))
    } else if !columns.is_empty() {
        let why = format!("its rows are loaded; columns whose type is a stand-in for {list}: {}", columns.join(", "));
        (STUBBED, why)
    } else {
        (STUBBED, format!("its definition is created with stand-ins for {list}; its behaviour was not tested"))
    };
    Some(Exception { code: code.to_string(), what, why, todo })
}

#[cfg(test)]
#[path = "stubs_tests.rs"]
mod tests;
