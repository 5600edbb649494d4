//! What a database holds as pg_dump and a few catalogs show it, and when two of these mean the same.
//!
//! The server's deparse is no fixpoint, so a database that was made from its own dump may be shown in other words. Texts
//! that differ are the same when both databases, made once more from their dumps, are shown alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// One database at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Lines of the schema, in the order of the dump.
    pub schema: Vec<String>,
    /// Rows, large objects, values of sequences and what of views was refreshed, sorted.
    pub rows: Vec<String>,
    /// What is around it, which no dump of a database has: settings, roles.
    pub around: Vec<String>,
    /// Kind, name and owner of every object, sorted.
    objects: Vec<String>,
}

impl Shown {
    /// Takes a dump apart.
    pub fn of(dump: &str, around: &str) -> Self {
        let mut shown = Self {
            schema: Vec::new(),
            rows: Vec::new(),
            around: around.lines().map(str::to_string).collect(),
            objects: Vec::new(),
        };
        let mut are_rows = false;
        let mut copied: Option<Copied> = None;
        for line in dump.lines() {
            if let Some(table) = &copied {
                if line == "\\." {
                    copied = None;
                } else {
                    shown.rows.push(table.row(line));
                }
                continue;
            }
            copied = if are_rows { Copied::of(line) } else { None };
            if copied.is_some() {
                continue;
            }
            let header = line.strip_prefix("-- Data for Name: ").map(|_| true);
            let header = header.or_else(|| line.strip_prefix("-- Name: ").map(is_of_rows));
            if let Some(of_rows) = header {
                are_rows = of_rows;
                if !are_rows {
                    shown.objects.push(line.to_string());
                }
            }
            if is_noise(line) {
                continue;
            }
            if are_rows { &mut shown.rows } else { &mut shown.schema }.push(line.to_string());
        }
        shown.rows.sort();
        shown.objects.sort();
        shown
    }

    fn sorted(&self) -> Vec<&String> {
        let mut lines: Vec<&String> = self.schema.iter().collect();
        lines.sort();
        lines
    }
}

/// A table whose rows follow. Columns of a table with parents may stand in another order: they are taken by name.
struct Copied {
    table: String,
    columns: Vec<(String, usize)>,
}

impl Copied {
    fn of(line: &str) -> Option<Self> {
        let (table, columns) = line.strip_prefix("COPY ")?.strip_suffix(") FROM stdin;")?.split_once(" (")?;
        let mut columns: Vec<_> = columns.split(", ").enumerate().map(|(at, name)| (name.to_string(), at)).collect();
        columns.sort();
        Some(Self { table: table.to_string(), columns })
    }

    fn row(&self, line: &str) -> String {
        let values: Vec<&str> = line.split('\t').collect();
        let of = |(name, at): &(String, usize)| format!("{name}={}", values.get(*at).copied().unwrap_or_default());
        format!("{}: {}", self.table, self.columns.iter().map(of).collect::<Vec<_>>().join("\t"))
    }
}

fn is_of_rows(header: &str) -> bool {
    header.starts_with("LARGE OBJECT ")
        || ["; Type: SEQUENCE SET;", "; Type: BLOB", "; Type: MATERIALIZED VIEW DATA;"]
            .iter()
            .any(|kind| header.contains(kind))
}

/// What differs from dump to dump.
fn is_noise(line: &str) -> bool {
    line.is_empty() || line.starts_with("--") || line.starts_with("\\restrict") || line.starts_with("\\unrestrict")
}

/// Makes a database from the text of a dump and shows its schema.
pub type Again<'a> = dyn Fn(&Shown) -> Result<Shown, String> + 'a;

/// Compares, and remembers what a schema is shown as once it was made again.
#[derive(Default)]
pub struct Comparer {
    normal: Mutex<BTreeMap<Vec<String>, Shown>>,
}

impl Comparer {
    fn normal(&self, shown: &Shown, again: &Again<'_>) -> Result<Shown, String> {
        if let Some(known) = self.normal.lock().unwrap().get(&shown.schema) {
            return Ok(known.clone());
        }
        let normal = again(shown)?;
        self.normal.lock().unwrap().insert(shown.schema.clone(), normal.clone());
        Ok(normal)
    }

    /// Nothing, or the lines of the schema that `found` lost and those that it has instead.
    pub fn schema(&self, wanted: &Shown, found: &Shown, again: &Again<'_>) -> Result<Option<String>, String> {
        if wanted.schema == found.schema || wanted.sorted() == found.sorted() {
            return Ok(None);
        }
        if wanted.objects != found.objects {
            return Ok(Some(without(&wanted.objects, &found.objects)));
        }
        let normal = self.normal(wanted, again)?;
        // Each object is of the one generation or of the other.
        let either = |((line, one), other): ((&String, &String), &String)| line == one || line == other;
        let same_length = [&wanted.schema, &normal.schema].iter().all(|lines| lines.len() == found.schema.len());
        if normal.sorted() == found.sorted()
            || same_length && found.schema.iter().zip(&wanted.schema).zip(&normal.schema).all(either)
        {
            return Ok(None);
        }
        let other = self.normal(found, again)?;
        let (wanted, found) = (normal.sorted(), other.sorted());
        Ok((wanted != found).then(|| without(&wanted, &found)))
    }
}

/// What one side has and the other has not.
pub fn without<T: Ord + std::fmt::Debug>(wanted: &[T], found: &[T]) -> String {
    let of = |a: &[T], b: &[T]| {
        let b: BTreeSet<&T> = b.iter().collect();
        let only: Vec<&T> = a.iter().filter(|line| !b.contains(line)).take(6).collect();
        format!("{only:?}")
    };
    format!("lost {}, new {}", of(wanted, found), of(found, wanted))
}
