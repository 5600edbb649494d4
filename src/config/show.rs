//! `config show`: each value with its source.
//!
//! Invariant: a secret shows as `***` with its source; no other value can be a secret.

use std::path::Path;

use serde::Serialize;

use super::seal::SealSetting;
use super::settings::{Provenance, Settings};
use super::tenants::tenant_key;
use super::tenants::{reference_texts, shown};
use super::value::show_duration;
use crate::model::name::QualifiedName;
use crate::model::tenant_settings::TenantSettings;

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
        Some(SealSetting::Recipients(keys)) => list(keys),
        Some(SealSetting::Passphrase(secret)) => format!("*** ({})", secret.place()),
    };
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
    ];
    let shown_tenants = tenants(&settings.tenants).into_iter().map(|(key, value)| (tenant_key(key), value));
    values
        .into_iter()
        .chain(shown_tenants)
        .map(|(key, value)| {
            let origin = settings.provenance.get(key).unwrap_or(&Provenance::Default).to_string();
            ShownValue { key, value, origin }
        })
        .collect()
}

/// Each key of the tenants, its value on one line.
fn tenants(block: &TenantSettings) -> Vec<(&'static str, String)> {
    let list = |tables: &[QualifiedName]| tables.iter().map(shown).collect::<Vec<_>>().join(", ");
    let one = |table: &Option<QualifiedName>| table.as_ref().map(shown).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let references = block.references.iter().map(|r| {
        let (when, on) = reference_texts(r);
        let when = if when.is_empty() { when } else { format!(" when {when}") };
        format!("{} -> {}{when} on {on}", shown(&r.table), shown(&r.parent))
    });
    let via = block.owner_via.iter().map(|(table, via)| format!("{} = {via}", shown(table)));
    let storage = block.storage.iter().map(|(bucket, rule)| format!("{bucket} = {}", rule.text()));
    vec![
        ("root", one(&block.root)),
        ("key", text(&block.key)),
        ("label", text(&block.label)),
        ("membership", one(&block.membership)),
        ("columns", block.columns.join(", ")),
        ("shared_tables", list(&block.shared_tables)),
        ("tenants_query", text(&block.tenants_query)),
        ("references", references.collect::<Vec<_>>().join("; ")),
        ("owner_via", via.collect::<Vec<_>>().join(", ")),
        ("storage", storage.collect::<Vec<_>>().join(", ")),
        ("changed_column", text(&block.changed_column)),
        ("required_tables", list(&block.required_tables)),
    ]
}

fn shown_path(path: &Path) -> String {
    path.display().to_string()
}
