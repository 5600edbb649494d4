//! Writes the secrets: as rows of the archive on their own server, otherwise with the extension's functions.
//!
//! Invariant: everything runs in the restore's transaction, each secret under a savepoint. Values are bound parameters.
//! A secret counts as written when it was read back decrypted and is equal.

use serde_json::Value;

use super::compare::{Item, Step, Work, compare, concerned, lost, new_id, not_deleted};
use super::live::{Found, look, read};
use super::{Held, Vault};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::ident;
use crate::model::restore::Exception;
use crate::model::secret::Secret;
use crate::restore::Engine;
use crate::restore::sql::runner::Runner;
use crate::restore::target::state::Examined;

/// Keeps bound values out of the server's log, if this role may set that.
const QUIET: [&str; 2] = ["SET LOCAL log_parameter_max_length_on_error = 0", "SET LOCAL log_parameter_max_length = 0"];

/// Older vaults encrypt with a trigger, which must fire.
const TRIGGERS_ON: &str = "SET LOCAL session_replication_role = origin";
const TRIGGERS_OFF: &str = "SET LOCAL session_replication_role = replica";

const DELETE: &str = "DELETE FROM vault.secrets WHERE id::text = $1";
const CREATE: &str = "SELECT vault.create_secret($1::text, $2::text, $3::text)::text";
const UPDATE: &str = "SELECT vault.update_secret($1::text::uuid, $2::text, $3::text, $4::text)";
const MOVE: &str = "UPDATE vault.secrets SET id = $2::text::uuid WHERE id = $1::text::uuid";
/// The id is authenticated with the ciphertext, and `update_secret` of a real vault decrypts the old value first. So
/// encrypt again with the new id.
const MOVE_AND_ENCRYPT: &str = "UPDATE vault.secrets s SET id = $2::text::uuid, \
    secret = pg_catalog.encode(vault._crypto_aead_det_encrypt(message := pg_catalog.convert_to($3::text, 'utf8'), \
        additional := pg_catalog.convert_to($2::text::uuid::text, 'utf8'), key_id := 0, context := 'pgsodium'::bytea, \
        nonce := s.nonce), 'base64') WHERE s.id = $1::text::uuid";

/// Restores the secrets. What is impossible is an exception. A secret that was written and is not equal is an error.
pub async fn bring_back(engine: &Engine<'_>, examined: &Examined, runner: &Runner<'_>) -> Result<Vec<Exception>> {
    let Some(held) = concerned(engine, examined) else { return Ok(Vec::new()) };
    let work = compare(held, engine.vault, look(runner).await?, examined.facts.kind);
    let mut exceptions = work.exceptions.clone();
    if work.extra.is_empty() && work.items.iter().all(|item| item.step == Step::Leave) {
        return Ok(exceptions);
    }
    for sql in QUIET {
        // An older server has no such setting, and most roles may not change it.
        let _ = runner.attempt("keep values out of the log", sql).await?;
    }
    for found in &work.extra {
        if let Err(failure) = runner.attempt_all("delete a secret", delete(runner, &found.id)).await? {
            exceptions.push(not_deleted(found, &failure.to_string()));
        }
    }
    let cleared = clear_names(runner, &work).await?;
    for item in work.items.iter().filter(|item| item.step != Step::Leave) {
        let found = item.found.as_ref().filter(|f| !cleared.contains(&f.id));
        exceptions.extend(restore_one(runner, engine.vault, item, found, work.rights.writes).await?);
    }
    Ok(exceptions)
}

/// Secrets may have swapped names: deletes one whose name another needs; it is created again.
async fn clear_names(runner: &Runner<'_>, work: &Work<'_>) -> Result<Vec<String>> {
    let mut cleared = Vec::new();
    for item in work.items.iter().filter(|item| item.step == Step::Change) {
        let Some(found) = item.found.as_ref().filter(|f| f.name.is_some() && f.name != item.held.name) else {
            continue;
        };
        let is_wanted = work.items.iter().any(|other| other.held.name == found.name);
        if is_wanted && runner.attempt_all("delete a secret", delete(runner, &found.id)).await?.is_ok() {
            cleared.push(found.id.clone());
        }
    }
    Ok(cleared)
}

