//! Makes the target's objects equal to the snapshot's in passes: compare, drop, create, alter, compare again.
//!
//! Invariant: runs in the caller's transaction, until nothing differs or a pass changed nothing. Returns what remains by
//! name with the server's messages; the caller decides. No statement is trusted: each pass reads the catalogs again.
//!
//! Example: column `t.a` has another type than in the snapshot, view `v` on `t` is equal, and table `x` is new.
//! - Pass 0: drops `x`; drops `t` with CASCADE, and `v` with it; reads the catalogs again: `t` and `v` are missing.
//!   Creates `t`, loads its rows, creates `v`; then sets owners, comments and grants.
//! - Pass 1: nothing differs: done. Had the server refused `v`, pass 2 would see the delta of pass 1 again and stop.

use std::collections::{BTreeMap, BTreeSet};

use super::defaults::close_own_defaults;
use super::delta::Delta;
use super::drop::rename_statement;
use super::replace::{create_policy, create_trigger};
use super::{constraint, extensions};
use crate::model::failure::{Failure, Result};
use crate::model::identity;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::{QualifiedName, ident};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, TargetKind};
use crate::model::sqlstate;
use crate::pg::meaning::Within;
use crate::restore::entries::creation::{Creation, Step};
use crate::restore::failures::refusals::{Refusal, Refusals};
use crate::restore::rows::tables;
use crate::restore::source::SnapshotSource;
use crate::restore::sql::files;
use crate::restore::sql::runner::Runner;
use crate::restore::target::libraries;
use crate::restore::target::scope::Scope;
use crate::snapshot::layout;

/// A pass that drops objects leaves work for the next one. Chains of dependents are short.
const PASSES_MAX: usize = 8;

/// Platforms have event triggers that grant on the members of pg_net and pg_cron and replace a dropped pg_graphql by a
/// stand-in. In replica role they do not fire.
pub(crate) const TRIGGERS_ON: &str = "SET LOCAL session_replication_role = origin";
pub(crate) const TRIGGERS_OFF: &str = "SET LOCAL session_replication_role = replica";

/// What the passes need.
pub struct Converge<'a> {
    pub source: &'a SnapshotSource,
    pub creation: &'a Creation<'a>,
    pub runner: &'a Runner<'a>,
    pub scope: &'a Scope,
    pub database: String,
    /// Column names of the archive: a table that was recreated is loaded with them.
    pub tables: &'a tables::Tables<'a>,
    pub refusals: &'a Refusals,
}

/// What still differs after the last pass.
#[derive(Debug, Default)]
pub struct Left {
    pub objects: BTreeSet<ObjectName>,
    /// Memberships with the snapshot's rights but another grantor.
    pub regranted: BTreeSet<ObjectName>,
    /// Of `objects`: those that do not exist.
    pub missing: BTreeSet<ObjectName>,
    /// Of `objects`: those with another owner.
    pub owners: BTreeSet<ObjectName>,
    /// The server's last message about an object or an entry.
    pub words: BTreeMap<String, String>,
    /// Differences that no statement can remove: equal in everything else.
    pub named: Vec<Exception>,
    /// What the server refused, by the object that is missing or differs because of it.
    pub refusals: BTreeMap<ObjectName, Refusal>,
}

