//! Finds which rows of a table were added, removed or changed: by primary key, or as whole rows without one.
//!
//! Invariant: memory does not grow with the table. The first pass sums both sides in [`BUCKETS`] buckets by the hash of
//! the key. Further passes read only the buckets that differ, at most [`ROWS_AT_ONCE`] rows (about 60 MB) per pass. If
//! that would take more than [`READINGS_MAX`] passes, no keys are reported. A key is 128 bits of its hash.

use std::collections::HashMap;
use std::ops::ControlFlow;

use serde::Serialize;

use super::primary_key::primary_key;
use super::row_source::RowSource;
use crate::model::cancel::Cancel;
use crate::model::failure::Result;
use crate::model::inventory::CatalogObject;
use crate::model::manifest::TableRecord;
use crate::snapshot::copy_text::CopyRow;
use crate::snapshot::reader::LinePart;

const BUCKETS: usize = 1 << 16;
const ROWS_AT_ONCE: u64 = 900_000;
const READINGS_MAX: usize = 8;
/// How many keys of each kind are shown.
pub const KEYS_SHOWN: usize = 20;

/// The values of one key, in the order of its columns; `None` is NULL.
pub type KeyValues = Vec<Option<String>>;

/// The rows that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyDifferences {
    /// Columns of the primary key. Empty: the table has none, and whole rows were compared.
    pub key: Vec<String>,
    /// Only on the right.
    pub added: u64,
    /// Only on the left.
    pub removed: u64,
    /// On both sides, with other values.
    pub changed: u64,
    /// The first [`KEYS_SHOWN`] of each; empty without a primary key.
    pub added_keys: Vec<KeyValues>,
    pub removed_keys: Vec<KeyValues>,
    pub changed_keys: Vec<KeyValues>,
}

type Objects<'a> = (&'a [CatalogObject], &'a [CatalogObject]);
type Sources<'a> = (&'a RowSource<'a>, &'a RowSource<'a>);

/// Compares the rows of one table. The inner `Err` says why the keys cannot be determined.
pub async fn compare_keys(
    record: &TableRecord,
    objects: Objects<'_>,
    (left, right): Sources<'_>,
    cancel: &Cancel,
) -> Result<Result<KeyDifferences, String>> {
    let key = primary_key(objects.0, &record.name).or_else(|| primary_key(objects.1, &record.name));
    let keying = Keying::new(key.unwrap_or_default(), record);
    let mut buckets = vec![Bucket::default(); BUCKETS];
    for (source, sign) in [(left, Sign::Left), (right, Sign::Right)] {
        let mut reading = Reading::new(&keying);
        let mut add = |part: LinePart<'_>| {
            if let Some(read) = reading.push(part) {
                buckets[bucket_of(read.key)].add(read.row, sign);
            }
            ControlFlow::Continue(())
        };
        source.each(record, cancel, &mut add).await?;
    }
    let groups = groups(&buckets);
    if groups.len() > READINGS_MAX {
        let rows = ROWS_AT_ONCE * READINGS_MAX as u64;
        return Ok(Err(format!("more than {rows} rows would have to be compared one by one")));
    }
    let mut found = KeyDifferences { key: keying.names.clone(), ..KeyDifferences::default() };
    for group in groups {
        let mut rows = HashMap::with_capacity(usize::try_from(group.rows.min(ROWS_AT_ONCE)).unwrap_or(0));
        for (source, sign) in [(left, Sign::Left), (right, Sign::Right)] {
            let mut reading = Reading::new(&keying);
            let mut add = |part: LinePart<'_>| {
                if let Some(read) = reading.push(part).filter(|read| group.member[bucket_of(read.key)]) {
                    note(&mut rows, read.key, read.row, sign);
                }
                ControlFlow::Continue(())
            };
            source.each(record, cancel, &mut add).await?;
        }
        count(&rows, &keying, &mut found);
        if !keying.indexes.is_empty() {
            show(&rows, &keying, record, (left, right), cancel, &mut found).await?;
        }
    }
    Ok(Ok(found))
}

