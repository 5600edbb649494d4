//! What a restore may touch: which objects of the snapshot it restores, and which of the target's it may drop.
//!
//! Invariant (R29): on a platform's database nothing in the platform's schemas is created, altered or dropped except
//! what users build there (policies, their own triggers, objects that no role of the platform owns) and, in place, what
//! `services` finds at the snapshot's version. Members of extensions are created with their extension. Pure rules: no
//! query.

use std::collections::BTreeSet;

use super::belongs::belongs;
use super::built_on::BuiltOn;
use super::other_platform::OtherPlatform;
use super::services::{Services, relation_of};
use crate::model::difference::Rules;
use crate::model::identity::{identifier_end, on, unquoted};
use crate::model::inventory::CatalogObject;
use crate::model::membership::Membership;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::model::platform::{
    PLATFORM_EVENT_TRIGGERS, PLATFORM_TRIGGERS, is_managed_schema, is_platform_owner, is_service_partition,
};
use crate::model::restore::{ObjectName, RestorePart, TargetKind};

/// The schema of the project's own migration history: it is the user's, although the platform's tool writes it.
const MIGRATIONS_SCHEMA: &str = "supabase_migrations";

/// Kinds that no convergence pass changes: the database itself is more than this restore's, subscriptions connect to
/// other servers, a slot is a position in the WAL, sequence values and large objects are loaded like rows.
const NEVER_MADE: [ObjectKind; 6] = [
    ObjectKind::Database,
    ObjectKind::Subscription,
    ObjectKind::ReplicationSlot,
    ObjectKind::SecurityLabel,
    ObjectKind::SequenceSet,
    ObjectKind::Blob,
];

/// Schemas that the platform creates with an extension and does not drop with it.
pub const EXTENSION_SCHEMAS: [&str; 5] = ["cron", "net", "pgmq", "pgmq_public", "pgtle"];

/// Users create its tables, one pair for each queue.
pub const QUEUES: &str = "pgmq";

/// The rules of one restore.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The target has the platform's schemas, which are not ours to change.
    pub platform: bool,
    pub kind: TargetKind,
    /// The restoring role: it keeps its own password.
    pub restorer: String,
    pub only: Vec<RestorePart>,
    /// `-t`: only these tables, which are created if missing and never altered. Empty: all.
    pub tables: Vec<QualifiedName>,
    /// Extensions that the target does not offer.
    pub extensions_missing: BTreeSet<String>,
    /// What cannot be created without them, or exists only as a stand-in.
    pub left_out: BTreeSet<ObjectName>,
    /// In the snapshot's own database: later roles that are dropped with what a migration created.
    pub roles_new: BTreeSet<String>,
    /// Later roles that stay: memberships and settings among them are not changed.
    pub roles_kept: BTreeSet<String>,
    /// `--untrusted`: no file of the snapshot is run, nothing is created from its inventory, owners do not count.
    pub untrusted: bool,
    /// What counts as a difference if the servers have different major versions.
    pub rules: Option<Rules>,
    /// If the target is another project: what its platform has of its own.
    pub other: OtherPlatform,
    /// If the target is another project: what users built on the platform's tables.
    pub built_on: BuiltOn,
    /// In place: the state of the platform's services.
    pub services: Services,
}

impl Scope {
    /// Is this a restore of everything?
    pub fn is_whole(&self) -> bool {
        self.only.is_empty() && self.tables.is_empty()
    }

    /// Does the platform manage this schema?
    pub fn is_managed(&self, schema: Option<&str>) -> bool {
        self.platform && schema.is_some_and(|s| s != MIGRATIONS_SCHEMA && is_managed_schema(s))
    }

