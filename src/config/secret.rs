//! Secrets of the configuration: where they are stored, and how they are fetched.
//!
//! Invariant: a secret is fetched only when it is needed. This module starts no program (the caller passes the function
//! that may), and no message repeats a value.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::environment::Environment;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{shell, visible};
use crate::model::secret::Secret;
use crate::ownership::{self, Last};

const KEY_FILE_BYTES_MAX: u64 = 1 << 20;

/// Runs a program and returns its output, without the last newline.
pub type SecretCommand = Arc<dyn Fn(&[String]) -> Result<Secret> + Send + Sync>;

/// `{env = ".."}`, `{file = ".."}`, `{cmd = [..]}`, or the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    Env(String),
    File(PathBuf),
    Cmd(Vec<String>),
    Literal(Secret),
}

impl SecretRef {
    /// Where the secret is stored, for `config show`; never the value.
    pub fn place(&self) -> String {
        match self {
            Self::Env(name) => format!("variable {name}"),
            Self::File(path) => format!("file {}", path.display()),
            // Arguments may contain secrets themselves.
            Self::Cmd(argv) => format!("command {}", argv.first().map_or("", String::as_str)),
            Self::Literal(_) => "written in the file".to_string(),
        }
    }

    /// Fetches the secret. `lookup` returns the value of a variable (process, then `.env`).
    pub fn reveal<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>, run: Option<&SecretCommand>) -> Result<Secret> {
        let configuration = |text: String| Failure::msg(FailureKind::Configuration, text);
        let secret = match self {
            Self::Literal(secret) => secret.clone(),
            Self::Env(name) => lookup(name)
                .map(Secret::new)
                .ok_or_else(|| configuration(format!("the variable {name} is not set")).hint(format!("set {name}")))?,
            Self::File(path) => {
                let text = ownership::read_text(path, "the file of the secret")?.ok_or_else(|| {
                    configuration(format!("the file {} of the secret does not exist", path.display()))
                })?;
                Secret::new(text.trim_end_matches(['\n', '\r']))
            }
            Self::Cmd(argv) => {
                let run = run.ok_or_else(|| configuration("commands for secrets are not available here".into()))?;
                run(argv).map_err(|failure| failure.context(format!("the {} for a secret failed", self.place())))?
            }
        };
        if secret.is_empty() {
            return Err(configuration(format!("the secret is empty: {}", self.place())));
        }
        Ok(secret)
    }
}

/// Reads a key file that no other user may read, like a password file of PostgreSQL.
///
/// # Errors
/// `Configuration` when it cannot be read, is not an ordinary trusted file, or other users may read it.
pub fn private_file(path: &Path) -> Result<Secret> {
    let shown = visible(&path.to_string_lossy());
    let failed = |e: std::io::Error| {
        Failure::new(FailureKind::Configuration, e).context(format!("the key file {shown} cannot be read"))
    };
    let file = ownership::open(path, "the key file", Last::MayBeLink)?
        .ok_or_else(|| Failure::msg(FailureKind::Configuration, format!("the key file {shown} does not exist")))?;
    let facts = file.metadata().map_err(failed)?;
    if facts.permissions().mode() & 0o077 != 0 {
        return Err(Failure::msg(
            FailureKind::Configuration,
            format!("the key file {shown} can be read by other users"),
        )
        .hint(format!("chmod 0600 {}", shell(&path.to_string_lossy()))));
    }
    let mut text = String::new();
    file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(Secret::new(text))
}

/// The inputs from outside: flags, environment, and the function that may start programs.
#[derive(Clone, Default)]
pub struct Inputs {
    pub flags: super::Flags,
    pub environment: Environment,
    pub run_command: Option<SecretCommand>,
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("flags", &self.flags)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "canary\n").unwrap();
        for (mode, fine) in [(0o600, true), (0o640, false), (0o604, false), (0o400, true)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(private_file(&file).is_ok(), fine, "{mode:o}");
        }
        for wrong in [dir.path().join("none"), dir.path().to_path_buf()] {
            assert_eq!(private_file(&wrong).unwrap_err().kind, FailureKind::Configuration);
        }
    }
}
