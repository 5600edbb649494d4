//! The record of a run: gaps that only the whole run shows, counts, `inventory.json`, the readable page, the restore
//! script, and the manifest's draft.
//!
//! Invariant: `complete` is true only for a full snapshot without a gap and without a failed collector, whose catalogs
//! and archive agree on every kind of object.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use super::attempt::AttemptDone;
use super::preflight::Preflight;
use super::selection::Selection;
use super::undumped::undumped;
use super::{Job, millis, unchanged};
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::model::ids::SnapshotName;
use crate::model::manifest::{
    ChangeMarker, Consistency, Coverage, FORMAT, Manifest, MemberMark, SnapshotKind, TableRecord, Tools,
};
use crate::model::object_kind::ObjectKind;
use crate::model::outcome::Outcome;
use crate::model::platform::is_managed_schema;
use crate::model::replication::SLOT;
use crate::model::report::TakeReport;
use crate::model::schema_verification::SchemaVerification;
use crate::pg::catalog::coverage::{coverage, disagreements};
use crate::pgtools::toc::Entry;
use crate::render::{RestoreScriptFacts, manifest_markdown, restore_script};
use crate::snapshot::codec::Codec;
use crate::snapshot::layout;
use crate::snapshot::seal::Sealed;

/// Writes the inventory and builds the manifest, except what is known last: duration and checksums.
pub fn draft(
    job: &Job<'_>,
    selection: &Selection,
    preflight: &Preflight,
    done: &AttemptDone,
    name: &SnapshotName,
) -> Result<Manifest> {
    write_inventory(done)?;
    let coverage = compared(done);
    let gaps = gaps(preflight, done, &coverage);
    let failed = done.harvest.outcomes.iter().any(|o| matches!(o.outcome, Outcome::Failed { .. }));
    let marker = ChangeMarker {
        transaction_horizon: done.exported.transaction_horizon.clone(),
        catalogs_sha256: done.catalogs.catalogs_sha256.clone(),
        counters_sha256: done.counters_sha256.clone(),
        files_sha256: done.files_sha256.clone(),
        settings_sha256: unchanged::settings_sha256(job, preflight, selection),
        counted_since: done.marks.since.clone(),
    };
    let mut manifest = Manifest {
        format: FORMAT,
        id: name.clone(),
        kind: selection.kind,
        complete: selection.kind == SnapshotKind::Full && gaps.is_empty() && !failed,
        label: job.request.label.as_ref().map(|l| l.as_str().to_string()),
        note: job.request.note.clone(),
        tags: job.request.tags.clone(),
        created_at: job.request.now,
        duration_ms: 0,
        source: preflight.facts.clone(),
        consistency: Consistency {
            exported_snapshot: done.exported.id.clone(),
            taken_at: done.exported.taken_at,
            wal_lsn: done.exported.wal_lsn.clone(),
            transaction_horizon: done.exported.transaction_horizon.clone(),
            restarts: done.restarts,
        },
        tools: Tools {
            stacksnap: env!("CARGO_PKG_VERSION").to_string(),
            pg_dump: preflight.client.version.clone(),
            codec: preflight.codec.word().to_string(),
            readable_codec: done.archive.as_ref().map(|a| readable_codec(a.compressed).to_string()),
            jobs: done.jobs,
        },
        counts: BTreeMap::new(),
        coverage,
        tables: tables(done),
        member_marks: member_marks(done),
        computed: Some(done.catalogs.computed.clone()),
        outcomes: done.harvest.outcomes.clone(),
        schema_verification: None,
        gaps,
        secrets: done.harvest.secrets.clone(),
        artifacts: done.sink.artifacts(),
        change_marker: Some(marker),
        sha256sums_sha256: String::new(),
        manifest_sha256: String::new(),
    };
    manifest.counts = counts(&manifest, done);
    Ok(manifest)
}

/// Adds the result of restoring the schema. Its gaps count like all others.
pub fn add_verification(manifest: &mut Manifest, verified: SchemaVerification, gaps: Vec<Gap>) {
    manifest.complete = manifest.complete && gaps.is_empty();
    manifest.gaps.extend(gaps);
    manifest.schema_verification = Some(verified);
}

/// Writes the last files, from a manifest that lacks only the checksums (sealing fills them in).
pub fn written(
    mut manifest: Manifest,
    selection: &Selection,
    done: &AttemptDone,
    elapsed: Duration,
) -> Result<Manifest> {
    manifest.duration_ms = millis(elapsed);
    let facts = script_facts(selection, done, &manifest)?;
    let script = restore_script(&facts)?;
    let mut writer = done.sink.create_executable(layout::RESTORE_SCRIPT, Category::Report)?;
    writer.write_all(script.as_bytes())?;
    writer.finish()?;
    manifest.artifacts = done.sink.artifacts();
    done.sink.write(layout::BACKUP_MANIFEST, Category::Report, manifest_markdown(&manifest)?.as_bytes())?;
    Ok(manifest)
}

