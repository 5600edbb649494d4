//! Where a drill restores to: a throw-away cluster that resembles the source, or the named database.
//!
//! Invariant: the database is empty when it is handed over, and its superuser has the name of the source's own.

use std::io::BufRead;
use std::path::PathBuf;

use super::report::{Kept, Stage};
use crate::model::bootstrap::BOOTSTRAP_OID;
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::identity::unquoted;
use crate::model::inventory::Inventory;
use crate::model::name::{ident, shell};
use crate::model::object_kind::ObjectKind;
use crate::ops::restore::target_words;
use crate::pg::session::Session;
use crate::pgtools::client::SearchPlaces;
use crate::pgtools::cluster::settings::Locale;
use crate::pgtools::cluster::{Cluster, ClusterRequest};
use crate::restore::source::SnapshotSource;
use crate::restore::sql::files;
use crate::restore::sql::files::Pieces;
use crate::snapshot::layout::DATABASE_ROLES_SQL;

/// In addition to the writers: the engine's own, the proof's, and one for assertions.
const MORE_CONNECTIONS: u32 = 12;
/// A role that is created and dropped again; the spaces keep it apart from real names.
const HELPER: &str = "stacksnap drill helper";

/// The database that a drill restores into.
pub struct Ground {
    pub spec: ConnSpec,
    pub server_version: String,
    /// `None` if the user named the database.
    pub cluster: Option<Cluster>,
}

impl Ground {
    pub fn stage(&self) -> Stage {
        if self.cluster.is_some() { Stage::ThrowAwayCluster } else { Stage::Target }
    }

    pub fn notes(&self) -> &[String] {
        self.cluster.as_ref().map_or(&[], |cluster| &cluster.notes)
    }

    /// Keeps the database, and returns how to connect to it and how to remove it.
    pub fn keep(&mut self) -> Result<Kept> {
        let Some(cluster) = &mut self.cluster else {
            let remove = format!("DROP DATABASE {}", ident(&self.spec.database));
            return Ok(Kept { connect: format!("psql {}", shell(&target_words(&self.spec))), remove, folder: None });
        };
        cluster.keep()?;
        let folder = cluster.place().to_path_buf();
        let place = shell(&folder.to_string_lossy());
        Ok(Kept {
            connect: format!("psql {}", shell(&target_words(&self.spec))),
            remove: format!("kill -s QUIT \"$(head -n 1 {place}/data/postmaster.pid)\"; sleep 1; rm -rf {place}"),
            folder: Some(folder.to_string_lossy().into_owned()),
        })
    }
}

/// Creates and starts a cluster for this snapshot, with an empty database of the source's name.
pub async fn throw_away(
    source: &SnapshotSource,
    programs: &SearchPlaces,
    parents: &[PathBuf],
    jobs: u32,
    cancel: &Cancel,
) -> Result<Ground> {
    let facts = &source.manifest.source;
    let request = ClusterRequest {
        programs: programs.clone(),
        parents: parents.to_vec(),
        source_version_num: facts.server_version_num,
        superuser: superuser(&source.inventory, &facts.user),
        locale: Locale::parse(&facts.encoding, &facts.locale),
        data_bytes: source.manifest.tables.iter().map(|t| t.bytes_raw).sum(),
        connections: jobs.saturating_mul(2).saturating_add(MORE_CONNECTIONS),
    };
    let cancel = cancel.clone();
    let started = tokio::task::spawn_blocking(move || Cluster::start(&request, &cancel)).await;
    let cluster = started.map_err(|e| Failure::new(FailureKind::NotProven, e))??;
    let database = database(&cluster, &facts.database).await?;
    let spec = cluster.connection(&database);
    let server_version = cluster.server.version_short();
    Ok(Ground { spec, server_version, cluster: Some(cluster) })
}

/// Creates an empty database of this name. If initdb created that name already, `postgres` is used.
pub async fn database(cluster: &Cluster, name: &str) -> Result<String> {
    if !matches!(name, "postgres" | "template0" | "template1") {
        let session = Session::open(&cluster.connection("postgres"), "stacksnap drill").await?;
        session.execute(&format!("CREATE DATABASE {} TEMPLATE template0", ident(name))).await?;
        return Ok(name.to_string());
    }
    Ok("postgres".to_string())
}

/// Sets a role's password to a hash. Neither is in the statement, because an error message quotes the start of it.
const SET_PASSWORD: &str = "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', \
    current_setting('stacksnap.role'), current_setting('stacksnap.hash')); END $$";

