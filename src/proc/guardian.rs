//! Ends a started program when this process dies without a word: kill -9, the out-of-memory killer.
//!
//! Invariant: the guardian is a shell with a fixed script that is given a number and nothing else. Its standard input
//! is a pipe whose only writer is this process, so the end of this process, however it comes, is the end of that
//! stream. It kills by process group, because workers outlive their leader. Told that the program has ended, it ends.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;

const SHELL: &str = "/bin/sh";
const SCRIPT: &str = r#"read -r ended || kill -s KILL -- "-$1""#;

/// Watches over one process group until it is dismissed.
pub struct Guardian {
    handle: duct::Handle,
    tell: Option<io::PipeWriter>,
}

impl Guardian {
    pub fn over(group: u32) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let group = group.to_string();
        let expression = duct::cmd(SHELL, ["-c", SCRIPT, "guardian", &group])
            .stdin_file(reader)
            .stdout_null()
            .stderr_null()
            .unchecked()
            .before_spawn(|command| {
                // Ctrl-C on the terminal must not end it before it is of use.
                command.process_group(0);
                Ok(())
            });
        Ok(Self { handle: expression.start()?, tell: Some(writer) })
    }

    /// The program has ended: its group's number may belong to somebody else soon.
    pub fn dismiss(&mut self) {
        if let Some(mut tell) = self.tell.take() {
            let _ = tell.write_all(b"ended\n");
            drop(tell);
            let _ = self.handle.wait();
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.dismiss();
    }
}
