//! Libraries that settings of roles and databases load into each session, and that the target's server lacks.
//!
//! Invariant: no role is locked out by a restore: with such a setting it could not log in any more, not even a superuser.
//! The setting is left out and named. Only who may look at the server's files can tell; everybody else gets the setting.

use std::collections::BTreeMap;

use crate::model::failure::Result;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::ident;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::pg::session::Session;
use crate::restore::objects::roles::reset_setting;
use crate::restore::stubs::StubPlan;

/// The code of what is left out here.
pub const LIBRARY_MISSING: &str = "library_missing";

const LOADING: [&str; 2] = ["session_preload_libraries", "local_preload_libraries"];

/// Settings of the snapshot that would load a library which is not there: they are added to what is left out.
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
                why: format!("the server has no library {}: nobody could log in with it", missing.join(", ")),
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

/// A library by its bare name is a file in the server's own folder, and one that anybody may load in `plugins` there.
fn file(library: &str, plugins: bool) -> String {
    let name = library.strip_prefix("$libdir/").unwrap_or(library);
    if plugins && !name.contains('/') { format!("plugins/{name}") } else { name.to_string() }
}

/// One with a path of its own is taken as it is. What is not there has no size; another field is never filled here.
async fn is_there(session: &Session, library: &str) -> Result<bool> {
    if library.starts_with('/') {
        return Ok(true);
    }
    // A record is never NOT NULL as a whole while one of its fields is empty.
    let sql = "SELECT (pg_catalog.pg_stat_file(c.setting || '/' || $1 || '.so', true)).size IS NOT NULL \
               FROM pg_catalog.pg_config c WHERE c.name = 'PKGLIBDIR'";
    let found = session.one(sql, &[&library]).await?;
    Ok(found.try_get(0).unwrap_or(true))
}

/// What takes these settings away again, after a file that sets all of them.
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