/// Which fields of a line form the key.
struct Keying {
    names: Vec<String>,
    /// Empty: the whole line is the key.
    indexes: Vec<usize>,
    columns: usize,
}

impl Keying {
    /// A key with a column that is not in the data (a generated one) cannot be used.
    fn new(names: Vec<String>, record: &TableRecord) -> Self {
        let place = |name: &String| record.columns.iter().position(|column| column == name);
        let indexes: Option<Vec<usize>> = names.iter().map(place).collect();
        let (names, indexes) = indexes.map_or_else(Default::default, |indexes| (names, indexes));
        Self { names, indexes, columns: record.columns.len() }
    }

    /// Hash of the key. Fields outside of the key may be empty.
    fn key(&self, line: &[u8], scratch: &mut Vec<u8>) -> u128 {
        scratch.clear();
        // COPY escapes tabs in fields, so a tab separates them.
        for index in &self.indexes {
            scratch.extend_from_slice(field(line, *index));
            scratch.push(b'\t');
        }
        hash(scratch)
    }

    fn values(&self, line: &[u8]) -> KeyValues {
        let texts = CopyRow::new(line, self.columns).texts();
        self.indexes.iter().map(|index| texts.get(*index).cloned().flatten()).collect()
    }
}

/// One row.
struct Read<'a> {
    key: u128,
    row: u128,
    /// The line. If it came in parts, only the fields of the key are filled.
    line: &'a [u8],
}

/// Assembles lines that may come in parts. Of such a line only the fields of the key are kept.
struct Reading<'a> {
    keying: &'a Keying,
    scratch: Vec<u8>,
    /// The hash of the row so far, if only a part of it was read.
    open: Option<Box<blake3::Hasher>>,
    /// Its key fields; the others are empty.
    short: Vec<u8>,
    field: usize,
}

impl<'a> Reading<'a> {
    fn new(keying: &'a Keying) -> Self {
        Self { keying, scratch: Vec::new(), open: None, short: Vec::new(), field: 0 }
    }

    /// Adds a part; returns the row if it ends with this part.
    fn push<'s>(&'s mut self, part: LinePart<'s>) -> Option<Read<'s>> {
        let (row, line) = match self.open.take() {
            None if part.ends => (hash(part.bytes), part.bytes),
            None => {
                self.short.clear();
                self.field = 0;
                self.hold(part.bytes, Box::default());
                return None;
            }
            Some(hasher) => {
                self.hold(part.bytes, hasher);
                let hasher = self.open.take_if(|_| part.ends)?;
                (first_bits(&hasher.finalize()), &self.short[..])
            }
        };
        let key = if self.keying.indexes.is_empty() { row } else { self.keying.key(line, &mut self.scratch) };
        Some(Read { key, row, line })
    }

    fn hold(&mut self, bytes: &[u8], mut hasher: Box<blake3::Hasher>) {
        hasher.update(bytes);
        self.open = Some(hasher);
        for (at, text) in bytes.split(|byte| *byte == b'\t').enumerate() {
            if at > 0 {
                self.short.push(b'\t');
                self.field += 1;
            }
            if self.keying.indexes.contains(&self.field) {
                self.short.extend_from_slice(text);
            }
        }
    }
}

/// The raw field at `index`; empty if the line has fewer.
fn field(mut line: &[u8], index: usize) -> &[u8] {
    for _ in 0..index {
        let Some(at) = memchr::memchr(b'\t', line) else { return &[] };
        line = &line[at + 1..];
    }
    &line[..memchr::memchr(b'\t', line).unwrap_or(line.len())]
}

fn hash(bytes: &[u8]) -> u128 {
    first_bits(&blake3::hash(bytes))
}

fn first_bits(hash: &blake3::Hash) -> u128 {
    let mut first = [0u8; 16];
    first.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_le_bytes(first)
}

fn bucket_of(key: u128) -> usize {
    (key % BUCKETS as u128) as usize
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Left,
    Right,
}

