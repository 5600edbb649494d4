//! Which references decide about an owner, in which order, and which are only checked.
//!
//! Invariant: following the paths of a table ends: they lead out of a circle or closer to a tenant within it; what does
//! not is `recursive`. References are never dropped by their distance alone: one that is no path is a check, else a row
//! that points into another tenant would not be seen.

use super::draft::{Draft, Entry, Via};
use super::graph::{Edges, components, levels};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, visible};
use crate::model::tenancy::{Class, Reference, ReferenceKind, TableTenancy, Tenancy};

/// From classes to paths.
pub(super) fn decide(draft: Draft<'_>) -> Result<Tenancy> {
    let mut plan = Plan::of(draft);
    plan.circles();
    plan.certain();
    plan.demand_what_was_wanted()?;
    Ok(plan.finish())
}

struct Plan<'r> {
    draft: Draft<'r>,
    /// Those between owned tables.
    references: Vec<Reference>,
    /// Tables whose rows may need a reference to find their owner.
    open: Vec<bool>,
    level: Vec<usize>,
    circle: Vec<Option<usize>>,
    certain: Vec<bool>,
    paths: Vec<Vec<usize>>,
}

impl<'r> Plan<'r> {
    fn of(mut draft: Draft<'r>) -> Self {
        let all = std::mem::take(&mut draft.references);
        let between = |r: &Reference| {
            draft.is_owned(&r.child) && draft.is_owned(&r.parent) && draft.class(&r.child) != Some(Class::Root)
        };
        let references: Vec<Reference> =
            all.into_iter().filter(|r| between(r) && !says_the_column(&draft, r)).collect();
        let open: Vec<bool> = draft.entries.iter().map(is_open).collect();
        let count = draft.entries.len();
        let mut edges: Edges = vec![Vec::new(); count];
        for r in references.iter().filter(|r| r.child != r.parent) {
            edges[draft.index[&r.child]].push(draft.index[&r.parent]);
        }
        let ends: Vec<usize> =
            (0..count).filter(|n| matches!(draft.entries[*n].class, Some(Class::Root | Class::Direct))).collect();
        let level = levels(&edges, &ends).into_iter().map(Option::unwrap_or_default).collect();
        Self {
            draft,
            references,
            open,
            level,
            circle: vec![None; count],
            certain: vec![false; count],
            paths: vec![Vec::new(); count],
        }
    }

    fn n(&self, table: &QualifiedName) -> usize {
        self.draft.index[table]
    }

    /// Finds the circles among open tables; within one, what does not lead closer to a tenant is recursive.
    fn circles(&mut self) {
        let mut edges: Edges = vec![Vec::new(); self.open.len()];
        let mut alone = vec![false; self.open.len()];
        for r in &self.references {
            let (child, parent) = (self.n(&r.child), self.n(&r.parent));
            if self.open[child] && self.open[parent] {
                edges[child].push(parent);
                alone[child] |= child == parent;
            }
        }
        let component = components(&edges);
        let mut size = vec![0_usize; component.len()];
        component.iter().for_each(|c| size[*c] += 1);
        for n in 0..component.len() {
            if size[component[n]] > 1 || alone[n] {
                self.circle[n] = Some(component[n]);
            }
        }
        for at in 0..self.references.len() {
            let (child, parent) = (self.n(&self.references[at].child), self.n(&self.references[at].parent));
            let within = self.open[child] && self.circle[child].is_some() && self.circle[child] == self.circle[parent];
            self.references[at].recursive = within && self.level[parent] >= self.level[child];
        }
    }

    /// Puts the references of each open table in order, and finds whose rows all have owners.
    fn certain(&mut self) {
        let mut order: Vec<Vec<usize>> = vec![Vec::new(); self.open.len()];
        for (at, r) in self.references.iter().enumerate() {
            let child = self.n(&r.child);
            if self.open[child] && !r.recursive && r.child != r.parent {
                order[child].push(at);
            }
        }
        for (n, list) in order.iter_mut().enumerate() {
            list.sort_by_cached_key(|at| self.preference(n, &self.references[*at]));
        }
        for n in 0..self.open.len() {
            let class = self.draft.entries[n].class;
            let column = self.draft.entries[n].column.as_ref();
            self.certain[n] = class == Some(Class::Root) || column.is_some_and(|c| c.not_null);
        }
        // What is certain makes its children certain.
        loop {
            let more: Vec<usize> = (0..order.len())
                .filter(|n| !self.certain[*n] && order[*n].iter().any(|at| self.makes_certain(&self.references[*at])))
                .collect();
            if more.is_empty() {
                break;
            }
            more.iter().for_each(|n| self.certain[*n] = true);
        }
        for (n, list) in order.into_iter().enumerate() {
            // Behind one that always leads to an owner no other is asked.
            let last = list.iter().position(|at| self.makes_certain(&self.references[*at]));
            self.paths[n] = list.into_iter().take(last.map_or(usize::MAX, |last| last + 1)).collect();
        }
    }

