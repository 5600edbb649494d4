//! Random schemas with random rows: the labels that the server gives are those that a walk from row to row finds.
//!
//! Two oracles. One knows only the schema: a row has an owner exactly when a way leads to one, and it is one of those. The
//! other one walks the decided paths and must come to the very same owner; leaks are what it sees along every reference.

use std::collections::{BTreeMap, BTreeSet};

use stacksnap::model::name::QualifiedName;
use stacksnap::model::relations::Relations;
use stacksnap::model::tenancy::{Class, Reference, Tenancy, columns_text};
use stacksnap::pg::catalog::relations::relations;
use stacksnap::pg::session::Session;
use stacksnap::tenant::classify::classify;
use stacksnap::tenant::{candidates, count, leaks, roots};

use crate::cases::{Dice, Own, Table, ddl, generate, name, settings};
use crate::support::server;

const CASES: u64 = 100;

type Node = (usize, usize);

/// The rows that a row names, with the column that names each.
fn parents(tables: &[Table], (n, id): Node) -> Vec<(String, Node)> {
    let row = &tables[n].rows[id - 1];
    let named = tables[n].refs.iter().zip(&row.refs).enumerate();
    let mut found: Vec<(String, Node)> =
        named.filter_map(|(at, (r, to))| Some((format!("r{at}"), (r.parent, (*to)?)))).collect();
    if let Some((to, id)) = row.poly
        && id as usize <= tables[to].rows.len()
    {
        found.push(("of_id".to_string(), (to, id as usize)));
    }
    found
}

/// Which tables have owners, by the schema alone.
fn owned(tables: &[Table]) -> Vec<bool> {
    let mut found: Vec<bool> = tables.iter().map(|t| t.own != Own::None).collect();
    for _ in 0..tables.len() {
        for n in 0..tables.len() {
            let refs = tables[n].refs.iter().map(|r| r.parent);
            let poly = tables[n].poly.into_iter().flat_map(|(a, b)| [a, b]);
            found[n] |= refs.chain(poly).any(|p| p != n && found[p]);
        }
    }
    found
}

/// Every owner that some way leads to, for every row.
fn reachable(tables: &[Table], owned: &[bool]) -> BTreeMap<Node, BTreeSet<String>> {
    let nodes: Vec<Node> =
        tables.iter().enumerate().flat_map(|(n, t)| (1..=t.rows.len()).map(move |id| (n, id))).collect();
    let mut found: BTreeMap<Node, BTreeSet<String>> = BTreeMap::new();
    loop {
        let mut changed = false;
        for node in &nodes {
            let mut set = found.get(node).cloned().unwrap_or_default();
            let before = set.len();
            match tables[node.0].rows[node.1 - 1].org {
                Some(org) => drop(set.insert(org.to_string())),
                None if owned[node.0] => {
                    for (_, parent) in parents(tables, *node) {
                        if owned[parent.0] {
                            set.extend(found.get(&parent).cloned().unwrap_or_default());
                        }
                    }
                }
                None => {}
            }
            changed |= set.len() != before;
            found.insert(*node, set);
        }
        if !changed {
            return found;
        }
    }
}

/// Walks the decided paths.
struct Walk<'w> {
    tables: &'w [Table],
    tenancy: &'w Tenancy,
    rounds: BTreeMap<usize, BTreeMap<Node, BTreeSet<String>>>,
}

