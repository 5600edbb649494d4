//! Separates causes from consequences: which missing objects did the server refuse, and which only depended on these?
//!
//! Invariant: dependencies come from the archive's TOC, from catalog addresses and from whole identities, never from
//! the text of a message. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::refusals::Refusal;
use crate::model::identity::{on, unquoted};
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::left_out::{FILE, Instead, LeftOut};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::restore::entries::creation::Creation;
use crate::restore::objects::converge::Left;
use crate::restore::rows::tables::GivenUp;
use crate::snapshot::layout;

/// Kinds that control access.
const PROTECTS: [ObjectKind; 4] =
    [ObjectKind::Policy, ObjectKind::RowSecurity, ObjectKind::Acl, ObjectKind::DefaultAcl];

/// Input: what is known about a restore that is not complete.
pub struct CauseAnalysis<'a> {
    pub left: &'a Left,
    pub creation: &'a Creation<'a>,
    pub inventory: &'a Inventory,
    pub given_up: &'a BTreeMap<ObjectName, GivenUp>,
    /// Constraints that were created NOT VALID: existing rows were not checked.
    pub not_valid: &'a BTreeSet<ObjectName>,
    /// Objects whose grants were revoked, and the missing object that is the reason.
    pub withheld: &'a BTreeMap<Address, ObjectName>,
}

impl CauseAnalysis<'_> {
    /// Each of `objects`: either a cause itself, or with its cause.
    pub fn list(&self, objects: &BTreeSet<ObjectName>) -> Vec<LeftOut> {
        let known: HashMap<ObjectName, &CatalogObject> =
            self.inventory.objects.iter().map(|o| (ObjectName::of(o), o)).collect();
        let graph = Graph::new(self, &known);
        let mut list: Vec<LeftOut> =
            objects.iter().map(|o| self.left_out_of(o, known.get(o).copied(), &graph)).collect();
        let files: BTreeSet<ObjectName> =
            list.iter().filter_map(|one| one.because_of.clone()).filter(|cause| cause.kind == FILE).collect();
        list.extend(files.iter().map(|file| self.left_out_of(file, None, &graph)));
        list.sort();
        list
    }

    fn left_out_of(&self, name: &ObjectName, object: Option<&CatalogObject>, graph: &Graph<'_>) -> LeftOut {
        let given_up = self.given_up.get(name);
        let refusal = given_up.map(|g| &g.refusal).or_else(|| self.left.refusals.get(name));
        let because_of = object.and_then(|object| graph.cause(object, refusal.is_some()));
        let instead = given_up.map_or_else(|| self.instead(name, refusal), |g| g.instead);
        let said = match (&because_of, refusal) {
            (Some(_), _) => String::new(),
            (None, Some(refusal)) => refusal.text.clone(),
            (None, None) => self.left.words.get(&name.to_string()).cloned().unwrap_or_default(),
        };
        LeftOut {
            sqlstate: refusal.filter(|_| because_of.is_none()).and_then(|r| r.sqlstate).map(|s| s.to_string()),
            security: self.is_open(name, object, graph),
            object: name.clone(),
            instead,
            because_of,
            said,
        }
    }

    fn instead(&self, name: &ObjectName, refusal: Option<&Refusal>) -> Instead {
        match name.kind {
            FILE => Instead::Missing,
            _ if self.left.missing.contains(name) => Instead::Missing,
            _ if self.not_valid.contains(name) => Instead::NotValid,
            ObjectKind::MaterializedView if refusal.is_some() => Instead::NotPopulated,
            _ => Instead::Differs,
        }
    }

    /// Does the object that it protects exist without this protection?
    fn is_open(&self, name: &ObjectName, object: Option<&CatalogObject>, graph: &Graph<'_>) -> bool {
        let protects = PROTECTS.contains(&name.kind) || self.left.owners.contains(name);
        let other_role =
            matches!(name.kind, ObjectKind::Role | ObjectKind::RoleMembership) && !self.left.missing.contains(name);
        (protects && object.is_none_or(|o| graph.whole_of(o).is_none())) || other_role
    }
}

