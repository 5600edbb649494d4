//! The collectors that read catalogs, against a real server: what they write can be run alone, twice, and repairs.

mod catalogs;

use catalogs::{Database, alone, assert_same, file, run, run_with, sql, state, try_file_as, try_sql_as};
use stacksnap::collect::{access_grants, database_roles, functions, policies};

/// Runs the collector, applies its file to the database itself twice: nothing may change.
fn changes_nothing(
    collector: &stacksnap::collect::context::Collector,
    database: &Database,
    name: &str,
) -> catalogs::Run {
    let before = state(&database.0);
    let run = run(collector, &database.0);
    for round in ["first", "second"] {
        file(&database.0, &run.path(name));
        assert_same(&before, &state(&database.0), &format!("{name} on its own source, {round} time"));
    }
    run
}

#[test]
fn policies_repair_what_was_damaged() {
    let _one = alone();
    let db = Database::stack("policies");
    sql(
        &db.0,
        "CREATE POLICY \"p\n\\! touch x\" ON public.orders AS RESTRICTIVE TO PUBLIC, anon USING (true); \
        COMMENT ON POLICY \"p\n\\! touch x\" ON public.orders IS E'c\\n\\\\! x'",
    );
    let before = state(&db.0);
    let run = changes_nothing(&policies::COLLECTOR, &db, "rls_policies_complete.sql");
    assert_eq!(
        run.collected.counts["policies"],
        sql(&db.0, "SELECT count(*) FROM pg_policy").trim().parse::<u64>().unwrap()
    );
    assert!(run.collected.counts["tables_with_rls"] > 20);
    sql(
        &db.0,
        "DROP POLICY no_expired_roles ON public.user_roles; ALTER POLICY own_notifications ON public.notifications USING (true); \
        CREATE POLICY opens_all ON public.orders USING (true); ALTER TABLE public.api_keys DISABLE ROW LEVEL SECURITY; \
        ALTER TABLE public.role_audit NO FORCE ROW LEVEL SECURITY; DROP POLICY \"Avatars are public\" ON storage.objects",
    );
    for _ in 0..2 {
        file(&db.0, &run.path("rls_policies_complete.sql"));
        assert_same(&before, &state(&db.0), "after the damage");
    }
}

#[test]
fn a_policy_for_a_missing_role_is_an_error_and_nothing_is_applied() {
    let _one = alone();
    let db = Database::plain("policy_role");
    sql(
        &db.0,
        "CREATE ROLE cat_missing; CREATE TABLE t (a int); CREATE POLICY a ON t; CREATE POLICY b ON t TO cat_missing",
    );
    let run = run(&policies::COLLECTOR, &db.0);
    sql(&db.0, "DROP POLICY b ON t; DROP POLICY a ON t; DROP ROLE cat_missing");
    let error = try_file_as("supabase_admin", &db.0, &run.path("rls_policies_complete.sql")).unwrap_err();
    assert!(error.contains("cat_missing"), "{error}");
    assert_eq!(sql(&db.0, "SELECT count(*) FROM pg_policy").trim(), "0");
}

#[test]
fn functions_repair_what_was_damaged() {
    let _one = alone();
    let db = Database::stack("functions");
    let before = state(&db.0);
    let run = changes_nothing(&functions::COLLECTOR, &db, "rpc_functions_complete.sql");
    let own = "SELECT count(*) FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')";
    assert_eq!(run.collected.counts["functions_public"].to_string(), sql(&db.0, own).trim());
    sql(
        &db.0,
        "DROP FUNCTION public.\"Nasty -- ' $$\nname\"; DROP AGGREGATE public.a_agg(integer); DROP AGGREGATE public.a_rank(VARIADIC \"any\" ORDER BY VARIADIC \"any\"); \
        DROP FUNCTION public.a_atomic; ALTER FUNCTION public.a_table OWNER TO anon; ALTER FUNCTION public.a_table SECURITY INVOKER; \
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC, anon; \
        CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'; \
        CREATE OR REPLACE FUNCTION public.a_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN null; END'",
    );
    for _ in 0..2 {
        file(&db.0, &run.path("rpc_functions_complete.sql"));
        assert_same(&before, &state(&db.0), "after the damage");
    }
}