fn readable_codec(compressed: bool) -> &'static str {
    if compressed { Codec::Zstd.word() } else { "none" }
}

/// The facts for the restore script. Objects that no dump holds are written to a file next to it.
fn script_facts(selection: &Selection, done: &AttemptDone, manifest: &Manifest) -> Result<RestoreScriptFacts> {
    let mut facts = RestoreScriptFacts::from_manifest(manifest);
    facts.entries_left_out = entries_left_out(selection, done);
    let whole = selection.has(Category::ExtensionState) && selection.tables.is_empty();
    let Some(archive) = done.archive.as_ref().filter(|_| whole) else { return Ok(facts) };
    match undumped(&done.catalogs.inventory, &archive.toc, &manifest.source.database) {
        Ok(found) => {
            if let Some(sql) = &found.sql {
                done.sink.write(layout::UNDUMPED_SQL, Category::ExtensionState, sql.as_bytes())?;
            }
            facts.entries_left_out.extend(found.entries);
            facts.not_restored = found.not_restored;
        }
        Err(failure) => facts.not_restored.push(format!("objects that no dump holds: {failure}")),
    }
    Ok(facts)
}

/// Dump ids of archive entries that the restore script takes from `extension_state/`, with their comments and security
/// labels.
fn entries_left_out(selection: &Selection, done: &AttemptDone) -> Vec<i64> {
    let Some(archive) = done.archive.as_ref().filter(|_| selection.has(Category::ExtensionState)) else {
        return Vec::new();
    };
    let entries = &archive.toc.entries;
    // pg_restore would recreate these foreign keys validated and with enabled triggers.
    let from_files = |e: &&Entry| e.desc == ObjectKind::FkConstraint && done.catalogs.foreign_keys_off.contains(&e.oid);
    let mut ids: Vec<i64> = entries.iter().filter(from_files).map(|e| e.dump_id).collect();
    let belongs_to_them = |e: &&Entry| {
        matches!(e.desc, ObjectKind::Comment | ObjectKind::SecurityLabel)
            && e.depends_on.iter().any(|id| ids.contains(id))
    };
    let dependents: Vec<i64> = entries.iter().filter(belongs_to_them).map(|e| e.dump_id).collect();
    ids.extend(dependents);
    ids
}

fn write_inventory(done: &AttemptDone) -> Result<()> {
    let writer = done.sink.create(layout::INVENTORY_JSON, Category::Report)?;
    let mut buffered = std::io::BufWriter::with_capacity(1 << 20, writer);
    let fingerprints: BTreeMap<String, (u64, String)> = done
        .archive
        .iter()
        .flat_map(|a| &a.tables)
        .map(|t| (t.data.table.plain(), (t.fingerprint.rows, t.fingerprint.hex())))
        .collect();
    #[derive(serde::Serialize)]
    struct Document<'a> {
        #[serde(flatten)]
        inventory: &'a crate::model::inventory::Inventory,
        rows_and_fingerprints: BTreeMap<String, (u64, String)>,
    }
    let document = Document { inventory: &done.catalogs.inventory, rows_and_fingerprints: fingerprints };
    serde_json::to_writer(&mut buffered, &document).map_err(|e| Failure::new(FailureKind::Failed, e))?;
    buffered.write_all(b"\n")?;
    let writer = buffered.into_inner().map_err(|e| Failure::from(e.into_error()))?;
    writer.finish()?;
    Ok(())
}

fn compared(done: &AttemptDone) -> Vec<Coverage> {
    match &done.archive {
        Some(archive) if !done.catalogs.expected.is_empty() => coverage(&done.catalogs.expected, &archive.toc.counts()),
        _ => Vec::new(),
    }
}

fn gaps(preflight: &Preflight, done: &AttemptDone, coverage: &[Coverage]) -> Vec<Gap> {
    let mut gaps = done.harvest.gaps.clone();
    for kind in disagreements(coverage) {
        let why = format!("the catalogs have {}, the archive has {}", kind.in_catalogs, kind.in_archive);
        let todo =
            "dump that kind with pg_dump as a superuser, or recreate it by hand: inventory.json has every definition";
        gaps.push(Gap::new("coverage_disagrees", kind.kind.word(), why, todo));
    }
    if done.archive.is_some() {
        gaps.extend(preflight.dump.gaps.iter().cloned());
    }
    for missing in &preflight.missing {
        let why = format!("the role lacks {}", missing.privilege);
        gaps.push(Gap::new("privilege_missing", missing.what.clone(), why, missing.todo.clone()));
    }
    for table in &done.catalogs.rows_excluded {
        let todo = "if its rows matter, remove it from exclude_data";
        gaps.push(Gap::new("rows_excluded", table.name.plain(), "its rows were left out as asked", todo));
    }
    if preflight.facts.is_standby {
        for table in done.catalogs.inventory.tables.iter().filter(|t| t.persistence == 'u') {
            let todo = "take the snapshot from the primary";
            gaps.push(Gap::new(
                "unlogged_on_standby",
                table.name.plain(),
                "a standby has no rows of unlogged tables",
                todo,
            ));
        }
    }
    gaps
}