/// The missing objects, indexed by the ways in which others depend on them.
struct Graph<'a> {
    reckoning: &'a CauseAnalysis<'a>,
    /// By the dump ids of the entries that create them.
    by_entry: HashMap<i64, Vec<&'a CatalogObject>>,
    /// The same for materialized views that exist but are not populated: views that read them cannot be populated.
    unfilled: HashMap<i64, &'a CatalogObject>,
    /// Relations and domains by name.
    by_name: HashMap<&'a str, &'a CatalogObject>,
    by_address: HashMap<Address, &'a CatalogObject>,
    roles: HashMap<String, &'a CatalogObject>,
    /// Dump id of an entry → dump ids that it depends on.
    needs: HashMap<i64, &'a [i64]>,
    /// Entries whose object exists: the search stops there.
    there: HashSet<i64>,
}

impl<'a> Graph<'a> {
    fn new(reckoning: &'a CauseAnalysis<'a>, known: &HashMap<ObjectName, &'a CatalogObject>) -> Self {
        let missing = reckoning.left.missing.iter().filter_map(|name| known.get(name).copied());
        let mut graph = Self {
            reckoning,
            by_entry: HashMap::new(),
            unfilled: HashMap::new(),
            by_name: HashMap::new(),
            by_address: HashMap::new(),
            roles: HashMap::new(),
            needs: reckoning.creation.entries.iter().map(|s| (s.entry.dump_id, &s.entry.depends_on[..])).collect(),
            there: HashSet::new(),
        };
        for object in missing {
            for id in reckoning.creation.entry_ids(object) {
                graph.by_entry.entry(id).or_default().push(object);
            }
            match object.kind {
                ObjectKind::Table
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::ForeignTable
                | ObjectKind::Domain
                | ObjectKind::Schema
                | ObjectKind::Sequence => {
                    graph.by_name.insert(&object.identity, object);
                }
                ObjectKind::Role => {
                    graph.roles.insert(unquoted(&object.identity), object);
                }
                _ => {}
            }
            if has_own_address(object)
                && let Some(address) = object.address
            {
                graph.by_address.insert(address, object);
            }
        }
        let refused = reckoning.left.refusals.keys().filter(|name| name.kind == ObjectKind::MaterializedView);
        for view in refused.filter_map(|name| known.get(name)) {
            for id in reckoning.creation.entry_ids(view) {
                graph.unfilled.insert(id, view);
            }
        }
        let made = reckoning.creation.entries.iter().filter(|s| s.object.is_some());
        graph.there = made.map(|s| s.entry.dump_id).filter(|id| !graph.by_entry.contains_key(id)).collect();
        graph
    }