#[test]
fn on_a_quiet_server_every_definition_is_the_servers_own() {
    let _one = alone();
    let db = Database::stack("functiondef");
    let text = run(&functions::COLLECTOR, &db.0).text("rpc_functions_complete.sql");
    let own = "SELECT jsonb_agg(pg_get_functiondef(p.oid)) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace \
        WHERE prokind <> 'a' AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_t' \
          AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')";
    let definitions: Vec<String> = serde_json::from_str(&sql(&db.0, &format!("SET search_path = ''; {own}"))).unwrap();
    assert!(definitions.len() > 40);
    for definition in definitions {
        assert!(text.contains(definition.trim_end()), "not in the file: {definition}");
    }
}

#[test]
fn trap_5_bodies_are_those_of_the_snapshot_while_others_replace_them() {
    let _one = alone();
    let db = Database::stack("hammer");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let replace = |n: usize| {
        format!(
            "CREATE OR REPLACE FUNCTION public.a_trigger() RETURNS trigger LANGUAGE plpgsql COST {} AS '/* new {n} */ BEGIN RETURN new; END'; \
             CREATE OR REPLACE FUNCTION public.a_table(n integer, s text DEFAULT 'new {n}') RETURNS TABLE (id integer, \"Label\" public.mood) \
                LANGUAGE sql AS '/* new {n} */ SELECT NULL::int, NULL::public.mood'; \
             CREATE OR REPLACE FUNCTION public.a_atomic(x integer DEFAULT {n}, OUT y integer, OUT \"Z z\" text) \
                LANGUAGE sql STABLE BEGIN ATOMIC SELECT {n}, 'new'::text; END",
            n + 200
        )
    };
    let run = std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let _ = try_sql_as("supabase_admin", &db.0, &replace(n));
            }
        });
        // The snapshot is taken under the hammer too: it shows one whole state, ours or a newer one.
        let run = run_with(&functions::COLLECTOR, &db.0, "supabase_admin", &Default::default(), || {
            std::thread::sleep(std::time::Duration::from_millis(300));
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        run
    });
    let text = run.text("rpc_functions_complete.sql");
    let marks: std::collections::BTreeSet<&str> =
        text.split("/* ").skip(1).filter_map(|t| t.split(" */").next()).filter(|t| t.starts_with("new")).collect();
    assert!(marks.len() <= 1, "bodies of different moments: {marks:?}");
    if let Some(mark) = marks.first() {
        assert!(text.contains(&format!("DEFAULT '{mark}'::text")), "the default belongs to another moment than {mark}");
    }
    assert_eq!(run.collected.gaps.len(), 1, "a_atomic cannot be read as it was: {:?}", run.collected.gaps);
    assert_eq!(run.collected.gaps[0].what, "public.a_atomic(integer)");
    assert!(!text.contains("public.a_atomic("));
}

#[test]
fn trap_5_a_body_replaced_after_the_snapshot_is_not_in_the_file() {
    let _one = alone();
    let db = Database::stack("replaced");
    let before = run(&functions::COLLECTOR, &db.0).text("rpc_functions_complete.sql");
    let run = run_with(&functions::COLLECTOR, &db.0, "supabase_admin", &Default::default(), || {
        sql(
            &db.0,
            "CREATE OR REPLACE FUNCTION public.a_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN null; END'; \
            ALTER FUNCTION public.a_set SET work_mem = '1MB'; ALTER FUNCTION public.a_table OWNER TO anon; \
            REVOKE ALL ON FUNCTION public.a_trigger() FROM PUBLIC; DROP FUNCTION public.\"Nasty -- ' $$\nname\"",
        );
    });
    assert!(run.collected.gaps.is_empty());
    assert_eq!(before, run.text("rpc_functions_complete.sql"));
}

