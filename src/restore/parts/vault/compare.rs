//! Decides what to do with each secret, and what is impossible: one rule for the plan and the execution.
//!
//! Invariant: a secret is matched by its id, otherwise by its name. Two secrets are equal if they decrypt to the same
//! value with the same name and description, or have the same ciphertext on the same server. Pure except [`predict`].

use super::live::{Found, Live, Rights, look};
use super::{EXTENSION, Held, SecretValues, Vault};
use crate::model::failure::Result;
use crate::model::name::{literal, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, TargetKind};
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::restore::sql::runner::Runner;
use crate::restore::target::state::Examined;

/// The plan's part about the vault.
#[derive(Debug, Default)]
pub struct Predicted {
    pub create: Vec<ObjectName>,
    pub replace: Vec<ObjectName>,
    pub drop: Vec<ObjectName>,
    pub exceptions: Vec<Exception>,
}

/// What to do with one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Leave,
    /// It is missing.
    Make,
    /// It differs.
    Change,
}

/// One secret of the snapshot, with the target's.
#[derive(Debug)]
pub struct Item<'a> {
    pub held: &'a Held,
    pub found: Option<Found>,
    pub step: Step,
    /// The archive's row may be used: it is the same server, and the role may write the table.
    pub by_row: bool,
    /// Another database has a secret with this name, whose id its own rows may refer to.
    pub keeps_id: bool,
}

/// All the work.
#[derive(Debug)]
pub struct Work<'a> {
    pub items: Vec<Item<'a>>,
    /// Secrets of the same database that the snapshot does not have.
    pub extra: Vec<Found>,
    pub rights: Rights,
    pub exceptions: Vec<Exception>,
}

/// Compares with the target and returns the plan's part.
pub async fn predict(engine: &Engine<'_>, examined: &Examined, session: &Session) -> Result<Predicted> {
    let Some(held) = concerned(engine, examined) else { return Ok(Predicted::default()) };
    let runner = Runner::new(session, engine.cancel);
    session.execute("BEGIN READ ONLY").await?;
    let live = look(&runner).await?;
    session.execute("ROLLBACK").await?;
    // A missing vault is created with its extension, by a superuser or a role that may call its functions.
    let live = match live {
        Live::Absent => Live::Readable(Vec::new(), Rights { writes: examined.facts.is_superuser, calls: true }),
        live => live,
    };
    let work = compare(held, engine.vault, live, examined.facts.kind);
    let named = |step: Step| {
        let items = work.items.iter().filter(move |item| item.step == step);
        items.map(|item| object(item.held.identity())).collect()
    };
    Ok(Predicted {
        create: named(Step::Make),
        replace: named(Step::Change),
        drop: work.extra.iter().map(|f| object(f.name.as_deref().unwrap_or(&f.id))).collect(),
        exceptions: work.exceptions,
    })
}

/// The snapshot's secrets, if this restore handles them.
pub fn concerned<'a>(engine: &Engine<'a>, examined: &Examined) -> Option<&'a [Held]> {
    let missing = examined.scope.extensions_missing.contains(EXTENSION);
    // If the snapshot has no vault at all, the other project's secrets are deleted too.
    let other = examined.facts.kind == TargetKind::OtherDatabase;
    let has_vault = || engine.source.inventory.of_kind(ObjectKind::Extension).any(|o| o.identity == EXTENSION);
    let held = engine.vault.secrets.as_deref().or_else(|| (other && !has_vault()).then_some(&[][..]))?;
    (examined.scope.is_whole() && !examined.scope.untrusted && !missing).then_some(held)
}

fn object(identity: &str) -> ObjectName {
    ObjectName { kind: ObjectKind::VaultSecret, identity: identity.into() }
}

/// Compares the secrets.
pub fn compare<'a>(held: &'a [Held], vault: &Vault, live: Live, kind: TargetKind) -> Work<'a> {
    let same = kind == TargetKind::SameDatabase;
    let (mut found, rights) = match live {
        Live::Readable(found, rights) => (found, rights),
        Live::Absent => return denied(held, "the target has no vault"),
        Live::Unreadable => return denied(held, "this role may not read the vault of the target"),
    };
    let mut work = Work { items: Vec::new(), extra: Vec::new(), rights, exceptions: Vec::new() };
    let mut partners: Vec<Option<Found>> = held.iter().map(|h| take(&mut found, |f| f.id == h.id)).collect();
    for (partner, held) in partners.iter_mut().zip(held).filter(|(partner, _)| partner.is_none()) {
        *partner = take(&mut found, |f| match &held.name {
            Some(_) => f.name == held.name,
            // A secret without a name is matched by its value.
            None => f.name.is_none() && has_same_value(held, f) && f.description == held.description,
        });
    }
    for (held, found) in held.iter().zip(partners) {
        let by_row = same && rights.writes && held.row.is_some();
        let (step, exception) = decide(held, found.as_ref(), by_row, same, rights, vault.seal);
        work.exceptions.extend(exception);
        let keeps_id = !same && found.as_ref().is_some_and(|f| f.id != held.id);
        work.items.push(Item { held, found, step, by_row, keeps_id });
    }
    match kind {
        TargetKind::SameDatabase => work.extra = found,
        // Undo restores a row, or a value that it can decrypt. A secret that it could not restore is left for the user.
        TargetKind::OtherDatabase if rights.writes || vault.is_open() => work.extra = found,
        TargetKind::OtherDatabase => work.exceptions.extend(found.iter().map(of_another_project)),
        TargetKind::FreshProject | TargetKind::Bare => {}
    }
    work
}

