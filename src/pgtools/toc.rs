//! The archive's table of contents (`toc.dat` of the directory format) as a type.
//!
//! Invariant (trap 7): entries, never lines of SQL, decide what is in an archive. The reader limits every length to the
//! rest of the file, so a damaged file causes an error, not a huge allocation.
//! Source: PostgreSQL's `pg_backup_archiver.c`, ReadHead, ReadToc, ReadInt, ReadStr; versions 1.12 to 1.16.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;

const VERSION_MIN: (u8, u8) = (1, 12);
const VERSION_MAX: (u8, u8) = (1, 16);
/// A directory's `toc.dat` has the code for "tar": the formats are compatible, and pg_dump never writes "directory"
/// here.
const FORMAT_TAR: u8 = 3;

/// The section of an entry, as stored in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    None,
    PreData,
    Data,
    PostData,
}

/// One TOC entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub dump_id: i64,
    pub catalog_oid: u32,
    pub oid: u32,
    /// Name of the object, e.g. of a table.
    pub tag: String,
    /// Kind of the object: `TABLE`, `TABLE DATA`, `POLICY`, …
    pub desc: ObjectKind,
    pub section: Section,
    pub definition: String,
    /// e.g. `DROP FUNCTION s.f(integer);`: shows how the archive names the object.
    pub drop_statement: String,
    /// The COPY statement of a `TABLE DATA` entry.
    pub copy_statement: String,
    pub schema: Option<String>,
    /// For tables, materialized views and indexes: `Some("")` is the database's default. `None`: it has no storage.
    pub tablespace: Option<String>,
    /// For tables and materialized views, e.g. `heap`.
    pub access_method: Option<String>,
    /// `pg_class.relkind` of a relation, e.g. `p`; not in archives before 1.16.
    pub relation_kind: Option<char>,
    pub owner: String,
    pub depends_on: Vec<i64>,
    /// Data file within the archive folder, e.g. `3456.dat`; empty without data.
    pub file_name: String,
}

/// The whole table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Toc {
    pub format_version: (u8, u8),
    pub database: String,
    pub server_version: String,
    pub client_version: String,
    pub entries: Vec<Entry>,
}

/// The rows of one table in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableData {
    pub table: QualifiedName,
    pub columns: Vec<String>,
    /// The statement as pg_dump wrote it: `COPY s.t (a, b) FROM stdin;`.
    pub copy_statement: String,
    pub file_name: String,
    pub dump_id: i64,
}

impl Toc {
    /// Reads `toc.dat` of a directory archive.
    pub fn read(folder: &Path) -> Result<Self> {
        let place = folder.join("toc.dat");
        let bytes =
            std::fs::read(&place).map_err(|e| Failure::from(e).context(format!("cannot read {}", place.display())))?;
        Self::parse(&bytes).map_err(|message| {
            Failure::msg(FailureKind::Integrity, format!("{}: {message}", place.display()))
                .hint("the archive is damaged or was written by an unknown version of pg_dump")
        })
    }

