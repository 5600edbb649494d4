//! `stacksnap.toml`: finds the file and parses it.
//!
//! Invariant: `schema = 1` is required, and every unknown key is an error with its line. Paths in the file are relative
//! to the file's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::seal::SealSetting;
use super::secret::{Inputs, SecretRef};
use super::tenants::{self, TenantsPart};
use super::toml_reader::{At, Reader, line_of, mistake};
use super::value::{Format, ReadableCompression, Verify, parse_duration, parse_sessions};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::secret::Secret;
use crate::ownership;

pub const FILE_NAME: &str = "stacksnap.toml";

/// The file's content, each value with its line.
#[derive(Debug, Clone, Default)]
pub struct FileSettings {
    pub path: PathBuf,
    pub root: Option<At<PathBuf>>,
    pub formats: Option<At<Vec<Format>>>,
    pub readable_compression: Option<At<ReadableCompression>>,
    pub keep_days: Option<At<u32>>,
    pub jobs: Option<At<u32>>,
    pub lock_wait: Option<At<Duration>>,
    pub timeout: Option<At<Duration>>,
    pub pg_bin: Option<At<PathBuf>>,
    pub keep_sessions: Option<At<bool>>,
    pub verify: Option<At<Verify>>,
    pub seal: Option<At<SealSetting>>,
    pub projects: BTreeMap<String, ProjectPart>,
    pub warnings: Vec<String>,
}

/// One `[projects.NAME]`.
#[derive(Debug, Clone, Default)]
pub struct ProjectPart {
    pub line: usize,
    pub db_url: Option<At<SecretRef>>,
    pub project_dir: Option<At<PathBuf>>,
    pub storage_dir: Option<At<PathBuf>>,
    pub protect: Option<At<String>>,
    pub exclude_data: Option<At<Vec<String>>>,
    pub user_role_tables: Option<At<Vec<String>>>,
    pub encryption_functions: Option<At<Vec<String>>>,
    pub tenants: Option<TenantsPart>,
}

pub const TOP_KEYS: [&str; 3] = ["schema", "snapshot", "projects"];
pub const SNAPSHOT_KEYS: [&str; 12] = [
    "root",
    "formats",
    "readable_compression",
    "keep_days",
    "jobs",
    "lock_wait",
    "timeout",
    "pg_bin",
    "sessions",
    "verify",
    "seal_recipients",
    "seal_passphrase",
];
pub const PROJECT_KEYS: [&str; 8] =
    ["db_url", "project_dir", "storage_dir", "protect", "exclude_data", "user_roles", "encryption", "tenants"];

/// `--config`, else `STACKSNAP_CONFIG`, else the nearest `stacksnap.toml` in the current folder or above it, up to the
/// folder that contains `.git`, and never above the home folder.
pub fn find(inputs: &Inputs) -> Result<Option<PathBuf>> {
    let environment = &inputs.environment;
    let named = match (&inputs.flags.config, environment.get("STACKSNAP_CONFIG")) {
        (Some(path), _) => Some(("--config", environment.path(&path.to_string_lossy()))),
        (None, Some(path)) => Some(("STACKSNAP_CONFIG", environment.path(path))),
        (None, None) => None,
    };
    if let Some((who, path)) = named {
        if !is_there(&path) {
            let text = format!("the configuration file {} of {who} does not exist", path.display());
            return Err(Failure::msg(FailureKind::Configuration, text).hint("check the path, or leave it out"));
        }
        return Ok(Some(path));
    }
    for folder in environment.current_dir.ancestors() {
        let path = folder.join(FILE_NAME);
        if is_there(&path) {
            return Ok(Some(path));
        }
        if folder.join(".git").exists() || environment.home.as_deref() == Some(folder) {
            break;
        }
    }
    Ok(None)
}

/// Does the name exist, even as a pipe or a broken link? Reading it reports the problem.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Reads and checks the file at `path`. Only trusted users may be able to write to it, because its commands run with
/// our rights.
pub fn read(path: &Path, environment: &Environment) -> Result<FileSettings> {
    let text = ownership::read_text(path, "the configuration")?.ok_or_else(|| {
        let text = format!("the configuration {} is a broken link", path.display());
        Failure::msg(FailureKind::Configuration, text).hint("check the link")
    })?;
    let mut settings = parse(&text, path, environment).map_err(|f| f.context(path.display().to_string()))?;
    settings.path = path.to_path_buf();
    Ok(settings)
}

/// Parses the text of the file at `path`.
pub fn parse(text: &str, path: &Path, environment: &Environment) -> Result<FileSettings> {
    // Its `Display` shows the line, which may contain a secret: only the message and the position are used.
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        mistake(line, format!("not TOML: {}", error.message()))
    })?;
    let top = Reader::new(text, "", table.get_ref(), &TOP_KEYS)?;
    match top.number("schema", 1)? {
        Some(At { value: 1, .. }) => {}
        Some(At { value, line }) => {
            return Err(mistake(line, format!("schema {value} is not known to this version"))
                .hint("this version reads schema = 1"));
        }
        None => return Err(mistake(1, "'schema' is missing").hint("begin the file with: schema = 1")),
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let mut file = File { settings: FileSettings::default(), base, environment };
    if let Some(snapshot) = top.table("snapshot", &SNAPSHOT_KEYS)? {
        file.snapshot(&snapshot)?;
    }
    if let Some(projects) = top.table("projects", &[])? {
        for (name, line) in projects.keys() {
            if let Some(project) = projects.table(name, &PROJECT_KEYS)? {
                let part = file.project(name, line, &project)?;
                file.settings.projects.insert(name.to_string(), part);
            }
        }
    }
    Ok(file.settings)
}

