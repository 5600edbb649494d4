//! The two streams, and how much is said on them.
//!
//! Invariant: a reader that goes away (`stacksnap list | head`) is no error and no panic.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use super::text::safe_json;

/// `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    /// One document on standard output.
    Json,
    /// Events as lines, then the document.
    Ndjson,
}

/// `-q`, nothing, `-v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    Quiet,
    #[default]
    Normal,
    Verbose,
}

/// How to speak, decided once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ui {
    pub format: Format,
    pub verbosity: Verbosity,
    pub color: bool,
}

/// May colours be used on standard error and output? Both must be terminals.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// May bars be drawn?
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Writes to standard output; `false` when nobody reads any more.
pub fn data(text: &str) -> bool {
    write_to(&mut io::stdout().lock(), text)
}

/// Writes to standard error.
pub fn aside(text: &str) {
    write_to(&mut io::stderr().lock(), text);
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

    /// One line that is not data: what is going on. Silent with `-q`.
    pub fn say(self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            aside(text);
        }
    }

    pub fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

/// The text of a document. A body that is no object stands under `"value"`.
pub fn document_text(verb: &str, body: &impl Serialize) -> String {
    let mut document = Map::new();
    document.insert("schema".to_string(), Value::String(format!("stacksnap.v1.{verb}")));
    match serde_json::to_value(body) {
        Ok(Value::Object(fields)) => document.extend(fields),
        Ok(value) => {
            document.insert("value".to_string(), value);
        }
        Err(error) => {
            document.insert("error".to_string(), Value::String(error.to_string()));
        }
    }
    safe_json(&Value::Object(document).to_string())
}
