//! Facts about a restore's target: its platform, its contents, and the rights of the connecting role.
//!
//! Invariant: it never writes. Whether the role may set `session_replication_role` is tried, not guessed: platforms
//! allow it by means that the catalogs do not show.

use super::{get, source};
use crate::model::connection::ConnSpec;
use crate::model::failure::Result;
use crate::model::manifest::SourceFacts;
use crate::model::platform::{MANAGED_SCHEMAS, is_platform_role};
use crate::pg::catalog::source::host_sha256;
use crate::pg::session::Session;

/// The current state of the target.
#[derive(Debug, Clone)]
pub struct TargetState {
    pub facts: SourceFacts,
    pub is_superuser: bool,
    pub is_supabase: bool,
    /// It has relations or routines outside the platform's schemas that are not extension members.
    pub has_user_objects: bool,
    pub sets_replica_role: bool,
    pub creates_roles: bool,
    pub may_create: bool,
    pub is_read_only: bool,
    /// Extensions that the server could install.
    pub available_extensions: Vec<String>,
    /// Extensions that are installed.
    pub extensions: Vec<String>,
}

/// Examines the target.
pub async fn target(session: &Session, spec: &ConnSpec) -> Result<TargetState> {
    let (facts, abilities) = source::source(session, host_sha256(spec)).await?;
    let managed: Vec<&str> = MANAGED_SCHEMAS.to_vec();
    let sql = super::versioned::for_version(include_str!("../sql/target.sql"), session.version_num);
    let row = session.one(&sql, &[&managed]).await?;
    Ok(TargetState {
        is_superuser: abilities.is_superuser,
        is_supabase: abilities.is_supabase,
        has_user_objects: get(&row, 0)?,
        sets_replica_role: get::<bool>(&row, 1)? || tries_replica_role(session).await,
        may_create: get(&row, 2)?,
        is_read_only: get(&row, 3)?,
        available_extensions: get::<Option<_>>(&row, 4)?.unwrap_or_default(),
        creates_roles: get(&row, 5)?,
        extensions: abilities.extensions,
        facts,
    })
}

/// A role that was created after the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleNew {
    pub name: String,
    pub oid: u32,
    /// An object of this database refers to it.
    pub referred: bool,
    /// Clients can log in as it, or as another new role that is a member of it.
    pub for_login: bool,
    /// A session is logged in as it.
    pub in_use: bool,
    /// The server has no other user database.
    pub only_database: bool,
    /// Its privileges, in words.
    pub powers: Vec<String>,
    /// It has a name that platforms use.
    pub of_platform: bool,
    /// Quoted by the server where needed.
    pub identity: String,
}

impl RoleNew {
    /// Whether a rollback of this database drops the role. A role without references here is dropped only if no other
    /// database and no login can need it.
    pub fn is_of_database(&self) -> bool {
        !self.of_platform && (self.referred || (self.only_database && !self.for_login && !self.in_use))
    }

    /// The same for a role that the undone change is known to have created.
    pub fn is_of_the_change(&self) -> bool {
        !self.of_platform && (self.referred || (self.only_database && !self.in_use))
    }
}

/// Roles that are not in `known` and do not belong to the server or the platform.
pub async fn roles_new_to(session: &Session, known: &[String]) -> Result<Vec<RoleNew>> {
    let rows = session.rows(include_str!("../sql/roles_new.sql"), &[&known]).await?;
    let read = |row| {
        Ok(RoleNew {
            name: get(row, 0)?,
            oid: get(row, 1)?,
            referred: get(row, 2)?,
            for_login: get(row, 3)?,
            in_use: get(row, 4)?,
            only_database: get(row, 5)?,
            powers: get(row, 6)?,
            of_platform: get(row, 7)?,
            identity: get(row, 8)?,
        })
    };
    let all: Vec<RoleNew> = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(all.into_iter().filter(|role| !is_platform_role(&role.name)).collect())
}

/// supautils lets `postgres` set it, which no catalog shows.
async fn tries_replica_role(session: &Session) -> bool {
    let tried = session.execute("BEGIN; SET LOCAL session_replication_role = replica; ROLLBACK").await;
    if tried.is_err() {
        let _ = session.execute("ROLLBACK").await;
    }
    tried.is_ok()
}
