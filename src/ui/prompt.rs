//! A question to a person.
//!
//! Invariant: it is asked on standard error and answered on standard input, and only where both are a terminal.

use std::io::{self, IsTerminal, Write};

/// Is there somebody to ask?
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks and waits for a line; the end of the input is an empty answer. Blocks.
pub fn ask(question: &str) -> io::Result<String> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question} ")?;
    stderr.flush()?;
    let mut answer = String::new();
    if io::stdin().read_line(&mut answer)? == 0 {
        writeln!(stderr)?;
    }
    Ok(answer.trim_end_matches(['\n', '\r']).to_string())
}
