//! The one read besides pg_dump's: stored generated columns and materialized views, whose contents no archive holds.
//!
//! Invariant: they are read under the snapshot, while the tables are still locked. A table's generated values are
//! written to a file of their own with a fingerprint; of a materialized view only the fingerprint is kept. Memory does
//! not grow with the rows. If something could not be read, its record says why.

use std::io::Write;

use super::dump::ArchiveResult;
use super::dump_failure::DumpFailure;
use super::selection::Selection;
use crate::collect::savepoint::attempt;
use crate::model::category::Category;
use crate::model::computed::{ComputedContent, ComputedKind, ComputedRecord};
use crate::model::failure::{FailureKind, Result};
use crate::model::inventory::Inventory;
use crate::model::name::{QualifiedName, visible};
use crate::pg::catalog::computed::{ComputedRelation, computed};
use crate::pg::rows::{Lines, copy_computed_sql, copy_statement};
use crate::pg::session::Session;
use crate::snapshot::codec::{Codec, Compressor};
use crate::snapshot::copy_text::END_OF_DATA;
use crate::snapshot::layout;
use crate::snapshot::sink::{ArtifactSink, ArtifactWriter};

const CHUNK_BYTES: usize = 1 << 20;
/// REFRESH holds a lock on its view and may want a table that we hold. We give up before deadlock_timeout (1 s).
const VIEW_LOCK_WAIT: &str = "SET LOCAL lock_timeout = '500ms'";
/// REFRESH gives the view a new file, whose rows every older snapshot sees: then they are not those of this instant.
const REFRESHED: &str = "SELECT c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid) \
    FROM pg_catalog.pg_class c WHERE c.oid = $1";

/// Reads what the selection wants. If another session alters a table meanwhile, the error is `Locked`, as elsewhere in
/// this attempt.
pub async fn read(
    session: &Session,
    inventory: &Inventory,
    selection: &Selection,
    codec: Codec,
    sink: &ArtifactSink,
) -> Result<Vec<ComputedRecord>> {
    let mut records = Vec::new();
    if !selection.has(Category::Archive) {
        return Ok(records);
    }
    for relation in computed(session).await? {
        match relation.kind {
            ComputedKind::GeneratedColumns if holds_rows_of(&relation, inventory, selection) => {
                records.push(generated(session, relation, codec, sink).await?);
            }
            ComputedKind::MaterializedView if selection.tables.is_empty() && relation.populated => {
                records.push(view(session, relation).await?);
            }
            _ => {}
        }
    }
    Ok(records)
}

/// A `TRUNCATE` that no lock held up is visible in every snapshot: then the two readings are not of one instant.
pub fn check_same_rows(records: &[ComputedRecord], archive: &ArchiveResult) -> Result<(), DumpFailure> {
    let rows = |name: &QualifiedName| archive.tables.iter().find(|t| &t.data.table == name).map(|t| t.fingerprint.rows);
    for record in records.iter().filter(|r| r.kind == ComputedKind::GeneratedColumns) {
        let ComputedContent::Read { rows: read, .. } = record.content else { continue };
        if rows(&record.name).is_some_and(|dumped| dumped != read) {
            let text = format!("{} was emptied meanwhile", visible(&record.name.plain()));
            return Err(DumpFailure::SchemaChanged(text));
        }
    }
    Ok(())
}

/// Does the archive hold the rows of this table?
fn holds_rows_of(relation: &ComputedRelation, inventory: &Inventory, selection: &Selection) -> bool {
    inventory.table(&relation.name).is_some_and(|facts| {
        let of_extension = facts.extension.is_some() && !facts.extension_config;
        !of_extension && selection.wants_rows(facts)
    })
}

async fn generated(
    session: &Session,
    relation: ComputedRelation,
    codec: Codec,
    sink: &ArtifactSink,
) -> Result<ComputedRecord> {
    let path = layout::generated_columns_path(&relation.name, codec.ending());
    let mut file = Packed::create(sink, &path, codec)?;
    let mut lines = Lines::default();
    let sql = copy_computed_sql(&relation.name, &relation.columns);
    let bytes_raw = copy_statement(session, &sql, |piece| {
        lines.push(piece);
        file.push(piece)
    })
    .await
    .map_err(|e| e.context(format!("cannot read the generated columns of {}", relation.name.sql())))?;
    file.finish()?;
    let found = lines.finish(&relation.name)?;
    let content =
        ComputedContent::Read { rows: found.rows, fingerprint: found.hex(), bytes_raw, data_file: Some(path) };
    Ok(ComputedRecord { name: relation.name, kind: relation.kind, columns: relation.columns, content })
}

async fn view(session: &Session, relation: ComputedRelation) -> Result<ComputedRecord> {
    let content = if relation.readable {
        match attempt(session, view_content(session, &relation)).await? {
            Ok(content) => content,
            Err(failure) if session.is_closed() => return Err(failure),
            Err(failure) if failure.kind == FailureKind::Locked => {
                ComputedContent::NotRead { why: "it was being refreshed or altered".to_string() }
            }
            Err(failure) => ComputedContent::NotRead { why: failure.to_string() },
        }
    } else {
        ComputedContent::NotRead { why: "the role that took the snapshot may not read it".to_string() }
    };
    Ok(ComputedRecord { name: relation.name, kind: relation.kind, columns: relation.columns, content })
}

/// Rolling back the inner savepoint releases the view's lock, so that a REFRESH need not wait for the end of the run.
async fn view_content(session: &Session, relation: &ComputedRelation) -> Result<ComputedContent> {
    session.execute(&format!("SAVEPOINT stacksnap_view; {VIEW_LOCK_WAIT}")).await?;
    let mut lines = Lines::default();
    let sql = copy_computed_sql(&relation.name, &relation.columns);
    let bytes_raw = copy_statement(session, &sql, |piece| {
        lines.push(piece);
        Ok(())
    })
    .await?;
    let refreshed: bool = session.one(REFRESHED, &[&relation.oid]).await?.get(0);
    session.execute("ROLLBACK TO SAVEPOINT stacksnap_view; RELEASE SAVEPOINT stacksnap_view").await?;
    if refreshed {
        return Ok(ComputedContent::NotRead { why: "it was refreshed while the snapshot was taken".to_string() });
    }
    let found = lines.finish(&relation.name)?;
    Ok(ComputedContent::Read { rows: found.rows, fingerprint: found.hex(), bytes_raw, data_file: None })
}

/// Compresses lines into a file, a chunk at a time.
struct Packed<'s> {
    writer: ArtifactWriter<'s>,
    compressor: Compressor,
    chunk: Vec<u8>,
}

impl<'s> Packed<'s> {
    fn create(sink: &'s ArtifactSink, path: &str, codec: Codec) -> Result<Self> {
        let writer = sink.create(path, Category::Archive)?;
        Ok(Self { writer, compressor: Compressor::new(codec)?, chunk: Vec::new() })
    }

    fn push(&mut self, piece: &[u8]) -> Result<()> {
        self.chunk.extend_from_slice(piece);
        if self.chunk.len() >= CHUNK_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let packed = self.compressor.compress(&self.chunk)?;
        self.writer.write_all(&packed)?;
        self.chunk.clear();
        Ok(())
    }

    /// Ends the file with `\.`, as a data file of the archive does.
    fn finish(mut self) -> Result<()> {
        self.chunk.extend_from_slice(END_OF_DATA);
        self.chunk.push(b'\n');
        self.write()?;
        self.writer.finish()?;
        Ok(())
    }
}
