//! `managed_schema_objects.sql`: the objects that users created in the platform's schemas.
//!
//! Invariant (R4, R29): no table of the platform is created, dropped or altered here. A trigger is the platform's if
//! its function belongs to the platform in the same schema, or if it is on the list of known triggers; any other is the
//! user's. Each object is changed only if it is missing or different, because its table belongs to the platform.

use super::acl::AclState;
use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::setting::quoted;
use super::sql_file::SqlFile;
use super::triggers::{self, Trigger};
use super::{functions, policies, views};
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::name::{QualifiedName, dollar_quoted};
use crate::model::platform::{PLATFORM_TRIGGERS, is_managed_schema, is_platform_owner};
use crate::snapshot::layout::MANAGED_OBJECTS_SQL;

pub const COLLECTOR: Collector =
    Collector { name: "managed_objects", category: Category::ManagedObjects, stage: Stage::Catalogs, run };

/// A managed schema, but its contents are the project's migrations.
const NOT_HERE: &str = "supabase_migrations";

fn run<'a>(ctx: &'a Context<'a>) -> CollectFuture<'a> {
    Box::pin(collect(ctx))
}

async fn collect(ctx: &Context<'_>) -> Result<Collected> {
    let schemas: Vec<String> =
        ctx.abilities.schemas.iter().filter(|s| is_managed_schema(s) && *s != NOT_HERE).cloned().collect();
    if !ctx.abilities.is_supabase || schemas.is_empty() {
        return Ok(Collected::skipped("the database has no schemas of the platform"));
    }
    let mut collected = Collected::default();
    let mut file = SqlFile::new(&[
        "Objects that users created in the platform's schemas: functions, views, indexes, triggers, policies.",
        "Run it after the roles, the schema of the application and the platform's own schemas.",
    ]);
    user_functions(ctx, &mut collected, &mut file).await?;
    let views = views::read(ctx, &schemas, &[]).await?;
    let views: Vec<_> =
        views.iter().filter(|v| !is_platform_owner(&v.owner) && schemas.contains(&v.name.schema)).collect();
    views::write(ctx, &views, &mut file, true).await?;
    collected.count(Count::ManagedViews, views.len() as u64);
    indexes(ctx, &schemas, &mut file).await?;
    user_triggers(ctx, &schemas, &mut collected, &mut file).await?;

    let mut count = 0;
    for policy in policies::read(ctx).await? {
        if schemas.contains(&policy.table.schema) && !policy.of_extension {
            file.statement(&policy.unless_equal());
            count += 1;
        }
    }
    collected.count(Count::ManagedPolicies, count);
    ctx.sink.write(MANAGED_OBJECTS_SQL, Category::ManagedObjects, file.finish().as_bytes())?;
    Ok(collected)
}

/// Functions in managed schemas whose owner is not a role of the platform.
async fn user_functions(ctx: &Context<'_>, collected: &mut Collected, file: &mut SqlFile) -> Result<()> {
    let functions = functions::read(ctx).await?;
    let mut acl = AclState::default();
    let mut count = 0;
    for row in &functions.rows {
        if !is_managed_schema(&row.schema) || row.schema == NOT_HERE || is_platform_owner(&row.owner) {
            continue;
        }
        if functions.changed.contains(&row.oid) {
            collected.gap(functions::changed_gap(row));
            continue;
        }
        functions.write(row, file);
        acl.add("routine", &[row.signature()], row.acl.clone())?;
        count += 1;
    }
    if count > 0 {
        file.statement(&acl.statement(ctx.session.version_num)?);
        file.blank();
    }
    collected.count(Count::ManagedFunctions, count);
    Ok(())
}

/// Creates only missing indexes: an existing one is the platform's or was restored with it.
async fn indexes(ctx: &Context<'_>, schemas: &[String], file: &mut SqlFile) -> Result<()> {
    for row in ctx.session.rows(include_str!("sql/managed_indexes.sql"), &[&schemas]).await? {
        let schema: String = row.get("schema");
        let table = QualifiedName::new(schema.clone(), row.get::<_, String>("table"));
        let index = QualifiedName::new(schema, row.get::<_, String>("name"));
        let definition: String = row.get("definition");
        let body = format!(
            "\nBEGIN\n    IF to_regclass({}) IS NULL AND to_regclass({}) IS NOT NULL THEN\n        {definition};\n    END IF;\nEND\n",
            quoted(&index.sql()),
            quoted(&table.sql()),
        );
        file.statement(&format!("DO {}", dollar_quoted(&body)));
    }
    file.blank();
    Ok(())
}

async fn user_triggers(
    ctx: &Context<'_>,
    schemas: &[String],
    collected: &mut Collected,
    file: &mut SqlFile,
) -> Result<()> {
    let mut count = 0;
    let mut secret = false;
    for trigger in triggers::read(ctx, schemas, &[]).await?.iter().filter(|t| is_users(t)) {
        match trigger.definition() {
            Ok(definition) => {
                file.statement(&trigger.unless_equal(definition));
                secret |= trigger.holds_secret();
                count += 1;
            }
            Err(gap) => collected.gap(gap),
        }
    }
    file.blank();
    if secret {
        collected.secret(MANAGED_OBJECTS_SQL, "arguments of triggers that look like keys (webhooks)");
    }
    collected.count(Count::ManagedTriggers, count);
    Ok(())
}

/// Did a user create this trigger on a table of the platform?
fn is_users(trigger: &Trigger) -> bool {
    let known = PLATFORM_TRIGGERS.iter().any(|(table, name)| *table == trigger.table.plain() && *name == trigger.name);
    let platforms_own = trigger.function_schema == trigger.table.schema && is_platform_owner(&trigger.function_owner);
    !(known || platforms_own || trigger.of_extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(table: (&str, &str), name: &str, schema: &str, owner: &str) -> Trigger {
        Trigger {
            name: name.to_string(),
            table: QualifiedName::new(table.0, table.1),
            enabled: "O".to_string(),
            definition: None,
            arguments: String::new(),
            function_name: String::new(),
            function_schema: schema.to_string(),
            function_owner: owner.to_string(),
            comment: None,
            of_extension: false,
            changed: false,
        }
    }

    #[test]
    fn the_users_triggers_are_told_apart() {
        let users = ("auth", "users");
        assert!(is_users(&trigger(users, "on_auth_user_created", "public", "postgres")));
        // A webhook: the function is the platform's, the trigger is the user's.
        assert!(is_users(&trigger(users, "hook", "supabase_functions", "supabase_functions_admin")));
        // A function that a user created in the schema auth.
        assert!(is_users(&trigger(users, "mine", "auth", "postgres")));
        assert!(!is_users(&trigger(users, "theirs", "auth", "supabase_auth_admin")));
        assert!(!is_users(&trigger(("storage", "objects"), "protect_objects_delete", "storage", "postgres")));
    }
}
