//! All settings of a run, resolved once: flags before environment before file before defaults.
//!
//! Invariant: each value has its provenance under its key. Loading reads files and starts no program.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{self, FileSettings, ProjectPart};
use super::seal::SealSetting;
use super::secret::{Inputs, SecretRef};
use super::suggest::closest;
use super::tenants::{TENANT_KEYS, tenant_key};
use super::toml_reader::At;
use super::value::{Format, ReadableCompression, Verify, parse_duration, parse_list, parse_sessions};
use super::variables::Variables;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::secret::Secret;
use crate::model::tenant_settings::TenantSettings;
use crate::ownership;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance {
    Default,
    /// e.g. `--root`
    Flag(&'static str),
    /// e.g. `STACKSNAP_ROOT`
    Variable(&'static str),
    File {
        path: PathBuf,
        line: usize,
    },
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder with the snapshots.
    pub root: PathBuf,
    pub formats: Vec<Format>,
    pub readable_compression: ReadableCompression,
    /// `None`: no snapshot is ever removed. Retention is not built yet: a value is kept and shown as not applied.
    pub keep_days: Option<u32>,
    /// `None`: depends on the machine.
    pub jobs: Option<u32>,
    pub lock_wait: Duration,
    /// `None`: no limit.
    pub timeout: Option<Duration>,
    /// The folder where client programs are searched first.
    pub pg_bin: Option<PathBuf>,
    /// Holds `supabase/functions`, `supabase/migrations`, `supabase/config.toml`.
    pub project_dir: Option<PathBuf>,
    pub storage_dir: Option<PathBuf>,
    pub exclude_data: Vec<String>,
    /// Empty: tables are found by name and columns.
    pub user_role_tables: Vec<String>,
    pub encryption_functions: Vec<String>,
    pub keep_sessions: bool,
    /// `None`: verify the schema, if a server without rights can do it.
    pub verify: Option<Verify>,
    pub seal: Option<SealSetting>,
    /// The passphrase of `seal`, after [`Settings::reveal_seal`] has fetched it.
    pub seal_passphrase: Option<Secret>,
    /// The folders of PATH, where client programs are searched.
    pub program_dirs: Vec<PathBuf>,
    /// For files that last no longer than a run.
    pub temp_dir: PathBuf,
    /// The name of the chosen project in the configuration.
    pub project: Option<String>,
    /// Restoring onto this project needs the typed name even with --yes.
    pub protect: Option<String>,
    /// Which tenant owns which rows, as far as the configuration says it.
    pub tenants: TenantSettings,
    /// The configuration has projects, whether one was chosen or not.
    pub has_projects: bool,
    /// Where the project's connection string is stored.
    pub db_url: Option<SecretRef>,
    /// The configuration file, if there is one.
    pub config_file: Option<PathBuf>,
    /// Warnings for the user: literal secrets, mistyped variables.
    pub warnings: Vec<String>,
    pub provenance: BTreeMap<&'static str, Provenance>,
}

/// Programs that are run from the folder `pg_bin`.
const PROGRAMS: [&str; 5] = ["pg_dump", "pg_restore", "initdb", "postgres", "pg_ctl"];

/// All variables of ours.
const VARIABLES: [&str; 17] = [
    "STACKSNAP_CONFIG",
    "STACKSNAP_DB_URL",
    "STACKSNAP_PROJECT",
    "STACKSNAP_ROOT",
    "STACKSNAP_FORMATS",
    "STACKSNAP_READABLE_COMPRESSION",
    "STACKSNAP_KEEP_DAYS",
    "STACKSNAP_JOBS",
    "STACKSNAP_LOCK_WAIT",
    "STACKSNAP_TIMEOUT",
    "STACKSNAP_PG_BIN",
    "STACKSNAP_PROJECT_DIR",
    "STACKSNAP_STORAGE_DIR",
    "STACKSNAP_EXCLUDE_DATA",
    "STACKSNAP_SESSIONS",
    "STACKSNAP_VERIFY",
    ownership::TRUST_OWNER,
];

/// Chooses between flag, variable and file, and records the source.
struct Chooser<'a> {
    inputs: &'a Inputs,
    file: &'a FileSettings,
    provenance: BTreeMap<&'static str, Provenance>,
}

impl Chooser<'_> {
    /// `None` leaves the default; `names` are the flag and the variable.
    fn choose<T>(
        &mut self,
        key: &'static str,
        (flag_name, variable): (&'static str, &'static str),
        flag: Option<T>,
        parse: impl Fn(&str) -> Result<T, String>,
        in_file: Option<At<T>>,
    ) -> Result<Option<T>> {
        let text = if variable.is_empty() { None } else { self.inputs.environment.get(variable) };
        let (value, provenance) = if let Some(value) = flag {
            (Some(value), Provenance::Flag(flag_name))
        } else if let Some(text) = text {
            let value =
                parse(text).map_err(|what| Failure::msg(FailureKind::Configuration, format!("{variable}: {what}")))?;
            (Some(value), Provenance::Variable(variable))
        } else if let Some(At { value, line }) = in_file {
            (Some(value), Provenance::File { path: self.file.path.clone(), line })
        } else {
            (None, Provenance::Default)
        };
        self.provenance.insert(key, provenance);
        Ok(value)
    }

    fn path(
        &mut self,
        key: &'static str,
        names: (&'static str, &'static str),
        flag: Option<&PathBuf>,
        in_file: Option<At<PathBuf>>,
    ) -> Result<Option<PathBuf>> {
        let environment = self.inputs.environment.clone();
        let flag = flag.map(|path| environment.path(&path.to_string_lossy()));
        self.choose(key, names, flag, |text| Ok(environment.path(text)), in_file)
    }

    /// A value that only the file can set.
    fn only_file<T>(&mut self, key: &'static str, in_file: Option<At<T>>) -> Option<T> {
        let provenance = in_file
            .as_ref()
            .map_or(Provenance::Default, |at| Provenance::File { path: self.file.path.clone(), line: at.line });
        self.provenance.insert(key, provenance);
        in_file.map(|at| at.value)
    }
}