impl Walk<'_> {
    fn number(table: &QualifiedName) -> usize {
        table.name[1..].parse().unwrap()
    }

    fn circle(&self, n: usize) -> Option<usize> {
        self.tenancy.table(&name(n)).unwrap().circle
    }

    /// The row that a reference leads to.
    fn step(&self, reference: &Reference, node: Node) -> Option<Node> {
        let to = Self::number(&reference.parent);
        parents(self.tables, node)
            .into_iter()
            .find(|(column, parent)| *column == columns_text(reference) && parent.0 == to)
            .map(|(_, p)| p)
    }

    fn plain(&mut self, node: Node) -> Option<String> {
        if let Some(org) = self.tables[node.0].rows[node.1 - 1].org {
            return Some(org.to_string());
        }
        let tenancy = self.tenancy;
        for at in &tenancy.table(&name(node.0)).unwrap().paths {
            let Some(parent) = self.step(&tenancy.references[*at], node) else { continue };
            let same = self.circle(node.0).is_some() && self.circle(node.0) == self.circle(parent.0);
            let found = if same { self.plain(parent) } else { self.owner(parent) };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn owner(&mut self, node: Node) -> Option<String> {
        if let Some(found) = self.plain(node) {
            return Some(found);
        }
        let circle = self.circle(node.0)?;
        if !self.rounds.contains_key(&circle) {
            let rounds = self.go_round(circle);
            self.rounds.insert(circle, rounds);
        }
        self.rounds[&circle].get(&node)?.iter().next().cloned()
    }

    /// Owners of the rows of a circle that have none without going round it.
    fn go_round(&mut self, circle: usize) -> BTreeMap<Node, BTreeSet<String>> {
        let of_circle: Vec<usize> = (0..self.tables.len()).filter(|n| self.circle(*n) == Some(circle)).collect();
        let nodes: Vec<Node> =
            of_circle.iter().flat_map(|n| (1..=self.tables[*n].rows.len()).map(move |id| (*n, id))).collect();
        let plain: BTreeMap<Node, Option<String>> = nodes.iter().map(|node| (*node, self.plain(*node))).collect();
        let mut found: BTreeMap<Node, BTreeSet<String>> = BTreeMap::new();
        loop {
            let before: usize = found.values().map(BTreeSet::len).sum();
            for node in nodes.iter().filter(|node| plain[*node].is_none()) {
                for (_, parent) in parents(self.tables, *node).into_iter().filter(|(_, p)| of_circle.contains(&p.0)) {
                    let more = match &plain[&parent] {
                        Some(owner) => BTreeSet::from([owner.clone()]),
                        None => found.get(&parent).cloned().unwrap_or_default(),
                    };
                    found.entry(*node).or_default().extend(more);
                }
            }
            if found.values().map(BTreeSet::len).sum::<usize>() == before {
                return found;
            }
        }
    }
}

async fn labels(
    session: &Session,
    relations: &Relations,
    tenancy: &Tenancy,
    tables: usize,
) -> BTreeMap<Node, Option<String>> {
    let mut found = BTreeMap::new();
    for n in 0..tables {
        let relation = relations.table(&name(n)).unwrap();
        for (key, owner) in count::labels(session, relations, tenancy, relation).await.unwrap() {
            let id: usize = key[0].as_deref().unwrap().parse().unwrap();
            assert!(found.insert((n, id), owner).is_none(), "a row came twice");
        }
    }
    found
}

#[test]
fn every_row_has_the_owner_that_a_walk_from_row_to_row_finds() {
    let server = server();
    let database = server.empty("tenant_labels");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut rows, mut leaked, mut circles, mut unowned) = (0, 0, 0, 0);
    for case in 1..=CASES {
        let mut dice = Dice(case.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let tables = generate(&mut dice);
        let told = format!("case {case}\n{}", ddl(&tables));
        runtime.block_on(async {
            let session = Session::open(&server.spec(&database), "test").await.unwrap();
            session.execute(&ddl(&tables)).await.unwrap_or_else(|e| panic!("{told}: {e}"));
            let relations = relations(&session).await.unwrap();
            let settings = settings(&tables);
            let root = roots::root(&relations, &settings, &candidates::candidates(&relations, &[])).unwrap();
            let tenancy = classify(&relations, &root, &settings, false).unwrap();
            let owned = owned(&tables);
            for (n, owned) in owned.iter().enumerate() {
                assert_eq!(tenancy.is_owned(&name(n)), *owned, "t{n} of {told}");
                if tables[n].own != Own::None {
                    assert_eq!(tenancy.table(&name(n)).unwrap().class, Class::Direct, "t{n} of {told}");
                }
            }
            let labels = labels(&session, &relations, &tenancy, tables.len()).await;
            let ways = reachable(&tables, &owned);
            let mut walk = Walk { tables: &tables, tenancy: &tenancy, rounds: BTreeMap::new() };
            for (node, label) in &labels {
                let told = || format!("t{}.{} of {told}", node.0, node.1);
                assert_eq!(label.is_some(), !ways[node].is_empty(), "{}", told());
                assert!(
                    label.as_ref().is_none_or(|l| ways[node].contains(l)),
                    "{label:?}, {:?}: {}",
                    ways[node],
                    told()
                );
                assert_eq!(*label, walk.owner(*node), "{}", told());
                unowned += usize::from(label.is_none());
            }
            rows += labels.len();
            circles += tenancy.tables.iter().filter(|t| t.circle.is_some()).count();
            leaked += compare_counts(&session, &relations, &tenancy, &tables, &labels, &told).await;
        });
    }
    // The cases are worth something: there are circles, leaks, and rows of nobody.
    assert!(rows > 1000 && circles > 30 && leaked > 100 && unowned > 50, "{rows} {circles} {leaked} {unowned}");
}

/// Sums, causes and leaks of every table, out of the labels.
async fn compare_counts(
    session: &Session,
    relations: &Relations,
    tenancy: &Tenancy,
    tables: &[Table],
    labels: &BTreeMap<Node, Option<String>>,
    told: &str,
) -> u64 {
    let query = count::tenants_sql(session, tenancy, None).await.unwrap();
    let mut leaked = 0;
    for n in (0..tables.len()).filter(|n| tenancy.is_owned(&name(*n))) {
        let found = count::count(session, relations, tenancy, &name(n), query.as_deref()).await.unwrap();
        let of_table: Vec<(&Node, &Option<String>)> = labels.iter().filter(|(node, _)| node.0 == n).collect();
        let known = |label: &&Option<String>| label.as_deref().is_some_and(|l| ["1", "2", "3"].contains(&l));
        let owned = of_table.iter().filter(|(_, label)| known(label)).count() as u64;
        let unknown = of_table.iter().filter(|(_, label)| label.as_deref() == Some("9")).count() as u64;
        assert_eq!((found.owned, found.unowned.unknown_tenant), (owned, unknown), "t{n} of {told}");
        assert_eq!(found.total, found.owned + found.unowned.sum(), "t{n} of {told}");
        // Every reference, whether the program checks it or says that it cannot leak.
        let mut expected: BTreeMap<(String, usize), Vec<String>> = BTreeMap::new();
        for (node, label) in &of_table {
            for (column, parent) in parents(tables, **node) {
                if let (Some(own), Some(Some(other))) = (label, labels.get(&parent))
                    && own != other
                {
                    expected.entry((column, parent.0)).or_default().push(node.1.to_string());
                }
            }
        }
        let mut seen: BTreeMap<(String, usize), Vec<String>> = BTreeMap::new();
        for (reference, rows) in &found.leaks {
            let of = &tenancy.references[*reference];
            let leak = leaks::leak(session, relations, tenancy, *reference, *rows).await.unwrap();
            let mut keys: Vec<String> = leak.examples.iter().map(|e| e.key[0].clone().unwrap()).collect();
            keys.sort();
            assert_eq!(keys.len() as u64, *rows, "t{n} of {told}");
            seen.insert((columns_text(of), Walk::number(&of.parent)), keys);
            leaked += rows;
        }
        expected.values_mut().for_each(|keys| keys.sort());
        assert_eq!(seen, expected, "t{n} of {told}");
    }
    leaked
}