/// One bucket of both sides: the sum of the left minus that of the right, and the number of rows on each side.
#[derive(Clone, Copy, Default)]
struct Bucket {
    sum: u128,
    left: u64,
    right: u64,
}

impl Bucket {
    fn add(&mut self, row: u128, sign: Sign) {
        match sign {
            Sign::Left => {
                self.sum = self.sum.wrapping_add(row);
                self.left += 1;
            }
            Sign::Right => {
                self.sum = self.sum.wrapping_sub(row);
                self.right += 1;
            }
        }
    }

    fn is_equal(&self) -> bool {
        self.sum == 0 && self.left == self.right
    }
}

/// Buckets that are compared in one pass.
struct Group {
    member: Vec<bool>,
    rows: u64,
}

fn groups(buckets: &[Bucket]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, bucket) in buckets.iter().enumerate().filter(|(_, bucket)| !bucket.is_equal()) {
        let rows = bucket.left + bucket.right;
        if groups.last().is_none_or(|group| group.rows + rows > ROWS_AT_ONCE) {
            groups.push(Group { member: vec![false; buckets.len()], rows: 0 });
        }
        if let Some(group) = groups.last_mut() {
            group.member[at] = true;
            group.rows += rows;
        }
    }
    groups
}

/// Keys with the sums of their rows: usually one row on each side.
type Rows = HashMap<u128, Bucket>;

/// Adds a row; a key that turns out equal is removed at once.
fn note(rows: &mut Rows, key: u128, row: u128, sign: Sign) {
    let entry = rows.entry(key).or_default();
    entry.add(row, sign);
    if sign == Sign::Right && entry.is_equal() {
        rows.remove(&key);
    }
}

fn count(rows: &Rows, keying: &Keying, found: &mut KeyDifferences) {
    for entry in rows.values().filter(|entry| !entry.is_equal()) {
        if keying.indexes.is_empty() {
            found.removed += entry.left.saturating_sub(entry.right);
            found.added += entry.right.saturating_sub(entry.left);
        } else {
            match (entry.left, entry.right) {
                (0, _) => found.added += 1,
                (_, 0) => found.removed += 1,
                _ => found.changed += 1,
            }
        }
    }
}

/// Reads the rows once more for the texts of the first keys: only hashes were kept.
async fn show(
    rows: &Rows,
    keying: &Keying,
    record: &TableRecord,
    (left, right): Sources<'_>,
    cancel: &Cancel,
    found: &mut KeyDifferences,
) -> Result<()> {
    for (source, sign) in [(left, Sign::Left), (right, Sign::Right)] {
        let mut reading = Reading::new(keying);
        let mut waiting = rows.values().filter(|e| if sign == Sign::Left { e.right == 0 } else { e.right > 0 }).count();
        let mut look = |part: LinePart<'_>| {
            let lists_full = match sign {
                Sign::Left => found.removed_keys.len() >= KEYS_SHOWN,
                Sign::Right => found.added_keys.len() >= KEYS_SHOWN && found.changed_keys.len() >= KEYS_SHOWN,
            };
            if waiting == 0 || lists_full {
                return ControlFlow::Break(());
            }
            let Some(read) = reading.push(part) else { return ControlFlow::Continue(()) };
            if let Some(entry) = rows.get(&read.key) {
                let list = match (sign, entry.left, entry.right) {
                    (Sign::Left, _, 0) => &mut found.removed_keys,
                    (Sign::Right, 0, _) => &mut found.added_keys,
                    (Sign::Right, ..) => &mut found.changed_keys,
                    (Sign::Left, ..) => return ControlFlow::Continue(()),
                };
                waiting -= 1;
                let values = keying.values(read.line);
                // A duplicate key is shown once.
                if list.len() < KEYS_SHOWN && !list.contains(&values) {
                    list.push(values);
                }
            }
            ControlFlow::Continue(())
        };
        source.each(record, cancel, &mut look).await?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
