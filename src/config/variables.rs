//! Variables by name: the process's first, then those of one `.env` file.
//!
//! Invariant: a variable that is set in the process always wins over the file; each answer says which it was.

use std::path::{Path, PathBuf};

use super::dotenv::DotEnv;
use super::environment::Environment;
use super::secret::Inputs;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ownership;

/// The two places, in order.
pub struct Variables<'a> {
    environment: &'a Environment,
    file: Option<(PathBuf, DotEnv)>,
}

/// A value and the file that it came from, when it was a file.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    pub value: &'a str,
    pub file: Option<&'a Path>,
}

impl<'a> Variables<'a> {
    /// The process's alone.
    pub fn of_process(environment: &'a Environment) -> Self {
        Self { environment, file: None }
    }

    /// With the file of `--env-file`, else `.env` of the project's folder, else of the current folder.
    pub fn load(inputs: &'a Inputs, project_dir: Option<&Path>) -> Result<Self> {
        let environment = &inputs.environment;
        let file = match &inputs.flags.env_file {
            Some(path) => {
                let path = environment.path(&path.to_string_lossy());
                let text = read(&path)?.ok_or_else(|| {
                    let text = format!("the file {} of --env-file does not exist", path.display());
                    Failure::msg(FailureKind::Configuration, text).hint("check the path, or leave --env-file out")
                })?;
                Some((path, DotEnv::parse(&text)))
            }
            None => {
                let mut found = None;
                for folder in project_dir.into_iter().chain([environment.current_dir.as_path()]) {
                    let path = folder.join(".env");
                    if let Some(text) = read(&path)? {
                        found = Some((path, DotEnv::parse(&text)));
                        break;
                    }
                }
                found
            }
        };
        Ok(Self { environment, file })
    }

    pub fn find(&self, name: &str) -> Option<Found<'_>> {
        if let Some(value) = self.environment.get(name) {
            return Some(Found { value, file: None });
        }
        let (path, file) = self.file.as_ref()?;
        file.get(name).map(|value| Found { value, file: Some(path) })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|found| found.value)
    }

    /// What should be known about variables of these names that could not be used.
    pub fn notes<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
        let mut notes = Vec::new();
        for name in names {
            if self.environment.is_not_utf8(name) {
                notes.push(format!("{name} is set, but is not UTF-8: passed over"));
            } else if self.get(name).is_none()
                && (self.environment.is_empty(name) || self.file.as_ref().is_some_and(|(_, file)| file.is_empty(name)))
            {
                notes.push(format!("{name} is set, but empty: passed over"));
            }
        }
        if let Some((path, file)) = &self.file
            && !file.unreadable.is_empty()
        {
            let lines: Vec<String> = file.unreadable.iter().map(ToString::to_string).collect();
            notes.push(format!("{}: cannot read line {}", path.display(), lines.join(", ")));
        }
        notes
    }
}

/// The text of a file; none when there is no such file.
fn read(path: &Path) -> Result<Option<String>> {
    // A virtual environment of Python is often a folder named `.env`: that is no file of variables.
    if path.join("pyvenv.cfg").is_file() {
        return Ok(None);
    }
    match ownership::read(path, "the file of variables") {
        Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(failure) => Err(failure.hint("or name another file with --env-file")),
    }
}
