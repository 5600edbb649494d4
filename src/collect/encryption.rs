//! `encryption_system.sql`: the functions that encrypt and decrypt, the triggers that call them, the views that use
//! them.
//!
//! Invariant: functions are found by matching the configured patterns against their unqualified name. Everything else
//! is found by its dependency on those, or because the body of a trigger function names one. The file creates them in
//! an order that works.

use std::collections::BTreeSet;

use super::acl::AclState;
use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::function_def::FunctionRow;
use super::functions::{self, Functions, changed_gap};
use super::sql_file::SqlFile;
use super::{triggers, views};
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::pattern::matches;
use crate::snapshot::layout::ENCRYPTION_SQL;

pub const COLLECTOR: Collector =
    Collector { name: "encryption", category: Category::Encryption, stage: Stage::Catalogs, run };

/// The patterns used when none are configured.
const PATTERNS: [&str; 3] = ["is_encrypted", "encrypt_*", "decrypt_*"];

fn run<'a>(ctx: &'a Context<'a>) -> CollectFuture<'a> {
    Box::pin(collect(ctx))
}

async fn collect(ctx: &Context<'_>) -> Result<Collected> {
    let functions = functions::read(ctx).await?;
    let found = find(&functions, &ctx.settings.encryption_functions);
    if found.is_empty() {
        return Ok(Collected::skipped("no function matches the patterns of encryption functions"));
    }
    let mut collected = Collected::default();
    let mut file = SqlFile::new(&[
        "The encryption system: functions, the views that use them, and the triggers that run them.",
        "Run it after the roles and the schema. It holds no keys: the functions read them from elsewhere.",
    ]);
    let mut acl = AclState::default();
    let mut written = 0;
    for row in functions.rows.iter().filter(|row| found.contains(&row.oid)) {
        if functions.changed.contains(&row.oid) {
            collected.gap(changed_gap(row));
            continue;
        }
        functions.write(row, &mut file);
        acl.add("routine", &[row.signature()], row.acl.clone())?;
        written += 1;
    }
    file.statement(&acl.statement(ctx.session.version_num)?);
    file.blank();
    collected.count(Count::EncryptionFunctions, written);

    let oids: Vec<u32> = found.into_iter().collect();
    let views = views::read(ctx, &[], &oids).await?;
    views::write(ctx, &views.iter().collect::<Vec<_>>(), &mut file, false).await?;
    collected.count(Count::EncryptionViews, views.len() as u64);

    let mut triggers = 0;
    for trigger in triggers::read(ctx, &[], &oids).await? {
        match trigger.definition() {
            Ok(definition) => {
                trigger.statements(definition).iter().for_each(|statement| file.statement(statement));
                file.blank();
                triggers += 1;
                if trigger.holds_secret() {
                    collected.secret(ENCRYPTION_SQL, "arguments of triggers that look like keys");
                }
            }
            Err(gap) => collected.gap(gap),
        }
    }
    collected.count(Count::EncryptionTriggers, triggers);
    ctx.sink.write(ENCRYPTION_SQL, Category::Encryption, file.finish().as_bytes())?;
    Ok(collected)
}

/// The functions that match, and the trigger functions that use one of them.
fn find(functions: &Functions, patterns: &[String]) -> BTreeSet<u32> {
    let fits = |name: &str| {
        if patterns.is_empty() {
            PATTERNS.iter().any(|p| matches(p, name))
        } else {
            patterns.iter().any(|p| matches(p, name))
        }
    };
    let matched: Vec<&FunctionRow> = functions.rows.iter().filter(|row| fits(&row.name)).collect();
    let mut found: BTreeSet<u32> = matched.iter().map(|row| row.oid).collect();
    let uses = |row: &FunctionRow| {
        let depends = functions.needs.get(&row.oid).is_some_and(|needs| needs.iter().any(|n| found.contains(n)));
        let text = row.sql_body.as_deref().or(row.source.as_deref()).unwrap_or_default();
        depends || matched.iter().any(|m| mentions(text, &m.name))
    };
    let callers: Vec<u32> = functions
        .rows
        .iter()
        .filter(|row| row.returns.as_deref() == Some("trigger") && uses(row))
        .map(|row| row.oid)
        .collect();
    found.extend(callers);
    found
}

/// Does the text contain the name as a whole word?
fn mentions(text: &str, name: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(part_of_word) && !text[at + name.len()..].starts_with(part_of_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_inside_another_word_is_no_mention() {
        assert!(mentions("new.x := public.encrypt_key(new.x);", "encrypt_key"));
        assert!(mentions("\"encrypt_key\"(1)", "encrypt_key"));
        assert!(!mentions("re_encrypt_keys(x)", "encrypt_key"));
        assert!(!mentions("encrypt_key_2(x)", "encrypt_key"));
    }
}
