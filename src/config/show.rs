//! `config show`: each value with its source.
//!
//! Invariant: a secret shows as `***` with its source; no other value can be a secret.

use std::path::Path;

use serde::Serialize;

use super::settings::{Provenance, Seal, Settings};
use super::value::show_duration;

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownValue {
    pub key: &'static str,
    pub value: String,
    pub origin: String,
}

/// Every setting, in the order of the file.
pub fn show(settings: &Settings) -> Vec<ShownValue> {
    let path = |path: &Option<std::path::PathBuf>| path.as_deref().map_or_else(String::new, shown_path);
    let list = |texts: &[String]| texts.join(", ");
    let seal = match &settings.seal {
        None => String::new(),
        Some(Seal::Recipients(keys)) => list(keys),
        Some(Seal::Passphrase(secret)) => format!("*** ({})", secret.place()),
    };
    let tenants = settings.tenants.as_ref().map_or_else(String::new, |t| {
        if t.shared_tables.is_empty() {
            t.root.clone()
        } else {
            format!("{} (shared: {})", t.root, list(&t.shared_tables))
        }
    });
    let values = [
        ("project", settings.project.clone().unwrap_or_default()),
        ("root", shown_path(&settings.root)),
        ("formats", settings.formats.iter().map(|f| f.word()).collect::<Vec<_>>().join(", ")),
        ("readable_compression", settings.readable_compression.word().to_string()),
        (
            "keep_days",
            settings.keep_days.map_or_else(|| "none".to_string(), |days| format!("{days} (not applied yet)")),
        ),
        ("jobs", settings.jobs.map_or_else(|| "auto".to_string(), |jobs| jobs.to_string())),
        ("lock_wait", show_duration(settings.lock_wait)),
        ("timeout", settings.timeout.map_or_else(|| "none".to_string(), show_duration)),
        ("pg_bin", path(&settings.pg_bin)),
        ("sessions", if settings.keep_sessions { "keep" } else { "drop" }.to_string()),
        ("verify", settings.verify.map_or_else(|| "auto".to_string(), |verify| verify.word().to_string())),
        ("seal", seal),
        ("db_url", settings.db_url.as_ref().map_or_else(String::new, |s| format!("*** ({})", s.place()))),
        ("project_dir", path(&settings.project_dir)),
        ("storage_dir", path(&settings.storage_dir)),
        ("protect", settings.protect.clone().unwrap_or_default()),
        ("exclude_data", list(&settings.exclude_data)),
        ("user_roles.tables", list(&settings.user_role_tables)),
        ("encryption.functions", list(&settings.encryption_functions)),
        ("tenants", tenants),
    ];
    values
        .into_iter()
        .map(|(key, value)| {
            let origin = settings.provenance.get(key).unwrap_or(&Provenance::Default).to_string();
            ShownValue { key, value, origin }
        })
        .collect()
}

fn shown_path(path: &Path) -> String {
    path.display().to_string()
}
