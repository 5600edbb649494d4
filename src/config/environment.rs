//! The process's environment: variables, current folder, user. The only reader of the environment.
//!
//! Invariant: all other code in `config` works on this value, so tests can pass maps and nothing is read twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// The process's environment at the start.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Names of variables whose value is not UTF-8.
    not_utf8: BTreeSet<String>,
    /// The current folder.
    pub current_dir: PathBuf,
    pub home: Option<PathBuf>,
    /// The name of the operating system's user: libpq's default for `user`.
    pub os_user: Option<String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values can be secrets; names are enough.
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("current_dir", &self.current_dir)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// Reads the process's own environment. Called once, from `cli`.
    #[allow(clippy::disallowed_methods)]
    pub fn from_process() -> Self {
        let mut environment = Self { current_dir: std::env::current_dir().unwrap_or_default(), ..Self::default() };
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => {
                    environment.variables.insert(name, value);
                }
                Err(_) => {
                    environment.not_utf8.insert(name);
                }
            }
        }
        let account = account(rustix::process::geteuid().as_raw());
        let named = |name: &str| environment.get(name).map(str::to_string);
        let os_user =
            account.as_ref().map(|(user, _)| user.clone()).or_else(|| named("LOGNAME")).or_else(|| named("USER"));
        let home = named("HOME").map(PathBuf::from).or_else(|| account.map(|(_, home)| home));
        environment.os_user = os_user;
        environment.home = home;
        environment
    }

    /// Builds one from pairs, for tests and for callers with their own environment.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>, current_dir: impl Into<PathBuf>) -> Self {
        let variables: BTreeMap<String, String> =
            variables.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let home = variables.get("HOME").map(PathBuf::from);
        let os_user = variables.get("USER").cloned();
        Self { variables, not_utf8: BTreeSet::new(), current_dir: current_dir.into(), home, os_user }
    }

    /// The value of a variable, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Is it set to the empty string?
    pub fn is_empty(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(String::is_empty)
    }

    /// Is it set to bytes that are not UTF-8?
    pub fn is_not_utf8(&self, name: &str) -> bool {
        self.not_utf8.contains(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// A path as the user wrote it: `~/` is the home folder, other paths are relative to the current folder.
    pub fn path(&self, text: &str) -> PathBuf {
        self.path_from(&self.current_dir, text)
    }

    /// The same, relative to `base`.
    pub fn path_from(&self, base: &Path, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => base.join(text),
        }
    }
}

/// Name and home folder of a user id, from `/etc/passwd`.
fn account(uid: u32) -> Option<(String, PathBuf)> {
    let list = std::fs::read_to_string("/etc/passwd").ok()?;
    let wanted = uid.to_string();
    list.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.len() >= 6 && fields[2] == wanted).then(|| (fields[0].to_string(), PathBuf::from(fields[5])))
    })
}
