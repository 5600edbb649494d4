//! Prompts for the user.
//!
//! Invariant: the question goes to standard error and the answer comes from standard input; callers check with
//! [`can_ask`] that both are terminals.

use std::io::{self, IsTerminal, Write};

/// Whether standard input and standard error are terminals.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks and waits for a line; blocks. End of input gives an empty answer.
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
