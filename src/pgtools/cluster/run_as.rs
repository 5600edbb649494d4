//! The user that the throw-away server runs as: ourselves, or another user if we are root.
//!
//! Invariant (trap 25): PostgreSQL does not run as root, so root starts the server as a user without rights, or in a
//! user namespace with another UID. It never changes the program, its arguments or its environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::failure::{Failure, FailureKind, Result};
use crate::proc::Program;

use super::servers::Server;

const TRY_MAX: Duration = Duration::from_secs(10);
/// Best first: `postgres` may own the data of other servers on this machine.
const USERS: [&str; 2] = ["nobody", "postgres"];

/// How the server's programs are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunAs {
    Ourselves,
    /// We are root: start as this user through `setpriv`.
    User {
        setpriv: PathBuf,
        name: &'static str,
        uid: u32,
        gid: u32,
    },
    /// We are root and cannot switch users: start through `unshare`. Files belong to us.
    Namespace {
        unshare: PathBuf,
    },
}

impl RunAs {
    /// Finds a way that works here with this server's programs.
    pub fn find(server: &Server, path: &[PathBuf]) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let users = USERS.iter().filter_map(|name| Some((*name, ids_in(&accounts, name)?)));
        let setpriv = on_path("setpriv", path);
        let as_user =
            users.filter_map(|(name, (uid, gid))| Some(Self::User { setpriv: setpriv.clone()?, name, uid, gid }));
        let in_namespace = on_path("unshare", path).map(|unshare| Self::Namespace { unshare });
        as_user.chain(in_namespace).find(|how| how.works(server)).ok_or_else(|| {
            Failure::msg(
                FailureKind::NotProven,
                format!("PostgreSQL does not run as root, and no other user can run {}", server.bin.display()),
            )
            .hint("run the drill as an unprivileged user who can read the snapshot (setpriv --reuid=… or su)")
            .hint("or use server programs that every user may run, with --pg-bin")
        })
    }

    fn works(&self, server: &Server) -> bool {
        let tried = self.program(&server.bin.join("postgres"), &[]).arg("--version").run(TRY_MAX);
        tried.is_ok_and(|done| done.status.success())
    }

    /// The program as this user. It starts in `/`, because the user may not be able to enter our working directory.
    pub fn program(&self, path: &Path, args: &[String]) -> Program {
        let program = match self {
            Self::Ourselves => Program::new(path),
            Self::User { setpriv, uid, gid, .. } => Program::new(setpriv)
                .arg(format!("--reuid={uid}"))
                .arg(format!("--regid={gid}"))
                .arg("--clear-groups")
                .arg("--")
                .arg(path),
            Self::Namespace { unshare } => {
                Program::new(unshare).arg("--user").arg("--map-user=1000").arg("--").arg(path)
            }
        };
        args.iter().fold(program.folder("/"), |program, arg| program.arg(arg))
    }

    /// Changes the owner of a folder to the server's user.
    pub fn give(&self, folder: &Path) -> std::io::Result<()> {
        match self {
            Self::User { uid, gid, .. } => std::os::unix::fs::chown(folder, Some(*uid), Some(*gid)),
            Self::Ourselves | Self::Namespace { .. } => Ok(()),
        }
    }

    /// Whether the server's user can enter this folder.
    pub fn can_enter(&self, folder: &Path) -> bool {
        let program = self.program(Path::new("/bin/sh"), &["-c".to_string(), r#"cd -- "$1""#.to_string()]);
        let tried = program.arg("sh").arg(folder).run(TRY_MAX);
        tried.is_ok_and(|done| done.status.success())
    }

    /// Whether it is a user without rights on this machine. `postgres` may own the data of other servers, and in root's
    /// user namespace the files of root are still accessible.
    pub fn is_without_rights(&self) -> bool {
        matches!(self, Self::User { name: "nobody", .. })
    }

    /// For messages.
    pub fn shown(&self) -> String {
        match self {
            Self::Ourselves => "this user".to_string(),
            Self::User { uid, .. } => format!("the user with UID {uid}, because stacksnap runs as root"),
            Self::Namespace { .. } => {
                "an unprivileged user in a user namespace, because stacksnap runs as root".to_string()
            }
        }
    }
}

fn on_path(name: &str, path: &[PathBuf]) -> Option<PathBuf> {
    let usual = ["/usr/bin", "/bin", "/usr/sbin"].map(PathBuf::from);
    usual.iter().chain(path).map(|folder| folder.join(name)).find(|place| place.is_file())
}

/// UID and GID of an account that is not root.
fn ids_in(accounts: &str, name: &str) -> Option<(u32, u32)> {
    accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        (fields.first() == Some(&name) && uid != 0).then_some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_the_system() {
        let text = "root:x:0:0::/:/bin/sh\npostgres:x:101:104:,,,:/var/lib:/bin/bash\nnobody:x:0:0::/:/bin/sh\n";
        assert_eq!(ids_in(text, "postgres"), Some((101, 104)));
        assert_eq!(ids_in(text, "nobody"), None, "root under another name");
        assert_eq!(ids_in(text, "absent"), None);
    }

    #[test]
    fn trap_25_arguments_of_the_ways_to_be_somebody_else() {
        let user = RunAs::User { setpriv: "/usr/bin/setpriv".into(), name: "postgres", uid: 101, gid: 104 };
        assert!(!user.is_without_rights() && !RunAs::Ourselves.is_without_rights());
        let shown = format!("{:?}", user.program(Path::new("/pg/initdb"), &["--x".to_string()]));
        assert!(shown.contains("--reuid=101") && shown.contains("--clear-groups") && shown.contains("--x"), "{shown}");
    }
}