fn tables(done: &AttemptDone) -> Vec<TableRecord> {
    let derived = done.archive.iter().flat_map(|a| &a.tables);
    let oids: BTreeMap<_, u32> = done.catalogs.inventory.tables.iter().map(|t| (&t.name, t.oid)).collect();
    derived
        .map(|table| TableRecord {
            name: table.data.table.clone(),
            rows: table.fingerprint.rows,
            fingerprint: table.fingerprint.hex(),
            bytes_raw: table.bytes_raw,
            data_file: Some(table.data_path.clone()),
            csv_file: table.csv_path.clone(),
            columns: table.data.columns.clone(),
            mark: oids.get(&table.data.table).and_then(|oid| done.marks.tables.get(oid)).cloned(),
        })
        .collect()
}

/// Tables of extensions that have no record of their own.
fn member_marks(done: &AttemptDone) -> Vec<MemberMark> {
    let recorded: BTreeSet<_> = done.archive.iter().flat_map(|a| &a.tables).map(|t| &t.data.table).collect();
    let members = done.catalogs.inventory.tables.iter().filter(|t| t.extension.is_some());
    let named = members.filter(|t| !recorded.contains(&t.name)).filter_map(|table| {
        let mark = done.marks.tables.get(&table.oid)?.clone();
        Some(MemberMark { name: table.name.clone(), mark })
    });
    named.collect()
}

/// Counts by word; `<word>_all` where the plain word leaves out the platform's schemas.
fn counts(manifest: &Manifest, done: &AttemptDone) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for outcome in &manifest.outcomes {
        if let Outcome::Collected { counts: own } = &outcome.outcome {
            counts.extend(own.iter().map(|(word, n)| (word.clone(), *n)));
        }
    }
    let inventory = &done.catalogs.inventory;
    let kinds = inventory.counts();
    let mut set = |count: Count, n: u64| counts.insert(count.word().to_string(), n);
    for (count, kind) in [
        (Count::Views, ObjectKind::View),
        (Count::MaterializedViews, ObjectKind::MaterializedView),
        (Count::Indexes, ObjectKind::Index),
        (Count::Triggers, ObjectKind::Trigger),
        (Count::Sequences, ObjectKind::Sequence),
    ] {
        set(count, kinds.get(&kind).copied().unwrap_or(0));
    }
    if let Some(slots) = kinds.get(&SLOT) {
        set(Count::ReplicationSlots, *slots);
    }
    if done.archive.is_some() {
        let csv_files = manifest.tables.iter().filter(|t| t.csv_file.is_some()).count();
        set(Count::CsvFiles, csv_files as u64);
        set(Count::Rows, manifest.rows_total());
    }
    own_and_all(manifest, &kinds, done.archive.is_some(), &mut counts);
    counts
}

/// The plain word counts the user's own schemas, without those of the platform and of extensions. `<word>_all` counts
/// everything.
fn own_and_all(
    manifest: &Manifest,
    kinds: &BTreeMap<ObjectKind, u64>,
    has_tables: bool,
    counts: &mut BTreeMap<String, u64>,
) {
    let is_supabase = manifest.source.is_supabase;
    let mut set = |own: Count, all: Count, (own_n, all_n): (u64, u64)| {
        counts.insert(own.word().to_string(), own_n);
        counts.insert(all.word().to_string(), all_n);
    };
    let written = |count: Count| manifest.outcomes.iter().find_map(|o| o.outcome.count(count));
    if let (Some(all), Some(own)) = (written(Count::Functions), written(Count::FunctionsOwn)) {
        set(Count::Functions, Count::FunctionsAll, (if is_supabase { own } else { all }, all));
    }
    if let Some(all) = written(Count::Policies) {
        set(
            Count::Policies,
            Count::PoliciesAll,
            (kinds.get(&ObjectKind::Policy).copied().unwrap_or(all).min(all), all),
        );
    }
    if has_tables {
        let is_own = |t: &&TableRecord| !is_supabase || !is_managed_schema(&t.name.schema);
        let own = manifest.tables.iter().filter(is_own).count() as u64;
        set(Count::Tables, Count::TablesAll, (own, manifest.tables.len() as u64));
    }
    counts.remove(Count::FunctionsOwn.word());
}

/// The report that `create` prints at the end.
pub fn report(sealed: &Sealed, duration_ms: u64) -> TakeReport {
    let manifest = &sealed.manifest;
    TakeReport {
        snapshot: Some(manifest.id.clone()),
        place: Some(sealed.folder.clone()),
        kind: manifest.kind,
        label: manifest.label.clone(),
        complete: manifest.complete,
        counts: manifest.counts.clone(),
        gaps: manifest.gaps.clone(),
        schema_verification: manifest.schema_verification.clone(),
        bytes_total: manifest.bytes_total(),
        duration_ms,
        skipped: None,
    }
}
