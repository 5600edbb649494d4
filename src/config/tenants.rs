//! `[projects.NAME.tenants]`: reading it, and writing what `tenant detect` found into it.
//!
//! Invariant: unknown keys and what does not parse are errors with their line. Writing keeps every comment and every key
//! that is there, replaces the file in one step, leaves its mode and owner, and touches only a file that is ours.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike, Value};

use super::toml_reader::{At, Reader, mistake};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, visible};
use crate::model::tenant_settings::{Condition, Equality, Operand, StorageRule, TenantSettings, VirtualReference};
use crate::ownership;

pub const TENANT_KEYS: [&str; 12] = [
    "root",
    "key",
    "label",
    "membership",
    "columns",
    "shared_tables",
    "tenants_query",
    "references",
    "owner_via",
    "storage",
    "changed_column",
    "required_tables",
];
pub const REFERENCE_KEYS: [&str; 4] = ["table", "when", "parent", "on"];

/// The block and the line of each of its keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantsPart {
    pub settings: TenantSettings,
    pub lines: BTreeMap<&'static str, usize>,
}

/// Reads it out of its project.
pub fn read(project: &Reader<'_>) -> Result<Option<TenantsPart>> {
    let Some(part) = project.table("tenants", &TENANT_KEYS)? else { return Ok(None) };
    let one = |key| part.parsed(key, QualifiedName::parse).map(|at| at.map(|at| at.value));
    let text = |key| part.string(key).map(|at| at.map(|at| at.value));
    let texts = |key| part.strings(key).map(|at| at.map(|at| at.value).unwrap_or_default());
    let several = |key| match part.strings(key)? {
        Some(At { value, line }) => {
            let all = value.iter().map(|name| QualifiedName::parse(name)).collect::<Result<Vec<_>, _>>();
            all.map_err(|what| mistake(line, format!("'tenants.{key}': {what}")))
        }
        None => Ok(Vec::new()),
    };
    let settings = TenantSettings {
        root: one("root")?,
        key: text("key")?,
        label: text("label")?,
        membership: one("membership")?,
        columns: texts("columns")?,
        shared_tables: several("shared_tables")?,
        tenants_query: text("tenants_query")?,
        references: references(&part)?,
        owner_via: pairs(&part, "owner_via", QualifiedName::parse, |text| Ok(text.to_string()))?,
        storage: pairs(&part, "storage", |bucket| Ok(bucket.to_string()), StorageRule::parse)?,
        changed_column: text("changed_column")?,
        required_tables: several("required_tables")?,
    };
    if settings.root.is_some() && settings.tenants_query.is_some() {
        let line = part.raw("tenants_query").map_or(1, |at| at.line);
        return Err(mistake(line, "'tenants.root' and 'tenants.tenants_query' cannot both be set")
            .hint("the rows of root are the tenants; leave tenants_query out"));
    }
    let lines = TENANT_KEYS.into_iter().filter_map(|key| Some((key, part.raw(key)?.line))).collect();
    Ok(Some(TenantsPart { settings, lines }))
}

fn references(part: &Reader<'_>) -> Result<Vec<VirtualReference>> {
    let mut found = Vec::new();
    for reader in part.tables("references", &REFERENCE_KEYS)? {
        let line = reader.keys().next().map_or(1, |(_, line)| line);
        let text = |key: &str| reader.string(key).map(|at| at.map(|at| at.value));
        let needed = |key: &str| {
            text(key)?.ok_or_else(|| mistake(line, format!("'{key}' is missing in a reference of tenants")))
        };
        let (table, parent, on, when) = (needed("table")?, needed("parent")?, needed("on")?, text("when")?);
        let reference = VirtualReference::parse(&table, &parent, when.as_deref(), &on);
        found.push(reference.map_err(|what| {
            mistake(line, format!("a reference of tenants: {what}"))
                .hint("for example: { table = \"public.notes\", when = \"owner_type = 'order'\", parent = \"public.orders\", on = \"p.id::text = t.owner_id\" }")
        })?);
    }
    Ok(found)
}