impl Settings {
    /// Fetches the passphrase that vault secrets are sealed with, if one is configured. May run its command.
    pub fn reveal_seal(&mut self, inputs: &Inputs) -> Result<()> {
        if let Some(SealSetting::Passphrase(place)) = &self.seal {
            let variables = Variables::load(inputs, self.project_dir.as_deref())?;
            self.seal_passphrase = Some(place.reveal(|name| variables.get(name), inputs.run_command.as_ref())?);
        }
        Ok(())
    }
}

/// Finds and reads the configuration and resolves all settings.
pub fn load(inputs: &Inputs) -> Result<Settings> {
    let file = match file::find(inputs)? {
        Some(path) => file::read(&path, &inputs.environment)?,
        None => FileSettings::default(),
    };
    let mut chooser = Chooser { inputs, file: &file, provenance: BTreeMap::new() };
    let (name, part) = choose_project(&mut chooser)?;
    let mut settings = Settings::defaults(inputs);
    settings.project = name;
    settings.has_projects = !file.projects.is_empty();
    settings.config_file = (!file.path.as_os_str().is_empty()).then(|| file.path.clone());
    settings.warnings = warnings(inputs, &file);
    fill_snapshot(&mut settings, &mut chooser)?;
    fill_project(&mut settings, part, &mut chooser)?;
    settings.provenance = chooser.provenance;
    Ok(settings)
}

