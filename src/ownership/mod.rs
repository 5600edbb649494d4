//! Which files may decide what this program does: those that nobody but us, or root, can have written.
//!
//! Invariant: a configuration, a secret, a key, a program or a root folder is used only when it, every folder above it
//! and every link on the way belong to a trusted user and nobody else can write to them. The check is made on the opened
//! handles from `/` down, so what was checked is what is read. Nothing but an ordinary file is opened: a pipe or a
//! device is never waited for. It never looks at what a file says.

mod accounts;
mod walk;

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use accounts::Accounts;
use walk::{Found, Reached, walk};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{shell, visible};

/// The variable that names one more user whose files are trusted.
pub const TRUST_OWNER: &str = "STACKSNAP_TRUST_OWNER";
/// More than any configuration, key or secret has.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Whom this process trusts: itself, root, and the user of `STACKSNAP_TRUST_OWNER`.
static TRUSTED: OnceLock<Owners> = OnceLock::new();

/// Whose files are trusted, and what the system knows of users and groups.
#[derive(Debug, Clone)]
struct Owners {
    uids: Vec<u32>,
    accounts: Accounts,
}

impl Owners {
    fn of(also: Option<u32>) -> Self {
        let uids = [rustix::process::geteuid().as_raw(), 0].into_iter().chain(also).collect();
        Self { uids, accounts: Accounts::of_system() }
    }

    fn trusts(&self, uid: u32) -> bool {
        self.uids.contains(&uid)
    }

    /// Can nobody but trusted users be in the group? It is the own group of one of them and has no other members.
    fn is_private(&self, gid: u32) -> bool {
        let mut members = self.accounts.members(gid).peekable();
        // An account that the system's list does not have: only a group of its own number is surely its own.
        let unlisted = members.peek().is_none() && self.trusts(gid);
        let own = self.uids.iter().any(|uid| self.accounts.own_group(*uid) == Some(gid));
        (own || unlisted) && members.all(|member| member.is_some_and(|uid| self.trusts(uid)))
    }
}

/// Why something is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    Owner(u32),
    Group(u32),
    Everybody,
}

/// A place on the way that somebody else can change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Doubt {
    place: PathBuf,
    why: Why,
}

fn owners() -> &'static Owners {
    TRUSTED.get_or_init(|| Owners::of(None))
}

/// Trusts the files of the user that `STACKSNAP_TRUST_OWNER` names. Called once, before anything is read.
///
/// # Errors
/// `Configuration` when it is not the number of a user.
pub fn trust_also(uid: Option<&str>) -> Result<()> {
    let also = uid.map(str::trim).map(|text| {
        text.parse::<u32>().map_err(|_| {
            Failure::msg(FailureKind::Configuration, format!("{TRUST_OWNER} is not the number of a user"))
                .hint(format!("for example: {TRUST_OWNER}=1000 (id -u NAME prints it)"))
        })
    });
    let _ = TRUSTED.set(Owners::of(also.transpose()?));
    Ok(())
}

/// What may stand in the last place of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// A link of ours is followed.
    MayBeLink,
    /// A link is refused.
    NoLink,
}

/// The error of a refusal: it stays a matter of configuration, whichever way the path was given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotOurs(String);

/// Is this failure about whose file it was?
pub fn is_refusal(failure: &Failure) -> bool {
    failure.error.downcast_ref::<NotOurs>().is_some()
}

/// Opens an ordinary file of ours for reading; `None` when there is none. `what` names it in a refusal: "the key".
///
/// # Errors
/// `Configuration` when somebody else could have written it, or it is no ordinary file.
pub fn open(path: &Path, what: &str, last: Last) -> Result<Option<File>> {
    open_as(owners(), path, what, last)
}

fn open_as(owners: &Owners, path: &Path, what: &str, last: Last) -> Result<Option<File>> {
    let reached = walk(owners, path, last).map_err(|e| unreadable(path, what, e))?;
    let Some(found) = reached.found else { return Ok(None) };
    match (found, reached.doubt) {
        (_, Some(doubt)) => Err(refusal(owners, path, what, &doubt)),
        (Found::Special(kind), None) => Err(not_a_file(path, what, kind)),
        (Found::File(entry), None) => entry.open().map(Some).map_err(|e| unreadable(path, what, e)),
        (Found::Folder(_), None) => Err(not_a_file(path, what, "a folder")),
    }
}

