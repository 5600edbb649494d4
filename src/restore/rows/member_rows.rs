//! Rows of an extension's tables, which pg_dump leaves out: names those that a restore does not bring back.
//!
//! Invariant: queues are restored where the target has pgmq. Every other table whose rows are in the snapshot and will
//! not be on the target is named, with their number. It only reads.

use crate::model::failure::Result;
use crate::model::name::visible;
use crate::model::restore::{Exception, TargetKind};
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::restore::parts::queues;
use crate::restore::target::state::Examined;
use crate::snapshot::member_tables;

/// The exception code.
const NOT_RESTORED: &str = "member_rows_not_restored";

/// The exceptions for the plan.
pub async fn left(engine: &Engine<'_>, examined: &Examined, session: &Session) -> Result<Vec<Exception>> {
    let mut found = Vec::new();
    if !examined.scope.is_whole() {
        return Ok(found);
    }
    let (place, manifest) = (&engine.source.place, &engine.source.manifest);
    for member in member_tables::members(place)? {
        let (extension, file) = (member.extension.clone(), member.file.clone());
        let Some(record) = member.record(place, manifest)?.filter(|record| record.rows > 0) else { continue };
        let is_missing = examined.scope.extensions_missing.contains(&extension);
        let is_queue = extension == queues::EXTENSION;
        // `queues` handles the list of queues.
        if is_queue && (!is_missing || record.name.name == "meta") {
            continue;
        }
        let same = examined.facts.kind == TargetKind::SameDatabase;
        if same && !is_missing && queues::is_equal(session, &record).await? {
            continue;
        }
        let shown = visible(&extension);
        let why = match (is_missing, same) {
            (true, _) => format!("it is a table of {shown}, which the target does not have"),
            (false, true) => {
                format!("it is a table of {shown}, whose rows differ now, and only the extension writes it")
            }
            (false, false) => format!("it is a table of {shown}, and only the extension writes it"),
        };
        let word = if is_queue { "messages" } else { "rows" };
        let file = file.map_or_else(String::new, |file| format!(": they are in {}", visible(&file)));
        let todo = if is_missing {
            format!("restore where {shown} can be installed, or load them yourself{file}")
        } else {
            format!("load them yourself if you need them{file}")
        };
        found.push(Exception {
            code: NOT_RESTORED.into(),
            what: format!("{} {word} of {}", record.rows, record.name.plain()),
            why,
            todo,
        });
    }
    Ok(found)
}
