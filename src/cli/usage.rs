//! Output of clap: help and version are successful results, everything else is wrong usage (exit 64).
//!
//! Invariant: `-o` is searched in the raw arguments before they are parsed, so that a script gets JSON for usage errors
//! too.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::model::failure::{Failure, FailureKind};
use crate::ui::error;
use crate::ui::out::{self, Format, Ui};
use crate::ui::text::redacted;

/// The output format requested by unparsed arguments.
pub fn format_in(args: &[OsString]) -> Format {
    let texts: Vec<&str> = args.iter().filter_map(|a| a.to_str()).collect();
    let word = texts.iter().enumerate().find_map(|(i, text)| match *text {
        "-o" | "--output" => texts.get(i + 1).copied(),
        text => text.strip_prefix("--output=").or_else(|| text.strip_prefix("-o=")).or_else(|| {
            // -ojson, -qojson
            let short = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
            short.find('o').map(|at| &short[at + 1..])
        }),
    });
    match word {
        Some("json") => Format::Json,
        Some("ndjson") => Format::Ndjson,
        _ => Format::Text,
    }
}

/// Prints clap's message and returns the exit code.
pub fn explain(ui: Ui, error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            out::data(&rendered(ui, error));
            0
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if ui.is_text() => {
            out::print_stderr(&rendered(ui, error));
            FailureKind::Usage.exit_code()
        }
        _ => {
            if ui.is_text() {
                out::print_stderr(&redacted(&rendered(ui, error)));
            } else {
                error::print(ui, &failure(error));
            }
            FailureKind::Usage.exit_code()
        }
    }
}

fn rendered(ui: Ui, error: &clap::Error) -> String {
    let text = error.render();
    if ui.color { text.ansi().to_string() } else { text.to_string() }
}

/// clap's message as a failure: its first paragraph, with clap's suggestion as a hint.
fn failure(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command was given",
        _ => paragraph.trim().trim_start_matches("error: "),
    };
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    let suggestion = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue]
        .into_iter()
        .find_map(|kind| error.get(kind))
        .and_then(|value| match value {
            ContextValue::String(one) => Some(one.clone()),
            ContextValue::Strings(several) => several.first().cloned(),
            _ => None,
        });
    let failure = Failure::msg(FailureKind::Usage, lines.join(" "));
    match suggestion {
        Some(word) => failure.hint(format!("did you mean '{word}'?")),
        None => failure.hint("see: stacksnap --help"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_seen_before_the_arguments_are_understood() {
        let format = |args: &[&str]| format_in(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(format(&["-o", "json", "lst"]), Format::Json);
        assert_eq!(format(&["lst", "--output=ndjson"]), Format::Ndjson);
        assert_eq!(format(&["-ojson"]), Format::Json);
        assert_eq!(format(&["-qojson"]), Format::Json);
        assert_eq!(format(&["--root", "o"]), Format::Text);
        assert_eq!(format(&["-o"]), Format::Text);
    }
}
