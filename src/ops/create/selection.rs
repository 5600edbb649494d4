//! What one run captures: parts, tables, excluded rows; and the kind of snapshot that results.
//!
//! Invariant: a run that captures less than everything is never of kind `full`. Patterns given by a user are matched
//! here against catalog names; no other program gets them as patterns.

use crate::config::{Format, ReadableCompression, Settings};
use crate::model::category::Category;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::TableFacts;
use crate::model::manifest::SnapshotKind;
use crate::model::pattern;
use crate::model::request::CreateRequest;

/// With at least this many bytes of rows, readable files are compressed unless the settings say otherwise.
pub const COMPRESSED_FROM_BYTES: u64 = 256_000_000;

/// The selection, made once per run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    parts: Vec<Category>,
    /// Patterns of tables; empty means all.
    pub tables: Vec<String>,
    pub exclude_data: Vec<String>,
    pub kind: SnapshotKind,
    readable: ReadableCompression,
}

/// Parts that are derived from the archive's data files.
const FROM_ARCHIVE: [Category; 7] = [
    Category::Archive,
    Category::ReadableSql,
    Category::Csv,
    Category::Users,
    Category::UserRoles,
    Category::Migrations,
    Category::Storage,
];

/// Parts that still make sense when only some tables are selected.
const OF_TABLES: [Category; 3] = [Category::Archive, Category::ReadableSql, Category::Csv];

impl Selection {
    pub fn new(request: &CreateRequest, settings: &Settings) -> Result<Self> {
        if settings.formats.iter().any(|f| f.word() == "json") {
            return Err(Failure::msg(FailureKind::Configuration, "the format json is not written yet")
                .hint("take dump, sql and csv: --formats dump,sql,csv"));
        }
        let wanted = |category: &Category| {
            (request.only.is_empty() || request.only.contains(category))
                && !request.skip.contains(category)
                && (request.tables.is_empty() || OF_TABLES.contains(category))
                && match category {
                    Category::ReadableSql => settings.formats.contains(&Format::Sql),
                    Category::Csv => settings.formats.contains(&Format::Csv),
                    _ => true,
                }
        };
        let parts: Vec<Category> = Category::ALL.into_iter().filter(wanted).collect();
        if !parts.iter().any(|p| *p != Category::Report) {
            return Err(Failure::msg(FailureKind::Usage, "these options exclude every part")
                .hint("see the parts in `stacksnap create --help`"));
        }
        Ok(Self {
            parts,
            tables: request.tables.clone(),
            exclude_data: settings.exclude_data.clone(),
            kind: if request.is_narrowed() { SnapshotKind::Partial } else { SnapshotKind::Full },
            readable: settings.readable_compression,
        })
    }

    pub fn has(&self, category: Category) -> bool {
        self.parts.contains(&category)
    }

    /// Does the size of the rows decide whether readable files are compressed?
    pub fn depends_on_size(&self) -> bool {
        let readable = self.has(Category::ReadableSql) || self.has(Category::Csv);
        readable && self.readable == ReadableCompression::Auto
    }

    /// Are readable files compressed when the rows have this many bytes?
    pub fn compresses(&self, rows_bytes: u64) -> bool {
        match self.readable {
            ReadableCompression::Auto => rows_bytes >= COMPRESSED_FROM_BYTES,
            ReadableCompression::None => false,
            ReadableCompression::Zstd => true,
        }
    }

    /// Must pg_dump run at all?
    pub fn needs_archive(&self) -> bool {
        FROM_ARCHIVE.iter().any(|c| self.has(*c))
    }

    /// The tables that match the patterns. An error when a pattern matches no table.
    pub fn matching<'t>(patterns: &[String], tables: &'t [TableFacts]) -> Result<Vec<&'t TableFacts>> {
        for p in patterns {
            if !tables.iter().any(|t| names(p, t)) {
                let message = format!("no table is named {}", crate::model::name::visible(p));
                return Err(Failure::msg(FailureKind::Usage, message)
                    .hint("names are schema.table, with * and ? as in a shell; the schema public may be left out"));
            }
        }
        Ok(named_by(patterns, tables))
    }

    /// Are the rows of this table selected?
    pub fn wants_rows(&self, table: &TableFacts) -> bool {
        let asked = self.tables.is_empty() || self.tables.iter().any(|p| names(p, table));
        asked && !self.exclude_data.iter().any(|p| names(p, table))
    }

    /// The tables whose rows are excluded. A pattern that matches no table is no error, because the same settings serve
    /// several databases.
    pub fn rows_excluded<'t>(&self, tables: &'t [TableFacts]) -> Vec<&'t TableFacts> {
        named_by(&self.exclude_data, tables)
    }
}

fn named_by<'t>(patterns: &[String], tables: &'t [TableFacts]) -> Vec<&'t TableFacts> {
    tables.iter().filter(|t| patterns.iter().any(|p| names(p, t))).collect()
}

/// Does the pattern match the table? A pattern without a dot means the schema `public`.
fn names(p: &str, t: &TableFacts) -> bool {
    let bare = !p.contains('.');
    pattern::matches(p, &t.name.plain()) || (bare && t.name.schema == "public" && pattern::matches(p, &t.name.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::QualifiedName;

    #[test]
    fn a_pattern_that_names_nothing_takes_nothing_from_the_others() {
        let table = |schema: &str, name: &str| TableFacts {
            oid: 1,
            name: QualifiedName::new(schema, name),
            columns: Vec::new(),
            persistence: 'p',
            extension: None,
            extension_config: false,
            bytes_estimated: 0,
            rows_estimated: 0,
        };
        let tables = [table("public", "http_logs"), table("app", "orders")];
        let patterns = ["public.gone".to_string(), "http_*".to_string()];
        let found: Vec<String> = named_by(&patterns, &tables).iter().map(|t| t.name.plain()).collect();
        assert_eq!(found, ["public.http_logs"]);
        assert!(Selection::matching(&patterns, &tables).is_err(), "for --table it is a mistake");
    }
}
