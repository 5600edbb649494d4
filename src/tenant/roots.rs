//! The root: which table the tenants are the rows of, from the configuration or from the likeliest candidate.
//!
//! Invariant: what the configuration names has to be there and its key has to be unique, or it is refused; a root that
//! was only found is not `confirmed`.

use super::candidates::{Candidate, is_likely, membership};
use super::names;
use crate::config::suggest::closest;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, visible};
use crate::model::relations::{Relation, Relations};
use crate::model::tenancy::Root;
use crate::model::tenant_settings::TenantSettings;

/// What the configuration says, else the first candidate.
///
/// # Errors
/// `Configuration` when it names what is not there; `NotFound` when nothing looks like a tenant.
pub fn root(relations: &Relations, settings: &TenantSettings, candidates: &[Candidate]) -> Result<Root> {
    if let Some(name) = &settings.root {
        return configured(relations, settings, name);
    }
    if settings.tenants_query.is_some() {
        return without_table(settings);
    }
    // Names of columns help to find the table that they name, where there is one.
    let of_columns = |c: &Candidate| {
        let mut names = c.columns.iter().chain(c.unlinked.iter().map(|u| &u.column));
        settings.columns.is_empty() || names.any(|name| settings.columns.contains(name))
    };
    let found = candidates.iter().find(|c| is_likely(c) && of_columns(c));
    if found.is_none() && !settings.columns.is_empty() {
        return without_table(settings);
    }
    let Some(found) = found else {
        let text = "no table looks like the tenants: none has members, and no column has the name of a tenant";
        return Err(Failure::msg(FailureKind::NotFound, text)
            .hint("name it in stacksnap.toml, below [projects.NAME.tenants]: root = \"schema.table\"")
            .hint("or, where no table lists them: columns = [\"tenant_id\"]"));
    };
    Ok(Root {
        table: Some(found.table.clone()),
        key: Some(found.key.clone()),
        label: settings.label.clone().or_else(|| found.label.clone()),
        membership: found.membership.as_ref().map(|m| m.table.clone()),
        members: found.membership.as_ref().map(|m| m.members.clone()),
        confirmed: false,
    })
}

fn wrong(what: String) -> Failure {
    Failure::msg(FailureKind::Configuration, what)
}

/// The table that the configuration calls so under `key`.
pub fn known_table<'r>(relations: &'r Relations, key: &str, name: &QualifiedName) -> Result<&'r Relation> {
    relations.table(name).ok_or_else(|| {
        let failure = wrong(format!("[projects.NAME.tenants] {key}: there is no table {}", visible(&name.plain())));
        let all: Vec<String> = relations.tables.iter().map(|t| t.name.plain()).collect();
        match closest(&name.plain(), all.iter().map(String::as_str)) {
            Some(near) => failure.hint(format!("did you mean '{}'?", visible(near))),
            None => failure.hint("stacksnap tenant detect shows what there is"),
        }
    })
}

/// A column of it.
pub fn known_column(table: &Relation, key: &str, column: &str) -> Result<()> {
    if table.column(column).is_some() {
        return Ok(());
    }
    let text =
        format!("[projects.NAME.tenants] {key}: {} has no column {}", visible(&table.name.plain()), visible(column));
    let failure = wrong(text);
    Err(match closest(column, table.columns.iter().map(|c| c.name.as_str())) {
        Some(near) => failure.hint(format!("did you mean '{}'?", visible(near))),
        None => failure,
    })
}

fn configured(relations: &Relations, settings: &TenantSettings, name: &QualifiedName) -> Result<Root> {
    let table = known_table(relations, "root", name)?;
    let key = match (&settings.key, table.primary_key().map(|pk| pk.columns.as_slice())) {
        (Some(key), _) => key.clone(),
        (None, Some([only])) => only.clone(),
        _ => {
            let text = format!("{} has no primary key of one column", visible(&name.plain()));
            return Err(wrong(text).hint("name a unique column of it below [projects.NAME.tenants]: key = \"column\""));
        }
    };
    known_column(table, "key", &key)?;
    if !table.is_unique(&[key.as_str()]) {
        let text = format!("{}.{} is not unique: it cannot name a tenant", visible(&name.plain()), visible(&key));
        return Err(wrong(text).hint("name a column that has a unique index of its own"));
    }
    if let Some(label) = &settings.label {
        known_column(table, "label", label)?;
    }
    let people = names::people(relations);
    let found = membership(relations, table, &people, |_| true);
    let membership = match &settings.membership {
        Some(membership) => Some(known_table(relations, "membership", membership)?.name.clone()),
        None => found.as_ref().map(|m| m.table.clone()),
    };
    let of_membership = |fk: &&crate::model::relations::ForeignKey| {
        Some(&fk.child) == membership.as_ref() && people.contains(&fk.parent)
    };
    let members = match found {
        Some(found) if Some(&found.table) == membership.as_ref() => Some(found.members),
        _ => relations.foreign_keys.iter().find(of_membership).map(|fk| fk.parent.clone()),
    };
    // People that are the tenants themselves are no members of one.
    let members = members.filter(|members| members != name);
    let label = settings.label.clone().or_else(|| names::label(table));
    Ok(Root { table: Some(name.clone()), key: Some(key), label, membership, members, confirmed: true })
}

fn without_table(settings: &TenantSettings) -> Result<Root> {
    if settings.columns.is_empty() {
        return Err(wrong("[projects.NAME.tenants] has a tenants_query and neither root nor columns".to_string())
            .hint("say by which columns rows belong to them: columns = [\"tenant_id\"]"));
    }
    if settings.key.is_some() || settings.label.is_some() || settings.membership.is_some() {
        return Err(wrong("[projects.NAME.tenants] has key, label or membership and no root".to_string())
            .hint("add root = \"schema.table\", or leave them out"));
    }
    Ok(Root { table: None, key: None, label: None, membership: None, members: None, confirmed: true })
}
