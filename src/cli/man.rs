//! `stacksnap man`: the manual page, one text for all verbs.

use clap::{Command, CommandFactory};

use super::Ended;
use super::args::Cli;
use crate::model::failure::Result;
use crate::ui::out;

pub fn run() -> Result<Ended> {
    let mut command = Cli::command();
    command.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for verb in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        section(&format!("stacksnap {}", verb.get_name()), verb, &mut text)?;
    }
    out::data(&String::from_utf8_lossy(&text));
    Ok(None)
}

/// The options and examples of one verb, below its own heading.
fn section(title: &str, verb: &Command, text: &mut Vec<u8>) -> Result<()> {
    let man = clap_mangen::Man::new(verb.clone());
    text.extend_from_slice(format!(".SH {}\n", title.to_uppercase()).as_bytes());
    let mut part = Vec::new();
    man.render_description_section(&mut part)?;
    man.render_synopsis_section(&mut part)?;
    man.render_options_section(&mut part)?;
    man.render_extra_section(&mut part)?;
    // Turn its headings into second-level headings.
    text.extend_from_slice(String::from_utf8_lossy(&part).replace(".SH ", ".SS ").as_bytes());
    for inner in verb.get_subcommands().filter(|c| !c.is_hide_set()) {
        section(&format!("{title} {}", inner.get_name()), inner, text)?;
    }
    Ok(())
}
