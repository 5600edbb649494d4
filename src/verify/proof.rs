//! The proof after a restore: does the live database match the snapshot, and does it work?
//!
//! Invariant: it trusts nothing that the restore reported. Objects come from the target's own catalogs and rows from
//! its own tables, each from one MVCC snapshot; nothing remains on the target. A difference is a finding unless an
//! [`Expected`] loss names it. Whatever could not be compared is a finding too, never a pass.

mod computed;
mod objects;
mod policies;
pub mod rls;
mod rows;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::model::bootstrap;
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::difference::{Rules, compare, same_view_of_passwords};
use crate::model::failure::Result;
use crate::model::index_state;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::manifest::{Manifest, TableRecord};
use crate::model::name::QualifiedName;
use crate::model::replication;
use crate::model::restore::{Exception, ObjectName, ProbeOutcome, Proof, ProofFinding, RestoreVerdict, SecurityCensus};
use crate::model::secret::Secret;
use crate::monitor::millis;
use crate::monitor::{Event, Monitor, Phase};
use crate::pg::catalog::inventory::inventory;
use crate::pg::census::{self, census};
use crate::pg::meaning::{self, Known, Within};
use crate::pg::probes::{known_login, probes};
use crate::pg::session::Session;

const APPLICATION: &str = "stacksnap proof";

/// A difference that the plan predicted, and the objects that it explains. Dependents of a missing table (its indexes,
/// policies, grants, rows) and members of a missing extension are explained with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub exception: Exception,
    pub objects: Vec<ObjectName>,
    /// Tables whose rows are not compared with the snapshot's.
    pub rows_of: Vec<QualifiedName>,
}

/// Which rows are read.
#[derive(Debug, Clone, Copy, Default)]
pub enum RowScope<'a> {
    /// Every table of the manifest.
    #[default]
    All,
    Only(&'a [QualifiedName]),
    /// Every table but these, which were fingerprinted already and not written to since.
    Except(&'a [QualifiedName]),
}

/// Which of the snapshot's and the target's objects are compared.
pub type ObjectScope<'a> = &'a (dyn Fn(&CatalogObject) -> bool + Sync);

/// The input of a proof.
pub struct ProofInput<'a> {
    pub manifest: &'a Manifest,
    pub inventory: &'a Inventory,
    /// The snapshot's folder, to find the rows whose generated values differ.
    pub place: Option<&'a Path>,
    /// The restored database.
    pub spec: &'a ConnSpec,
    pub expected: &'a [Expected],
    pub rows: RowScope<'a>,
    /// `None`: all objects.
    pub objects: Option<ObjectScope<'a>>,
    /// `None`: strict, except for what differs between the two major versions.
    pub rules: Option<Rules>,
    /// The target's census before the restore.
    pub census_before: Option<SecurityCensus>,
    /// The census of the source, if known.
    pub census_source: Option<&'a SecurityCensus>,
    pub probes_source: Option<&'a [ProbeOutcome]>,
    /// Compare which rows row security shows with the source. Not possible if rows were merged or only parts restored.
    pub compare_rls: bool,
    /// An email address and its password, to try against the restored hash.
    pub login: Option<(&'a str, &'a Secret)>,
    /// Probes run code of the snapshot (policies, defaults), so not for an untrusted one.
    pub run_probes: bool,
    /// Sessions that read rows.
    pub jobs: usize,
    pub monitor: &'a dyn Monitor,
    pub cancel: &'a Cancel,
}

impl<'a> ProofInput<'a> {
    /// A full proof: every object, every row, every probe, no expected losses.
    pub fn new(
        manifest: &'a Manifest,
        inventory: &'a Inventory,
        spec: &'a ConnSpec,
        monitor: &'a dyn Monitor,
        cancel: &'a Cancel,
    ) -> Self {
        Self {
            manifest,
            inventory,
            place: None,
            spec,
            expected: &[],
            rows: RowScope::All,
            objects: None,
            rules: None,
            census_before: None,
            census_source: None,
            probes_source: None,
            compare_rls: true,
            login: None,
            run_probes: true,
            jobs: 2,
            monitor,
            cancel,
        }
    }

    fn wanted_tables(&self) -> Vec<&'a TableRecord> {
        let wanted = |t: &&TableRecord| match self.rows {
            RowScope::All => true,
            RowScope::Only(names) => names.contains(&t.name),
            RowScope::Except(names) => !names.contains(&t.name),
        };
        self.manifest.tables.iter().filter(wanted).collect()
    }
}

/// The differences so far, before the verdict.
#[derive(Default)]
struct Found {
    findings: Vec<ProofFinding>,
    /// Which of [`ProofInput::expected`] actually occurred.
    explained: Vec<bool>,
    notes: Vec<String>,
    /// Contents that differ or were not compared, and that could not be predicted.
    exceptions: Vec<Exception>,
}

impl Found {
    fn add(&mut self, code: &str, what: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) {
        let (what, expected, found) = (what.into(), expected.into(), found.into());
        self.findings.push(ProofFinding { code: code.to_string(), what, expected, found });
    }
}

