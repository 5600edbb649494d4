//! `stacksnap completions SHELL`

use clap::CommandFactory;

use super::Ended;
use super::args::Cli;
use crate::model::failure::Result;
use crate::ui::out;

pub fn run(shell: clap_complete::Shell) -> Result<Ended> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "stacksnap", &mut text);
    out::data(&String::from_utf8_lossy(&text));
    Ok(None)
}
