//! Libraries that settings of roles and databases load into each session, and that the target's server lacks.
//!
//! Invariant: a restore locks no role out: with such a setting not even a superuser could log in. The setting is left
//! out and named. Only a role that may read the server's files can tell; other roles restore the setting.

use std::collections::BTreeMap;

use crate::model::failure::Result;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::ident;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::pg::session::Session;
use crate::restore::objects::roles::reset_setting;
use crate::restore::stubs::StubPlan;

/// The exception code.
pub const LIBRARY_MISSING: &str = "library_missing";

const LOADING: [&str; 2] = ["session_preload_libraries", "local_preload_libraries"];

/// Adds settings of the snapshot that would load a missing library to what is left out.
pub async fn leave_out(session: &Session, inventory: &Inventory, stubs: &mut StubPlan) -> Result<()> {
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for setting in inventory.objects.iter().filter(|o| loads(o)) {
        let mut missing = Vec::new();
        let plugins = setting.identity.ends_with(LOADING[1]);
        for library in libraries(&setting.definition) {
            let library = file(&library, plugins);
            let there = match known.get(&library) {
                Some(there) => *there,
                None => is_there(session, &library).await?,
            };
            known.insert(library.clone(), there);
            if !there {
                missing.push(library);
            }
        }
        if !missing.is_empty() {
            stubs.objects.insert(ObjectName::of(setting));
            stubs.not_proven.push(Exception {
                code: LIBRARY_MISSING.into(),
                what: format!("{} {}", setting.kind, setting.identity),
                why: format!(
                    "the server has no library {}: with this setting no login would succeed",
                    missing.join(", ")
                ),
                todo: "install it, then set it as in database_roles.sql or extension_state/database_settings.sql"
                    .into(),
            });
        }
    }
    Ok(())
}

fn loads(object: &CatalogObject) -> bool {
    matches!(object.kind, ObjectKind::RoleSetting | ObjectKind::DatabaseSetting)
        && LOADING.iter().any(|name| object.identity.ends_with(name))
}

/// `supautils, "safe update"` as names.
fn libraries(value: &str) -> Vec<String> {
    let names = value.split(',').map(|name| name.trim().trim_matches('"').to_string());
    names.filter(|name| !name.is_empty()).collect()
}

/// The file of a library in the server's library folder; with `plugins`, in the subfolder from which any role may load.
fn file(library: &str, plugins: bool) -> String {
    let name = library.strip_prefix("$libdir/").unwrap_or(library);
    if plugins && !name.contains('/') { format!("plugins/{name}") } else { name.to_string() }
}

/// A library with an absolute path counts as present. A missing file has no size.
async fn is_there(session: &Session, library: &str) -> Result<bool> {
    if library.starts_with('/') {
        return Ok(true);
    }
    // A record IS NOT NULL only if all its fields are not null, so test the size alone.
    let sql = "SELECT (pg_catalog.pg_stat_file(c.setting || '/' || $1 || '.so', true)).size IS NOT NULL \
               FROM pg_catalog.pg_config c WHERE c.name = 'PKGLIBDIR'";
    let found = session.one(sql, &[&library]).await?;
    Ok(found.try_get(0).unwrap_or(true))
}

/// The statements that reset these settings, after a file that sets all of them.
pub fn resets<'a>(
    left_out: impl Iterator<Item = &'a ObjectName>,
    inventory: &Inventory,
    database: &str,
) -> Vec<String> {
    let objects = left_out.filter_map(|name| inventory.objects.iter().find(|o| ObjectName::of(o) == *name && loads(o)));
    let reset = |o: &CatalogObject| match o.kind {
        ObjectKind::RoleSetting => reset_setting(o, database),
        _ => o
            .identity
            .strip_prefix("in this database ")
            .map(|name| format!("ALTER DATABASE {} RESET {}", ident(database), ident(name))),
    };
    objects.filter_map(reset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_libraries_are_taken_apart() {
        assert_eq!(libraries("supautils, safeupdate"), ["supautils", "safeupdate"]);
        assert_eq!(libraries("\"supautils\",\"$libdir/x\""), ["supautils", "$libdir/x"]);
        assert!(libraries("").is_empty());
        let files = ["x", "$libdir/x", "$libdir/plugins/x", "/opt/x"].map(|name| (file(name, false), file(name, true)));
        let files: Vec<_> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let plugin = "plugins/x";
        assert_eq!(files, [("x", plugin), ("x", plugin), (plugin, plugin), ("/opt/x", "/opt/x")]);
    }
}
