//! Ends a started program, or a throw-away server with its folder, when this process is killed (kill -9, the
//! out-of-memory killer).
//!
//! Invariant: the guardian is a shell with a fixed script, which gets only a number or a folder of ours. Its standard
//! input is a pipe whose only writer is this process, so it sees end-of-file however this process ends. It kills the
//! process group, because workers outlive their leader. A line on the pipe tells it that the program has ended; then it
//! exits.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;

const SHELL: &str = "/bin/sh";
const SCRIPT: &str = r#"read -r ended && exit 0
kill -s KILL -- "-$1"
if [ -n "$2" ]; then rm -rf -- "$2"; fi"#;

/// SIGQUIT is an immediate shutdown: the server ends its children and removes its pid file; then the folder can be
/// removed. A pid counts only if that process works in the folder. It retries, because a process may still write there.
const SERVER_SCRIPT: &str = r#"read -r ended && exit 0
n=0
while [ -d "$1" ] && [ "$n" -lt 100 ]; do
    n=$((n + 1))
    pid=
    { read -r pid <"$1/data/postmaster.pid"; } 2>/dev/null
    case $pid in *[!0-9]*) pid= ;; esac
    if [ -n "$pid" ] && [ -d /proc/self ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" != "$1/data" ]; then pid=; fi
    if [ -n "$pid" ] && kill -s QUIT "$pid" 2>/dev/null; then sleep 0.1; continue; fi
    rm -rf -- "$1" 2>/dev/null
    sleep 0.1
done"#;

/// Watches one process group, or the folder of one server, until it is dismissed.
pub struct Guardian {
    handle: duct::Handle,
    tell: Option<io::PipeWriter>,
}

impl Guardian {
    /// Watches a process group. When this process dies, it kills the group and removes `scratch`, a folder for that
    /// program alone.
    pub fn over(group: u32, scratch: Option<&Path>) -> io::Result<Self> {
        Self::start(SCRIPT, &[OsStr::new(&group.to_string()), scratch.map_or(OsStr::new(""), Path::as_os_str)])
    }

    /// Watches a throw-away server: ends it and removes `place`, whose data directory is `place/data`. `place` must
    /// contain no link.
    pub fn over_server(place: &Path) -> io::Result<Self> {
        Self::start(SERVER_SCRIPT, &[place.as_os_str()])
    }

    fn start(script: &str, what: &[&OsStr]) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let words = [&[OsStr::new("-c"), OsStr::new(script), OsStr::new("guardian")], what].concat();
        let expression =
            duct::cmd(SHELL, words).dir("/").stdin_file(reader).stdout_null().stderr_null().unchecked().before_spawn(
                |command| {
                    // Ctrl-C on the terminal must not end the guardian.
                    command.process_group(0);
                    Ok(())
                },
            );
        Ok(Self { handle: expression.start()?, tell: Some(writer) })
    }

    /// The program has ended, so its process group id may be reused soon.
    pub fn dismiss(&mut self) {
        if let Some(mut tell) = self.tell.take() {
            let _ = tell.write_all(b"ended\n");
            drop(tell);
            let _ = self.handle.wait();
        }
    }
}

impl std::fmt::Debug for Guardian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guardian")
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.dismiss();
    }
}
