//! The queries that label rows with their owners.
//!
//! Invariant: an owner comes by LEFT JOINs to keys that are unique, so that the number of rows stays what it is; it is a
//! text, or NULL. Names are quoted from catalog facts, values of the configuration are literals, and no value of a row is
//! in the text of a query. Each query stands alone and begins with WITH.

use std::collections::{BTreeSet, HashMap};

use crate::model::name::{QualifiedName, ident, literal};
use crate::model::relations::{Relation, Relations};
use crate::model::tenancy::{Class, Reference, TableTenancy, Tenancy};
use crate::model::tenant_settings::{Condition, Segment, StorageRule};

/// Where a column of a reference is read.
#[derive(Clone, Copy)]
enum Side<'a> {
    /// The table itself, under this alias.
    Table(&'a str),
    /// One of our own subqueries, in which columns are numbered.
    Query(&'a str),
}

/// Puts a query together.
pub struct OwnerSql<'t> {
    tenancy: &'t Tenancy,
    /// Where each table stands in `relations` and in `tenancy`: they may come from different days.
    places: HashMap<&'t QualifiedName, (&'t Relation, usize)>,
    queries: Vec<String>,
    done: BTreeSet<String>,
}

/// A table with everything that its owners hang on.
pub struct Labelled {
    /// What stands before SELECT.
    pub with: String,
    /// What stands after FROM; the table is `t`.
    pub from: String,
    /// The owner of the row, as text.
    pub owner: String,
    /// Each reference that may decide or that is checked: its number, what it is joined as, and when it names a row.
    pub joined: Vec<Joined>,
    /// Whether going round a circle came to several owners.
    pub conflict: Option<String>,
}

pub struct Joined {
    pub reference: usize,
    pub alias: String,
    /// All its columns are filled and its condition holds.
    pub filled: String,
    /// It may decide.
    pub decides: bool,
    /// It is checked.
    pub checked: bool,
}

impl<'t> OwnerSql<'t> {
    /// The rows of one owned table. None: the table has no owners.
    pub fn of(relations: &'t Relations, tenancy: &'t Tenancy, table: &QualifiedName) -> Option<Labelled> {
        let numbers: HashMap<&QualifiedName, usize> =
            tenancy.tables.iter().enumerate().map(|(n, t)| (&t.table, n)).collect();
        let places = relations.tables.iter().filter_map(|t| Some((&t.name, (t, *numbers.get(&t.name)?)))).collect();
        let mut sql = Self { tenancy, places, queries: Vec::new(), done: BTreeSet::new() };
        let n = sql.number(table).filter(|n| tenancy.tables[*n].class.is_owned())?;
        Some(sql.labelled(n))
    }

    fn number(&self, table: &QualifiedName) -> Option<usize> {
        self.places.get(table).map(|(_, n)| *n)
    }

    /// `n` comes from [`OwnerSql::number`], so the table is there.
    fn table(&self, n: usize) -> (&'t TableTenancy, &'t Relation) {
        let table = &self.tenancy.tables[n];
        (table, self.places[&table.table].0)
    }

    fn labelled(&mut self, n: usize) -> Labelled {
        let (table, _) = self.table(n);
        let (mut from, plain) = self.source(n);
        let mut owner = plain;
        let mut conflict = None;
        if let Some(circle) = table.circle {
            self.need_circle(circle);
            from.push_str(&format!(" LEFT JOIN l{circle} l ON l.tab = t.tableoid AND l.rid = t.ctid"));
            owner = format!("coalesce({owner}, l.own)");
            conflict = Some("l.several".to_string());
        }
        let mut joined = Vec::new();
        let references = self.tenancy.references.iter().enumerate().filter(|(_, r)| r.child == table.table);
        for (at, reference) in references {
            let is_path = table.paths.contains(&at);
            let decides = is_path || (reference.recursive && table.circle.is_some());
            let checked = table.checks.contains(&at);
            if !decides && !checked {
                continue;
            }
            let same_circle = self.is_within_circle(reference);
            let mut alias = format!("j{at}");
            if !is_path || (checked && same_circle) {
                alias = format!("x{at}");
                from.push_str(&self.join(reference, &alias, "o"));
            }
            joined.push(Joined {
                reference: at,
                alias,
                filled: self.filled(reference, Side::Table("t")),
                decides,
                checked,
            });
        }
        Labelled { with: self.with(), from, owner, joined, conflict }
    }

    fn with(&self) -> String {
        if self.queries.is_empty() { String::new() } else { format!("WITH RECURSIVE {} ", self.queries.join(",\n")) }
    }

