//! Decides which files this program may trust: files that only our own user or root can have written.
//!
//! Invariant: a configuration, a secret, a key, a program or a root folder is used only if it, every folder above it
//! and every link on the way belong to a trusted user, and no other user can write to them. The check is made on opened
//! handles from `/` down, so what was checked is what is read. Only ordinary files are opened, so a pipe or a device
//! cannot block. It never looks at the content of a file.

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
/// Larger than any configuration, key or secret.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// The trusted users: our own, root, and the user of `STACKSNAP_TRUST_OWNER`.
static TRUSTED: OnceLock<Owners> = OnceLock::new();

/// The trusted users, and the system's users and groups.
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

    /// Is it certain that only trusted users are in the group? It must be the primary group of one of them, without
    /// other members.
    fn is_private(&self, gid: u32) -> bool {
        let mut members = self.accounts.members(gid).peekable();
        // An account that is not in `/etc/passwd`: only a group with the number of the user counts as its own.
        let unlisted = members.peek().is_none() && self.trusts(gid);
        let own = self.uids.iter().any(|uid| self.accounts.own_group(*uid) == Some(gid));
        (own || unlisted) && members.all(|member| member.is_some_and(|uid| self.trusts(uid)))
    }
}

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    Owner(u32),
    Group(u32),
    Everybody,
}

/// A file or folder on the path that another user can change.
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

/// May the last part of a path be a link?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// A link is followed if a trusted user owns it.
    MayBeLink,
    /// A link is refused.
    NoLink,
}

/// The error of a refusal. It stays a configuration error, however the path was given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotOurs(String);

/// Was a file refused because of its owner or its mode?
pub fn is_refusal(failure: &Failure) -> bool {
    failure.error.downcast_ref::<NotOurs>().is_some()
}

/// Opens a trusted ordinary file for reading; `None` when it does not exist. `what` names it in a refusal: "the key".
///
/// # Errors
/// `Configuration` when another user could have written it, or when it is not an ordinary file.
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

/// Reads a small trusted file; `None` when it does not exist.
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

/// Refuses a program or a folder that another user could have put there, or that lies in such a folder. The last part
/// of the path need not exist.
///
/// # Errors
/// `Configuration`.
pub fn require_trusted(path: &Path, what: &str) -> Result<()> {
    let owners = owners();
    let reached = walk(owners, path, Last::MayBeLink).map_err(|e| unreadable(path, what, e))?;
    reached.doubt.map_or(Ok(()), |doubt| Err(refusal(owners, path, what, &doubt)))
}

/// Can only trusted users have put this program there?
pub fn is_ours(path: &Path) -> bool {
    walk(owners(), path, Last::MayBeLink).is_ok_and(|reached| reached.found.is_some() && reached.doubt.is_none())
}

/// Opens a trusted folder; its last part must not be a link.
///
/// # Errors
/// `Configuration` when another user owns it or can write to it, when it is a link, or not a folder.
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

/// The refusal: which file or folder is not trusted, who can change it, and how to allow it.
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
            .hint(format!("if you trust this user with all your rights: {TRUST_OWNER}={uid} stacksnap …"))
            .hint(format!("if it is yours: chown {} {quoted}", rustix::process::geteuid().as_raw())),
        Why::Group(_) => failure.hint(format!("if no other user changed it: chmod g-w {quoted}")),
        Why::Everybody => failure.hint(format!("if no other user changed it: chmod go-w {quoted}")),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