/// Sets the password of the superuser that the drill runs as. A restore never changes the password of its own role, but
/// here that role is from the snapshot and only the drill uses it. A second superuser sets it and is dropped again. The
/// rest of the roles' file is not applied.
pub async fn own_password(source: &SnapshotSource, ground: &Ground) -> Result<bool> {
    if ground.cluster.is_none() {
        return Ok(false);
    }
    let Some(mut roles) = files::open(&source.place, DATABASE_ROLES_SQL)? else { return Ok(false) };
    let helper = ident(HELPER);
    let session = Session::open(&ground.spec, "stacksnap drill").await?;
    session.execute(&format!("CREATE ROLE {helper} SUPERUSER LOGIN")).await?;
    let spec = ConnSpec { user: HELPER.to_string(), ..ground.spec.clone() };
    let other = Session::open(&spec, "stacksnap drill").await?;
    let set = set_password(&other, &mut roles, &ground.spec.user).await;
    drop(other);
    session.execute(&format!("DROP ROLE {helper}")).await?;
    set.map(|()| true)
        .map_err(|failure| failure.context("cannot set the password of the superuser in the throw-away cluster"))
}

/// Sets the password of `user` to that in the roles' file, and rolls back everything else in it.
async fn set_password(session: &Session, roles: &mut Pieces<impl BufRead>, user: &str) -> Result<()> {
    session.execute("SET client_min_messages = error; BEGIN").await?;
    while let Some(piece) = roles.next_piece()? {
        session.execute(&piece.sql).await?;
    }
    let row = session.one("SELECT rolpassword::text FROM pg_catalog.pg_authid WHERE rolname = $1", &[&user]).await?;
    let hash: Option<String> = row.try_get(0).map_err(anyhow::Error::new)?;
    session.execute("ROLLBACK; BEGIN").await?;
    if let Some(hash) = hash {
        let both = "SELECT set_config('stacksnap.role', $1, true), set_config('stacksnap.hash', $2, true)";
        session.one(both, &[&user, &hash]).await?;
        session.execute(SET_PASSWORD).await?;
    }
    session.execute("COMMIT").await
}

/// The superuser of the source's initdb: the role with OID 10, else one with a usual name.
fn superuser(inventory: &Inventory, reader: &str) -> String {
    let roles = inventory.of_kind(ObjectKind::Role).filter(|o| o.definition.starts_with("SUPERUSER"));
    let supers: Vec<(String, Option<u32>)> = roles.map(|o| (unquoted(&o.identity), o.address.map(|a| a.oid))).collect();
    let by_number = supers.iter().find(|(_, oid)| *oid == Some(BOOTSTRAP_OID)).map(|(name, _)| name.clone());
    let named = |wanted: &str| supers.iter().any(|(name, _)| name == wanted).then(|| wanted.to_string());
    let usual = || ["supabase_admin", "postgres", reader].into_iter().find_map(named);
    let first = || supers.first().map(|(name, _)| name.clone());
    by_number.or_else(usual).or_else(first).unwrap_or_else(|| "stacksnap_drill".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::{Address, CatalogObject};

    fn role(identity: &str, definition: &str, oid: Option<u32>) -> CatalogObject {
        CatalogObject {
            kind: ObjectKind::Role,
            schema: None,
            identity: identity.into(),
            definition: definition.into(),
            owner: None,
            extension: None,
            address: oid.map(|oid| Address { class: 1260, oid, sub: 0 }),
        }
    }

    #[test]
    fn the_bootstrap_superuser_is_found_by_number_else_by_name() {
        let inventory = |objects: Vec<CatalogObject>| Inventory { objects, ..Inventory::default() };
        let plain = role("postgres", "INHERIT LOGIN", Some(16400));
        let admin = role("supabase_admin", "SUPERUSER INHERIT LOGIN", None);
        let boss = role("\"the \"\"boss\"", "SUPERUSER", Some(10));
        assert_eq!(superuser(&inventory(vec![plain.clone(), admin.clone(), boss]), "postgres"), "the \"boss");
        assert_eq!(
            superuser(&inventory(vec![role("a", "SUPERUSER", None), plain.clone(), admin]), "x"),
            "supabase_admin"
        );
        assert_eq!(superuser(&inventory(vec![plain]), "postgres"), "stacksnap_drill", "postgres is no superuser there");
    }
}
