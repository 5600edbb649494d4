//! Output of a failure: what failed, the causes, what to do.
//!
//! Invariant: with `-o json` and `ndjson` the error is one JSON document on the last line of standard output; with text
//! everything goes to standard error and the hints come last.

use serde::Serialize;

use super::out::{Ui, data, print_stderr};
use super::text::{line, paragraph, safe_json};
use crate::model::failure::Failure;
use crate::model::left_out::LeftOut;

/// The error document.
#[derive(Debug, Serialize)]
struct ErrorDocument<'a> {
    kind: &'static str,
    code: &'a str,
    exit: u8,
    message: String,
    hint: Option<String>,
    /// For a restore: every object that could not be created.
    #[serde(skip_serializing_if = "<[LeftOut]>::is_empty")]
    left_out: &'a [LeftOut],
}

/// Prints a failure.
pub fn print(ui: Ui, failure: &Failure) {
    if ui.is_text() {
        print_stderr(&text(ui, failure));
    } else {
        data(&json(failure));
    }
}

/// The document on one line.
pub fn json(failure: &Failure) -> String {
    let hints: Vec<String> = failure.hints.iter().map(|hint| line(hint)).collect();
    let document = ErrorDocument {
        kind: "error",
        code: failure.kind.word(),
        exit: failure.kind.exit_code(),
        message: line(&chain(failure).join(": ")),
        hint: (!hints.is_empty()).then(|| hints.join("\n")),
        left_out: &failure.left_out,
    };
    serde_json::to_string(&document).map_or_else(|_| r#"{"kind":"error"}"#.to_string(), |json| safe_json(&json))
}

/// The text of a failure.
pub fn text(ui: Ui, failure: &Failure) -> String {
    let mut lines = Vec::new();
    for (depth, cause) in chain(failure).iter().enumerate() {
        let shown = paragraph(cause).replace('\n', "\n    ");
        lines.push(if depth == 0 {
            format!("{} {shown}", ui.paint("1;31", "error:"))
        } else {
            format!("  because: {shown}")
        });
    }
    for hint in &failure.hints {
        lines.push(format!("{} {}", ui.paint("1;36", "hint:"), paragraph(hint).replace('\n', "\n      ")));
    }
    lines.join("\n")
}

/// The messages from the outermost to the root cause; a message that the previous one already ends with is omitted.
fn chain(failure: &Failure) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for cause in failure.error.chain() {
        let message = cause.to_string();
        if messages.last().is_none_or(|before| !before.ends_with(&message)) {
            messages.push(message);
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::FailureKind;

    fn failure() -> Failure {
        Failure::msg(FailureKind::Unreachable, "connection refused to postgres://u:hunter2@h/db \u{1b}[2J")
            .context("cannot reach the server")
            .hint("is it running?")
            .hint("stacksnap doctor")
    }

    #[test]
    fn causes_are_indented_and_hints_come_last() {
        assert_eq!(
            text(Ui::default(), &failure()),
            "error: cannot reach the server\n  because: connection refused to postgres://***@h/db \\u{1b}[2J\n\
             hint: is it running?\nhint: stacksnap doctor"
        );
    }

    #[test]
    fn the_document_is_one_line_with_the_exit_code() {
        let json = json(&failure());
        assert!(!json.contains('\n') && !json.contains("hunter2"));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["kind"], "error");
        assert_eq!(value["code"], "unreachable");
        assert_eq!(value["exit"], 69);
        assert_eq!(value["hint"], "is it running?\nstacksnap doctor");
    }
}