    /// Must this object of the snapshot exist on the target afterwards, created by us if missing?
    pub fn brings_back(&self, object: &CatalogObject) -> bool {
        if NEVER_MADE.contains(&object.kind) || object.is_shell_operator() || !self.in_parts(object.kind) {
            return false;
        }
        if !self.tables.is_empty() && !self.tables.iter().any(|table| belongs(object, table)) {
            return false;
        }
        if !self.left_out.is_empty() && self.left_out.contains(&ObjectName::of(object)) {
            return false;
        }
        if self.platform && is_service_partition(object.schema.as_deref(), relation_of(object).unwrap_or_default()) {
            return false;
        }
        if object.extension.is_some() {
            return (object.kind == ObjectKind::Acl || is_built_on_member(object))
                && !self.is_missing_extension(object);
        }
        match object.kind {
            ObjectKind::Extension => !self.extensions_missing.contains(&unquoted(&object.identity)),
            ObjectKind::EventTrigger => {
                !self.platform
                    || !PLATFORM_EVENT_TRIGGERS.contains(&unquoted(&object.identity).as_str())
                    || self.services.restores(object)
            }
            ObjectKind::Schema => !self.is_managed(object.schema.as_deref()),
            _ => {
                !self.is_managed(object.schema.as_deref())
                    || is_users_own(object)
                    || self.services.restores(object)
                    || self.built_on.has(object)
            }
        }
    }

    /// May this object of the target be dropped if the snapshot does not have it?
    pub fn may_drop(&self, object: &CatalogObject) -> bool {
        // `--only`: objects outside the selected parts are not dropped either.
        if !self.tables.is_empty() || !self.in_parts(object.kind) {
            return false;
        }
        // A new project has extensions that its user may have removed in the source: pg_graphql exposes tables.
        let fresh = matches!(self.kind, TargetKind::FreshProject | TargetKind::Bare);
        // Memberships among the snapshot's roles must be the snapshot's.
        let of_roles = Membership::of(object).is_some_and(|m| !self.is_kept(m.member) && !self.is_kept(m.group));
        if fresh && !of_roles && !(self.platform && object.kind == ObjectKind::Extension) {
            return false;
        }
        if object.extension.is_some() {
            // On another database, another version of the extension may have created it.
            let is_users = object.kind != ObjectKind::Index || self.kind == TargetKind::SameDatabase;
            return is_users && is_built_on_member(object) && self.brings_back(object);
        }
        match object.kind {
            // Privileges on an object are dropped with it, or set to the snapshot's. Only ACLs of columns and
            // parameters appear by themselves.
            ObjectKind::Acl if object.identity.starts_with("COLUMN ") => self.brings_back(object),
            ObjectKind::Acl if object.identity.starts_with("PARAMETER ") => {
                self.kind == TargetKind::SameDatabase && self.brings_back(object)
            }
            ObjectKind::Role | ObjectKind::Acl | ObjectKind::SequenceSet => false,
            // Another database's platform has its own.
            ObjectKind::DefaultAcl => {
                self.kind == TargetKind::SameDatabase && self.brings_back(object) && self.services.may_change(object)
            }
            // An extension that a new project includes stays, and so does its comment.
            ObjectKind::Comment
                if self.platform && self.kind != TargetKind::SameDatabase && self.is_about_kept(object) =>
            {
                false
            }
            ObjectKind::RoleMembership | ObjectKind::RoleSetting
                if self.is_among_kept_roles(object) || self.other.keeps(object) =>
            {
                false
            }
            ObjectKind::Extension => !self.platform || !self.keeps_extension(&unquoted(&object.identity)),
            ObjectKind::Schema if self.platform && self.kind == TargetKind::SameDatabase => {
                self.brings_back(object) || EXTENSION_SCHEMAS.contains(&unquoted(&object.identity).as_str())
            }
            _ => self.brings_back(object),
        }
    }

    /// Is the value of this sequence set? Sequences of extensions move with their rows. Of the platform's schemas only
    /// `auth` and `storage` are loaded.
    pub fn sets(&self, sequence: &CatalogObject) -> bool {
        let schema = sequence.schema.as_deref();
        let loaded = matches!(schema, Some("auth" | "storage"));
        let asked = self.tables.is_empty() && (self.only.is_empty() || self.only.contains(&RestorePart::Data));
        let theirs = sequence.extension.is_some() || (self.is_managed(schema) && !loaded);
        let lacks = !self.left_out.is_empty() && self.left_out.contains(&ObjectName::of(sequence));
        asked && !lacks && (!self.platform || !theirs)
    }