    /// FROM and owner of a table by its own column and its paths, without going round.
    fn source(&mut self, n: usize) -> (String, String) {
        let (table, relation) = self.table(n);
        let mut from = format!("{} t", relation.from_sql());
        let mut ways = Vec::new();
        match (table.class, &self.tenancy.root.key) {
            (Class::Root, Some(key)) => ways.push(format!("t.{}::pg_catalog.text", ident(key))),
            _ => ways.extend(table.column.iter().map(|c| format!("t.{}::pg_catalog.text", ident(&c.name)))),
        }
        if !table.storage.is_empty() {
            ways.push(storage_owner(&table.storage));
        }
        for at in &table.paths {
            let reference = &self.tenancy.references[*at];
            let kind = if self.is_within_circle(reference) { "p" } else { "o" };
            from.push_str(&self.join(reference, &format!("j{at}"), kind));
            ways.push(format!("j{at}.own"));
        }
        let owner = match ways.as_slice() {
            [] => "NULL::pg_catalog.text".to_string(),
            [only] => only.clone(),
            several => format!("coalesce({})", several.join(", ")),
        };
        (from, owner)
    }

    fn is_within_circle(&self, reference: &Reference) -> bool {
        let circle = |table| self.number(table).and_then(|n| self.tenancy.tables[n].circle);
        circle(&reference.child).is_some() && circle(&reference.child) == circle(&reference.parent)
    }

    /// ` LEFT JOIN` of a reference's parent: `o` with its owners, `p` with those before going round.
    fn join(&mut self, reference: &Reference, alias: &str, kind: &str) -> String {
        let Some(parent) = self.number(&reference.parent) else { return String::new() };
        match kind {
            "p" => self.need_plain(parent),
            _ => self.need_owner(parent),
        }
        let on = self.condition(reference, Side::Query(alias), Side::Table("t"));
        format!(" LEFT JOIN {kind}{parent} {alias} ON {on}")
    }

    /// `o<n>`: the owners of a table, by the columns that references to it use.
    fn need_owner(&mut self, n: usize) {
        let name = format!("o{n}");
        if !self.done.insert(name.clone()) {
            return;
        }
        let (table, relation) = self.table(n);
        let columns = self.columns(n, false);
        let body = if let Some(circle) = table.circle {
            self.need_circle(circle);
            let list: String = columns.iter().map(|c| format!("p.{c}, ")).collect();
            format!(
                "SELECT {list}coalesce(p.own, l.own) AS own, true AS hit FROM p{n} p LEFT JOIN l{circle} l ON l.tab = p.tab AND l.rid = p.rid"
            )
        } else {
            let (from, owner) = self.source(n);
            format!("SELECT {}{owner} AS own, true AS hit FROM {from}", numbered(relation, &columns))
        };
        self.queries.push(format!("{name} AS ({body})"));
    }

    /// `p<n>`: the owners of a table of a circle before going round, with what names each row within this transaction.
    fn need_plain(&mut self, n: usize) {
        let name = format!("p{n}");
        if !self.done.insert(name.clone()) {
            return;
        }
        let (_, relation) = self.table(n);
        let columns = numbered(relation, &self.columns(n, true));
        let (from, owner) = self.source(n);
        self.queries.push(format!(
            "{name} AS (SELECT t.tableoid AS tab, t.ctid AS rid, {columns}{owner} AS own, true AS hit FROM {from})"
        ));
    }

    /// `l<circle>`: the owners of rows that are found by going round only. UNION ends it: an owner comes to a row once.
    fn need_circle(&mut self, circle: usize) {
        if !self.done.insert(format!("l{circle}")) {
            return;
        }
        let tenancy = self.tenancy;
        let within: Vec<&Reference> = tenancy.references.iter().filter(|r| self.is_within_circle(r)).collect();
        let mut edges = Vec::new();
        for reference in within {
            let (Some(child), Some(parent)) = (self.number(&reference.child), self.number(&reference.parent)) else {
                continue;
            };
            if tenancy.tables[child].circle != Some(circle) {
                continue;
            }
            self.need_plain(child);
            self.need_plain(parent);
            let on = self.condition(reference, Side::Query("p"), Side::Query("c"));
            edges.push(format!(
                "SELECT p.tab AS pt, p.rid AS pr, p.own AS po, c.tab AS ct, c.rid AS cr FROM p{child} c JOIN p{parent} p ON {on} WHERE c.own IS NULL"
            ));
        }
        let edges = edges.join(" UNION ALL ");
        self.queries.push(format!("e{circle} AS MATERIALIZED ({edges})"));
        self.queries.push(format!(
            "r{circle} (tab, rid, own) AS (SELECT e.ct, e.cr, e.po FROM e{circle} e WHERE e.po IS NOT NULL \
             UNION SELECT e.ct, e.cr, r.own FROM r{circle} r JOIN e{circle} e ON e.pt = r.tab AND e.pr = r.rid)"
        ));
        self.queries.push(format!(
            "l{circle} AS (SELECT r.tab, r.rid, min(r.own COLLATE pg_catalog.\"C\") AS own, count(*) > 1 AS several FROM r{circle} r GROUP BY r.tab, r.rid)"
        ));
    }