/// Compares, runs the probes and sets the verdict. An error means that the proof could not run (connection, privileges,
/// cancelled): not proven.
pub async fn prove(input: ProofInput<'_>) -> Result<Proof> {
    let start = Instant::now();
    let tables = input.wanted_tables();
    let bytes_total = tables.iter().map(|t| t.bytes_raw).sum();
    input.monitor.event(Event::PhaseStarted { phase: Phase::Prove, bytes_total: Some(bytes_total) });
    let session = Session::open(input.spec, APPLICATION).await?;
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    let mut live = inventory(&session).await?;
    bootstrap::align_with(&mut live, input.inventory);
    index_state::align_with(&mut live, input.inventory);
    replication::align_with(&mut live, input.inventory);
    let mut found = Found { explained: vec![false; input.expected.len()], ..Found::default() };
    let readable = rows::readable(&session, &tables, &live, &mut found, &input).await?;
    session.execute("ROLLBACK").await?;
    meaning::align_with(&session, input.inventory, &mut live, Within::Nothing, &Known::default()).await?;

    let bytes = AtomicU64::new(0);
    let progress = |more: u64| {
        let bytes_done = bytes.fetch_add(more, Ordering::Relaxed) + more;
        input.monitor.event(Event::PhaseProgress { phase: Phase::Prove, bytes_done });
    };
    let (read, objects_compared) = {
        let reading = rows::read(&input, &readable, &progress);
        let comparing = async { compare_objects(&input, &live, session.version_num, &mut found) };
        tokio::join!(reading, comparing)
    };
    let (tables_compared, rows_compared) = rows::judge(&input, &readable, &read?, &mut found);
    computed::judge(&input, &live, &mut found).await?;
    let census_after = census(&session).await?;
    let census_worse = worse(&input, &census_after, &found);
    found.findings.extend(census_worse);
    let probes = run_probes(&session, &input, &mut found).await?;

    for note in &found.notes {
        input.monitor.note(note.clone());
    }
    let exceptions = exceptions(&input, &found);
    found.findings.sort();
    let verdict = match (found.findings.is_empty(), exceptions.is_empty()) {
        (false, _) => RestoreVerdict::Not,
        (true, false) => RestoreVerdict::Except,
        (true, true) => RestoreVerdict::Restorable,
    };
    let duration_ms = millis(start.elapsed());
    let summary = format!("{} findings, {objects_compared} objects, {rows_compared} rows", found.findings.len());
    input.monitor.event(Event::PhaseEnded { phase: Phase::Prove, summary, duration_ms });
    Ok(Proof {
        verdict,
        findings: found.findings,
        exceptions,
        probes,
        census_before: input.census_before,
        census_after,
        objects_compared,
        tables_compared,
        rows_compared,
        duration_ms,
    })
}

/// Returns how many objects of the snapshot were compared.
fn compare_objects(input: &ProofInput<'_>, live: &Inventory, version_num: u32, found: &mut Found) -> u64 {
    let source_version = input.manifest.source.server_version_num;
    let between = || Rules { parser_asked: true, ..Rules::between(source_version, version_num) };
    let rules = input.rules.clone().unwrap_or_else(between);
    let in_scope = |all: &[CatalogObject]| -> Vec<CatalogObject> {
        all.iter().filter(|o| input.objects.is_none_or(|wanted| wanted(o))).cloned().collect()
    };
    let (mut left, mut right) = (in_scope(&input.inventory.objects), in_scope(&live.objects));
    if same_view_of_passwords(&mut left, &mut right) {
        found.notes.push("passwords of roles were not compared: one side could not be read".to_string());
    }
    let differences = compare(&left, &right, &rules);
    objects::judge(&left, &right, &differences, input.expected, found);
    left.len() as u64
}

/// Exceptions that occurred, and those that name nothing comparable.
fn exceptions(input: &ProofInput<'_>, found: &Found) -> Vec<Exception> {
    let all = input.expected.iter().zip(&found.explained);
    all.filter(|(e, explained)| **explained || (e.objects.is_empty() && e.rows_of.is_empty()))
        .map(|(e, _)| e.exception.clone())
        .chain(found.exceptions.iter().cloned())
        .collect()
}

/// What is open now and was not before. Compared with the target before the restore, it counts only if it differs from
/// the snapshot: a fresh database has nothing open, and a rollback may have to reopen what a migration closed.
fn worse(input: &ProofInput<'_>, after: &SecurityCensus, found: &Found) -> Vec<ProofFinding> {
    if let Some(source) = input.census_source {
        return census::compare(source, after);
    }
    let Some(before) = &input.census_before else { return Vec::new() };
    let mut worse = census::compare(before, after);
    worse.retain(|w| found.findings.iter().any(|f| objects::decides_about(f, &w.what)));
    worse
}

async fn run_probes(session: &Session, input: &ProofInput<'_>, found: &mut Found) -> Result<Vec<ProbeOutcome>> {
    if !input.run_probes {
        let detail = "not run: what they test was not restored, or its code is not trusted".to_string();
        return Ok(vec![ProbeOutcome { name: "probes".to_string(), passed: None, detail }]);
    }
    let mut outcomes = probes(session, Some(input.inventory)).await?;
    if let Some((email, password)) = input.login {
        outcomes.push(known_login(session, email, password).await?);
    }
    outcomes.push(policies::probe(session, input, found).await?);
    let users_equal = rows::proven_equal(input, &QualifiedName::new("auth", "users"), found);
    for probe in outcomes.iter().filter(|o| o.passed == Some(false)) {
        let failed_before = |o: &ProbeOutcome| o.name == probe.name && o.passed == Some(false);
        let as_it_was = (probe.name == "token_columns_not_null" && users_equal)
            || input.probes_source.is_some_and(|all| all.iter().any(failed_before));
        if as_it_was {
            found.notes.push(format!("the probe {} fails as it does in the source: {}", probe.name, probe.detail));
        } else {
            found.add("probe_failed", probe.name.clone(), "passed", probe.detail.clone());
        }
    }
    Ok(outcomes)
}
