//! Everything that a run is told, resolved once: flags before environment before file before defaults.
//!
//! Invariant: each value has its provenance under its key; loading reads files and starts nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{self, FileSettings, ProjectPart};
use super::secret::{Inputs, SecretRef};
use super::show::tenant_key;
use super::suggest::closest;
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

/// To whom vault secrets are sealed (age).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// `age1…` public keys.
    Recipients(Vec<String>),
    Passphrase(SecretRef),
}

/// What a run is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where snapshots live.
    pub root: PathBuf,
    pub formats: Vec<Format>,
    pub readable_compression: ReadableCompression,
    pub keep_days: u32,
    /// None: decided from the machine.
    pub jobs: Option<u32>,
    pub lock_wait: Duration,
    /// None: as long as it takes.
    pub timeout: Option<Duration>,
    /// Where the client programs are looked for first.
    pub pg_bin: Option<PathBuf>,
    /// Holds `supabase/functions`, `supabase/migrations`, `supabase/config.toml`.
    pub project_dir: Option<PathBuf>,
    pub storage_dir: Option<PathBuf>,
    pub exclude_data: Vec<String>,
    /// Empty: found by name and shape.
    pub user_role_tables: Vec<String>,
    pub encryption_functions: Vec<String>,
    pub keep_sessions: bool,
    /// None: the schema, where that can be done by a server without rights.
    pub verify: Option<Verify>,
    pub seal: Option<Seal>,
    /// The passphrase behind `seal`, once [`Settings::reveal_seal`] has fetched it.
    pub seal_passphrase: Option<Secret>,
    /// The folders of PATH: where client programs may be.
    pub program_dirs: Vec<PathBuf>,
    /// For what lasts no longer than a run.
    pub temp_dir: PathBuf,
    /// The name of the project in the configuration, when one was chosen.
    pub project: Option<String>,
    /// Restores onto it need the typed name even with --yes.
    pub protect: Option<String>,
    /// Whose the rows are, as far as the configuration says it.
    pub tenants: TenantSettings,
    /// The configuration has projects, chosen or not.
    pub has_projects: bool,
    /// Where the project's connection comes from.
    pub db_url: Option<SecretRef>,
    /// The configuration file, when there is one.
    pub config_file: Option<PathBuf>,
    /// What the user should know: literal secrets, mistyped variables.
    pub warnings: Vec<String>,
    pub provenance: BTreeMap<&'static str, Provenance>,
}

/// What is run from the folder of `pg_bin`.
const PROGRAMS: [&str; 5] = ["pg_dump", "pg_restore", "initdb", "postgres", "pg_ctl"];

/// Variables beside the connection's that set something.
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

/// Chooses among flag, variable and file, and records which it was.
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
    /// Fetches the passphrase that vault secrets are sealed with, where one is configured. Runs its command.
    pub fn reveal_seal(&mut self, inputs: &Inputs) -> Result<()> {
        if let Some(Seal::Passphrase(place)) = &self.seal {
            let variables = Variables::load(inputs, self.project_dir.as_deref())?;
            self.seal_passphrase = Some(place.reveal(|name| variables.get(name), inputs.run_command.as_ref())?);
        }
        Ok(())
    }
}

/// Finds and reads the configuration and resolves everything.
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
    /// What holds when nothing is said.
    fn defaults(inputs: &Inputs) -> Self {
        let here = &inputs.environment.current_dir;
        Self {
            root: here.join("supabase_backups"),
            formats: vec![Format::Dump, Format::Sql, Format::Csv],
            readable_compression: ReadableCompression::Auto,
            keep_days: 7,
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

/// Puts a chosen value in the place of the default.
fn put<T>(place: &mut T, chosen: Option<T>) {
    if let Some(chosen) = chosen {
        *place = chosen;
    }
}

/// The values of `[snapshot]`.
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
    let chosen = chooser.choose("keep_days", names, flags.keep_days, parse_number, file.keep_days.clone())?;
    put(&mut settings.keep_days, chosen);
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
        ownership::demand(&program, "the program")?;
    }
    let names = ("--sessions", "STACKSNAP_SESSIONS");
    let chosen = chooser.choose("sessions", names, flags.keep_sessions, parse_sessions, file.keep_sessions.clone())?;
    put(&mut settings.keep_sessions, chosen);
    let names = ("--verify", "STACKSNAP_VERIFY");
    settings.verify = chooser.choose("verify", names, flags.verify, Verify::parse, file.verify.clone())?;
    settings.seal = chooser.only_file("seal", file.seal.clone());
    Ok(())
}

/// The values of one project, with their defaults.
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
    if let Some(tenants) = part.tenants {
        for (key, line) in tenants.lines {
            chooser.provenance.insert(tenant_key(key), Provenance::File { path: chooser.file.path.clone(), line });
        }
        settings.tenants = tenants.settings;
    }
    settings.db_url = chooser.only_file("db_url", part.db_url);
    Ok(())
}

/// `--project`, `STACKSNAP_PROJECT`, or the only one there is.
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
    let failure =
        Failure::msg(FailureKind::Configuration, format!("there is no project '{name}' in the configuration"));
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

/// Sorted, each once; the archive is what everything else is derived from and cannot be left out.
fn check_formats(formats: &mut Vec<Format>) -> Result<()> {
    formats.sort_unstable();
    formats.dedup();
    if !formats.contains(&Format::Dump) {
        let text = "the formats do not hold 'dump': the other ones are derived from the archive";
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

/// Reads the configuration as a run would, and gives back what is worth a warning.
pub fn validate(inputs: &Inputs) -> Result<Vec<String>> {
    Ok(load(inputs)?.warnings)
}
