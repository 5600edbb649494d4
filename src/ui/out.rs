//! Writing to standard output and standard error, and the verbosity.
//!
//! Invariant: a closed pipe (`stacksnap list | head`) is neither an error nor a panic.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;

use super::terminal::with_bars_suspended;
use super::text::safe_json;

/// Output format, `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    /// One document on standard output.
    Json,
    /// Events as lines, then the document.
    Ndjson,
}

/// Verbosity: `-q`, default, `-v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    Quiet,
    #[default]
    Normal,
    Verbose,
}

/// Output settings, decided once per process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ui {
    pub format: Format,
    pub verbosity: Verbosity,
    pub color: bool,
}

/// Whether colours may be used: standard output and standard error must both be terminals.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Whether progress bars may be drawn.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Writes to standard output; `false` if the reader has closed the pipe.
pub fn data(text: &str) -> bool {
    with_bars_suspended(|| write_to(&mut io::stdout().lock(), text))
}

/// Writes to standard error.
pub fn print_stderr(text: &str) {
    with_bars_suspended(|| write_to(&mut io::stderr().lock(), text));
}

fn write_to(stream: &mut dyn Write, text: &str) -> bool {
    let written = writeln!(stream, "{}", text.trim_end_matches('\n')).and_then(|()| stream.flush());
    !matches!(written, Err(e) if e.kind() == ErrorKind::BrokenPipe)
}

impl Ui {
    /// The one document of a command: `{"schema": "stacksnap.v1.<verb>", …}` on one line.
    pub fn document(self, verb: &str, body: &impl Serialize) {
        data(&document_text(verb, body));
    }

    pub fn is_text(self) -> bool {
        self.format == Format::Text
    }

    /// Prints one line of progress or information to standard error. Silent with `-q`.
    pub fn say(self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            print_stderr(text);
        }
    }

    pub fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

/// The text of a document: the schema first, then the fields of the body in their order. A body that is not an object
/// is stored under `"value"`.
pub fn document_text(verb: &str, body: &impl Serialize) -> String {
    let schema = format!("\"schema\":\"stacksnap.v1.{verb}\"");
    let json = match serde_json::to_string(body) {
        Ok(json) => match json.strip_prefix('{') {
            Some("}") => format!("{{{schema}}}"),
            Some(fields) => format!("{{{schema},{fields}"),
            None => format!("{{{schema},\"value\":{json}}}"),
        },
        Err(error) => format!("{{{schema},\"error\":{}}}", serde_json::Value::String(error.to_string())),
    };
    safe_json(&json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_its_schema_first_and_is_one_line() {
        #[derive(Serialize)]
        struct Body {
            b: u8,
            a: &'static str,
        }
        assert_eq!(
            document_text("x", &Body { b: 1, a: "\u{9b}\n" }),
            r#"{"schema":"stacksnap.v1.x","b":1,"a":"\u009b\n"}"#
        );
        assert_eq!(document_text("x", &serde_json::json!({})), r#"{"schema":"stacksnap.v1.x"}"#);
        assert_eq!(document_text("x", &[1, 2]), r#"{"schema":"stacksnap.v1.x","value":[1,2]}"#);
    }
}
