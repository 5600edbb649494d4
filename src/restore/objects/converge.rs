//! Making the target's objects equal to the snapshot's: compare, drop, make, put right, compare again.
//!
//! Invariant: it runs inside of one transaction of the caller. It stops when nothing differs, or when a pass changed
//! nothing: what is left then is returned by name with the server's words, and the caller decides. It never guesses
//! that something worked: the inventory is read again.

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

/// A pass that drops leaves work for the next one; chains of dependents are short.
const PASSES_MAX: usize = 8;

/// A platform's event triggers grant what an extension brings (pg_net, pg_cron) and put a stand-in where one goes
/// (pg_graphql): in replica role they sleep.
pub(crate) const AWAKE: &str = "SET LOCAL session_replication_role = origin";
pub(crate) const ASLEEP: &str = "SET LOCAL session_replication_role = replica";

/// Everything that the passes need.
pub struct Converge<'a> {
    pub source: &'a SnapshotSource,
    pub creation: &'a Creation<'a>,
    pub runner: &'a Runner<'a>,
    pub scope: &'a Scope,
    pub database: String,
    /// Names of the archive's columns: rows of a table that was made again are loaded by this.
    pub tables: &'a tables::Tables<'a>,
    pub refusals: &'a Refusals,
}

/// What is left after the last pass.
#[derive(Debug, Default)]
pub struct Left {
    pub objects: BTreeSet<ObjectName>,
    /// Memberships that give the same rights, and that the snapshot's grantor did not grant here.
    pub regranted: BTreeSet<ObjectName>,
    /// Those of them that are not there at all.
    pub missing: BTreeSet<ObjectName>,
    /// Those that belong to somebody else.
    pub owners: BTreeSet<ObjectName>,
    /// The server's last words about an object or an entry.
    pub words: BTreeMap<String, String>,
    /// What is equal but for something that cannot be made equal.
    pub named: Vec<Exception>,
    /// What the server refused, by the object that it cost.
    pub refusals: BTreeMap<ObjectName, Refusal>,
}