struct File<'a> {
    settings: FileSettings,
    base: &'a Path,
    environment: &'a Environment,
}

impl File<'_> {
    fn path(&self, reader: &Reader<'_>, key: &str) -> Result<Option<At<PathBuf>>> {
        reader.parsed(key, |text| match text {
            "" => Err("the path is empty".to_string()),
            _ => Ok(self.environment.path_from(self.base, text)),
        })
    }

    fn snapshot(&mut self, reader: &Reader<'_>) -> Result<()> {
        self.settings.root = self.path(reader, "root")?;
        self.settings.pg_bin = self.path(reader, "pg_bin")?;
        self.settings.readable_compression = reader.parsed("readable_compression", ReadableCompression::parse)?;
        self.settings.keep_days = reader.number("keep_days", 1)?;
        self.settings.jobs = reader.number("jobs", 1)?;
        self.settings.lock_wait = reader.parsed("lock_wait", parse_duration)?;
        self.settings.timeout = reader.parsed("timeout", parse_duration)?;
        self.settings.keep_sessions = reader.parsed("sessions", parse_sessions)?;
        self.settings.verify = reader.parsed("verify", Verify::parse)?;
        if let Some(At { value, line }) = reader.strings("formats")? {
            let formats = value.iter().map(|word| Format::parse(word)).collect::<Result<Vec<_>, _>>();
            let value = formats.map_err(|what| mistake(line, format!("'snapshot.formats': {what}")))?;
            self.settings.formats = Some(At { value, line });
        }
        self.seal(reader)
    }

    fn seal(&mut self, reader: &Reader<'_>) -> Result<()> {
        let recipients = reader.strings("seal_recipients")?;
        let passphrase = self.secret(reader, "seal_passphrase")?;
        self.settings.seal = match (recipients, passphrase) {
            (Some(_), Some(At { line, .. })) => {
                return Err(mistake(line, "'seal_recipients' and 'seal_passphrase' cannot both be set")
                    .hint("prefer public keys: then nothing on this machine can open the seal"));
            }
            (Some(At { value, line }), None) => {
                for key in &value {
                    check_recipient(key).map_err(|what| mistake(line, what))?;
                }
                (!value.is_empty()).then_some(At { value: SealSetting::Recipients(value), line })
            }
            (None, Some(At { value, line })) => Some(At { value: SealSetting::Passphrase(value), line }),
            (None, None) => None,
        };
        Ok(())
    }

    fn project(&mut self, name: &str, line: usize, reader: &Reader<'_>) -> Result<ProjectPart> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
            return Err(mistake(line, "the name of a project is 1 to 64 letters, digits, '_', '-' or '.'"));
        }
        let list = |table: &str, key: &str| match reader.table(table, &[key])? {
            Some(reader) => reader.strings(key),
            None => Ok(None),
        };
        let user_role_tables = list("user_roles", "tables")?;
        let encryption_functions = list("encryption", "functions")?;
        let tenants = tenants::read(reader)?;
        Ok(ProjectPart {
            line,
            db_url: self.secret(reader, "db_url")?,
            project_dir: self.path(reader, "project_dir")?,
            storage_dir: self.path(reader, "storage_dir")?,
            protect: reader.string("protect")?,
            exclude_data: reader.strings("exclude_data")?,
            user_role_tables,
            encryption_functions,
            tenants,
        })
    }

    /// `{env = ".."}`, `{file = ".."}`, `{cmd = [..]}`, or a literal with a warning.
    fn secret(&mut self, reader: &Reader<'_>, key: &str) -> Result<Option<At<SecretRef>>> {
        let Some(At { value, line }) = reader.raw(key) else { return Ok(None) };
        if let DeValue::String(text) = value {
            self.settings.warnings.push(format!(
                "line {line}: the secret '{key}' is written in the file: use {{ env = \"NAME\" }}, {{ file = \"PATH\" }} or {{ cmd = [..] }}"
            ));
            return Ok(Some(At { value: SecretRef::Literal(Secret::new(text.as_ref())), line }));
        }
        let known = ["env", "file", "cmd"];
        let Some(table) = reader.table(key, &known)? else { return Ok(None) };
        let one = match (table.string("env")?, self.path(&table, "file")?, table.strings("cmd")?) {
            (Some(env), None, None) => Some(SecretRef::Env(env.value)),
            (None, Some(file), None) => Some(SecretRef::File(file.value)),
            (None, None, Some(cmd)) if !cmd.value.is_empty() => Some(SecretRef::Cmd(cmd.value)),
            _ => None,
        };
        let value = one.ok_or_else(|| {
            mistake(line, format!("'{key}' needs exactly one of env, file, cmd"))
                .hint(format!("for example: {key} = {{ env = \"NAME\" }}"))
        })?;
        Ok(Some(At { value, line }))
    }
}

/// Checks an age public key. A secret key in its place is reported as one, and not repeated.
fn check_recipient(key: &str) -> Result<(), String> {
    if key.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        return Err("'seal_recipients' holds a SECRET key: put its public key (age1…) here".to_string());
    }
    key.parse::<age::x25519::Recipient>()
        .map(|_| ())
        .map_err(|_| "'seal_recipients' contains a text that is not an age public key (age1…)".to_string())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