    /// Parses the bytes of `toc.dat`. The error says what is wrong and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { bytes, at: 0, int_size: 4 };
        if reader.take(5)? != b"PGDMP" {
            return Err("not an archive of pg_dump".into());
        }
        let version = (reader.byte()?, reader.byte()?);
        let _revision = reader.byte()?;
        if version < VERSION_MIN || version > VERSION_MAX {
            return Err(format!("archive version {}.{} is not supported", version.0, version.1));
        }
        reader.int_size = usize::from(reader.byte()?);
        if !(1..=8).contains(&reader.int_size) {
            return Err("invalid integer size".into());
        }
        let _offset_size = reader.byte()?;
        if reader.byte()? != FORMAT_TAR {
            return Err("not a directory archive".into());
        }
        if version >= (1, 15) {
            reader.byte().map(drop)?
        } else {
            reader.int().map(drop)?
        }
        for _ in 0..7 {
            reader.int()?;
        }
        let database = reader.text()?.unwrap_or_default();
        let server_version = reader.text()?.unwrap_or_default();
        let client_version = reader.text()?.unwrap_or_default();
        let count = usize::try_from(reader.int()?).map_err(|_| "negative number of entries".to_string())?;
        let mut entries = Vec::with_capacity(count.min(bytes.len() / 16));
        for _ in 0..count {
            entries.push(reader.entry(version)?);
        }
        Ok(Self { format_version: version, database, server_version, client_version, entries })
    }

    /// Number of entries of each kind.
    pub fn counts(&self) -> BTreeMap<ObjectKind, u64> {
        let mut counts = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry.desc).or_insert(0) += 1;
        }
        counts
    }

    /// Every `TABLE DATA` entry with its columns, in the archive's order.
    pub fn table_data(&self) -> Result<Vec<TableData>> {
        let with_data = self.entries.iter().filter(|e| e.desc == ObjectKind::TableData && !e.file_name.is_empty());
        with_data
            .map(|entry| {
                let columns = copy_columns(&entry.copy_statement).ok_or_else(|| {
                    let text = format!("cannot parse the archive's COPY statement of table {:?}", entry.tag);
                    Failure::msg(FailureKind::Integrity, text)
                })?;
                Ok(TableData {
                    table: QualifiedName::new(entry.schema.clone().unwrap_or_default(), entry.tag.clone()),
                    columns,
                    copy_statement: entry.copy_statement.clone(),
                    file_name: entry.file_name.clone(),
                    dump_id: entry.dump_id,
                })
            })
            .collect()
    }
}

/// Column names of `COPY schema.table (a, "b c") FROM stdin;`. `None` for any other statement.
pub fn copy_columns(statement: &str) -> Option<Vec<String>> {
    let rest = statement.strip_prefix("COPY ")?;
    let mut scanner = Identifiers { text: rest.as_bytes(), at: 0 };
    scanner.identifier()?;
    if scanner.eat(b'.') {
        scanner.identifier()?;
    }
    scanner.spaces();
    let mut columns = Vec::new();
    if scanner.eat(b'(') {
        scanner.spaces();
        while !scanner.eat(b')') {
            columns.push(scanner.identifier()?);
            scanner.eat(b',');
            scanner.spaces();
        }
    }
    scanner.spaces();
    let end = rest.get(scanner.at..)?;
    (end.trim_end() == "FROM stdin;").then_some(columns)
}

/// The dotted names at the start of a text, as in SQL (`s."a.b".c`), and the text after them.
pub fn dotted_name(text: &str) -> Option<(Vec<String>, &str)> {
    let mut scanner = Identifiers { text: text.as_bytes(), at: 0 };
    let mut names = vec![scanner.identifier()?];
    while scanner.eat(b'.') {
        names.push(scanner.identifier()?);
    }
    Some((names, text.get(scanner.at..)?))
}

struct Identifiers<'a> {
    text: &'a [u8],
    at: usize,
}