fn pairs<K: Ord, V>(
    part: &Reader<'_>,
    key: &str,
    name: impl Fn(&str) -> Result<K, String>,
    value: impl Fn(&str) -> Result<V, String>,
) -> Result<BTreeMap<K, V>> {
    let mut found = BTreeMap::new();
    let Some(reader) = part.table(key, &[])? else { return Ok(found) };
    for (left, line) in reader.keys() {
        let name = name(left).map_err(|what| mistake(line, format!("'tenants.{key}': {what}")))?;
        if let Some(At { value, .. }) = reader.parsed(left, &value)? {
            found.insert(name, value);
        }
    }
    Ok(found)
}

/// What was written, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    pub path: PathBuf,
    pub project: String,
    /// Keys that are new.
    pub added: Vec<&'static str>,
    /// Keys that stood there already, and stay as they are.
    pub kept: Vec<&'static str>,
}

/// Writes what is missing in the block of `project`. The file is made, 0600, where there is none.
///
/// # Errors
/// `Configuration` when the file is somebody else's, changed meanwhile, or holds the block in a form of its own.
pub fn write(path: &Path, project: &str, block: &TenantSettings) -> Result<Written> {
    let before = match path.symlink_metadata() {
        Ok(_) => ownership::read_text(path, "the configuration")?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(Failure::from(e).context(format!("cannot look at {}", visible(&path.to_string_lossy())))),
    };
    // A link stays a link: what it leads to is replaced.
    let place = match before {
        Some(_) => path.canonicalize()?,
        None => path.to_path_buf(),
    };
    let text = before.clone().unwrap_or_else(|| "schema = 1\n".to_string());
    let mut document: DocumentMut = text.parse().map_err(|_| form(path, "it is no TOML that can be changed"))?;
    let mut written =
        Written { path: path.to_path_buf(), project: project.to_string(), added: Vec::new(), kept: Vec::new() };
    {
        let projects = below(document.as_table_mut(), "projects", true, path)?;
        let project = below(projects, project, true, path)?;
        let tenants = below(project, "tenants", false, path)?;
        for (key, item) in items(block) {
            if tenants.contains_key(key) {
                written.kept.push(key);
            } else {
                tenants.insert(key, item);
                written.added.push(key);
            }
        }
    }
    if !written.added.is_empty() {
        replace(&place, before.as_deref(), &document.to_string())?;
    }
    Ok(written)
}

fn form(path: &Path, what: &str) -> Failure {
    Failure::msg(FailureKind::Configuration, format!("{} was not changed: {what}", visible(&path.to_string_lossy())))
        .hint("stacksnap tenant detect prints the block: write it by hand")
}

/// The table below a key, made where it is missing.
fn below<'t>(table: &'t mut dyn TableLike, key: &str, implicit: bool, path: &Path) -> Result<&'t mut dyn TableLike> {
    let new = || {
        let mut table = Table::new();
        table.set_implicit(implicit);
        Item::Table(table)
    };
    let item = table.entry(key).or_insert_with(new);
    item.as_table_like_mut().ok_or_else(|| form(path, &format!("'{}' is no table", visible(key))))
}

