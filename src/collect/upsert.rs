//! Rows of the archive as SQL that can be run twice: `INSERT … ON CONFLICT`, streamed, in one transaction.
//!
//! Invariant: memory does not grow with the rows (a statement has at most [`ROWS_A_STATEMENT`] rows, and ends after
//! [`BYTES_A_STATEMENT`]). Columns are those of the data file, so generated ones are never included (R9). Nothing is
//! deleted, and triggers are disabled only by `session_replication_role`, so a role that is not the owner can run it. A
//! table without a key gets the rows that it lacks; duplicates are counted.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use super::sql_file::{ENDING, PREAMBLE};
use super::tables::{SequenceMeta, TableMeta};
use super::values::sql_value;
use crate::model::category::Category;
use crate::model::name::{dollar_quoted, ident, literal, sql_comment};
use crate::model::outcome::Artifact;
use crate::snapshot::reader::{ArchiveData, DataFile};
use crate::snapshot::sink::{ArtifactSink, ArtifactWriter};

pub const ROWS_A_STATEMENT: usize = 500;
pub const BYTES_A_STATEMENT: usize = 256 * 1024;

/// Triggers and foreign keys do not fire while rows are loaded (R37). It uses SET, not `set_config`: the platform
/// allows only the statement to a role that is not a superuser. A role that may not set it gets a warning, and the load
/// goes on.
const REPLICA_ROLE: &str = "DO $stacksnap$\nBEGIN\n  SET LOCAL session_replication_role = replica;\n\
    EXCEPTION WHEN insufficient_privilege THEN\n  RAISE WARNING 'this role may not set session_replication_role: \
    triggers fire and foreign keys are checked while rows are loaded';\nEND\n$stacksnap$;\n";

/// The fields of one row, in the order of the data file's columns.
pub type Fields<'r> = [Option<Cow<'r, [u8]>>];

/// One SQL file that is being written.
pub struct UpsertFile<'s> {
    out: ArtifactWriter<'s>,
    temporary_tables: u32,
}

impl<'s> UpsertFile<'s> {
    /// Starts the file. Lines of `about` are escaped.
    pub fn begin(sink: &'s ArtifactSink, path: &str, category: Category, about: &[&str]) -> io::Result<Self> {
        let mut head = String::new();
        for line in about {
            head.push_str(&sql_comment(line));
            head.push('\n');
        }
        head.push_str(PREAMBLE);
        head.push_str("SET LOCAL row_security = off;\n");
        head.push_str(REPLICA_ROLE);
        let mut out = sink.create(path, category)?;
        out.write_all(head.as_bytes())?;
        Ok(Self { out, temporary_tables: 0 })
    }

    /// One comment line; the text is escaped.
    pub fn comment(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", sql_comment(text))
    }

    /// One statement, without its semicolon.
    pub fn statement(&mut self, sql: &str) -> io::Result<()> {
        self.out.write_all(format!("{sql};\n").as_bytes())
    }

