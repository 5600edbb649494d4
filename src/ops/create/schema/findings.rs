//! Turns the result of restoring the schema into gaps of the snapshot, and into objects that could not be tried here.
//!
//! Invariant: each cause is one gap, with the server's message and the objects that depend on it. An error that comes
//! from the throw-away server (a missing extension, library or locale) or from disabled functions is no gap.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::failure::{Failure, Result};
use crate::model::gap::Gap;
use crate::model::left_out::{Instead, LeftOut};
use crate::model::name::visible;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::Exception;
use crate::model::schema_verification::NotTried;
use crate::model::sqlstate::{INTERNAL_ERROR, INVALID_OBJECT_DEFINITION, SqlState};
use crate::ops::drill::{is_of_the_server, is_of_the_snapshot};
use crate::restore::source::SnapshotSource;
use crate::restore::{Done, LIBRARY_MISSING, stubs};

/// The code of these gaps.
pub const GAP: &str = "schema_not_restored";
/// How many dependent objects a gap names; more are counted.
const FALLEN_NAMED_MAX: usize = 8;
const TODO: &str = "fix it in the source and take another snapshot; a restore leaves it and its dependents out, and \
    complete_database_with_data.sql has its definition";

/// Everything that was found.
pub struct Findings {
    pub server_version: String,
    pub gaps: Vec<Gap>,
    pub not_tried: Vec<NotTried>,
    /// Dump ids that depend on a function of the source, directly or not.
    on_functions: BTreeSet<i64>,
    /// Partitioned tables: a partition key that folds to a constant is refused while functions are disabled.
    partitioned: BTreeSet<String>,
    /// Entries of an object, by kind and identity.
    entries: BTreeMap<(ObjectKind, String), Vec<i64>>,
}

impl Findings {
    pub fn new(server_version: String, source: &SnapshotSource) -> Self {
        Self {
            server_version,
            gaps: Vec::new(),
            not_tried: Vec::new(),
            on_functions: on_functions(source),
            partitioned: partitioned(source),
            entries: entries(source),
        }
    }

    /// Records a restore that came to its end.
    pub fn done(&mut self, done: &Done) {
        self.causes(&done.left_out);
        let of_server = |e: &&Exception| [stubs::MISSING, stubs::STUBBED, LIBRARY_MISSING].contains(&e.code.as_str());
        let not_tried = done.exceptions.iter().filter(of_server);
        self.not_tried.extend(not_tried.map(|e| NotTried { what: visible(&e.what), why: visible(&e.why) }));
        self.not_tried.sort();
        self.not_tried.dedup();
    }

    /// Records a restore that failed. An error when the failure is not about the snapshot.
    pub fn failed(&mut self, failure: Failure) -> Result<()> {
        if failure.left_out.iter().any(is_short) {
            return Err(failure);
        }
        if !failure.left_out.is_empty() {
            self.causes(&failure.left_out);
            return Ok(());
        }
        if !is_of_the_snapshot(&failure) {
            return Err(failure);
        }
        let hints: Vec<String> = failure.hints.iter().map(|hint| visible(hint)).collect();
        let todo = if hints.is_empty() { TODO.to_string() } else { hints.join("; ") };
        let why = format!("our restore stops on PostgreSQL {}: {}", self.server_version, visible(&failure.to_string()));
        self.gaps.push(Gap::new(GAP, "the whole schema", why, todo));
        Ok(())
    }

    fn causes(&mut self, left_out: &[LeftOut]) {
        for cause in left_out.iter().filter(|one| one.because_of.is_none() && !is_unattached(one, left_out)) {
            let fell = |other: &&LeftOut| other.because_of.as_ref() == Some(&cause.object);
            let fallen: Vec<String> = left_out.iter().filter(fell).map(|other| visible(&other.what())).collect();
            let fell = with_it(&fallen);
            let what = visible(&cause.what());
            let message = server_message(cause);
            if let Some(why) = self.not_of_the_snapshot(cause) {
                self.not_tried.push(NotTried { what, why: format!("{why}: {message}{fell}") });
                continue;
            }
            let why = format!("{} on PostgreSQL {}: {message}{fell}", verdict(cause.instead), self.server_version);
            self.gaps.push(Gap::new(GAP, what, why, TODO));
        }
    }

