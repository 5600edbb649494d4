//! What the server refused, by the object that is missing because of it.
//!
//! Invariant: an object's last refusal counts: if a later pass succeeds, the earlier refusal is forgotten. Decisions
//! use the SQLSTATE; the text is for people.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::model::failure::{Failure, Result};
use crate::model::inventory::CatalogObject;
use crate::model::left_out::FILE;
use crate::model::restore::ObjectName;
use crate::model::sqlstate::SqlState;
use crate::restore::entries::creation::Step;
use crate::restore::objects::converge::Converge;
use crate::restore::objects::overloads::RivalRenames;

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was tried, as messages name it.
    pub what: String,
    /// The server's message alone.
    pub text: String,
    pub sqlstate: Option<SqlState>,
}

impl Refusal {
    pub fn new(what: &str, failure: &Failure) -> Self {
        Self { what: what.to_string(), text: failure.error.root_cause().to_string(), sqlstate: failure.sqlstate }
    }
}

/// The refusals of one restore.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<ObjectName, Refusal>>);

impl Refusals {
    /// A new pass starts: forget all.
    pub fn forget(&self) {
        if let Ok(mut all) = self.0.lock() {
            all.clear();
        }
    }

    pub fn note(&self, object: ObjectName, what: &str, failure: &Failure) {
        if let Ok(mut all) = self.0.lock() {
            all.insert(object, Refusal::new(what, failure));
        }
    }

    /// A refusal of a part of an object. A refusal of the object itself takes precedence.
    pub fn note_part(&self, object: ObjectName, what: &str, failure: &Failure) {
        if let Ok(mut all) = self.0.lock() {
            all.entry(object).or_insert_with(|| Refusal::new(what, failure));
        }
    }

    /// A file of the snapshot that failed as a whole.
    pub fn note_file(&self, file: &str, failure: &Failure) {
        self.note(ObjectName { kind: FILE, identity: file.into() }, file, failure);
    }

    pub fn all(&self) -> BTreeMap<ObjectName, Refusal> {
        self.0.lock().map(|all| all.clone()).unwrap_or_default()
    }
}

impl Converge<'_> {
    /// Records a refused entry for every object that it creates.
    pub(crate) fn refused(&self, step: &Step<'_>, failure: &Failure, words: &mut BTreeMap<String, String>) {
        let what = step.what();
        for object in self.creation.objects_of(step) {
            if step.object.is_some() {
                self.refusals.note(object, &what, failure);
            } else {
                self.refusals.note_part(object, &what, failure);
            }
        }
        words.insert(what, failure.to_string());
    }

    /// Runs an entry of the archive: see `attempt_for`.
    pub(crate) async fn attempt_step(&self, step: &Step<'_>) -> Result<Option<Failure>> {
        self.attempt_apart(self.creation.rival_renames(step), &step.what(), &step.sql).await
    }

    /// Tries a statement that creates or alters an object, while rival overloads are renamed (see `overloads`). That
    /// needs their ownership; without it the statement is tried as it is.
    pub(crate) async fn attempt_for(&self, object: &CatalogObject, what: &str, sql: &str) -> Result<Option<Failure>> {
        self.attempt_apart(self.creation.rival_renames_for(object), what, sql).await
    }

    async fn attempt_apart(&self, apart: Option<&RivalRenames>, what: &str, sql: &str) -> Result<Option<Failure>> {
        if let Some(apart) = apart.filter(|_| !self.scope.untrusted)
            && self.runner.attempt(what, &apart.around(sql)).await?.is_none()
        {
            return Ok(None);
        }
        self.runner.attempt(what, sql).await
    }

    /// Tries a statement and keeps the server's message if it fails.
    pub(crate) async fn tried(&self, what: &str, sql: &str, words: &mut BTreeMap<String, String>) -> Result<()> {
        if let Some(failure) = self.runner.attempt(what, sql).await? {
            words.insert(what.to_string(), failure.to_string());
        }
        Ok(())
    }

    /// The same, and records the refusal for the object.
    pub(crate) async fn tried_for(
        &self,
        object: &CatalogObject,
        sql: &str,
        words: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let what = format!("{} {}", object.kind, object.identity);
        if let Some(failure) = self.attempt_for(object, &what, sql).await? {
            self.refusals.note(ObjectName::of(object), &what, &failure);
            words.insert(what, failure.to_string());
        }
        Ok(())
    }
}
