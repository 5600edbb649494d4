//! The proof of a drill: the restored database against the snapshot.
//!
//! Invariant: it reads the restored database only. A difference that the restore predicted is expected, for the objects
//! and rows that it named; any other difference is a finding.

use super::place::Ground;
use super::{Drill, DrillReport, Stage};
use crate::model::failure::Result;
use crate::model::identity::unquoted;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::manifest::TableRecord;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, Proof};
use crate::ops::predicted;
use crate::ops::predicted::{exception, extension_differs};
use crate::pg::session::Session;
use crate::restore::objects::invalid_indexes;
use crate::restore::parts::replication::comment_on;
use crate::restore::source::SnapshotSource;
use crate::restore::stubs::{self, StubPlan};
use crate::verify::proof::{Expected, ProofInput, prove as compare};

/// Compares the restored database with the snapshot and runs the probes.
pub async fn prove(
    drill: &Drill<'_>,
    source: &SnapshotSource,
    ground: &Ground,
    report: &DrillReport,
) -> Result<Option<Proof>> {
    let mut available = available_extensions(&Session::open(&ground.spec, "stacksnap drill").await?).await?;
    // CREATE EXTENSION can fail although the extension is available: pg_cron, if the server does not preload its
    // library.
    let refused = |name: &String| {
        report.exceptions.iter().any(|e| e.code == stubs::MISSING && e.what == format!("extension {name}"))
    };
    available.retain(|name| !refused(name));
    let stubbed = stubs::plan(&source.toc, &source.inventory, &available);
    let of_causes = predicted::left_out(&report.left_out, &source.manifest.tables);
    let named = |e: &&Exception| !report.left_out.iter().any(|one| one.what() == e.what);
    let exceptions: Vec<Exception> = report.exceptions.iter().filter(named).cloned().collect();
    let mut expected = expected(&exceptions, &stubbed, &source.inventory, &source.manifest.tables);
    expected.extend(of_causes);
    if ground.stage() == Stage::Target {
        expected.push(switched_off());
    }
    let input = ProofInput {
        expected: &expected,
        place: Some(&source.place),
        jobs: usize::try_from(drill.request.jobs.max(1)).unwrap_or(1),
        ..ProofInput::new(&source.manifest, &source.inventory, &ground.spec, drill.monitor, drill.cancel)
    };
    Ok(Some(compare(input).await?))
}

async fn available_extensions(session: &Session) -> Result<Vec<String>> {
    let rows = session.rows("SELECT name::text FROM pg_catalog.pg_available_extensions", &[]).await?;
    Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
}

/// The exceptions, with the objects and rows that each one covers.
fn expected(
    exceptions: &[Exception],
    stubbed: &StubPlan,
    inventory: &Inventory,
    tables: &[TableRecord],
) -> Vec<Expected> {
    let of_exception = |exception: &Exception| {
        let member = |o: &CatalogObject| {
            o.kind == ObjectKind::Extension && exception.what == format!("extension {}", unquoted(&o.identity))
        };
        let is_it = |kind: ObjectKind, identity: &str| exception.what == format!("{kind} {identity}");
        // A comment on a subscription is missing with the subscription.
        let about = |o: &CatalogObject| comment_on(o).is_some_and(|name| is_it(ObjectKind::Subscription, name));
        let objects = inventory.objects.iter().filter(|o| is_it(o.kind, &o.identity) || member(o) || about(o));
        let rows = exception.what.split_once(" rows of ").map(|(_, table)| table);
        Expected {
            exception: exception.clone(),
            objects: objects.map(ObjectName::of).collect(),
            rows_of: tables.iter().filter(|t| Some(t.name.plain().as_str()) == rows).map(|t| t.name.clone()).collect(),
        }
    };
    let mut all: Vec<Expected> = exceptions.iter().map(of_exception).collect();
    all.extend(
        inventory.of_kind(ObjectKind::Extension).map(|o| of_exception(&extension_differs(&unquoted(&o.identity)))),
    );
    all.extend(invalid_indexes::all(inventory).into_iter().map(|index| Expected {
        exception: index.exception,
        objects: index.objects,
        rows_of: Vec::new(),
    }));
    let rows_of: Vec<QualifiedName> = tables
        .iter()
        .filter(|t| inventory.table(&t.name).is_some_and(|facts| is_missing(facts.extension.as_deref(), stubbed)))
        .map(|t| t.name.clone())
        .collect();
    // The members of a missing extension are named individually already. This entry covers all its objects and rows.
    if let Some(first) = stubbed.not_proven.first() {
        all.push(Expected { exception: first.clone(), objects: stubbed.objects.iter().cloned().collect(), rows_of });
    }
    all
}

/// Another server may run jobs, so a drill disables them there.
fn switched_off() -> Expected {
    let exception = exception("jobs_differ", "cron jobs", "they are disabled in a named target", "");
    let rows_of = ["job", "job_run_details"].map(|name| QualifiedName::new("cron", name)).to_vec();
    Expected { exception, objects: Vec::new(), rows_of }
}

fn is_missing(extension: Option<&str>, stubbed: &StubPlan) -> bool {
    extension.is_some_and(|name| stubbed.not_proven.iter().any(|e| e.what == format!("extension {name}")))
}