impl Converge<'_> {
    /// Runs passes until nothing differs or nothing moves.
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

    /// What differs now, with what was given up.
    pub(crate) fn left(&self, live: &Inventory, mut words: BTreeMap<String, String>) -> Left {
        let delta = Delta::new(&self.source.inventory.objects, &live.objects, self.scope);
        add_differences(&mut words, &delta);
        let (mut objects, mut regranted) = delta.left(&self.source.inventory.objects, &live.objects);
        // Before 16 nothing hangs on who granted it.
        if self.source.manifest.source.server_version_num < 160_000 {
            regranted.clear();
        }
        objects.extend(self.tables.given_up().into_keys());
        let missing = delta.missing.iter().map(|o| ObjectName::of(o)).collect();
        let of_another = delta.differs.iter().filter(|(w, f)| w.owner != f.owner && w.kind != "ROLE");
        let owners = of_another.map(|(wanted, _)| ObjectName::of(wanted)).collect();
        let named = delta.of_order().collect();
        Left { objects, regranted, missing, owners, words, named, refusals: self.refusals.all() }
    }

    /// Into an empty target: roles, extensions, and everything that comes before rows. Nobody is let in yet: what the
    /// target's default privileges would open is closed first (R32), and grants come at the very end.
    pub async fn prepare(&self) -> Result<()> {
        let mut words = BTreeMap::new();
        self.settings_file(layout::DATABASE_ROLES_SQL, &mut words).await?;
        let live = self.source.read_target(self.runner.session, Within::Transaction).await?;
        let delta = self.delta(&live);
        self.close_own_defaults(&delta.missing).await?;
        self.make_extensions(&delta, &live, &mut words).await?;
        let steps = self.creation.of(&delta.missing);
        let pre: Vec<_> = steps.into_iter().filter(|s| !s.is_post_data()).collect();
        self.entries(&pre, &mut words).await
    }

    async fn pass(
        &self,
        pass: usize,
        delta: &Delta<'_, '_>,
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        if self.scope.untrusted {
            return self.make(&delta.missing, words).await;
        }
        let roles = delta.touches(&["ROLE", "ROLE MEMBERSHIP", "ROLE SETTING"]);
        if self.scope.is_whole() && (roles || (pass == 0 && !delta.missing.is_empty())) {
            self.settings_file(layout::DATABASE_ROLES_SQL, words).await?;
        }
        let renamed = self.rename_back(delta, words).await? || self.rename_constraints(delta, live).await?;
        if renamed || self.move_partitions(delta, words).await? {
            // Everything inside has its old name and place again: the next pass compares anew.
            return Ok(());
        }
        self.make_extensions(delta, live, words).await?;
        let fresh = self.drop_all(live, words).await?;
        let missing = match &fresh {
            Some(fresh) => self.delta(fresh).missing,
            None => delta.missing.clone(),
        };
        self.close_own_defaults(&missing).await?;
        self.make(&missing, words).await?;
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

    /// An object on which nobody ever granted anything stays one: what this role's own default privileges would write
    /// on it is taken away, and `access_grants.sql` gives them back in the same pass.
    async fn close_own_defaults(&self, missing: &[&CatalogObject]) -> Result<()> {
        let restorer = &self.scope.restorer;
        let known = self.source.inventory.of_kind("ROLE").any(|o| identity::unquoted(&o.identity) == *restorer);
        let ours = missing.iter().filter_map(|o| o.schema.as_deref()).filter(|s| !self.scope.is_managed(Some(s)));
        let schemas: BTreeSet<&str> = ours.collect();
        if !known || !self.scope.is_whole() || schemas.is_empty() {
            return Ok(());
        }
        self.runner.run("close default privileges", &close_own_defaults(&schemas)).await
    }

    /// In its own database a renamed object is told by its address, and keeps its rows.
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

    /// Extensions that are missing, in the archive's order; what is left of them is the file's.
    async fn make_extensions(
        &self,
        delta: &Delta<'_, '_>,
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let missing: Vec<_> = delta.missing.iter().copied().filter(|o| o.kind == "EXTENSION").collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.scope.platform {
            self.runner.run("wake event triggers", AWAKE).await?;
        }
        let made = self.made_extensions(&missing, delta, live, words).await;
        if self.scope.platform {
            self.runner.run("silence event triggers", ASLEEP).await?;
        }
        made
    }

    async fn made_extensions(
        &self,
        missing: &[&CatalogObject],
        delta: &Delta<'_, '_>,
        live: &Inventory,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let superusers = extensions::superusers(live);
        if superusers.contains(&self.scope.restorer) {
            // An extension may live in a schema that the snapshot makes.
            let schemas: Vec<_> = delta.missing.iter().copied().filter(|o| o.kind == "SCHEMA").collect();
            self.entries(&self.creation.of(&schemas), words).await?;
            for extension in missing {
                let Some(own) = self.creation.own(extension) else { continue };
                // The file makes it where its owner cannot.
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

    /// Makes what is missing: before the rows, the rows, after them.
    async fn make(&self, missing: &[&CatalogObject], words: &mut BTreeMap<String, String>) -> Result<()> {
        let steps = self.creation.of(missing);
        let (post, pre): (Vec<_>, Vec<_>) = steps.into_iter().partition(|s| s.is_post_data());
        self.entries(&pre, words).await?;
        let made: BTreeSet<QualifiedName> = missing
            .iter()
            .filter(|o| matches!(o.kind.as_str(), "TABLE" | "FOREIGN TABLE"))
            .filter_map(|o| identity::qualified(&o.identity))
            .map(|(s, n)| QualifiedName::new(s, n))
            .collect();
        self.drop_unproved(&made, words).await?;
        self.tables.load_made(self.runner, &made).await?;
        self.tables.large_objects(self.runner).await?;
        // Proved ones first: under a parent whose rows were never checked, a child cannot get one that was.
        let checks = missing.iter().filter(|_| !self.scope.untrusted);
        for check in checks.filter(|o| self.creation.own(o).is_none() && !is_inside(o, &made)) {
            if let Some(sql) = constraint::add(check) {
                self.tried_for(check, &sql, words).await?;
            }
        }
        self.entries(&post, words).await?;
        self.built_on_members(missing, words).await?;
        self.refresh(missing, words).await
    }

    /// Policies, triggers and indexes on tables of an extension are in no archive: the inventory has them, and a file has
    /// the triggers whose arguments are secret.
    async fn built_on_members(&self, missing: &[&CatalogObject], words: &mut BTreeMap<String, String>) -> Result<()> {
        let mut is_secret = false;
        let ours = missing.iter().filter(|o| o.extension.is_some() && self.creation.own(o).is_none());
        for object in ours.filter(|_| !self.scope.untrusted) {
            let sql = match object.kind.as_str() {
                "POLICY" => create_policy(object),
                "TRIGGER" => create_trigger(object),
                "INDEX" => Some(object.definition.clone()),
                _ => continue,
            };
            is_secret |= sql.is_none();
            if let Some(sql) = sql {
                self.tried_for(object, &sql, words).await?;
            }
        }
        if is_secret { self.file(layout::MANAGED_OBJECTS_SQL, words).await } else { Ok(()) }
    }

    async fn entries(&self, steps: &[&Step<'_>], words: &mut BTreeMap<String, String>) -> Result<()> {
        for step in steps {
            self.runner.breathe().await?;
            if let Some(failure) = self.attempt_step(step).await? {
                if !self.made_by_owner(step).await?
                    && !self.attached_with_checks(step).await?
                    && !self.added_around_rows(step, &failure).await?
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

    /// A platform makes event triggers of its users for them, and lets no superuser make one of a user's function.
    async fn made_by_owner(&self, step: &Step<'_>) -> Result<bool> {
        let Some(trigger) = step.object.filter(|o| o.kind == "EVENT TRIGGER" && self.scope.platform) else {
            return Ok(false);
        };
        let Some(owner) = trigger.owner.as_deref().filter(|owner| *owner != self.scope.restorer) else {
            return Ok(false);
        };
        let sql = format!("SET LOCAL ROLE {};\n{};\nRESET ROLE", ident(owner), step.sql);
        Ok(self.runner.attempt(&step.what(), &sql).await?.is_none())
    }

    /// A foreign key whose checks were switched off may have rows that break it.
    async fn added_around_rows(&self, step: &Step<'_>, failure: &Failure) -> Result<bool> {
        let unchecked = |o: &&CatalogObject| o.kind == "FK CONSTRAINT" && !o.definition.ends_with("RI TRIGGERS O");
        let Some(key) = step.object.filter(unchecked) else { return Ok(false) };
        let table = identity::on(&key.identity).and_then(|(_, table)| identity::qualified(table));
        let Some((schema, name)) = table else { return Ok(false) };
        if !failure.is_sqlstate(sqlstate::FOREIGN_KEY_VIOLATION) || key.definition.contains("UNPROVED") {
            return Ok(false);
        }
        self.tables.refill_around(self.runner, &QualifiedName::new(schema, name), &step.sql).await
    }

    /// Materialized views that were made are empty; the archive's own statements fill them, in its order.
    async fn refresh(&self, missing: &[&CatalogObject], words: &mut BTreeMap<String, String>) -> Result<()> {
        let made: BTreeSet<(String, String)> = missing
            .iter()
            .filter(|o| o.kind == "MATERIALIZED VIEW")
            .filter_map(|o| identity::qualified(&o.identity))
            .collect();
        for step in self.creation.refreshes() {
            let name = (step.entry.schema.clone().unwrap_or_default(), step.entry.tag.clone());
            if !made.contains(&name) {
                continue;
            }
            if let Some(failure) = self.runner.attempt(&step.what(), &step.sql).await? {
                words.insert(step.what(), failure.to_string());
                let views = self.source.inventory.of_kind("MATERIALIZED VIEW");
                for view in views.filter(|o| identity::qualified(&o.identity).as_ref() == Some(&name)) {
                    self.refusals.note(ObjectName::of(view), &step.what(), &failure);
                }
            }
        }
        Ok(())
    }

    /// A file that sets what roles and databases begin their sessions with; what would lock them out is taken back.
    pub(crate) async fn settings_file(&self, file: &str, words: &mut BTreeMap<String, String>) -> Result<()> {
        self.file(file, words).await?;
        let left_out = self.scope.left_out.iter();
        for sql in libraries::resets(left_out, &self.source.inventory, &self.database) {
            self.tried("a library that is not there", &sql, words).await?;
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

/// Where the server said nothing about an object, what differs in it says more than its name.
fn add_differences(words: &mut BTreeMap<String, String>, delta: &Delta<'_, '_>) {
    for (object, difference) in delta.words() {
        words.entry(object).or_insert(difference);
    }
}

/// Is this a constraint of a table that was made with it?
fn is_inside(constraint: &CatalogObject, made: &BTreeSet<QualifiedName>) -> bool {
    let table = identity::on(&constraint.identity).and_then(|(_, table)| identity::qualified(table));
    table.is_some_and(|(schema, name)| made.contains(&QualifiedName::new(schema, name)))
}