fn denied<'a>(held: &'a [Held], why: &str) -> Work<'a> {
    let exceptions = held.iter().map(|h| not_permitted(h, why)).collect();
    let rights = Rights { writes: false, calls: false };
    Work { items: Vec::new(), extra: Vec::new(), rights, exceptions }
}

fn take(found: &mut Vec<Found>, wanted: impl Fn(&Found) -> bool) -> Option<Found> {
    found.iter().position(wanted).map(|at| found.remove(at))
}

fn has_same_value(held: &Held, found: &Found) -> bool {
    held.value.is_some() && held.value == found.value
}

fn is_equal(held: &Held, found: &Found, same: bool) -> bool {
    if held.name != found.name || held.description != found.description {
        return false;
    }
    let same_row = same
        && held.column("secret") == Some(&found.ciphertext)
        && held.column("nonce") == found.nonce.as_deref()
        && held.id == found.id;
    // If neither value nor row is known, a secret with the same id and name that still decrypts counts as unchanged.
    let unknown = held.value.is_none() && held.row.is_none() && same && found.value.is_some();
    has_same_value(held, found) || same_row || unknown
}

fn decide(
    held: &Held,
    found: Option<&Found>,
    by_row: bool,
    same: bool,
    rights: Rights,
    seal: SecretValues,
) -> (Step, Option<Exception>) {
    if let Some(found) = found.filter(|f| is_equal(held, f, same)) {
        return match (found.id != held.id && same, rights.writes) {
            (false, _) => (Step::Leave, None),
            (true, true) if held.value.is_some() || by_row => (Step::Change, None),
            (true, _) => (Step::Leave, Some(new_id(held))),
        };
    }
    let step = if found.is_some() { Step::Change } else { Step::Make };
    if by_row || (held.value.is_some() && rights.calls) {
        let has_own_id = found.is_some_and(|f| f.id == held.id || !same);
        let gets_new_id = !has_own_id && !rights.writes;
        return (step, gets_new_id.then(|| new_id(held)));
    }
    if held.value.is_some() {
        return (Step::Leave, Some(not_permitted(held, "this role may not call the functions of the vault")));
    }
    let exception = match seal {
        SecretValues::Shut => Some(still_sealed(held)),
        // The manifest's gaps are named for every target except the snapshot's own database.
        _ => same.then(|| not_captured(held)),
    };
    (Step::Leave, exception)
}

fn exception(code: &str, held: &Held, why: &str, todo: &str) -> Exception {
    Exception { code: code.into(), what: held.what(), why: why.into(), todo: todo.into() }
}

/// The secret exists, with another id.
pub fn new_id(held: &Held) -> Exception {
    exception(
        "vault_secret_new_id",
        held,
        &format!("it has a new id: this role may not set the snapshot's id, {}", visible(&held.id)),
        "update what refers to it by id; references by name still work. A superuser can keep the ids",
    )
}

pub fn not_permitted(held: &Held, why: &str) -> Exception {
    let todo = "restore as a role with these rights (a project's postgres, or a superuser), or set it with vault.create_secret()";
    exception("vault_secret_not_permitted", held, why, todo)
}

/// A later secret that this role may not delete.
pub fn not_deleted(found: &Found, why: &str) -> Exception {
    let held = Held { id: found.id.clone(), name: found.name.clone(), ..Held::default() };
    exception("vault_secret_not_deleted", &held, why, "delete it from vault.secrets as a role that may do so")
}

/// A secret of the project whose database this snapshot replaces.
fn of_another_project(found: &Found) -> Exception {
    let held = Held { id: found.id.clone(), name: found.name.clone(), ..Held::default() };
    exception(
        "vault_secret_stays",
        &held,
        "it belongs to the target's project; it stays because this role could not restore it on undo",
        &format!("when nothing needs it: DELETE FROM vault.secrets WHERE id = {}", literal(&found.id)),
    )
}

fn still_sealed(held: &Held) -> Exception {
    exception(
        "vault_secret_sealed",
        held,
        "its value is sealed, and no key that opens it was given",
        "give the key that it was sealed to: --seal-identity FILE, or seal_passphrase in the configuration",
    )
}

pub fn not_captured(held: &Held) -> Exception {
    exception(
        "vault_secrets_not_captured",
        held,
        "it is missing or differs, the snapshot does not hold its value, and its ciphertext cannot be restored",
        "set it with vault.create_secret() or vault.update_secret(); on the same server, a restore as superuser brings the ciphertext back",
    )
}

/// No key was given, and the archive's row was of no use.
pub fn lost(held: &Held, vault: &Vault) -> Exception {
    if vault.seal == SecretValues::Shut { still_sealed(held) } else { not_captured(held) }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
