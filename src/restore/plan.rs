//! Plans a restore without writing anything.
//!
//! Invariant (R42): everything that will be dropped or replaced is named, including what CASCADE drops; rows are
//! compared, not guessed; what the restore cannot bring back is an exception with its reason. Two plans of an unchanged
//! target are equal, digest included.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::failures::leave_out;
use super::objects::delta::Delta;
use super::objects::domains::stuck;
use super::objects::made_roles;
use super::objects::partitions::only_moved;
use super::objects::removal::not_nulls_are_objects;
use super::objects::replace::{Way, only_not_nulls, way};
use super::parts::{database, jobs, queues, vault};
use super::rows::policy::files;
use super::rows::tables::Tables;
use super::rows::{computed, contents, marks, member_rows};
use super::target::locks::Needed;
use super::target::state::{Examined, examine, refuse_target};
use super::target::versions;
use super::{Engine, predicted, settle};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::identity;
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::load_reason::LoadReason;
use crate::model::manifest::{FORMAT, TableRecord};
use crate::model::name::{QualifiedName, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{ConflictPolicy, Exception, ObjectName, RestorePlan, TableLoad, TargetKind};
use crate::monitor::millis;
use crate::monitor::{Event, Phase};
use crate::pg::catalog::dependents::dependents;
use crate::pg::catalog::lock_room::{LockRoom, lock_room};
use crate::pg::meaning::Within;
use crate::pg::rows::{fingerprint_table, fingerprint_tables};
use crate::pg::session::Session;
use crate::snapshot::layout;

/// An empty target of up to this size is filled in one transaction over one connection.
const ONE_TRANSACTION_BYTES_MAX: u64 = 64 << 20;
/// Measured on two cores; used for the estimate only.
const BYTES_PER_SECOND: u64 = 40 << 20;
const OBJECTS_PER_SECOND: u64 = 500;

/// Makes the plan.
pub async fn plan(engine: &Engine<'_>) -> Result<RestorePlan> {
    let clock = std::time::Instant::now();
    engine.monitor.event(Event::PhaseStarted { phase: Phase::Plan, bytes_total: None });
    let (session, examined) = examine(engine).await?;
    refuse_target(engine, &examined)?;
    let live = engine.source.read_target(&session, Within::Nothing).await?;
    let mut objects = objects(engine, &examined, &session, &live).await?;
    let secrets = vault::predict(engine, &examined, &session).await?;
    objects.drop.extend(secrets.drop);
    objects.replace.extend(secrets.replace);
    objects.create.extend(secrets.create);
    let (properties, database) = database::predict(engine, &examined, &live);
    objects.replace.extend(properties);
    let roles = made_roles::predict(engine, &examined.scope, &session).await?;
    objects.drop.extend(roles.drop);
    let member_rows = member_rows::left(engine, &examined, &session).await?;
    let tables = Tables::new(engine.source, &examined.scope, engine.request, engine.monitor);
    let logins = logins(&session, &tables, &examined, &live).await?;
    let vouched = unwritten_since_snapshot(engine, &session, &examined, &tables, &live).await?;
    let room = lock_room(&session).await?;
    let is_proved = vouched.is_empty() || marks::nothing_ended(engine, &session).await?;
    let versions = versions::predict(engine, &examined, &session).await?;
    drop(session);
    let mut compared = rows(engine, &vouched, &tables, &live, &objects.remade).await?;
    // No proof follows a plan without work, so a plan may be empty only if every table was read.
    if !is_proved && objects.is_empty() && compared.load.is_empty() {
        compared = rows(engine, &BTreeSet::new(), &tables, &live, &objects.remade).await?;
    }
    let Compared { mut load, tables_equal, tables_vouched } = compared;
    load.extend(logins.end);
    load.sort_by(|a, b| a.table.cmp(&b.table));
    let mut exceptions: Vec<Exception> =
        secrets.exceptions.into_iter().chain(roles.exceptions).chain(database).collect();
    exceptions.extend(versions);
    exceptions.append(&mut objects.exceptions);
    exceptions.extend(member_rows);
    exceptions.extend(predicted::seen_in_catalogs(engine, &examined, &live, &objects.drop));
    if examined.scope.is_whole() && !examined.scope.untrusted {
        objects.replace.extend(computed::views(engine, &live).await?);
    }
    let bytes: u64 = load.iter().map(|l| l.bytes_raw).sum();
    let count = (objects.create.len() + objects.replace.len() + objects.drop.len()) as u64;
    let empty = matches!(examined.facts.kind, TargetKind::FreshProject | TargetKind::Bare);
    let unread = if tables_vouched > 0 { format!(", {tables_vouched} of them unread") } else { String::new() };
    let summary = format!("{count} objects and {} tables to write, {tables_equal} tables equal{unread}", load.len());
    let plan = RestorePlan {
        format: FORMAT,
        snapshot: engine.source.manifest.id.to_string(),
        manifest_sha256: engine.source.manifest.manifest_sha256.clone(),
        one_transaction: objects.fit_one_transaction(engine, room, empty, bytes)?,
        only: engine.request.only.clone(),
        drop: objects.drop,
        replace: objects.replace,
        create: objects.create,
        load,
        tables_equal,
        tables_vouched,
        leave_out: leave_out::resolve(&engine.request.leave_out, &engine.source.inventory)?,
        exceptions: predicted::exceptions(engine, &examined, &logins.equal, exceptions),
        manual: predicted::manual(engine, &examined, &live),
        estimated_ms: 1000 * (bytes / BYTES_PER_SECOND + count / OBJECTS_PER_SECOND) + 500,
        digest: String::new(),
        target: examined.facts,
    };
    let duration_ms = millis(clock.elapsed());
    engine.monitor.event(Event::PhaseEnded { phase: Phase::Plan, summary, duration_ms });
    Ok(plan.sealed())
}

/// The objects of a plan.
struct Objects {
    drop: Vec<ObjectName>,
    replace: Vec<ObjectName>,
    create: Vec<ObjectName>,
    /// Tables that will be recreated: all their rows are loaded.
    remade: BTreeSet<QualifiedName>,
    exceptions: Vec<Exception>,
}

impl Objects {
    fn is_empty(&self) -> bool {
        self.drop.is_empty() && self.replace.is_empty() && self.create.is_empty()
    }

    /// An empty target may be filled in several transactions. Any other restore is one transaction, or refused.
    fn fit_one_transaction(&self, engine: &Engine<'_>, room: LockRoom, empty: bool, bytes: u64) -> Result<bool> {
        let all = self.drop.iter().chain(&self.replace).chain(&self.create);
        let needed = Needed::of(all, &engine.source.toc);
        if !empty || engine.request.untrusted {
            return needed.refuse_in_one(room).map(|()| true);
        }
        Ok(!needed.is_much_for(room) && (bytes <= ONE_TRANSACTION_BYTES_MAX || engine.request.jobs <= 1))
    }
}

async fn objects(engine: &Engine<'_>, examined: &Examined, session: &Session, live: &Inventory) -> Result<Objects> {
    let creation = examined.creation(engine)?;
    let delta = Delta::new(&engine.source.inventory.objects, &live.objects, &examined.scope);
    let entries: HashMap<ObjectName, _> =
        creation.entries.iter().filter_map(|s| s.object.map(|o| (ObjectName::of(o), s.entry))).collect();
    let is_dropped =
        |w: &CatalogObject, l: &CatalogObject| way(w, l, entries.get(&ObjectName::of(w)).copied()) == Way::Drop;
    let not_nulls = not_nulls_are_objects(&engine.source.inventory, session);
    let stays = |w: &CatalogObject, l: &CatalogObject| only_moved(&delta, w, l) || (not_nulls && only_not_nulls(w, l));
    let dropped = delta.differs.iter().filter(|(w, l)| is_dropped(w, l) && !stays(w, l)).map(|(_, l)| *l);
    // What is set on an object has the object's address and is dropped with it.
    let of_its_own = |o: &CatalogObject| {
        let kind = o.kind;
        !matches!(
            kind,
            ObjectKind::Acl
                | ObjectKind::Comment
                | ObjectKind::SequenceSet
                | ObjectKind::RowSecurity
                | ObjectKind::SecurityLabel
        ) && !matches!(kind, ObjectKind::DatabaseSetting | ObjectKind::RoleSetting)
    };
    let roots = delta.extra.iter().copied().filter(|o| of_its_own(o)).chain(dropped);
    let stuck = stuck(session, &delta, live).await?;
    let roots: Vec<Address> = roots.chain(stuck.iter().copied()).filter_map(|o| o.address).collect();
    let gone = dependents(session, &roots).await?;
    let known: HashSet<ObjectName> = delta.names().into_iter().collect();
    let along = live.objects.iter().filter(|o| {
        of_its_own(o)
            && o.address.is_some_and(|a| gone.contains(&Address { sub: 0, ..a }))
            && !known.contains(&ObjectName::of(o))
    });
    let in_snapshot: HashSet<ObjectName> = engine.source.inventory.objects.iter().map(ObjectName::of).collect();
    let (mut replace, mut drop): (Vec<_>, Vec<_>) = along.map(ObjectName::of).partition(|o| in_snapshot.contains(o));
    replace.extend(delta.differs.iter().map(|(w, _)| ObjectName::of(w)));
    replace.extend(stuck.into_iter().map(ObjectName::of));
    replace.extend(settle::moved_sequences(engine, examined, live).into_iter().map(ObjectName::of));
    replace.extend(files(&engine.request.only).into_iter().map(part));
    if examined.scope.is_whole() && examined.facts.kind == TargetKind::SameDatabase {
        replace.extend(contents::large_objects(engine, session).await?);
        replace.extend(jobs::differ(engine, session).await?.then(|| part(layout::CRON_JOBS_SQL)));
    }
    if examined.scope.is_whole() && examined.facts.kind.has_user_objects() {
        replace.extend(queues::differing(engine, session, live, examined.facts.kind).await?);
        drop.extend(queues::extra_queues(engine.source, session).await?.iter().map(|queue| queues::object(queue)));
        drop.extend(jobs::extra_jobs(engine, session, examined.facts.kind).await?.iter().map(jobs::ExtraJob::object));
    }
    drop.extend(delta.extra.iter().map(|o| ObjectName::of(o)));
    replace.sort();
    replace.dedup();
    drop.sort();
    let remade = live.objects.iter().filter(|o| o.kind == ObjectKind::Table);
    let remade = remade.filter(|o| o.address.is_some_and(|a| gone.contains(&Address { sub: 0, ..a })));
    let remade =
        remade.filter_map(|o| identity::qualified(&o.identity)).map(|(s, n)| QualifiedName::new(s, n)).collect();
    let create = delta.missing.iter().map(|o| ObjectName::of(o)).collect();
    Ok(Objects { drop, replace, create, remade, exceptions: delta.column_order_exceptions().collect() })
}

/// A snapshot file that is merged into the target.
fn part(file: &str) -> ObjectName {
    ObjectName { kind: ObjectKind::File, identity: file.into() }
}

/// The tables of a plan.
struct Compared {
    load: Vec<TableLoad>,
    tables_equal: u64,
    tables_vouched: u64,
}

/// Tables of the snapshot's own database for which the server's counters show no write since.
async fn unwritten_since_snapshot(
    engine: &Engine<'_>,
    session: &Session,
    examined: &Examined,
    tables: &Tables<'_>,
    live: &Inventory,
) -> Result<BTreeSet<QualifiedName>> {
    if examined.facts.kind != TargetKind::SameDatabase {
        return Ok(BTreeSet::new());
    }
    let records: Vec<&TableRecord> = tables.records().collect();
    // A renamed table gets its name back only in a restore of everything.
    marks::unwritten_since_snapshot(engine, session, live, &records, examined.scope.is_whole()).await
}

/// Which tables to load, and how many are equal.
async fn rows(
    engine: &Engine<'_>,
    vouched: &BTreeSet<QualifiedName>,
    tables: &Tables<'_>,
    live: &Inventory,
    remade: &BTreeSet<QualifiedName>,
) -> Result<Compared> {
    let mut load = Vec::new();
    let mut compare: Vec<&TableRecord> = Vec::new();
    let mut tables_vouched = 0;
    for record in tables.records() {
        let there = live.table(&record.name);
        let columns_there = |facts: &crate::model::inventory::TableFacts| {
            record.columns.iter().all(|c| facts.columns.iter().any(|l| l.name == *c && !l.generated))
        };
        let known = vouched.contains(&record.name);
        match there {
            None if known => tables_vouched += 1,
            None => load.push(table_load(record, LoadReason::New)),
            Some(_) if remade.contains(&record.name) => load.push(table_load(record, LoadReason::MadeAgain)),
            Some(facts) if !columns_there(facts) => load.push(table_load(record, LoadReason::ColumnsDiffer)),
            Some(_) if known => tables_vouched += 1,
            Some(_) => compare.push(record),
        }
    }
    compare.sort_by_key(|record| std::cmp::Reverse(record.bytes_raw));
    let wanted: Vec<_> = compare.iter().map(|r| (r.name.clone(), r.columns.clone())).collect();
    let jobs = engine.request.jobs.max(1) as usize;
    let done = std::sync::atomic::AtomicU64::new(0);
    let progress = |bytes: u64| {
        let bytes_done = done.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes;
        engine.monitor.event(Event::PhaseProgress { phase: Phase::Plan, bytes_done });
    };
    let found = fingerprint_tables(engine.target, &wanted, jobs, engine.cancel, &progress).await?;
    let mut equal: Vec<&TableRecord> = Vec::new();
    for (record, live) in compare.into_iter().zip(found) {
        if live.rows == record.rows && live.sum == record.fingerprint {
            equal.push(record);
            continue;
        }
        refuse_conflict(engine, record, live.rows)?;
        load.push(table_load(record, LoadReason::RowsDiffer { target_rows: live.rows }));
    }
    // Rows are equal, but a function behind a generated column has changed since: load the table again, so that the
    // values are computed with the snapshot's function.
    let generated = computed::tables(engine, &equal).await?;
    let (anew, equal): (Vec<_>, Vec<_>) = equal.into_iter().partition(|record| generated.contains(&record.name));
    load.extend(anew.into_iter().map(|record| table_load(record, LoadReason::GeneratedColumnsDiffer)));
    load.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(Compared { load, tables_equal: tables_vouched + equal.len() as u64, tables_vouched })
}

/// What happens to logins in place.
#[derive(Default)]
struct Logins {
    end: Vec<TableLoad>,
    /// Tables whose rows equal the snapshot's: nothing happened since.
    equal: BTreeSet<QualifiedName>,
}

/// If any row of the login tables differs from the snapshot, all of these tables are emptied: they refer to each other.
async fn logins(session: &Session, tables: &Tables<'_>, examined: &Examined, live: &Inventory) -> Result<Logins> {
    let (mut logins, mut all) = (Logins::default(), 0);
    for record in tables.logins() {
        let columns: Vec<String> = live.table(&record.name).map_or_else(Vec::new, |facts| {
            facts.columns.iter().filter(|c| !c.generated).map(|c| c.name.clone()).collect()
        });
        if columns.is_empty() {
            continue;
        }
        let found = fingerprint_table(session, &record.name, &columns).await?;
        if found.rows == record.rows && found.sum == record.fingerprint {
            logins.equal.insert(record.name.clone());
        }
        if found.rows > 0 {
            let reason = LoadReason::LoginsEnd { target_rows: found.rows };
            logins.end.push(TableLoad { table: record.name.clone(), rows: 0, bytes_raw: 0, reason });
        }
        all += 1;
    }
    if examined.facts.kind == TargetKind::SameDatabase && logins.equal.len() == all {
        logins.end.clear();
    } else {
        logins.equal.clear();
    }
    Ok(logins)
}

fn table_load(record: &TableRecord, reason: LoadReason) -> TableLoad {
    TableLoad { table: record.name.clone(), rows: record.rows, bytes_raw: record.bytes_raw, reason }
}

/// `--auth-rows abort`: refuses when rows of `auth` or `storage` differ.
fn refuse_conflict(engine: &Engine<'_>, record: &TableRecord, rows: u64) -> Result<()> {
    let theirs = matches!(record.name.schema.as_str(), "auth" | "storage");
    if engine.request.conflicts != ConflictPolicy::Abort || !theirs || rows == 0 {
        return Ok(());
    }
    let text =
        format!("{} of the target has {rows} rows that differ from the snapshot's", visible(&record.name.plain()));
    Err(Failure::msg(FailureKind::DifferencesFound, text)
        .hint("nothing was written; choose: --auth-rows overwrite (the snapshot's rows) or keep (the target's rows)"))
}