    /// The numbers of the columns that references use.
    fn columns(&self, n: usize, of_children_too: bool) -> Vec<String> {
        let (table, relation) = self.table(n);
        let mut found = BTreeSet::new();
        for reference in &self.tenancy.references {
            if reference.parent == table.table {
                found.extend(reference.columns.iter().map(|c| c.parent.as_str()));
            }
            if of_children_too && reference.child == table.table {
                found.extend(reference.columns.iter().map(|c| c.child.as_str()));
                found.extend(reference.when.iter().map(|c| c.column.as_str()));
            }
        }
        found.into_iter().filter_map(|column| relation.position(column)).map(|n| format!("k{n}")).collect()
    }

    /// When a child names a row of its parent.
    fn condition(&self, reference: &Reference, parent: Side<'_>, child: Side<'_>) -> String {
        let mut all: Vec<String> = reference
            .columns
            .iter()
            .map(|c| {
                let left = self.column(parent, &reference.parent, &c.parent, c.parent_as_text);
                let right = self.column(child, &reference.child, &c.child, c.child_as_text);
                format!("{left} {} {right}", c.operator)
            })
            .collect();
        all.extend(reference.when.iter().map(|when| self.when(reference, when, child)));
        all.join(" AND ")
    }

    fn filled(&self, reference: &Reference, child: Side<'_>) -> String {
        let columns = reference.columns.iter();
        let mut all: Vec<String> =
            columns.map(|c| format!("{} IS NOT NULL", self.column(child, &reference.child, &c.child, false))).collect();
        all.extend(reference.when.iter().map(|when| self.when(reference, when, child)));
        all.join(" AND ")
    }

    fn when(&self, reference: &Reference, when: &Condition, child: Side<'_>) -> String {
        let values: Vec<String> = when.values.iter().map(|value| literal(value)).collect();
        format!("{} IN ({})", self.column(child, &reference.child, &when.column, true), values.join(", "))
    }

    fn column(&self, side: Side<'_>, table: &QualifiedName, column: &str, as_text: bool) -> String {
        let cast = if as_text { "::pg_catalog.text" } else { "" };
        match side {
            Side::Table(alias) => format!("{alias}.{}{cast}", ident(column)),
            Side::Query(alias) => {
                let number = self.places.get(table).and_then(|(t, _)| t.position(column)).unwrap_or_default();
                format!("{alias}.k{number}{cast}")
            }
        }
    }
}

/// `t."a" AS k1, ` for each number.
fn numbered(relation: &Relation, columns: &[String]) -> String {
    let named = |number: &String| {
        let at: usize = number.trim_start_matches('k').parse().ok()?;
        Some(format!("t.{} AS {number}, ", ident(&relation.columns.get(at)?.name)))
    };
    columns.iter().filter_map(named).collect()
}

/// The owner of a file: the folder at its place, where the folders before it are the ones that were said.
fn storage_owner(rules: &[(String, StorageRule)]) -> String {
    let mut cases = String::new();
    let named: Vec<String> =
        rules.iter().filter(|(bucket, _)| bucket != "*").map(|(bucket, _)| literal(bucket)).collect();
    for (bucket, rule) in rules {
        let mut when = match bucket.as_str() {
            "*" if named.is_empty() => "true".to_string(),
            "*" => format!("t.bucket_id::pg_catalog.text NOT IN ({})", named.join(", ")),
            bucket => format!("t.bucket_id::pg_catalog.text = {}", literal(bucket)),
        };
        let value = match rule {
            StorageRule::Owner => "t.owner_id::pg_catalog.text".to_string(),
            StorageRule::Path(segments) => {
                let mut place = 0;
                for (n, segment) in segments.iter().enumerate() {
                    match segment {
                        Segment::Literal(text) => {
                            when.push_str(&format!(
                                " AND split_part(t.name::pg_catalog.text, '/', {}) = {}",
                                n + 1,
                                literal(text)
                            ));
                        }
                        Segment::Any => {}
                        Segment::Tenant => place = n + 1,
                    }
                }
                // The last part is the file, no folder.
                when.push_str(&format!(" AND cardinality(string_to_array(t.name::pg_catalog.text, '/')) > {place}"));
                format!("nullif(split_part(t.name::pg_catalog.text, '/', {place}), '')")
            }
        };
        cases.push_str(&format!(" WHEN {when} THEN {value}"));
    }
    format!("CASE{cases} END")
}