/// The bytes of a small file of ours; `None` when there is none.
///
/// # Errors
/// As [`open`], and `Configuration` when it is longer than 1 MiB.
pub fn read(path: &Path, what: &str) -> Result<Option<Vec<u8>>> {
    let Some(file) = open(path, what, Last::MayBeLink)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|e| unreadable(path, what, e))?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        let text = format!("{what} {} is longer than 1 MiB", visible(&path.to_string_lossy()));
        return Err(Failure::msg(FailureKind::Configuration, text).hint("is it the right file?"));
    }
    Ok(Some(bytes))
}

/// The same as text.
///
/// # Errors
/// As [`read`], and `Configuration` when it is not UTF-8.
pub fn read_text(path: &Path, what: &str) -> Result<Option<String>> {
    let Some(bytes) = read(path, what)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| {
        let text = format!("{what} {} is not UTF-8", visible(&path.to_string_lossy()));
        Failure::msg(FailureKind::Configuration, text).hint("save it as UTF-8")
    })
}

/// Refuses a program or a folder that somebody else could have put there, or any folder above it, whether the last part
/// is there already or not.
///
/// # Errors
/// `Configuration`.
pub fn demand(path: &Path, what: &str) -> Result<()> {
    let owners = owners();
    let reached = walk(owners, path, Last::MayBeLink).map_err(|e| unreadable(path, what, e))?;
    reached.doubt.map_or(Ok(()), |doubt| Err(refusal(owners, path, what, &doubt)))
}

/// Can nobody but us have put this program there?
pub fn is_ours(path: &Path) -> bool {
    walk(owners(), path, Last::MayBeLink).is_ok_and(|reached| reached.found.is_some() && reached.doubt.is_none())
}

/// An open folder of ours, which is reached through no link at its end.
///
/// # Errors
/// `Configuration` when it is somebody else's, a link, or no folder.
pub fn open_folder(path: &Path, what: &str) -> Result<OwnedFd> {
    let owners = owners();
    let shown = visible(&path.to_string_lossy());
    match walk(owners, path, Last::NoLink).map_err(|e| unreadable(path, what, e))? {
        Reached { doubt: Some(doubt), .. } => Err(refusal(owners, path, what, &doubt)),
        Reached { found: Some(Found::Folder(handle)), .. } => Ok(handle),
        Reached { found: Some(Found::Special(kind)), .. } => {
            Err(Failure::msg(FailureKind::Configuration, format!("{what} {shown} is {kind}, not a folder"))
                .hint(format!("move it away: {}", shell(&path.to_string_lossy()))))
        }
        _ => Err(Failure::msg(FailureKind::Configuration, format!("{what} {shown} is not a folder"))),
    }
}

fn unreadable(path: &Path, what: &str, error: std::io::Error) -> Failure {
    Failure::new(FailureKind::Configuration, error)
        .context(format!("{what} {} cannot be read", visible(&path.to_string_lossy())))
}

fn not_a_file(path: &Path, what: &str, kind: &str) -> Failure {
    let text = format!("{what} {} is {kind}, not an ordinary file", visible(&path.to_string_lossy()));
    Failure::msg(FailureKind::Configuration, text).hint("put an ordinary file in its place, or name another one")
}

/// Says which place is in doubt, whose it is, and how it is allowed.
fn refusal(owners: &Owners, path: &Path, what: &str, doubt: &Doubt) -> Failure {
    let place = visible(&doubt.place.to_string_lossy());
    let quoted = shell(&doubt.place.to_string_lossy());
    let whose = match doubt.why {
        Why::Owner(uid) => format!("{place} belongs to {}", owners.accounts.show_user(uid)),
        Why::Group(gid) => format!("{} can write to {place}", owners.accounts.show_group(gid)),
        Why::Everybody => format!("everybody can write to {place}"),
    };
    let shown = visible(&path.to_string_lossy());
    let failure = Failure::new(FailureKind::Configuration, NotOurs(format!("{what} {shown} is not used: {whose}")));
    match doubt.why {
        Why::Owner(uid) => failure
            .hint(format!("if you trust this user with all that you may do: {TRUST_OWNER}={uid} stacksnap …"))
            .hint(format!("if it is yours: chown {} {quoted}", rustix::process::geteuid().as_raw())),
        Why::Group(_) => failure.hint(format!("if nobody else has changed it: chmod g-w {quoted}")),
        Why::Everybody => failure.hint(format!("if nobody else has changed it: chmod go-w {quoted}")),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