impl Converge<'_> {
    /// Runs passes until nothing differs or a pass changes nothing.
    pub async fn run(&self) -> Result<Left> {
        let mut before: Option<BTreeSet<ObjectName>> = None;
        let mut words = BTreeMap::new();
        for pass in 0..PASSES_MAX {
            let live = self.source.read_target(self.runner.session, Within::Transaction).await?;
            let delta = self.delta(&live);
            let names = delta.names();
            if names.is_empty() || before.as_ref() == Some(&names) {
                return Ok(self.left(&live, words));
            }
            words.clear();
            self.refusals.forget();
            self.pass(pass, &delta, &live, &mut words).await?;
            before = Some(names);
        }
        let live = self.source.read_target(self.runner.session, Within::Transaction).await?;
        Ok(self.left(&live, words))
    }

    /// What differs now, including objects that were given up.
    pub(crate) fn left(&self, live: &Inventory, mut words: BTreeMap<String, String>) -> Left {
        let delta = Delta::new(&self.source.inventory.objects, &live.objects, self.scope);
        add_differences(&mut words, &delta);
        let (mut objects, mut regranted) = delta.left(&self.source.inventory.objects, &live.objects);
        // Grantors are not comparable before PostgreSQL 16: ignore them.
        if self.source.manifest.source.server_version_num < 160_000 {
            regranted.clear();
        }
        objects.extend(self.tables.given_up().into_keys());
        let missing = delta.missing.iter().map(|o| ObjectName::of(o)).collect();
        let of_another = delta.differs.iter().filter(|(w, f)| w.owner != f.owner && w.kind != ObjectKind::Role);
        let owners = of_another.map(|(wanted, _)| ObjectName::of(wanted)).collect();
        let named = delta.column_order_exceptions().collect();
        Left { objects, regranted, missing, owners, words, named, refusals: self.refusals.all() }
    }

    /// For an empty target: creates roles, extensions and everything that comes before rows. Nobody has access yet: the
    /// target's default privileges are revoked first (R32), and grants come at the very end.
    pub async fn prepare(&self) -> Result<()> {
        let mut words = BTreeMap::new();
        self.settings_file(layout::DATABASE_ROLES_SQL, &mut words).await?;
        let live = self.source.read_target(self.runner.session, Within::Transaction).await?;
        let delta = self.delta(&live);
        self.close_own_defaults(&delta.missing).await?;
        self.make_extensions(&delta, &live, &mut words).await?;
        let steps = self.creation.of(&delta.missing);
        let pre: Vec<_> = steps.into_iter().filter(|s| !s.is_post_data()).collect();
        self.run_entries(&pre, &mut words).await
    }

    async fn pass(
        &self,
        pass: usize,
        delta: &Delta<'_, '_>,
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        if self.scope.untrusted {
            return self.create_missing(&delta.missing, words).await;
        }
        let roles = delta.touches(&[ObjectKind::Role, ObjectKind::RoleMembership, ObjectKind::RoleSetting]);
        if self.scope.is_whole() && (roles || (pass == 0 && !delta.missing.is_empty())) {
            self.settings_file(layout::DATABASE_ROLES_SQL, words).await?;
        }
        let renamed = self.rename_back(delta, words).await? || self.rename_constraints(delta, live).await?;
        if renamed || self.move_partitions(delta, words).await? {
            // Everything inside has its old name and place again: compare anew in the next pass.
            return Ok(());
        }
        self.make_extensions(delta, live, words).await?;
        let fresh = self.drop_all(live, words).await?;
        let missing = match &fresh {
            Some(fresh) => self.delta(fresh).missing,
            None => delta.missing.clone(),
        };
        self.close_own_defaults(&missing).await?;
        self.create_missing(&missing, words).await?;
        self.put_right(delta, &missing, live, words).await
    }

    pub(crate) fn delta<'t>(&self, live: &'t Inventory) -> Delta<'_, 't> {
        let mut delta = Delta::new(&self.source.inventory.objects, &live.objects, self.scope);
        let given_up = self.tables.given_up();
        if !given_up.is_empty() {
            delta.differs.retain(|(wanted, _)| !given_up.contains_key(&ObjectName::of(wanted)));
        }
        delta
    }

    /// An object without an explicit ACL in the snapshot gets none here: this role's default privileges are revoked
    /// before it is created. `access_grants.sql` restores them in the same pass.
    async fn close_own_defaults(&self, missing: &[&CatalogObject]) -> Result<()> {
        let restorer = &self.scope.restorer;
        let known =
            self.source.inventory.of_kind(ObjectKind::Role).any(|o| identity::unquoted(&o.identity) == *restorer);
        let ours = missing.iter().filter_map(|o| o.schema.as_deref()).filter(|s| !self.scope.is_managed(Some(s)));
        let schemas: BTreeSet<&str> = ours.collect();
        if !known || !self.scope.is_whole() || schemas.is_empty() {
            return Ok(());
        }
        self.runner.run("close default privileges", &close_own_defaults(&schemas)).await
    }

    /// In the database of the snapshot a renamed object still has its OID: rename it back, so that it keeps its rows.
    async fn rename_back(&self, delta: &Delta<'_, '_>, words: &mut BTreeMap<String, String>) -> Result<bool> {
        if self.scope.kind != TargetKind::SameDatabase {
            return Ok(false);
        }
        let mut renamed = false;
        for extra in &delta.extra {
            let same = |o: &&&CatalogObject| o.kind == extra.kind && o.address.is_some() && o.address == extra.address;
            let Some(sql) = delta.missing.iter().find(same).and_then(|missing| rename_statement(extra, missing)) else {
                continue;
            };
            match self.runner.attempt(&format!("rename {}", extra.identity), &sql).await? {
                None => renamed = true,
                Some(failure) => {
                    words.insert(format!("rename {}", extra.identity), failure.to_string());
                }
            }
        }
        Ok(renamed)
    }

    /// Creates missing extensions in the archive's order. What remains is created by `extensions.sql`.
    async fn make_extensions(
        &self,
        delta: &Delta<'_, '_>,
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let missing: Vec<_> = delta.missing.iter().copied().filter(|o| o.kind == ObjectKind::Extension).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.scope.platform {
            self.runner.run("wake event triggers", TRIGGERS_ON).await?;
        }
        let made = self.make_extensions_awake(&missing, delta, live, words).await;
        if self.scope.platform {
            self.runner.run("silence event triggers", TRIGGERS_OFF).await?;
        }
        made
    }

    async fn make_extensions_awake(
        &self,
        missing: &[&CatalogObject],
        delta: &Delta<'_, '_>,
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let superusers = extensions::superusers(live);
        if superusers.contains(&self.scope.restorer) {
            // The extension's schema may be missing too.
            let schemas: Vec<_> = delta.missing.iter().copied().filter(|o| o.kind == ObjectKind::Schema).collect();
            self.run_entries(&self.creation.of(&schemas), words).await?;
            for extension in missing {
                let Some(own) = self.creation.own(extension) else { continue };
                // Where the owner cannot create it, the file does.
                for definition in extensions::definitions(&own.sql) {
                    let sql = extensions::made_by_owner(extension, definition, &self.scope.restorer, &superusers);
                    let Some(sql) = sql else { break };
                    if self.runner.attempt(&own.what(), &sql).await?.is_none() {
                        break;
                    }
                }
            }
        }
        if self.scope.extensions_missing.is_empty() {
            self.file(layout::EXTENSIONS_SQL, words).await?;
        }
        Ok(())
    }

    /// Creates missing objects: pre-data entries, then the rows, then post-data entries.
    async fn create_missing(&self, missing: &[&CatalogObject], words: &mut BTreeMap<String, String>) -> Result<()> {
        let steps = self.creation.of(missing);
        let (post, pre): (Vec<_>, Vec<_>) = steps.into_iter().partition(|s| s.is_post_data());
        self.run_entries(&pre, words).await?;
        let made: BTreeSet<QualifiedName> = missing
            .iter()
            .filter(|o| matches!(o.kind, ObjectKind::Table | ObjectKind::ForeignTable))
            .filter_map(|o| identity::qualified(&o.identity))
            .map(|(s, n)| QualifiedName::new(s, n))
            .collect();
        self.drop_unproved(&made, words).await?;
        self.tables.load_made(self.runner, &made).await?;
        self.tables.large_objects(self.runner).await?;
        // Validated ones first: a child cannot have a validated check that it inherits from a NOT VALID one.
        let checks = missing.iter().filter(|_| !self.scope.untrusted);
        for check in checks.filter(|o| self.creation.own(o).is_none() && !is_created_with_table(o, &made)) {
            if let Some(sql) = constraint::add(check) {
                self.tried_for(check, &sql, words).await?;
            }
        }
        self.run_entries(&post, words).await?;
        self.create_on_members(missing, words).await?;
        self.refresh(missing, words).await
    }

    /// The archive has no policies, triggers and indexes on tables of an extension. The inventory has them;
    /// `managed_schema_objects.sql` has triggers whose arguments are secret.
    async fn create_on_members(&self, missing: &[&CatalogObject], words: &mut BTreeMap<String, String>) -> Result<()> {
        let mut is_secret = false;
        let ours = missing.iter().filter(|o| o.extension.is_some() && self.creation.own(o).is_none());
        for object in ours.filter(|_| !self.scope.untrusted) {
            let sql = match object.kind {
                ObjectKind::Policy => create_policy(object),
                ObjectKind::Trigger => create_trigger(object),
                ObjectKind::Index => Some(object.definition.clone()),
                _ => continue,
            };
            is_secret |= sql.is_none();
            if let Some(sql) = sql {
                self.tried_for(object, &sql, words).await?;
            }
        }
        if is_secret { self.file(layout::MANAGED_OBJECTS_SQL, words).await } else { Ok(()) }
    }

    async fn run_entries(&self, steps: &[&Step<'_>], words: &mut BTreeMap<String, String>) -> Result<()> {
        for step in steps {
            self.runner.commit_if_many_locks().await?;
            if let Some(failure) = self.attempt_step(step).await? {
                if !self.create_as_owner(step).await?
                    && !self.attached_with_checks(step).await?
                    && !self.add_key_around_rows(step, &failure).await?
                {
                    self.refused(step, &failure, words);
                }
                continue;
            }
            if let Some(object) = step.object.filter(|_| !self.scope.untrusted) {
                self.set_owner(object, words).await?;
            }
        }
        Ok(())
    }

    /// A platform lets its users own event triggers and refuses a superuser's event trigger that calls a user's
    /// function: so create it as its owner.
    async fn create_as_owner(&self, step: &Step<'_>) -> Result<bool> {
        let Some(trigger) = step.object.filter(|o| o.kind == ObjectKind::EventTrigger && self.scope.platform) else {
            return Ok(false);
        };
        let Some(owner) = trigger.owner.as_deref().filter(|owner| *owner != self.scope.restorer) else {
            return Ok(false);
        };
        let sql = format!("SET LOCAL ROLE {};\n{};\nRESET ROLE", ident(owner), step.sql);
        Ok(self.runner.attempt(&step.what(), &sql).await?.is_none())
    }

    /// A foreign key with disabled triggers in the source may have rows that violate it.
    async fn add_key_around_rows(&self, step: &Step<'_>, failure: &Failure) -> Result<bool> {
        let unchecked =
            |o: &&CatalogObject| o.kind == ObjectKind::FkConstraint && !o.definition.ends_with("RI TRIGGERS O");
        let Some(key) = step.object.filter(unchecked) else { return Ok(false) };
        let table = identity::on(&key.identity).and_then(|(_, table)| identity::qualified(table));
        let Some((schema, name)) = table else { return Ok(false) };
        if !failure.is_sqlstate(sqlstate::FOREIGN_KEY_VIOLATION) || key.definition.contains("UNPROVED") {
            return Ok(false);
        }
        self.tables.refill_around(self.runner, &QualifiedName::new(schema, name), &step.sql).await
    }

    /// Materialized views are created empty. The archive's REFRESH statements fill them, in its order.
    async fn refresh(&self, missing: &[&CatalogObject], words: &mut BTreeMap<String, String>) -> Result<()> {
        let made: BTreeSet<(String, String)> = missing
            .iter()
            .filter(|o| o.kind == ObjectKind::MaterializedView)
            .filter_map(|o| identity::qualified(&o.identity))
            .collect();
        for step in self.creation.refreshes() {
            let name = (step.entry.schema.clone().unwrap_or_default(), step.entry.tag.clone());
            if !made.contains(&name) {
                continue;
            }
            if let Some(failure) = self.runner.attempt(&step.what(), &step.sql).await? {
                words.insert(step.what(), failure.to_string());
                let views = self.source.inventory.of_kind(ObjectKind::MaterializedView);
                for view in views.filter(|o| identity::qualified(&o.identity).as_ref() == Some(&name)) {
                    self.refusals.note(ObjectName::of(view), &step.what(), &failure);
                }
            }
        }
        Ok(())
    }

    /// Runs a file that sets session defaults of roles and databases, then resets those that would lock a role out.
    pub(crate) async fn settings_file(&self, file: &str, words: &mut BTreeMap<String, String>) -> Result<()> {
        self.file(file, words).await?;
        let left_out = self.scope.left_out.iter();
        for sql in libraries::resets(left_out, &self.source.inventory, &self.database) {
            self.tried("setting whose library is missing", &sql, words).await?;
        }
        Ok(())
    }

    pub(crate) async fn file(&self, file: &str, words: &mut BTreeMap<String, String>) -> Result<()> {
        if self.scope.untrusted || self.source.leaves_file(file) {
            return Ok(());
        }
        let failed: Option<Failure> = files::attempt(self.runner, &self.source.place, file).await?;
        if let Some(failure) = failed {
            self.refusals.note_file(file, &failure);
            words.insert(file.to_string(), failure.to_string());
        }
        Ok(())
    }
}

/// Where the server reported nothing about an object, the difference itself is the message.
fn add_differences(words: &mut BTreeMap<String, String>, delta: &Delta<'_, '_>) {
    for (object, difference) in delta.words() {
        words.entry(object).or_insert(difference);
    }
}

/// Is this a constraint of a table that was just created, and so created with it?
fn is_created_with_table(constraint: &CatalogObject, made: &BTreeSet<QualifiedName>) -> bool {
    let table = identity::on(&constraint.identity).and_then(|(_, table)| identity::qualified(table));
    table.is_some_and(|(schema, name)| made.contains(&QualifiedName::new(schema, name)))
}
