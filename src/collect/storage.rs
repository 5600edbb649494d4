//! Storage: the list of buckets and objects and, if their folder is configured, the files themselves.
//!
//! Invariant (R24): every object of the database is in `objects.jsonl`. An object whose file was not copied is in
//! `missing.jsonl` and in a gap. A file without an object is in `orphans.json` and is not copied: it is an old version,
//! or newer than the snapshot. Memory: 16 bytes per object.

use std::io::{self, BufWriter, Write};

use serde_json::{Map, Value, json};

use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::storage_files::{Files, FilesReport};
use super::storage_object::{Object, finish};
use super::tables;
use super::values::blocking;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::model::name::QualifiedName;
use crate::snapshot::layout::STORAGE_DIR;
use crate::snapshot::reader::ArchiveData;
use crate::snapshot::sink::ArtifactWriter;

pub const COLLECTOR: Collector = Collector {
    name: "storage",
    category: Category::Storage,
    stage: Stage::Archive,
    run: |ctx| Box::pin(run(ctx)) as CollectFuture<'_>,
};

async fn run(ctx: &Context<'_>) -> Result<Collected> {
    let listed = tables::list(ctx.session).await?;
    let has = |name: &str| listed.iter().any(|t| t.name.schema == "storage" && t.name.name == name);
    if !has("buckets") || !has("objects") {
        return Ok(Collected::skipped("the database has no storage schema"));
    }
    let Some(archive) = ctx.archive else {
        return Err(Failure::msg(FailureKind::Failed, "the archive does not exist yet"));
    };
    for name in ["buckets", "objects"] {
        if archive.file(&QualifiedName::new("storage", name)).is_none() {
            let mut collected = Collected::default();
            let todo = "take a snapshot whose archive holds the schema storage with its data";
            let why = "the archive has no data file for it";
            collected.gap(Gap::new("storage_inventory_not_captured", format!("storage.{name}"), why, todo));
            return Ok(collected);
        }
    }
    blocking(|| write(ctx, archive))
}

fn write(ctx: &Context<'_>, archive: &ArchiveData) -> Result<Collected> {
    let mut collected = Collected::default();
    let buckets = write_buckets(ctx, archive)?;
    collected.count(Count::StorageBuckets, buckets.len() as u64);
    let mut no_files = None;
    let mut files = match &ctx.settings.storage_dir {
        None => None,
        Some(root) => match Files::open(root, &buckets, ctx.sink) {
            Ok(files) => Some(files),
            Err(error) => {
                no_files = Some(format!("the storage folder {root:?} cannot be used: {error}"));
                None
            }
        },
    };
    let total = write_objects(ctx, archive, files.as_mut())?;
    collected.count(Count::StorageObjects, total.objects);
    collected.count(Count::StorageBytes, total.bytes);
    match files {
        Some(files) => tell_files(&mut collected, &files.finish()?, total.objects),
        None if total.objects > 0 => collected.gap(Gap::new(
            "storage_files_not_captured",
            format!("{} files, {} bytes in {} buckets", total.objects, total.bytes, buckets.len()),
            no_files.unwrap_or_else(|| {
                "stored files are outside of the database, and their folder is not configured".into()
            }),
            "configure the folder of the storage service (storage_dir), or copy the bucket's files yourself; \
             storage/objects.jsonl lists them",
        )),
        None => {}
    }
    Ok(collected)
}

fn tell_files(collected: &mut Collected, report: &FilesReport, objects: u64) {
    collected.count(Count::StorageFiles, report.copied);
    if report.missing > 0 {
        let first = report.first_missing.as_deref().unwrap_or_default();
        collected.gap(Gap::new(
            "storage_file_missing",
            format!("{} of {objects} files, the first: {first}", report.missing),
            "the database has these objects, but their files are missing or could not be copied completely",
            "storage/missing.jsonl names each with the reason; restore these files from elsewhere",
        ));
    }
    if report.orphans > 0 {
        collected.count(Count::StorageOrphans, report.orphans);
    }
    collected.gaps.extend(report.gaps.iter().cloned());
}

fn writer<'s>(ctx: &Context<'s>, name: &str) -> io::Result<BufWriter<ArtifactWriter<'s>>> {
    Ok(BufWriter::new(ctx.sink.create(&format!("{STORAGE_DIR}/{name}"), Category::Storage)?))
}

