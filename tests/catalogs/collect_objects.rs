//! The encryption system and what users built on managed schemas, against a real server.

use crate::support::alone;
use crate::support::collector::{
    Database, assert_same, changes_nothing, file, run_with, sql, state, try_file_as, walk,
};
use stacksnap::collect::context::{CollectSettings, Stage};
use stacksnap::collect::{encryption, managed_objects, registry};

#[test]
fn the_encryption_system_comes_back_in_working_order() {
    let _one = alone();
    let db = Database::stack("encryption");
    let before = state(&db.0);
    let run = changes_nothing(&encryption::COLLECTOR, &db, "encryption_system.sql");
    let counts = &run.collected.counts;
    assert!(
        counts["encryption_functions"] >= 6 && counts["encryption_triggers"] >= 2 && counts["encryption_views"] >= 2,
        "{counts:?}"
    );
    sql(
        &db.0,
        "DROP VIEW public.cat_open CASCADE; DROP FUNCTION public.cat_seal() CASCADE; \
        CREATE OR REPLACE FUNCTION public.encrypt_cat(v text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'; \
        GRANT EXECUTE ON FUNCTION public.encrypt_cat(text) TO anon",
    );
    for _ in 0..2 {
        file(&db.0, &run.path("encryption_system.sql"));
        assert_same(&before, &state(&db.0), "after the damage");
    }
    let other = CollectSettings { encryption_functions: vec!["no_such_*".into()], ..Default::default() };
    let run = run_with(&encryption::COLLECTOR, &db.0, "supabase_admin", &other, || {});
    assert!(run.collected.skipped.is_some() && run.collected.gaps.is_empty());
}

#[test]
fn what_users_built_on_managed_schemas_is_told_apart_and_comes_back() {
    let _one = alone();
    let db = Database::stack("managed");
    let before = state(&db.0);
    let run = changes_nothing(&managed_objects::COLLECTOR, &db, "managed_schema_objects.sql");
    let text = run.text("managed_schema_objects.sql");
    for mine in [
        "cat_on_user",
        "cat_hook",
        "cat_index",
        "auth.cat_mine()",
        "\"storage\".\"cat_mine\"",
        "cat_sessions",
        "Own avatar",
    ] {
        assert!(text.contains(mine), "{mine}");
    }
    for theirs in [
        "protect_objects_delete",
        "update_objects_updated_at",
        "tr_check_filters",
        "FUNCTION auth.uid()",
        "cron_job_policy",
    ] {
        assert!(!text.contains(theirs), "{theirs}");
    }
    assert!(run.collected.secrets.iter().any(|s| s.what.contains("webhooks")));
    // It is equal already: the platform's user owns none of these tables and may still run it.
    try_file_as("postgres", &db.0, &run.path("managed_schema_objects.sql")).unwrap();
    assert_same(&before, &state(&db.0), "as postgres");
    sql(
        &db.0,
        "DROP TRIGGER cat_hook ON auth.users; ALTER TABLE auth.users ENABLE TRIGGER cat_on_user; DROP INDEX auth.cat_index; \
        DROP FUNCTION auth.cat_mine(); DROP VIEW storage.cat_mine; ALTER POLICY cat_sessions ON auth.sessions USING (true); \
        DROP POLICY \"Own avatar\" ON storage.objects",
    );
    for _ in 0..2 {
        file(&db.0, &run.path("managed_schema_objects.sql"));
        assert_same(&before, &state(&db.0), "after the damage");
    }
}

#[test]
fn trap_5_a_trigger_replaced_after_the_snapshot_is_a_gap() {
    let _one = alone();
    let db = Database::stack("trigger_replaced");
    let run = run_with(&encryption::COLLECTOR, &db.0, "supabase_admin", &Default::default(), || {
        sql(&db.0, "DROP TRIGGER \"Seal it\" ON public.cat_secrets");
    });
    let gaps: Vec<_> = run.collected.gaps.iter().map(|g| g.what.as_str()).collect();
    assert_eq!(gaps, ["trigger Seal it on public.cat_secrets"]);
}

/// A whole database restored by pg_dump and pg_restore, where the target's default privileges reopen what was closed.
#[test]
fn a_restored_copy_becomes_equal_by_all_files_in_order() {
    let _one = alone();
    let source = Database::stack("whole");
    sql(&source.0, "UPDATE cron.job SET database = current_database() WHERE database <> 'another_db'");
    let before = state(&source.0);
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for name in
        ["database_roles", "extension_state", "functions", "encryption", "managed_objects", "policies", "access_grants"]
    {
        let collector = registry::ALL.iter().find(|c| c.name == name && c.stage == Stage::Catalogs).unwrap();
        let run = run_with(collector, &source.0, "supabase_admin", &Default::default(), || {});
        files.extend(walk(run.folder.path()).into_iter().filter(|p| p.extension().is_some_and(|e| e == "sql")));
        folders.push(run);
    }
    let target = Database::restored_from(&source, "whole_copy");
    sql(&target.0, "ALTER DATABASE catalogs_whole_copy OWNER TO postgres");
    for round in ["first", "second"] {
        for path in &files {
            file(&target.0, path);
        }
        let portable = |lines: Vec<String>| -> Vec<String> {
            lines.into_iter().filter(|l| !l.contains("log_ddl") && !l.starts_with("function | net.http_post")).collect()
        };
        assert_same(
            &portable(before.clone()),
            &portable(state(&target.0)),
            &format!("the restored copy, {round} time"),
        );
    }
}