/// Every key that the block says something for.
fn items(block: &TenantSettings) -> Vec<(&'static str, Item)> {
    let mut found: Vec<(&'static str, Item)> = Vec::new();
    let text = |text: &str| Item::Value(Value::from(text));
    let list = |texts: Vec<String>| Item::Value(Value::Array(texts.into_iter().collect::<Array>()));
    let names = |tables: &[QualifiedName]| tables.iter().map(shown).collect::<Vec<_>>();
    for (key, value) in [("root", &block.root), ("membership", &block.membership)] {
        found.extend(value.iter().map(|table| (key, text(&shown(table)))));
    }
    for (key, value) in [
        ("key", &block.key),
        ("label", &block.label),
        ("tenants_query", &block.tenants_query),
        ("changed_column", &block.changed_column),
    ] {
        found.extend(value.iter().map(|value| (key, text(value))));
    }
    for (key, values) in [
        ("columns", block.columns.clone()),
        ("shared_tables", names(&block.shared_tables)),
        ("required_tables", names(&block.required_tables)),
    ] {
        if !values.is_empty() {
            found.push((key, list(values)));
        }
    }
    let table = |pairs: Vec<(String, String)>| {
        let mut table = Table::new();
        pairs.into_iter().for_each(|(name, value)| {
            table.insert(&name, text(&value));
        });
        Item::Table(table)
    };
    if !block.owner_via.is_empty() {
        found.push(("owner_via", table(block.owner_via.iter().map(|(t, via)| (shown(t), via.clone())).collect())));
    }
    if !block.storage.is_empty() {
        found.push(("storage", table(block.storage.iter().map(|(b, rule)| (b.clone(), rule.text())).collect())));
    }
    if !block.references.is_empty() {
        let mut tables = ArrayOfTables::new();
        for reference in &block.references {
            let mut table = Table::new();
            table.insert("table", text(&shown(&reference.table)));
            if !reference.when.is_empty() {
                table.insert("when", text(&reference.when.iter().map(condition).collect::<Vec<_>>().join(" AND ")));
            }
            table.insert("parent", text(&shown(&reference.parent)));
            table.insert("on", text(&reference.on.iter().map(equality).collect::<Vec<_>>().join(" AND ")));
            tables.push(table);
        }
        found.push(("references", Item::ArrayOfTables(tables)));
    }
    let order = |key: &str| TENANT_KEYS.iter().position(|k| *k == key);
    found.sort_by_key(|(key, item)| (item.is_table() || item.is_array_of_tables(), order(key)));
    found
}

/// A table as [`QualifiedName::parse`] reads it.
pub fn shown(table: &QualifiedName) -> String {
    let plain = table.plain();
    if QualifiedName::parse(&plain).as_ref() == Ok(table) { plain } else { table.sql() }
}

fn name(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && !["and", "in"].contains(&text);
    let bare = bare && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if bare { text.to_string() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

fn condition(condition: &Condition) -> String {
    let values: Vec<String> = condition.values.iter().map(|v| format!("'{}'", v.replace('\'', "''"))).collect();
    match values.as_slice() {
        [only] => format!("{} = {only}", name(&condition.column)),
        several => format!("{} IN ({})", name(&condition.column), several.join(", ")),
    }
}

fn equality(equality: &Equality) -> String {
    let side = |alias: &str, operand: &Operand| {
        format!("{alias}.{}{}", name(&operand.column), if operand.as_text { "::text" } else { "" })
    };
    format!("{} = {}", side("p", &equality.parent), side("t", &equality.child))
}

/// A condition and a join as they are written.
pub fn reference_texts(reference: &VirtualReference) -> (String, String) {
    let when: Vec<String> = reference.when.iter().map(condition).collect();
    let on: Vec<String> = reference.on.iter().map(equality).collect();
    (when.join(" AND "), on.join(" AND "))
}

/// A new file in the place of the old one: whoever reads sees one or the other.
fn replace(place: &Path, before: Option<&str>, text: &str) -> Result<()> {
    let folder = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ownership::require_trusted(&folder.join("."), "the folder of the configuration")?;
    let saving =
        |e: std::io::Error| Failure::from(e).context(format!("cannot write {}", visible(&place.to_string_lossy())));
    let mut file =
        tempfile::Builder::new().prefix(".stacksnap.").suffix(".toml").tempfile_in(folder).map_err(saving)?;
    file.write_all(text.as_bytes()).map_err(saving)?;
    if before.is_some() {
        let old = place.metadata().map_err(saving)?;
        let new = file.as_file().metadata().map_err(saving)?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            std::os::unix::fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid())).map_err(saving)?;
        }
        file.as_file().set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o7777)).map_err(saving)?;
    }
    file.as_file().sync_all().map_err(saving)?;
    let now = ownership::read_text(place, "the configuration").unwrap_or_default();
    if now.as_deref() != before {
        return Err(form(place, "it was changed by somebody else meanwhile").hint("run the same command again"));
    }
    match before {
        Some(_) => file.persist(place).map(drop).map_err(|e| saving(e.error))?,
        None => file.persist_noclobber(place).map(drop).map_err(|e| saving(e.error))?,
    }
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(saving)
}

/// A key of the tenants as `config show` names it.
pub(super) fn tenant_key(key: &str) -> &'static str {
    match key {
        "root" => "tenants.root",
        "key" => "tenants.key",
        "label" => "tenants.label",
        "membership" => "tenants.membership",
        "columns" => "tenants.columns",
        "shared_tables" => "tenants.shared_tables",
        "tenants_query" => "tenants.tenants_query",
        "references" => "tenants.references",
        "owner_via" => "tenants.owner_via",
        "storage" => "tenants.storage",
        "changed_column" => "tenants.changed_column",
        "required_tables" => "tenants.required_tables",
        _ => "tenants",
    }
}

#[cfg(test)]
#[path = "tenants_tests.rs"]
mod tests;