#[test]
fn grants_become_equal() {
    let _one = alone();
    let db = Database::stack("grants");
    let before = state(&db.0);
    let run = changes_nothing(&access_grants::COLLECTOR, &db, "access_grants.sql");
    assert!(run.collected.counts["grants"] > 500);
    sql(
        &db.0,
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO anon; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC; \
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public, auth, extensions TO PUBLIC; REVOKE ALL ON SCHEMA auth FROM anon; \
        GRANT SELECT (secret) ON public.acl_table TO anon; REVOKE ALL ON public.acl_table FROM cat_grantor CASCADE; \
        GRANT USAGE ON TYPE public.mood TO PUBLIC; REVOKE USAGE ON DOMAIN public.acl_domain FROM cat_grantor; \
        REVOKE ALL ON LARGE OBJECT 987654 FROM cat_grantor; GRANT ALL ON FOREIGN SERVER cat_server TO anon; \
        REVOKE ALL ON FOREIGN DATA WRAPPER cat_fdw FROM cat_grantor; REVOKE ALL ON FUNCTION pg_catalog.pg_read_file(text) FROM cat_grantor; \
        REVOKE TEMPORARY ON DATABASE catalogs_grants FROM PUBLIC; \
        ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON TABLES FROM anon; \
        ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO anon; \
        ALTER DEFAULT PRIVILEGES FOR ROLE cat_grantor GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    );
    for _ in 0..2 {
        file(&db.0, &run.path("access_grants.sql"));
        assert_same(&before, &state(&db.0), "after the damage");
    }
}

const ROLES: &str = "DROP ROLE IF EXISTS cat_role_b; DROP ROLE IF EXISTS cat_role_a; \
    CREATE ROLE cat_role_a LOGIN PASSWORD 'it''s' CONNECTION LIMIT 3 VALID UNTIL '2031-01-02 03:04:05+00'; \
    CREATE ROLE cat_role_b NOINHERIT CREATEDB BYPASSRLS IN ROLE pg_monitor; COMMENT ON ROLE cat_role_b IS E'a\\nb'; \
    GRANT cat_role_a TO cat_role_b WITH ADMIN OPTION; GRANT anon TO cat_role_a; \
    ALTER ROLE cat_role_a SET search_path TO \"$user\", 'a\"b'; ALTER ROLE cat_role_a SET app.jwt_secret TO 'x=y''\\z'; \
    ALTER ROLE cat_role_b IN DATABASE";

#[test]
fn roles_come_back_with_verifiers_settings_and_memberships() {
    let _one = alone();
    let db = Database::stack("roles");
    sql(&db.0, &format!("{ROLES} {} SET work_mem TO '3MB'", db.0));
    let before = state(&db.0);
    let run = changes_nothing(&database_roles::COLLECTOR, &db, "database_roles.sql");
    assert!(run.collected.gaps.is_empty());
    assert!(run.collected.secrets.iter().any(|s| s.what.contains("verifiers")));
    assert_eq!(
        run.collected.counts["database_roles"].to_string(),
        sql(&db.0, "SELECT count(*) FROM pg_roles WHERE rolname !~ '^pg_'").trim()
    );
    for damage in [
        "DROP ROLE cat_role_b; DROP ROLE cat_role_a",
        "ALTER ROLE cat_role_a NOLOGIN SUPERUSER PASSWORD 'other' VALID UNTIL 'infinity' CONNECTION LIMIT -1; REVOKE anon FROM cat_role_a; \
         GRANT service_role TO cat_role_a; ALTER ROLE cat_role_a RESET ALL; ALTER ROLE cat_role_a SET work_mem TO '1MB'; \
         REVOKE ADMIN OPTION FOR cat_role_a FROM cat_role_b; COMMENT ON ROLE cat_role_b IS NULL; ALTER ROLE anon SET statement_timeout TO '99s'",
    ] {
        sql(&db.0, damage);
        for _ in 0..2 {
            file(&db.0, &run.path("database_roles.sql"));
            assert_same(&before, &state(&db.0), damage);
        }
    }
    // Equal already: the platform's own user may run it, too, although it may change none of the platform's roles.
    try_file_as("postgres", &db.0, &run.path("database_roles.sql")).unwrap();
    assert_same(&before, &state(&db.0), "as postgres");
    sql(&db.0, "DROP ROLE cat_role_b; DROP ROLE cat_role_a");
}

#[test]
fn unreadable_verifiers_are_a_gap_that_names_the_roles() {
    let _one = alone();
    let db = Database::stack("verifiers");
    let run = run_with(&database_roles::COLLECTOR, &db.0, "authenticator", &Default::default(), || {});
    assert_eq!(run.collected.gaps[0].code, "role_passwords_unreadable");
    assert!(run.collected.gaps[0].what.contains("authenticator") && !run.collected.gaps[0].what.contains("anon"));
    assert!(!run.text("database_roles.sql").contains("SCRAM-SHA-256"));
    let before = state(&db.0);
    file(&db.0, &run.path("database_roles.sql"));
    assert_same(&before, &state(&db.0), "without verifiers nothing changes");
}