    /// Is it a membership between two roles that stay, or a server-wide setting of one?
    fn is_among_kept_roles(&self, object: &CatalogObject) -> bool {
        if let Some(Membership { member, group, .. }) = Membership::of(object) {
            return self.is_kept(member) && self.is_kept(group);
        }
        let role = object.identity.strip_prefix("role ").and_then(|rest| Some(rest.split_at(identifier_end(rest)?)));
        role.is_some_and(|(name, rest)| self.is_kept(name) && !rest.starts_with(" in this database "))
    }

    fn is_kept(&self, role: &str) -> bool {
        self.roles_kept.contains(&unquoted(role))
    }

    /// Extensions that the platform needs are never dropped on it. In the snapshot's own database the snapshot knows
    /// whether pg_net existed; a new self-hosted project includes it.
    fn keeps_extension(&self, name: &str) -> bool {
        is_managed_extension(name) || (name == "pg_net" && self.kind != TargetKind::SameDatabase)
    }

    fn is_about_kept(&self, comment: &CatalogObject) -> bool {
        let extension = comment.identity.strip_prefix("extension ");
        extension.is_some_and(|name| self.keeps_extension(&unquoted(name)))
    }

    fn is_missing_extension(&self, object: &CatalogObject) -> bool {
        object.extension.as_ref().is_some_and(|e| self.extensions_missing.contains(e))
    }

    /// `--only`: does this kind of object belong to the selected parts?
    fn in_parts(&self, kind: ObjectKind) -> bool {
        if self.only.is_empty() {
            return true;
        }
        self.only.iter().any(|part| match part {
            RestorePart::Policies => matches!(kind, ObjectKind::Policy | ObjectKind::RowSecurity),
            RestorePart::Functions => {
                matches!(kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate)
            }
            RestorePart::Schema => !matches!(
                kind,
                ObjectKind::Role
                    | ObjectKind::RoleMembership
                    | ObjectKind::RoleSetting
                    | ObjectKind::DatabaseSetting
                    | ObjectKind::SequenceSet
            ),
            RestorePart::Data => kind == ObjectKind::SequenceSet,
            RestorePart::Users | RestorePart::Roles | RestorePart::Encryption | RestorePart::Migrations => false,
        })
    }
}

/// What users build on an extension's tables: who may read messages of a queue, and which triggers they fire. No
/// extension restores that.
fn is_built_on_member(object: &CatalogObject) -> bool {
    match object.kind {
        ObjectKind::Policy | ObjectKind::RowSecurity => object.extension.is_some(),
        ObjectKind::Trigger | ObjectKind::Index => object.extension.as_deref() == Some(QUEUES),
        ObjectKind::Comment => {
            object.extension.as_deref() == Some(QUEUES) && object.identity.starts_with("table pgmq.")
        }
        _ => false,
    }
}

/// What users build in the platform's schemas: policies, their own triggers, and objects that no role of the platform
/// owns.
pub(crate) fn is_users_own(object: &CatalogObject) -> bool {
    match object.kind {
        ObjectKind::Policy => true,
        ObjectKind::Trigger => {
            let (name, table) = on(&object.identity).unwrap_or((&object.identity, ""));
            !PLATFORM_TRIGGERS.iter().any(|(t, n)| *t == table && *n == unquoted(name))
        }
        ObjectKind::Acl => true,
        _ => object.owner.as_deref().is_some_and(|owner| !is_platform_owner(owner)),
    }
}

