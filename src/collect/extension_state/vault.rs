//! Vault secrets: always listed by name; their values are captured only if they are sealed with age, for the operator's
//! key or passphrase.
//!
//! Invariant (R13): a value is never written unsealed. Without a seal each secret is named in a gap, because the
//! ciphertext in the archive opens only with the root key of the same server.

use serde_json::{Value, json};

use super::super::context::{Collected, Context, SealTo};
use super::super::savepoint::attempt;
use super::write_json;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::model::name::visible;
use crate::model::secret::Secret;
use crate::snapshot::age_file;
use crate::snapshot::layout::{VAULT_SECRETS_JSON, VAULT_SECRETS_SEALED};

pub async fn collect(ctx: &Context<'_>, collected: &mut Collected) -> Result<()> {
    let rights = ctx
        .session
        .rows(
            "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') \
                    AND NOT pg_catalog.row_security_active(c.oid) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'vault' AND c.relname = 'secrets' AND c.relkind = 'r'",
            &[],
        )
        .await?;
    let Some(rights) = rights.first() else { return Ok(()) };
    if !rights.get::<_, bool>(0) {
        collected.gap(Gap::new(
            "vault_secrets_unreadable",
            "the secrets of the vault (table vault.secrets), their names too",
            "this role may not read vault.secrets",
            "take the snapshot as a role that may (GRANT SELECT ON vault.secrets, vault.decrypted_secrets)",
        ));
        return Ok(());
    }
    let query = "SELECT jsonb_build_object('id', s.id, 'name', s.name, 'description', s.description, \
        'created_at', s.created_at, 'updated_at', s.updated_at)::text FROM vault.secrets s ORDER BY s.name, s.id";
    let mut secrets: Vec<Value> = Vec::new();
    for row in ctx.session.rows(query, &[]).await? {
        secrets.push(serde_json::from_str(row.get(0)).map_err(|e| Failure::new(FailureKind::Failed, e))?);
    }
    write_json(ctx, VAULT_SECRETS_JSON, &json!({"secrets": secrets}))?;
    collected.count(Count::VaultSecrets, secrets.len() as u64);
    match &ctx.settings.seal {
        Some(seal) if !secrets.is_empty() => with_values(ctx, collected, seal, secrets).await,
        _ => {
            secrets.iter().for_each(|secret| collected.gap(not_captured(secret)));
            Ok(())
        }
    }
}

fn name_of(secret: &Value) -> String {
    let text = |key: &str| secret[key].as_str().map(visible);
    match text("name") {
        Some(name) => format!("vault secret '{name}'"),
        None => format!("vault secret {}", text("id").unwrap_or_default()),
    }
}

fn not_captured(secret: &Value) -> Gap {
    Gap::new(
        "vault_secrets_not_captured",
        name_of(secret),
        "no age recipient or passphrase is configured to seal its value with",
        "configure a recipient or a passphrase and take the snapshot again, or keep the value elsewhere and set it \
         after a restore with vault.create_secret()",
    )
}

async fn with_values(
    ctx: &Context<'_>,
    collected: &mut Collected,
    seal: &SealTo,
    mut secrets: Vec<Value>,
) -> Result<()> {
    let mut kept = Vec::new();
    for secret in &mut secrets {
        let id = secret["id"].as_str().unwrap_or_default().to_string();
        let query = "SELECT d.decrypted_secret FROM vault.decrypted_secrets d WHERE d.id::text = $1";
        // One query per secret: one that cannot be decrypted must not stop the others.
        match attempt(ctx.session, ctx.session.one(query, &[&id])).await? {
            Ok(row) => {
                secret["secret"] = json!(row.get::<_, Option<String>>(0));
                kept.push(secret.clone());
            }
            Err(failure) => collected.gap(Gap::new(
                "vault_secret_undecryptable",
                name_of(secret),
                failure.to_string(),
                "it may have been encrypted under another root key; set it again with vault.update_secret()",
            )),
        }
    }
    let plain = Secret::new(json!({"secrets": kept}).to_string());
    let sealed = age_file::seal(seal, &plain)?;
    ctx.sink.write(VAULT_SECRETS_SEALED, Category::ExtensionState, &sealed)?;
    collected.secret(VAULT_SECRETS_SEALED, "vault secrets, sealed with age");
    Ok(())
}