    /// The missing object that this one is a part of or an attribute of.
    fn whole_of(&self, object: &CatalogObject) -> Option<&'a CatalogObject> {
        let differs = |other: &&CatalogObject| (&other.kind, &other.identity) != (&object.kind, &object.identity);
        let place = object.address.map(|address| Address { sub: 0, ..address });
        if let Some(whole) = place.and_then(|place| self.by_address.get(&place).copied()).filter(differs) {
            return Some(whole);
        }
        let parent = match object.kind {
            ObjectKind::PublicationTable => object.identity.split(" in publication ").next()?,
            ObjectKind::RowSecurity | ObjectKind::TableAttach => &object.identity,
            ObjectKind::Index => return None,
            _ => {
                let table = on(&object.identity)?.1;
                table.strip_prefix("domain ").unwrap_or(table)
            }
        };
        self.by_name.get(parent).copied()
    }

    /// The cause of a missing object: the end of its chain of missing needs. `refused`: the server refused the object
    /// itself.
    fn cause(&self, object: &CatalogObject, refused: bool) -> Option<ObjectName> {
        let mut seen = HashSet::new();
        let mut at = object;
        // Follow the first need of the first need, and so on. A cycle ends where it began.
        while seen.insert((at.kind, at.identity.as_str())) {
            match self.need(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        let name = ObjectName::of(at);
        if name != ObjectName::of(object) {
            let own = self.reckoning.left.refusals.contains_key(&name);
            let file = if own { None } else { self.failed_file(at.kind) };
            return Some(file.unwrap_or(name));
        }
        let withheld = object.address.and_then(|a| self.reckoning.withheld.get(&Address { sub: 0, ..a }));
        if let Some(cause) = withheld.filter(|_| object.kind == ObjectKind::Acl) {
            return Some(cause.clone());
        }
        if refused { None } else { self.failed_file(object.kind) }
    }

    /// A missing object that this one needs.
    fn need(&self, object: &CatalogObject) -> Option<&'a CatalogObject> {
        if let Some(whole) = self.whole_of(object) {
            return Some(whole);
        }
        let own: HashSet<i64> = self.reckoning.creation.entry_ids(object).into_iter().collect();
        let mut open: Vec<i64> =
            own.iter().filter_map(|id| self.needs.get(id)).flat_map(|ids| ids.iter().copied()).collect();
        let mut seen: HashSet<i64> = own;
        while let Some(id) = open.pop() {
            let stops = self.there.contains(&id) && !self.unfilled.contains_key(&id);
            if !seen.insert(id) || stops {
                continue;
            }
            let others = self.by_entry.get(&id).into_iter().flatten();
            let unfilled = self.unfilled.get(&id).filter(|_| object.kind == ObjectKind::MaterializedView);
            let others = others.chain(unfilled);
            if let Some(other) = others.copied().find(|o| (&o.kind, &o.identity) != (&object.kind, &object.identity)) {
                return Some(other);
            }
            open.extend(self.needs.get(&id).into_iter().flat_map(|ids| ids.iter().copied()));
        }
        object.owner.as_ref().and_then(|owner| self.roles.get(owner).copied()).filter(|_| !is_missing(self, object))
    }

    /// The snapshot's file that sets objects of this kind, if running it failed.
    fn failed_file(&self, kind: ObjectKind) -> Option<ObjectName> {
        let file = match kind {
            ObjectKind::Acl | ObjectKind::DefaultAcl => layout::ACCESS_GRANTS_SQL,
            ObjectKind::Role | ObjectKind::RoleMembership | ObjectKind::RoleSetting => layout::DATABASE_ROLES_SQL,
            ObjectKind::Publication | ObjectKind::PublicationTable | ObjectKind::PublicationTablesInSchema => {
                layout::PUBLICATIONS_SQL
            }
            ObjectKind::FkConstraint => layout::FOREIGN_KEYS_SQL,
            ObjectKind::EventTrigger => layout::EVENT_TRIGGERS_SQL,
            ObjectKind::DatabaseSetting => layout::DATABASE_SETTINGS_SQL,
            ObjectKind::Extension => layout::EXTENSIONS_SQL,
            _ => return None,
        };
        let name = ObjectName { kind: FILE, identity: file.into() };
        self.reckoning.left.refusals.contains_key(&name).then_some(name)
    }
}

/// Is the object itself missing? One that exists with another owner may only lack the owner's role.
fn is_missing(graph: &Graph<'_>, object: &CatalogObject) -> bool {
    graph.reckoning.left.missing.contains(&ObjectName::of(object))
}

/// Does it have its own address, instead of the address of the object that it is an attribute of?
fn has_own_address(object: &CatalogObject) -> bool {
    let of_another = matches!(
        object.kind,
        ObjectKind::Acl
            | ObjectKind::Comment
            | ObjectKind::RowSecurity
            | ObjectKind::SecurityLabel
            | ObjectKind::SequenceSet
            | ObjectKind::TableAttach
            | ObjectKind::IndexAttach
    );
    !of_another && object.address.is_some_and(|address| address.sub == 0)
}