impl Identifiers<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn spaces(&mut self) {
        while self.eat(b' ') {}
    }

    fn identifier(&mut self) -> Option<String> {
        let mut name = Vec::new();
        if self.eat(b'"') {
            loop {
                let byte = *self.text.get(self.at)?;
                self.at += 1;
                if byte == b'"' && !self.eat(b'"') {
                    break;
                }
                name.push(byte);
            }
        } else {
            while let Some(byte) = self.text.get(self.at).filter(|b| !b".,() \";".contains(b)) {
                name.push(*byte);
                self.at += 1;
            }
        }
        if name.is_empty() { None } else { String::from_utf8(name).ok() }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    int_size: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| format!("the file is truncated at byte {}", self.at))?;
        let part = &self.bytes[self.at..end];
        self.at = end;
        Ok(part)
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.take(1).map(|b| b[0])
    }

    /// A sign byte (0 is positive), then the value in little-endian order.
    fn int(&mut self) -> Result<i64, String> {
        let negative = self.byte()? != 0;
        let mut value: u64 = 0;
        for (i, byte) in self.take(self.int_size)?.iter().enumerate() {
            value |= u64::from(*byte) << (8 * i);
        }
        let value = i64::try_from(value).map_err(|_| format!("invalid number at byte {}", self.at))?;
        Ok(if negative { -value } else { value })
    }

    /// A length and that many bytes; a negative length means that there is no text.
    fn text(&mut self) -> Result<Option<String>, String> {
        let Ok(length) = usize::try_from(self.int()?) else { return Ok(None) };
        let bytes = self.take(length)?;
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn some_text(&mut self) -> Result<String, String> {
        Ok(self.text()?.unwrap_or_default())
    }

    fn oid(&mut self) -> Result<u32, String> {
        self.some_text()?.parse().map_err(|_| format!("invalid OID at byte {}", self.at))
    }

    fn entry(&mut self, version: (u8, u8)) -> Result<Entry, String> {
        let dump_id = self.int()?;
        let _has_dumper = self.int()?;
        let catalog_oid = self.oid()?;
        let oid = self.oid()?;
        let tag = self.some_text()?;
        let desc = ObjectKind::of(&self.some_text()?);
        let section = match self.int()? {
            1 => Section::None,
            2 => Section::PreData,
            3 => Section::Data,
            4 => Section::PostData,
            other => return Err(format!("entry {dump_id} has the unknown section {other}")),
        };
        let definition = self.some_text()?;
        let drop_statement = self.some_text()?;
        let copy_statement = self.some_text()?;
        let schema = self.text()?.filter(|s| !s.is_empty());
        let tablespace = self.text()?;
        let access_method = if version >= (1, 14) { self.text()?.filter(|s| !s.is_empty()) } else { None };
        let kind = if version >= (1, 16) { self.int()? } else { 0 };
        let relation_kind = u8::try_from(kind).ok().filter(|k| *k != 0).map(char::from);
        let owner = self.some_text()?;
        let _with_oids = self.text()?;
        let mut depends_on = Vec::new();
        while let Some(text) = self.text()? {
            depends_on.push(text.parse().map_err(|_| format!("invalid dependency of entry {dump_id}"))?);
        }
        let file_name = self.some_text()?;
        if file_name.contains('/') || file_name == ".." {
            return Err(format!("entry {dump_id} refers to a file outside the archive"));
        }
        Ok(Entry {
            dump_id,
            catalog_oid,
            oid,
            tag,
            desc,
            section,
            definition,
            drop_statement,
            copy_statement,
            schema,
            tablespace,
            access_method,
            relation_kind,
            owner,
            depends_on,
            file_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_of_copy_statements() {
        let columns = |text: &str| copy_columns(text);
        assert_eq!(columns("COPY public.t (a, b) FROM stdin;\n"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(
            columns("COPY \"x\"\"y\".\"a.b (\" (\"c,d\", é) FROM stdin;\n"),
            Some(vec!["c,d".into(), "é".into()])
        );
        assert_eq!(columns("COPY public.none  FROM stdin;\n"), Some(vec![]));
        assert_eq!(columns("COPY public.none () FROM stdin;\n"), Some(vec![]));
        assert_eq!(columns("DELETE FROM public.t"), None);
    }

    #[test]
    fn names_with_dots_between() {
        let names = |text| dotted_name(text).map(|(names, rest)| (names.join("|"), rest));
        assert_eq!(names("s.\"a.\"\"b\".c IS"), Some(("s|a.\"b|c".into(), " IS")));
        assert_eq!(names("x;\n"), Some(("x".into(), ";\n")));
        assert_eq!(names(""), None);
    }

    proptest! {
        #[test]
        fn any_name_reads_back(schema in "[^\\x00]{1,20}", table in "[^\\x00]{1,20}", names in proptest::collection::vec("[^\\x00]{1,20}", 1..5)) {
            use crate::model::name::ident;
            let list: Vec<String> = names.iter().map(|n| ident(n)).collect();
            let statement = format!("COPY {}.{} ({}) FROM stdin;\n", ident(&schema), ident(&table), list.join(", "));
            prop_assert_eq!(copy_columns(&statement), Some(names));
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), version in 12u8..17) {
            let mut file = b"PGDMP\x01".to_vec();
            file.extend([version, 0, 4, 8, 3]);
            file.append(&mut bytes);
            let _ = Toc::parse(&file);
        }
    }
}
