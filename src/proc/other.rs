//! A process that is not our child: is it still the same one, and how it is ended.
//!
//! Invariant: a pid alone is never trusted, because pids are reused. A process is identified by its pid and its start
//! time, or by its working directory.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Program, own};

const PS: &str = "/bin/ps";
const PS_MAX: Duration = Duration::from_secs(5);

/// The start time of a process, as text that is only good for comparing. `None` when there is no such process, or only
/// a zombie.
pub fn began(pid: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses. It may contain anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        return if matches!(state, "Z" | "X") { None } else { fields.nth(18).map(str::to_string) };
    }
    ask_ps(pid, "lstart=")
}

/// The text in a folder of this process that identifies its owner.
pub fn own_mark() -> String {
    format!("{}\n{}\n", own::pid(), began(own::pid()).unwrap_or_default())
}

/// Has the process that wrote this mark ended? A mark that cannot be parsed belongs to no process.
pub fn is_gone(mark: &str) -> bool {
    let mut lines = mark.lines();
    let pid: Option<u32> = lines.next().and_then(|line| line.parse().ok());
    pid.is_none_or(|pid| began(pid).as_deref() != lines.next())
}

/// Is `folder` the working directory of this process? `folder` must contain no link.
pub fn works_in(pid: u32, folder: &Path) -> bool {
    if Path::new("/proc/self/stat").exists() {
        return std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place == folder);
    }
    ask_ps(pid, "command=").is_some_and(|command| command.contains(&*folder.to_string_lossy()))
}

fn ask_ps(pid: u32, what: &str) -> Option<String> {
    let done = Program::new(PS).arg("-p").arg(pid.to_string()).arg("-o").arg(what).run(PS_MAX).ok()?;
    let text = String::from_utf8_lossy(&done.stdout).trim().to_string();
    (done.status.success() && !text.is_empty()).then_some(text)
}

/// Sends SIGQUIT, PostgreSQL's immediate shutdown: no checkpoint.
pub fn quit(pid: u32) {
    send(pid, Signal::QUIT);
}

/// Sends SIGKILL.
pub fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_beginning_and_its_folder() {
        let own = std::process::id();
        assert!(began(own).is_some());
        assert_eq!(began(own), began(own));
        assert!(works_in(own, &std::env::current_dir().unwrap().canonicalize().unwrap()));
        assert!(!works_in(own, Path::new("/nonexistent")));
        assert_eq!(began(u32::MAX), None);
        assert!(!is_gone(&own_mark()) && is_gone(&format!("{own}\n1\n")) && is_gone("4000000\n1\n") && is_gone(""));
    }
}
