//! Variables by name: the process's first, then those of `.env.local`, then those of `.env`, as in common frameworks.
//!
//! Invariant: a variable of the process always wins over the files, and each value records its source. A connection in
//! a file that was not used can be found with `broken` and `unread_connection`, so it is never ignored silently.

use std::path::{Path, PathBuf};

use super::dotenv::DotEnv;
use super::environment::Environment;
use super::secret::Inputs;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ownership;

/// The files of one folder; the first one that sets a name wins.
const FILES: [&str; 2] = [".env.local", ".env"];

/// The sources, in order.
pub struct Variables<'a> {
    environment: &'a Environment,
    files: Vec<(PathBuf, DotEnv)>,
}

/// A value, and its file if it came from one.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    pub value: &'a str,
    pub file: Option<&'a Path>,
}

impl<'a> Variables<'a> {
    /// Only the process's variables.
    pub fn of_process(environment: &'a Environment) -> Self {
        Self { environment, files: Vec::new() }
    }

    /// Adds the file of `--env-file`, else those of the project's folder, else those of the current folder.
    pub fn load(inputs: &'a Inputs, project_dir: Option<&Path>) -> Result<Self> {
        let environment = &inputs.environment;
        if let Some(path) = &inputs.flags.env_file {
            let path = environment.path(&path.to_string_lossy());
            let file = read(&path)?.ok_or_else(|| {
                let text = format!("the file {} of --env-file does not exist", path.display());
                Failure::msg(FailureKind::Configuration, text).hint("check the path, or leave --env-file out")
            })?;
            return Ok(Self { environment, files: vec![(path, file)] });
        }
        for folder in project_dir.into_iter().chain([environment.current_dir.as_path()]) {
            let mut files = Vec::new();
            for path in FILES.map(|name| folder.join(name)) {
                files.extend(read(&path)?.map(|file| (path, file)));
            }
            if !files.is_empty() {
                return Ok(Self { environment, files });
            }
        }
        Ok(Self::of_process(environment))
    }

    pub fn find(&self, name: &str) -> Option<Found<'_>> {
        if let Some(value) = self.environment.get(name) {
            return Some(Found { value, file: None });
        }
        self.files.iter().find_map(|(path, file)| file.get(name).map(|value| Found { value, file: Some(path) }))
    }

    /// A line of the files that would have been used but cannot be parsed: it seems to set one of `names`, and the
    /// process does not set it.
    pub fn broken(&self, names: &[&str]) -> Option<Failure> {
        self.files.iter().enumerate().find_map(|(place, (path, file))| {
            // The same name in this file, or in one before it, replaces it.
            let given = |name: &str| self.files[..=place].iter().any(|(_, file)| file.get(name).is_some());
            let missed = |name: &str| names.contains(&name) && self.environment.get(name).is_none() && !given(name);
            let broken = file.broken.iter().find(|broken| broken.name.as_deref().is_some_and(missed))?;
            let name = broken.name.as_deref().unwrap_or_default();
            let text = format!("line {} of {} seems to set {name}, but cannot be read", broken.line, path.display());
            Some(with_advice(Failure::msg(FailureKind::Configuration, text), file))
        })
    }

    /// A line of the files that contains a connection string, under a name that is not used or under none.
    pub fn unread_connection(&self, read: &[&str]) -> Option<Failure> {
        self.files.iter().find_map(|(path, file)| {
            let shown = path.display();
            if let Some(broken) = file.broken.iter().find(|broken| broken.connection) {
                let text = format!("line {} of {shown} contains a connection, but cannot be read", broken.line);
                return Some(with_advice(Failure::msg(FailureKind::Configuration, text), file));
            }
            let (name, line) = file.connections().find(|(name, _)| !read.contains(name))?;
            let text = format!("line {line} of {shown} contains a connection in {name}, which is not used");
            Some(
                Failure::msg(FailureKind::Configuration, text)
                    .hint("if you want to use it, name it DATABASE_URL or STACKSNAP_DB_URL")
                    .hint("or set STACKSNAP_DB_URL for this run: the process's variables come first"),
            )
        })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|found| found.value)
    }

    /// Notes about variables of these names that are set but cannot be used.
    pub fn notes<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
        let mut notes = Vec::new();
        for name in names {
            if self.environment.is_not_utf8(name) {
                notes.push(format!("{name} is set, but is not UTF-8: ignored"));
            } else if self.get(name).is_none()
                && (self.environment.is_empty(name) || self.files.iter().any(|(_, file)| file.is_empty(name)))
            {
                notes.push(format!("{name} is set, but empty: ignored"));
            }
        }
        for (path, file) in self.files.iter().filter(|(_, file)| !file.broken.is_empty()) {
            let lines: Vec<String> = file.broken.iter().map(|broken| broken.line.to_string()).collect();
            notes.push(format!("{}: cannot read line {}", path.display(), lines.join(", ")));
        }
        notes
    }
}

/// Adds a hint on how to write a valid line.
fn with_advice(failure: Failure, file: &DotEnv) -> Failure {
    if file.utf16 {
        return failure.hint("the file is UTF-16: save it as UTF-8 (PowerShell: Set-Content -Encoding utf8)");
    }
    failure.hint("write NAME=VALUE on one line, with both quotes or none, in UTF-8")
}

/// Parses a file; `None` when it does not exist.
fn read(path: &Path) -> Result<Option<DotEnv>> {
    // A virtual environment of Python is often a folder named `.env`, which is not a file of variables.
    if path.join("pyvenv.cfg").is_file() {
        return Ok(None);
    }
    match ownership::read(path, "the file of variables") {
        Ok(bytes) => Ok(bytes.map(|bytes| DotEnv::of_bytes(&bytes))),
        Err(failure) => Err(failure.hint("or name another file with --env-file")),
    }
}