    /// Why a cause is not the snapshot's, if so.
    fn not_of_the_snapshot(&self, cause: &LeftOut) -> Option<&'static str> {
        let code = cause.sqlstate.as_deref().and_then(SqlState::parse)?;
        if self.may_be_sleep(cause, code) {
            return Some("it needs to run a function of the source, which this verification does not allow");
        }
        // Which locales exist depends on the machine.
        let locale = cause.object.kind == ObjectKind::Collation && code.class() == "22";
        (is_of_the_server(code) || locale).then_some("the throw-away server could not try it")
    }

    /// Disabled functions return NULL. Where one is called all the same (support functions of operator classes,
    /// constants in the key of a partitioned table), these errors can be the result.
    fn may_be_sleep(&self, cause: &LeftOut, code: SqlState) -> bool {
        let key = (cause.object.kind, cause.object.identity.clone());
        let needs = || self.entries.get(&key).is_some_and(|ids| ids.iter().any(|id| self.on_functions.contains(id)));
        let is_key = || code.is(INVALID_OBJECT_DEFINITION) && self.partitioned.contains(&cause.object.identity);
        (code.is(INTERNAL_ERROR) || code.class() == "22" || is_key()) && needs()
    }
}

/// Did the server shut down, or run out of memory or disk? Then its errors prove nothing about the snapshot.
fn is_short(one: &LeftOut) -> bool {
    let code = one.sqlstate.as_deref().and_then(SqlState::parse);
    code.is_some_and(|code| matches!(code.class(), "08" | "40" | "53" | "57"))
}

/// A partition that could not be attached is listed twice: as itself and as the attachment. The attachment is reported.
fn is_unattached(one: &LeftOut, all: &[LeftOut]) -> bool {
    let attach =
        |other: &&LeftOut| other.object.kind == ObjectKind::TableAttach && other.object.identity == one.object.identity;
    one.object.kind == ObjectKind::Table && one.is_unexplained() && all.iter().any(|other| attach(&other))
}

fn verdict(instead: Instead) -> &'static str {
    match instead {
        Instead::Differs => "our restore creates it, but different from the source,",
        _ => "our restore cannot make it",
    }
}

/// The server's message. " in: " is followed by the start of the statement; if it is our DO block, it is cut off.
fn server_message(cause: &LeftOut) -> String {
    let text = if cause.said.is_empty() { "it differs, although the server refused nothing" } else { &cause.said };
    let text = text.split(" in: DO $stacksnap").next().unwrap_or(text);
    visible(text)
}

fn with_it(fallen: &[String]) -> String {
    let more = fallen.len().saturating_sub(FALLEN_NAMED_MAX);
    let named = fallen.iter().take(FALLEN_NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match (fallen.len(), more) {
        (0, _) => String::new(),
        (n, 0) => format!("; with it {} missing: {named}", if n == 1 { "is" } else { "are" }),
        _ => format!("; with it are missing: {named} and {more} more"),
    }
}

/// Entries that depend on a function, by the archive's own dependencies. A dependency of TABLE ATTACH counts for the
/// partition too.
fn on_functions(source: &SnapshotSource) -> BTreeSet<i64> {
    let all = &source.toc.entries;
    let is_function =
        |desc: ObjectKind| matches!(desc, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate);
    let mut found: BTreeSet<i64> = all.iter().filter(|e| is_function(e.desc)).map(|e| e.dump_id).collect();
    loop {
        let before = found.len();
        for entry in all {
            if entry.depends_on.iter().any(|id| found.contains(id)) {
                found.insert(entry.dump_id);
                if entry.desc == ObjectKind::TableAttach {
                    found.extend(entry.depends_on.iter().copied());
                }
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn partitioned(source: &SnapshotSource) -> BTreeSet<String> {
    let tables = source.inventory.of_kind(ObjectKind::Table).filter(|o| o.definition.contains("PARTITION BY "));
    tables.map(|o| o.identity.clone()).collect()
}

fn entries(source: &SnapshotSource) -> BTreeMap<(ObjectKind, String), Vec<i64>> {
    let mut by_address: BTreeMap<(u32, u32), Vec<i64>> = BTreeMap::new();
    for entry in &source.toc.entries {
        by_address.entry((entry.catalog_oid, entry.oid)).or_default().push(entry.dump_id);
    }
    let of = |o: &crate::model::inventory::CatalogObject| {
        let ids = by_address.get(&o.address.map(|a| (a.class, a.oid))?)?.clone();
        Some(((o.kind, o.identity.clone()), ids))
    };
    source.inventory.objects.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fell_is_named_up_to_a_bound() {
        let names = |n: usize| (0..n).map(|i| format!("VIEW v{i}")).collect::<Vec<_>>();
        assert_eq!(with_it(&names(0)), "");
        assert_eq!(with_it(&names(1)), "; with it is missing: VIEW v0");
        assert!(with_it(&names(10)).ends_with("VIEW v7 and 2 more"));
    }
}