/// Writes `buckets.json`. Returns the ids.
fn write_buckets(ctx: &Context<'_>, archive: &ArchiveData) -> Result<Vec<String>> {
    let mut out = writer(ctx, "buckets.json")?;
    let mut ids = Vec::new();
    out.write_all(b"[")?;
    archive.for_each_row(&QualifiedName::new("storage", "buckets"), |file, row| {
        let mut bucket = Map::new();
        for (column, value) in file.columns.iter().zip(row.texts()) {
            if let ("id", Some(id)) = (column.as_str(), &value) {
                ids.push(id.clone());
            }
            bucket.insert(column.clone(), value.map_or(Value::Null, Value::String));
        }
        let comma = if ids.len() > 1 { "," } else { "" };
        write!(out, "{comma}\n{}", Value::Object(bucket))
    })?;
    out.write_all(b"\n]\n")?;
    finish(out)?;
    Ok(ids)
}

#[derive(Default)]
struct Total {
    objects: u64,
    bytes: u64,
}

/// Writes `objects.jsonl`, one line per object, and copies each file.
fn write_objects(ctx: &Context<'_>, archive: &ArchiveData, mut files: Option<&mut Files<'_>>) -> Result<Total> {
    let mut out = writer(ctx, "objects.jsonl")?;
    let mut total = Total::default();
    archive.for_each_row(&QualifiedName::new("storage", "objects"), |file, row| {
        let (object, mut line) = read_object(&file.columns, row.texts());
        total.objects += 1;
        total.bytes = total.bytes.saturating_add(object.size.unwrap_or(0));
        if let Some(files) = files.as_deref_mut() {
            let stored = files.take(&object)?;
            line.insert("file".into(), stored.map_or(Value::Null, Value::String));
        }
        writeln!(out, "{}", Value::Object(line))
    })?;
    finish(out)?;
    Ok(total)
}

/// The object of a row, and its line. `metadata` is the storage service's JSON.
fn read_object(columns: &[String], values: Vec<Option<String>>) -> (Object, Map<String, Value>) {
    let mut row: std::collections::HashMap<&str, Option<String>> =
        columns.iter().map(String::as_str).zip(values).collect();
    let mut text = |name: &str| row.remove(name).flatten();
    let metadata: Value = text("metadata").and_then(|m| serde_json::from_str(&m).ok()).unwrap_or(Value::Null);
    let number = |key: &str| {
        let value = metadata.get(key)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    let object = Object {
        bucket: text("bucket_id").unwrap_or_default(),
        name: text("name").unwrap_or_default(),
        version: text("version").filter(|v| !v.is_empty()),
        size: number("size").or_else(|| number("contentLength")),
    };
    let owner = text("owner_id").or_else(|| text("owner"));
    let line = json!({
        "bucket": object.bucket, "name": object.name, "version": object.version, "size": object.size,
        "mimetype": metadata.get("mimetype"), "etag": metadata.get("eTag"), "cache_control": metadata.get("cacheControl"),
        "owner": owner, "created_at": text("created_at"), "updated_at": text("updated_at"),
    });
    let line = if let Value::Object(line) = line { line } else { Map::new() };
    (object, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_where_its_file_is_and_how_long() {
        let columns: Vec<String> = ["bucket_id", "name", "metadata", "version", "owner"].map(String::from).to_vec();
        let row = |metadata: &str| {
            let texts = ["docs", "../a\nb", metadata, "v1", "u1"];
            read_object(&columns, texts.iter().map(|t| Some((*t).to_string())).collect())
        };
        let (object, line) = row(r#"{"size": 12, "mimetype": "text/plain", "eTag": "\"x\""}"#);
        assert_eq!((object.size, object.version.as_deref()), (Some(12), Some("v1")));
        assert_eq!(line["etag"], "\"x\"");
        assert_eq!(line["owner"], "u1");
        assert_eq!(serde_json::to_string(&Value::Object(line)).unwrap().lines().count(), 1);
        assert_eq!(row("{\"contentLength\": \"7\"}").0.size, Some(7));
        assert_eq!(row("no json").0.size, None);
    }

    #[test]
    fn a_row_of_an_old_storage_schema_has_no_version() {
        let columns: Vec<String> = ["bucket_id", "name"].map(String::from).to_vec();
        let (object, _) = read_object(&columns, vec![Some("b".into()), Some("n".into())]);
        assert_eq!(object, Object { bucket: "b".into(), name: "n".into(), version: None, size: None });
    }
}