impl Settings {
    /// The settings if nothing is configured.
    fn defaults(inputs: &Inputs) -> Self {
        let here = &inputs.environment.current_dir;
        Self {
            root: here.join("supabase_backups"),
            formats: vec![Format::Dump, Format::Sql, Format::Csv],
            readable_compression: ReadableCompression::Auto,
            keep_days: None,
            jobs: None,
            lock_wait: Duration::from_secs(60),
            timeout: None,
            pg_bin: None,
            project_dir: here.join("supabase").is_dir().then(|| here.clone()),
            storage_dir: None,
            exclude_data: Vec::new(),
            user_role_tables: Vec::new(),
            encryption_functions: ["is_encrypted", "encrypt_*", "decrypt_*"].map(str::to_string).to_vec(),
            keep_sessions: false,
            verify: None,
            seal: None,
            seal_passphrase: None,
            program_dirs: inputs
                .environment
                .get("PATH")
                .map(|p| std::env::split_paths(p).collect())
                .unwrap_or_default(),
            temp_dir: inputs.environment.get("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from),
            project: None,
            has_projects: false,
            protect: None,
            tenants: TenantSettings::default(),
            db_url: None,
            config_file: None,
            warnings: Vec::new(),
            provenance: BTreeMap::new(),
        }
    }
}

/// Replaces the default by the chosen value, if any.
fn put<T>(place: &mut T, chosen: Option<T>) {
    if let Some(chosen) = chosen {
        *place = chosen;
    }
}

/// Fills in the values of `[snapshot]`.
fn fill_snapshot(settings: &mut Settings, chooser: &mut Chooser<'_>) -> Result<()> {
    let (file, flags) = (chooser.file, &chooser.inputs.flags);
    let names = ("--root", "STACKSNAP_ROOT");
    put(&mut settings.root, chooser.path("root", names, flags.root.as_ref(), file.root.clone())?);
    let names = ("--formats", "STACKSNAP_FORMATS");
    let words = |text: &str| parse_list(text).iter().map(|word| Format::parse(word)).collect();
    put(&mut settings.formats, chooser.choose("formats", names, flags.formats.clone(), words, file.formats.clone())?);
    check_formats(&mut settings.formats)?;
    let names = ("--readable-compression", "STACKSNAP_READABLE_COMPRESSION");
    let (flag, value) = (flags.readable_compression, file.readable_compression.clone());
    let chosen = chooser.choose("readable_compression", names, flag, ReadableCompression::parse, value)?;
    put(&mut settings.readable_compression, chosen);
    let names = ("--keep-days", "STACKSNAP_KEEP_DAYS");
    settings.keep_days = chooser.choose("keep_days", names, flags.keep_days, parse_number, file.keep_days.clone())?;
    let names = ("--jobs", "STACKSNAP_JOBS");
    settings.jobs = chooser.choose("jobs", names, flags.jobs, parse_number, file.jobs.clone())?;
    let names = ("--lock-wait", "STACKSNAP_LOCK_WAIT");
    let chosen = chooser.choose("lock_wait", names, flags.lock_wait, parse_duration, file.lock_wait.clone())?;
    put(&mut settings.lock_wait, chosen);
    let names = ("--timeout", "STACKSNAP_TIMEOUT");
    let chosen = chooser.choose("timeout", names, flags.timeout, parse_duration, file.timeout.clone())?;
    settings.timeout = chosen.filter(|timeout| !timeout.is_zero());
    let names = ("--pg-bin", "STACKSNAP_PG_BIN");
    settings.pg_bin = chooser.path("pg_bin", names, flags.pg_bin.as_ref(), file.pg_bin.clone())?;
    for program in settings.pg_bin.iter().flat_map(|folder| PROGRAMS.map(|name| folder.join(name))) {
        ownership::require_trusted(&program, "the program")?;
    }
    let names = ("--sessions", "STACKSNAP_SESSIONS");
    let chosen = chooser.choose("sessions", names, flags.keep_sessions, parse_sessions, file.keep_sessions.clone())?;
    put(&mut settings.keep_sessions, chosen);
    let names = ("--verify", "STACKSNAP_VERIFY");
    settings.verify = chooser.choose("verify", names, flags.verify, Verify::parse, file.verify.clone())?;
    settings.seal = chooser.only_file("seal", file.seal.clone());
    Ok(())
}

/// Fills in the values of one project, with their defaults.
fn fill_project(settings: &mut Settings, part: ProjectPart, chooser: &mut Chooser<'_>) -> Result<()> {
    let flags = &chooser.inputs.flags;
    let names = ("--project-dir", "STACKSNAP_PROJECT_DIR");
    if let Some(folder) = chooser.path("project_dir", names, flags.project_dir.as_ref(), part.project_dir)? {
        settings.project_dir = Some(folder);
    }
    let names = ("--storage-dir", "STACKSNAP_STORAGE_DIR");
    settings.storage_dir = chooser.path("storage_dir", names, flags.storage_dir.as_ref(), part.storage_dir)?;
    let listed = |text: &str| Ok(parse_list(text));
    let names = ("--exclude-data", "STACKSNAP_EXCLUDE_DATA");
    put(&mut settings.exclude_data, chooser.choose("exclude_data", names, None, listed, part.exclude_data)?);
    if !flags.exclude_data.is_empty() {
        settings.exclude_data.extend(flags.exclude_data.iter().cloned());
        chooser.provenance.insert("exclude_data", Provenance::Flag("--exclude-data"));
    }
    put(&mut settings.user_role_tables, chooser.only_file("user_roles.tables", part.user_role_tables));
    put(&mut settings.encryption_functions, chooser.only_file("encryption.functions", part.encryption_functions));
    settings.protect = chooser.only_file("protect", part.protect);
    chooser.provenance.extend(TENANT_KEYS.map(|key| (tenant_key(key), Provenance::Default)));
    if let Some(tenants) = part.tenants {
        for (key, line) in tenants.lines {
            chooser.provenance.insert(tenant_key(key), Provenance::File { path: chooser.file.path.clone(), line });
        }
        settings.tenants = tenants.settings;
    }
    settings.db_url = chooser.only_file("db_url", part.db_url);
    Ok(())
}

/// `--project`, `STACKSNAP_PROJECT`, or the only configured project.
fn choose_project(chooser: &mut Chooser<'_>) -> Result<(Option<String>, ProjectPart)> {
    let names = ("--project", "STACKSNAP_PROJECT");
    let flag = chooser.inputs.flags.project.clone();
    let named = chooser.choose("project", names, flag, |text| Ok(text.to_string()), None)?;
    let projects = &chooser.file.projects;
    let Some(name) = named else {
        let mut all = projects.iter();
        return Ok(match (all.next(), all.next()) {
            (Some((name, part)), None) => {
                let path = chooser.file.path.clone();
                chooser.provenance.insert("project", Provenance::File { path, line: part.line });
                (Some(name.clone()), part.clone())
            }
            _ => (None, ProjectPart::default()),
        });
    };
    if let Some(part) = projects.get(&name) {
        return Ok((Some(name), part.clone()));
    }
    let failure = Failure::msg(FailureKind::Configuration, format!("the configuration has no project '{name}'"));
    let list: Vec<&str> = projects.keys().map(String::as_str).collect();
    Err(match closest(&name, list.iter().copied()) {
        Some(suggestion) => failure.hint(format!("did you mean '{suggestion}'?")),
        None if list.is_empty() => failure.hint(format!("write [projects.{name}] into {}", file::FILE_NAME)),
        None => failure.hint(format!("projects: {}", list.join(", "))),
    })
}

fn parse_number(text: &str) -> Result<u32, String> {
    match text.trim().parse::<u32>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("'{}' is not a whole number from 1 up", text.escape_default())),
    }
}

/// Sorts and deduplicates. The archive is required, because all other formats are derived from it.
fn check_formats(formats: &mut Vec<Format>) -> Result<()> {
    formats.sort_unstable();
    formats.dedup();
    if !formats.contains(&Format::Dump) {
        let text = "the formats lack 'dump': all others are derived from the archive";
        return Err(Failure::msg(FailureKind::Configuration, text).hint("add 'dump' to the formats"));
    }
    Ok(())
}

fn warnings(inputs: &Inputs, file: &FileSettings) -> Vec<String> {
    let shown = |path: &Path| path.display().to_string();
    let mut warnings: Vec<String> = file.warnings.iter().map(|w| format!("{}: {w}", shown(&file.path))).collect();
    for name in inputs.environment.names().filter(|name| name.starts_with("STACKSNAP_")) {
        if !VARIABLES.contains(&name)
            && let Some(suggestion) = closest(name, VARIABLES)
        {
            warnings.push(format!("the variable {name} is not known: did you mean {suggestion}?"));
        }
    }
    warnings
}

/// Reads the configuration as a run would, and returns its warnings.
pub fn validate(inputs: &Inputs) -> Result<Vec<String>> {
    Ok(load(inputs)?.warnings)
}
