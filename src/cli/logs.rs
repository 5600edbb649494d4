//! `stacksnap logs SNAP [-f]`

use serde::Serialize;

use super::args::LogsArgs;
use super::{Ended, Surroundings, wiring};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ops::logs;
use crate::ui::out::{self, Format};
use crate::ui::text::{line, safe_json};

#[derive(Serialize)]
struct LogDocument {
    run: String,
    place: String,
    running: bool,
    lines: Vec<String>,
}

#[derive(Serialize)]
struct LogLine<'a> {
    kind: &'static str,
    line: &'a str,
}

pub fn run(around: &Surroundings, args: &LogsArgs) -> Result<Ended> {
    if args.follow && around.ui.format == Format::Json {
        return Err(Failure::msg(FailureKind::Usage, "-o json prints one document and cannot follow a log")
            .hint("use -o ndjson with -f"));
    }
    let root = wiring::root(around.ui, &around.globals, &around.environment)?;
    let log = logs::find(&root, &args.snapshot)?;
    match around.ui.format {
        Format::Text => logs::read(&root, &log, args.follow, |text| out::data(&line(text)))?,
        Format::Ndjson => logs::read(&root, &log, args.follow, |text| {
            let document = LogLine { kind: "log", line: text };
            serde_json::to_string(&document).map_or(true, |json| out::data(&safe_json(&json)))
        })?,
        Format::Json => {
            let mut lines = Vec::new();
            let running = logs::is_running(&root, &log.run);
            logs::read(&root, &log, false, |text| {
                lines.push(text.to_string());
                true
            })?;
            let place = log.place.to_string_lossy().into_owned();
            around.ui.document("logs", &LogDocument { run: log.run.to_string(), place, running, lines });
        }
    }
    Ok(None)
}
