//! Does row security show the same rows as in the source?
//!
//! Invariant: rows, policies and functions are compared elsewhere; this checks whether they work together as before. A
//! difference is a finding only where the target holds everything that a policy can read. After a predicted loss, or
//! for a policy that depends on the time, it is reported without a verdict.

use std::collections::BTreeSet;

use super::rls::{self, RlsComparison, compare};
use super::{Expected, Found, ProofInput};
use crate::model::failure::Result;
use crate::model::inventory::TableFacts;
use crate::model::left_out::Instead;
use crate::model::name::{QualifiedName, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::platform::is_managed_schema;
use crate::model::restore::ProbeOutcome;
use crate::model::rls_view::RlsView;
use crate::pg::probe_rls::rls_view;
use crate::pg::session::Session;
use crate::verify::clock::Clock;

/// How many tables that were not compared are named.
const NAMED_MAX: usize = 3;

/// Probes the target, and compares it with the source's record, if there is one.
pub async fn probe(session: &Session, input: &ProofInput<'_>, found: &mut Found) -> Result<ProbeOutcome> {
    let source = input.inventory.rls_view.as_ref().filter(|_| input.compare_rls);
    let view = rls_view(session, source.and_then(|v| v.user.as_deref())).await?;
    let mut outcome = rls::outcome(&view);
    let Some(source) = source else { return Ok(outcome) };
    if let Some(why) = &source.not_asked {
        outcome.detail.push_str(&format!("; the source was not probed: {}", visible(why)));
    }
    let comparison = compared(input, source, &view);
    if comparison.compared == 0 && comparison.left_out.is_empty() {
        return Ok(outcome);
    }
    outcome.detail.push_str(&format!("; {} compared with the source", comparison.compared));
    if !comparison.left_out.is_empty() {
        let mut names: Vec<String> = comparison.left_out.iter().take(NAMED_MAX).map(|key| visible(key)).collect();
        if comparison.left_out.len() > NAMED_MAX {
            names.push("others".to_string());
        }
        let (count, names) = (comparison.left_out.len(), names.join(", "));
        outcome.detail.push_str(&format!(", {count} not (too slow, or their rows are not): {names}"));
    }
    // A policy may read what was left out on purpose, so in that case a difference proves nothing.
    let (clock, whole) = (Clock::of(input.inventory), everything_is_there(input, found));
    for (table, differs) in comparison.differences {
        let by_the_clock = clock.decides_about(&table);
        if whole && !by_the_clock {
            found.findings.push(differs);
            continue;
        }
        let why = if by_the_clock { "its policy depends on the time" } else { "its policy may read what was left out" };
        let (shows, showed) = (&differs.found, &differs.expected);
        outcome.detail.push_str(&format!("; {} shows {shows}, showed {showed}: {why}", differs.what));
    }
    Ok(outcome)
}

/// Are the rows of all tables (except the services' own) and the code of every extension there?
fn everything_is_there(input: &ProofInput<'_>, found: &Found) -> bool {
    let services = |t: &QualifiedName| is_managed_schema(&t.schema) && !matches!(t.schema.as_str(), "auth" | "storage");
    let matters = |expected: &Expected| {
        matches!(expected.exception.code.as_str(), "extension_missing" | "extension_stubbed")
            || (Instead::is_code(&expected.exception.code) && expected.objects.iter().any(|o| decides(o.kind)))
            || expected.rows_of.iter().any(|t| !services(t))
    };
    let lost = input.expected.iter().zip(&found.explained).any(|(e, came_true)| *came_true && matters(e));
    let wanted: BTreeSet<&QualifiedName> = input.wanted_tables().iter().map(|t| &t.name).collect();
    let own = |t: &&TableFacts| t.extension.is_none() && !is_managed_schema(&t.name.schema);
    !lost && input.inventory.tables.iter().filter(own).all(|t| wanted.contains(&t.name))
}

/// May an object of this kind decide which rows a role sees?
fn decides(kind: ObjectKind) -> bool {
    !matches!(
        kind,
        ObjectKind::Index
            | ObjectKind::Constraint
            | ObjectKind::FkConstraint
            | ObjectKind::CheckConstraint
            | ObjectKind::Trigger
            | ObjectKind::Comment
            | ObjectKind::Statistics
    )
}

fn compared(input: &ProofInput<'_>, source: &RlsView, view: &RlsView) -> RlsComparison {
    let rows_compared: Vec<String> = input.wanted_tables().iter().map(|t| t.name.plain()).collect();
    // A partitioned table has no rows of its own to compare.
    let parent = |table: &str| {
        let managed = table.split_once('.').is_some_and(|(schema, _)| is_managed_schema(schema));
        !managed && !input.manifest.tables.iter().any(|t| t.name.plain() == table)
    };
    compare(source, view, |table| rows_compared.iter().any(|t| t == table) || parent(table))
}