    /// Writes every row of one table and passes each to `each`. Returns the number of rows; `None` when the archive has
    /// no file.
    pub fn table(
        &mut self,
        archive: &ArchiveData,
        meta: &TableMeta,
        mut each: impl FnMut(&DataFile, &Fields<'_>) -> io::Result<()>,
    ) -> io::Result<Option<u64>> {
        let Some(file) = archive.file(&meta.name) else { return Ok(None) };
        let form = InsertForm::new(meta, &file.columns, self.temporary_tables + 1);
        self.out.write_all(format!("\n{}\n", sql_comment(&meta.name.plain())).as_bytes())?;
        let mut batch = Batch::default();
        let rows = archive.for_each_row(&meta.name, |file, row| {
            let fields: Vec<Option<Cow<'_, [u8]>>> = row.fields().collect();
            if fields.len() != file.columns.len() {
                let text = format!("{}: {} fields for {} columns", file.file_name, fields.len(), file.columns.len());
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            each(file, &fields)?;
            if fields.is_empty() {
                return Ok(());
            }
            if !batch.begun {
                self.out.write_all(form.before.as_bytes())?;
                batch.begun = true;
            }
            batch.add(&form, &fields);
            if batch.is_full() { batch.write(&form, &mut self.out) } else { Ok(()) }
        })?;
        batch.write(&form, &mut self.out)?;
        if batch.begun {
            self.out.write_all(form.after.as_bytes())?;
            self.temporary_tables += u32::from(form.is_keyless);
        }
        Ok(rows)
    }

    /// Advances a sequence to the source's value, never back.
    pub fn sequence(&mut self, sequence: &SequenceMeta) -> io::Result<()> {
        let Some(last) = sequence.last_value else {
            return self.comment(&format!("{}: never used, or not readable", sequence.name.plain()));
        };
        let name = sequence.name.sql();
        let further = if sequence.ascending { "GREATEST" } else { "LEAST" };
        self.statement(&format!(
            "SELECT pg_catalog.setval({}::pg_catalog.regclass, \
             {further}({last}, CASE WHEN s.is_called THEN s.last_value END), true) FROM {name} s",
            literal(&name).trim_start()
        ))
    }

    pub fn finish(mut self) -> io::Result<Artifact> {
        self.out.write_all(ENDING.as_bytes())?;
        self.out.finish()
    }
}

/// The statements of one table.
struct InsertForm {
    /// Before the first row: the check of the target's columns, and the temporary table for a table without a key.
    before: String,
    /// `INSERT INTO … VALUES`.
    head: String,
    /// The text after the rows of a statement, without the semicolon.
    tail: String,
    /// After the last row.
    after: String,
    is_keyless: bool,
}

impl InsertForm {
    fn new(meta: &TableMeta, columns: &[String], number: u32) -> Self {
        let table = meta.name.sql();
        let list = columns.iter().map(|c| ident(c)).collect::<Vec<_>>().join(", ");
        let always = |name: &str| meta.column(name).is_some_and(|c| c.identity_always);
        let overriding = if columns.iter().any(|c| always(c)) { " OVERRIDING SYSTEM VALUE" } else { "" };
        let check = column_check(meta, columns);
        let Some(key) = &meta.key else {
            let rows = format!("pg_temp.{}", ident(&format!("stacksnap_rows_{number}")));
            let before = format!(
                "{check}CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {list} FROM {table} WITH NO DATA;\n",
                ident(&format!("stacksnap_rows_{number}"))
            );
            let after = missing_rows(&table, &rows, &list, overriding);
            let head = format!("INSERT INTO {rows} ({list}) VALUES\n");
            return Self { before, head, tail: String::new(), after, is_keyless: true };
        };
        let in_key: BTreeSet<&str> = key.iter().map(String::as_str).collect();
        let updates: Vec<String> = columns
            .iter()
            .filter(|c| !in_key.contains(c.as_str()) && !always(c))
            .map(|c| format!("{0} = EXCLUDED.{0}", ident(c)))
            .collect();
        let key_list = key.iter().map(|c| ident(c)).collect::<Vec<_>>().join(", ");
        let action =
            if updates.is_empty() { "NOTHING".to_string() } else { format!("UPDATE SET {}", updates.join(", ")) };
        Self {
            before: check,
            head: format!("INSERT INTO {table} ({list}){overriding} VALUES\n"),
            tail: format!("\nON CONFLICT ({key_list}) DO {action}"),
            after: String::new(),
            is_keyless: false,
        }
    }
}

/// Inserts the rows that the table lacks. Rows are compared as text, because json, xml and point have no equality
/// operator.
fn missing_rows(table: &str, rows: &str, list: &str, overriding: &str) -> String {
    format!(
        "INSERT INTO {table} ({list}){overriding} SELECT {list} FROM (\n  \
         SELECT r.*, ROW({list})::pg_catalog.text AS stacksnap_text, \
         pg_catalog.row_number() OVER (PARTITION BY ROW({list})::pg_catalog.text) AS stacksnap_number FROM {rows} r) w\n  \
         LEFT JOIN (SELECT ROW({list})::pg_catalog.text AS stacksnap_there, pg_catalog.count(*) AS stacksnap_count \
         FROM {table} GROUP BY 1) h ON h.stacksnap_there = w.stacksnap_text\n  \
         WHERE w.stacksnap_number > coalesce(h.stacksnap_count, 0);\n"
    )
}

/// Fails with a clear error if the target's table lacks a column, or if the column is generated there.
fn column_check(meta: &TableMeta, columns: &[String]) -> String {
    let wanted = columns.iter().map(|c| literal(c).trim_start().to_string()).collect::<Vec<_>>().join(", ");
    let body = format!(
        "\nDECLARE lacking pg_catalog.text;\nBEGIN\n  \
         SELECT pg_catalog.string_agg(w.name, ', ') INTO lacking FROM pg_catalog.unnest(ARRAY[{wanted}]::pg_catalog.text[]) w(name)\n  \
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid\n    \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = {}\n    \
         AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '');\n  \
         IF lacking IS NOT NULL THEN\n    \
         RAISE EXCEPTION 'the table % of this database cannot take these columns: %', {}, lacking\n      \
         USING HINT = 'Create the schema first, or bring the service that owns it to the version of the snapshot.';\n  \
         END IF;\nEND\n",
        literal(&meta.name.schema),
        literal(&meta.name.name),
        literal(&meta.name.plain()),
    );
    format!("DO {};\n", dollar_quoted(&body))
}

/// The current statement.
#[derive(Default)]
struct Batch {
    text: Vec<u8>,
    rows: usize,
    begun: bool,
}

impl Batch {
    fn add(&mut self, form: &InsertForm, fields: &Fields<'_>) {
        if self.rows == 0 {
            self.text.extend_from_slice(form.head.as_bytes());
        } else {
            self.text.extend_from_slice(b",\n");
        }
        self.text.push(b'(');
        for (i, field) in fields.iter().enumerate() {
            if i > 0 {
                self.text.extend_from_slice(b", ");
            }
            sql_value(field.as_deref(), &mut self.text);
        }
        self.text.push(b')');
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        self.rows >= ROWS_A_STATEMENT || self.text.len() >= BYTES_A_STATEMENT
    }

    fn write(&mut self, form: &InsertForm, out: &mut impl Write) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.text.extend_from_slice(form.tail.as_bytes());
        self.text.extend_from_slice(b";\n");
        out.write_all(&self.text)?;
        self.text.clear();
        self.text.shrink_to(2 * BYTES_A_STATEMENT);
        self.rows = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tables::ColumnMeta;
    use crate::model::name::QualifiedName;

    fn column(name: &str, identity_always: bool) -> ColumnMeta {
        ColumnMeta { name: name.into(), type_name: "text".into(), not_null: true, identity_always, generated: false }
    }

    fn meta(key: Option<&[&str]>) -> TableMeta {
        let name = QualifiedName::new("app", "we\"ird\n\\! x");
        TableMeta {
            oid: 1,
            root: name.clone(),
            root_oid: 1,
            name,
            columns: vec![column("id", true), column("no", true), column("v", false)],
            key: key.map(|k| k.iter().map(|c| (*c).to_string()).collect()),
            parents: Vec::new(),
        }
    }

    fn written(meta: &TableMeta, rows: usize) -> (String, Option<u64>) {
        let dir = tempfile::tempdir().unwrap();
        let data: String = (0..rows).map(|i| format!("{i}\t{i}\tx{}\n", "y".repeat(900))).collect();
        std::fs::write(dir.path().join("1.dat"), data + "\\.\n").unwrap();
        let columns = vec!["id".into(), "no".into(), "v".into()];
        let file = DataFile { table: meta.name.clone(), columns, file_name: "1.dat".into() };
        let archive = ArchiveData { folder: dir.path().into(), files: vec![file] };
        let sink = ArtifactSink::new(dir.path());
        let mut sql = UpsertFile::begin(&sink, "out.sql", Category::Users, &["about\n\\! x"]).unwrap();
        let counted = sql.table(&archive, meta, |_, _| Ok(())).unwrap();
        sql.finish().unwrap();
        (std::fs::read_to_string(dir.path().join("out.sql")).unwrap(), counted)
    }

    #[test]
    fn statements_stay_short_and_rows_are_lines() {
        let (text, rows) = written(&meta(Some(&["id"])), 1000);
        assert_eq!(rows, Some(1000));
        let statements = text.matches("INSERT INTO").count();
        assert!((4..=6).contains(&statements), "{statements} statements for 900 kB");
        assert_eq!(text.lines().filter(|l| l.starts_with("('")).count(), 1000);
    }

    #[test]
    fn an_identity_always_is_inserted_but_never_updated() {
        let (text, _) = written(&meta(Some(&["id"])), 1);
        assert!(text.contains("(\"id\", \"no\", \"v\") OVERRIDING SYSTEM VALUE VALUES"));
        assert!(text.contains("ON CONFLICT (\"id\") DO UPDATE SET \"v\" = EXCLUDED.\"v\";"));
    }

    #[test]
    fn a_table_without_rows_asks_nothing_of_the_target() {
        let (text, rows) = written(&meta(None), 0);
        assert_eq!(rows, Some(0));
        assert!(!text.contains("INSERT") && !text.contains("lacking"));
    }

    #[test]
    fn trap_13_a_name_with_a_newline_stays_in_its_comment() {
        let (text, _) = written(&meta(None), 0);
        let comments = text.lines().filter(|l| l.starts_with("--")).count();
        assert_eq!(comments, 3, "about, table, trailer");
        assert!(!text.lines().any(|l| l.starts_with('\\')));
    }
}