/// Extensions that the platform needs: never dropped on it.
fn is_managed_extension(name: &str) -> bool {
    const OURS_NOT: [&str; 7] =
        ["plpgsql", "pg_stat_statements", "uuid-ossp", "pgcrypto", "pgjwt", "supabase_vault", "pgsodium"];
    OURS_NOT.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_among_roles_that_stay_is_left() {
        let kept = ["later", "Odd one"].map(String::from).into();
        let scope = Scope { roles_kept: kept, ..scope(true, TargetKind::SameDatabase) };
        for (kind, identity, dropped) in [
            ("ROLE MEMBERSHIP", "later in \"Odd one\" by postgres", false),
            ("ROLE MEMBERSHIP", "later in known by postgres", true),
            ("ROLE MEMBERSHIP", "known in later by later", true),
            ("ROLE SETTING", "role \"Odd one\" work_mem", false),
            ("ROLE SETTING", "role later in this database work_mem", true),
            ("ROLE SETTING", "role known work_mem", true),
        ] {
            assert_eq!(scope.may_drop(&object(kind, None, identity, None)), dropped, "{identity}");
        }
    }

    fn object(kind: &str, schema: Option<&str>, identity: &str, owner: Option<&str>) -> CatalogObject {
        CatalogObject {
            kind: kind.into(),
            schema: schema.map(Into::into),
            identity: identity.into(),
            definition: String::new(),
            owner: owner.map(Into::into),
            extension: None,
            address: None,
        }
    }

    fn scope(platform: bool, kind: TargetKind) -> Scope {
        Scope {
            platform,
            kind,
            restorer: String::new(),
            only: Vec::new(),
            tables: Vec::new(),
            extensions_missing: BTreeSet::new(),
            left_out: BTreeSet::new(),
            roles_new: BTreeSet::new(),
            roles_kept: BTreeSet::new(),
            untrusted: false,
            rules: None,
            other: OtherPlatform::default(),
            built_on: BuiltOn::default(),
            services: Services::default(),
        }
    }

    #[test]
    fn r29_the_platforms_objects_are_left_alone_and_a_users_are_not() {
        let scope = scope(true, TargetKind::SameDatabase);
        let theirs = [
            object("TABLE", Some("auth"), "auth.users", Some("supabase_auth_admin")),
            object("INDEX", Some("auth"), "auth.users_pkey", None),
            object("SCHEMA", Some("storage"), "storage", Some("supabase_admin")),
            object("TRIGGER", Some("storage"), "protect_objects_delete on storage.objects", None),
            object("EVENT TRIGGER", None, "pgrst_ddl_watch", Some("supabase_admin")),
        ];
        for o in &theirs {
            assert!(!scope.brings_back(o) && !scope.may_drop(o), "{o:?}");
        }
        let ours = [
            object("POLICY", Some("storage"), "mine on storage.objects", None),
            object("TRIGGER", Some("auth"), "on_auth_user_created on auth.users", None),
            object("FUNCTION", Some("extensions"), "extensions.mine()", Some("postgres")),
            object("TABLE", Some("public"), "public.orders", Some("supabase_admin")),
            object("TABLE", Some("supabase_migrations"), "supabase_migrations.schema_migrations", Some("postgres")),
        ];
        for o in &ours {
            assert!(scope.brings_back(o) && scope.may_drop(o), "{o:?}");
        }
    }

    #[test]
    fn r40_a_bare_server_gets_everything_and_loses_nothing() {
        let scope = scope(false, TargetKind::Bare);
        let o = object("TABLE", Some("auth"), "auth.users", Some("supabase_auth_admin"));
        assert!(scope.brings_back(&o) && !scope.may_drop(&o));
    }

    #[test]
    fn a_part_takes_away_nothing_of_the_others() {
        let graphql = object("EXTENSION", None, "pg_graphql", Some("supabase_admin"));
        let queues = object("SCHEMA", Some("pgmq"), "pgmq", Some("postgres"));
        for kind in [TargetKind::FreshProject, TargetKind::SameDatabase] {
            let whole = scope(true, kind);
            let part = Scope { only: vec![RestorePart::Policies], ..whole.clone() };
            assert!(whole.may_drop(&graphql) && !part.may_drop(&graphql));
            assert!(!part.may_drop(&queues));
        }
        assert!(scope(true, TargetKind::SameDatabase).may_drop(&queues));
    }

    #[test]
    fn members_come_with_their_extension() {
        let scope = scope(false, TargetKind::Bare);
        let mut o = object("FUNCTION", Some("extensions"), "extensions.crypt(text,text)", None);
        o.extension = Some("pgcrypto".into());
        assert!(!scope.brings_back(&o) && !scope.may_drop(&o));
    }
}