/// Restores one secret, in the first way that works.
async fn restore_one(
    runner: &Runner<'_>,
    vault: &Vault,
    item: &Item<'_>,
    found: Option<&Found>,
    writes: bool,
) -> Result<Option<Exception>> {
    let held = item.held;
    if item.by_row {
        let put = put_row(runner, held, found);
        if runner.attempt_all("the archive's row", put).await?.is_ok() {
            return Ok(None);
        }
    }
    let Some(value) = &held.value else { return Ok(Some(lost(held, vault))) };
    runner.run("vault", TRIGGERS_ON).await?;
    let id = write(runner, held, value, found).await.map_err(|f| f.context(held.what()))?;
    if id == held.id || (item.keeps_id && found.is_some_and(|f| f.id == id)) {
        runner.run("vault", TRIGGERS_OFF).await?;
        return Ok(None);
    }
    let moved = writes && give_id(runner, held, value, &id).await?;
    runner.run("vault", TRIGGERS_OFF).await?;
    Ok((!moved).then(|| new_id(held)))
}

/// Updates the secret or recreates it. Returns its id on the target.
async fn write(runner: &Runner<'_>, held: &Held, value: &Secret, found: Option<&Found>) -> Result<String> {
    if let Some(found) = found {
        // A vault that cannot decrypt the old value cannot update it either.
        if runner.attempt_all("update a secret", update(runner, held, value, &found.id)).await?.is_ok() {
            return Ok(found.id.clone());
        }
    }
    let made = async {
        if let Some(found) = found {
            // With triggers awake, a user's foreign key to the secret would cascade.
            runner.run("vault", TRIGGERS_OFF).await?;
            delete(runner, &found.id).await?;
            runner.run("vault", TRIGGERS_ON).await?;
        }
        let row = runner.session.one(CREATE, &[&value.reveal(), &held.name, &held.description]).await?;
        let id: String = row.try_get(0).map_err(|e| Failure::from(anyhow::Error::new(e)))?;
        check_written(runner, held, value, &id).await?;
        Ok(id)
    };
    runner.attempt_all("make a secret", made).await?
}

async fn update(runner: &Runner<'_>, held: &Held, value: &Secret, id: &str) -> Result<()> {
    runner.session.rows(UPDATE, &[&id, &value.reveal(), &held.name, &held.description]).await?;
    check_written(runner, held, value, id).await
}

async fn delete(runner: &Runner<'_>, id: &str) -> Result<()> {
    runner.session.rows(DELETE, &[&id]).await.map(|_| ())
}

/// R35: what was written must decrypt to what was meant.
async fn check_written(runner: &Runner<'_>, held: &Held, value: &Secret, id: &str) -> Result<()> {
    match read(runner, id).await? {
        Some((name, description, live)) if name == held.name && description == held.description && live == *value => {
            Ok(())
        }
        _ => Err(Failure::msg(FailureKind::Failed, "the target's vault decrypts to another value than was written")),
    }
}

/// Gives a secret its old id. Not every vault allows that.
async fn give_id(runner: &Runner<'_>, held: &Held, value: &Secret, id: &str) -> Result<bool> {
    let encrypted = async {
        runner.session.rows(MOVE_AND_ENCRYPT, &[&id, &held.id, &value.reveal()]).await?;
        check_written(runner, held, value, &held.id).await
    };
    if runner.attempt_all("give a secret its id", encrypted).await?.is_ok() {
        return Ok(true);
    }
    let moved = async {
        runner.session.rows(MOVE, &[&id, &held.id]).await?;
        update(runner, held, value, &held.id).await
    };
    Ok(runner.attempt_all("give a secret its id", moved).await?.is_ok())
}

/// Replaces the target's row by the archive's. The target must be able to decrypt it.
async fn put_row(runner: &Runner<'_>, held: &Held, found: Option<&Found>) -> Result<()> {
    let Some(row) = &held.row else { return Err(Failure::msg(FailureKind::NotFound, "the archive has no row")) };
    for id in found.map(|f| f.id.as_str()).into_iter().chain([held.id.as_str()]) {
        delete(runner, id).await?;
    }
    let columns: Vec<String> = row.keys().map(|name| ident(name)).collect();
    let columns = columns.join(", ");
    let sql = format!(
        "INSERT INTO vault.secrets ({columns}) SELECT {columns} \
         FROM pg_catalog.jsonb_populate_record(NULL::vault.secrets, $1::text::jsonb)"
    );
    runner.session.rows(&sql, &[&Value::Object(row.clone()).to_string()]).await?;
    match (read(runner, &held.id).await?, &held.value) {
        (Some((_, _, live)), Some(value)) if live == *value => Ok(()),
        (Some(_), None) => Ok(()),
        _ => Err(Failure::msg(FailureKind::Failed, "the archive's ciphertext cannot be decrypted here")),
    }
}