    /// `owner_via` names a table: it has to be able to decide.
    fn demand_what_was_wanted(&self) -> Result<()> {
        for (n, entry) in self.draft.entries.iter().enumerate() {
            let Some(Via::Parent(parent)) = &entry.via else { continue };
            let decides = self.paths[n].first().is_some_and(|at| self.references[*at].parent == *parent);
            if entry.class == Some(Class::Derived) && decides {
                continue;
            }
            let (table, parent) = (visible(&self.draft.relations.tables[n].name.plain()), visible(&parent.plain()));
            let text = format!("[projects.NAME.tenants] owner_via: {table} cannot belong to whom {parent} belongs");
            return Err(Failure::msg(FailureKind::Configuration, text).hint(
                "stacksnap tenant classify shows what each table is: name one that leads to a tenant without a circle",
            ));
        }
        Ok(())
    }

    fn makes_certain(&self, r: &Reference) -> bool {
        r.kind == ReferenceKind::ForeignKey && r.trusted && r.not_null && self.certain[self.n(&r.parent)]
    }

    /// The smallest is the best.
    fn preference(&self, n: usize, r: &Reference) -> impl Ord + use<> {
        let wanted = matches!(&self.draft.entries[n].via, Some(Via::Parent(parent)) if *parent == r.parent);
        let level = self.level[self.n(&r.parent)];
        let kind = (!r.not_null, !r.on_delete_cascade, !r.identifying);
        (!wanted, kind, level, (r.parent.plain(), r.name.clone(), r.columns.first().map(|c| c.child.clone())))
    }

    fn finish(self) -> Tenancy {
        let mut tables = Vec::new();
        // A circle in which every row has an owner without going round needs no going round.
        let mut needed = vec![false; self.open.len()];
        for (circle, certain) in self.circle.iter().zip(&self.certain) {
            circle.iter().for_each(|number| needed[*number] |= !certain);
        }
        let (draft, references) = (self.draft, self.references);
        for (n, (entry, relation)) in draft.entries.into_iter().zip(&draft.relations.tables).enumerate() {
            let class = entry.class.unwrap_or(Class::Shared);
            let circle = self.circle[n].filter(|number| needed[*number]);
            let paths = self.paths[n].clone();
            // The first path decides: it cannot lead to another owner, but in a circle, where another one may have come first.
            let decides = |at: usize| class == Class::Derived && circle.is_none() && paths.first() == Some(&at);
            let of_it = references.iter().enumerate().filter(|(_, r)| r.child == relation.name);
            let checks = of_it.map(|(at, _)| at).filter(|at| !decides(*at)).collect();
            let mut why = entry.why;
            if class == Class::Derived
                && let Some(first) = paths.first()
            {
                why = because(&references[*first], &entry.via);
            }
            tables.push(TableTenancy {
                table: relation.name.clone(),
                class,
                why,
                column: entry.column,
                storage: entry.storage,
                paths,
                checks,
                circle,
                level: self.level[n],
                certain: self.certain[n],
            });
        }
        Tenancy { root: draft.root.clone(), tables, references, suggestions: Vec::new() }
    }
}

/// Is every row's owner known without a reference? Not where the class is derived, nor where the column may be empty.
fn is_open(entry: &Entry) -> bool {
    match entry.class {
        Some(Class::Derived) => true,
        Some(Class::Direct) => entry.storage.is_empty() && entry.column.as_ref().is_some_and(|c| !c.not_null),
        _ => false,
    }
}

/// Does it only say again what the tenant columns of both sides say?
fn says_the_column(draft: &Draft<'_>, r: &Reference) -> bool {
    let column = |table: &QualifiedName| -> Option<String> {
        let entry = &draft.entries[*draft.index.get(table)?];
        match entry.class? {
            Class::Root => draft.root.key.clone(),
            Class::Direct => entry.column.as_ref().map(|c| c.name.clone()),
            _ => None,
        }
    };
    let (Some(own), Some(parents)) = (column(&r.child), column(&r.parent)) else { return false };
    let pair = r.columns.iter().any(|c| c.child == own && c.parent == parents && !c.child_as_text && !c.parent_as_text);
    pair && draft.relations.same_texts((&r.child, &own), (&r.parent, &parents))
}

fn because(reference: &Reference, via: &Option<Via>) -> String {
    let columns = crate::model::tenancy::columns_text(reference);
    let parent = reference.parent.plain();
    if matches!(via, Some(Via::Parent(wanted)) if *wanted == reference.parent) {
        return format!("{columns} refers to {parent}, as the configuration says (owner_via)");
    }
    let mut facts = Vec::new();
    if reference.not_null {
        facts.push("is never empty");
    }
    if reference.on_delete_cascade {
        facts.push("is deleted with it");
    }
    if reference.identifying {
        facts.push("is part of its key");
    }
    let facts = if facts.is_empty() { String::new() } else { format!(" and {}", facts.join(", ")) };
    format!("{columns} refers to {parent}{facts}")
}
