//! The collectors that read catalogs, against a real server: what they write can be run twice, and repairs.

use crate::support::alone;
use crate::support::collector::{
    Database, assert_same, changes_nothing, file, run, run_with, sql, state, try_file_as, try_sql_as, walk,
};
use stacksnap::collect::{access_grants, database_roles, extension_state, functions, policies};

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
    let platform = stacksnap::model::platform::MANAGED_SCHEMAS.join("', '");
    let own = format!(
        "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname !~ '^pg_|^information_schema$' \
         AND nspname NOT IN ('{platform}') AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')"
    );
    assert_eq!(run.collected.counts["functions_own"].to_string(), sql(&db.0, &own).trim());
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
    CREATE ROLE cat_role_b NOINHERIT CREATEDB BYPASSRLS VALID UNTIL 'infinity' IN ROLE pg_monitor; COMMENT ON ROLE cat_role_b IS E'a\\nb'; \
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

/// Since 16 a grantor needs the admin option: a snapshot of 15 must not take it from a newer platform's own user.
#[test]
fn roles_of_an_older_server_take_no_membership_away_on_a_newer_one() {
    let _one = alone();
    let db = Database::stack("older");
    let run = run(&database_roles::COLLECTOR, &db.0);
    let text = run.text("database_roles.sql");
    let version = sql(&db.0, "SHOW server_version_num").trim().to_string();
    let older = text.replace(&format!("\"server\": {version}"), "\"server\": 150018");
    assert!(older.contains("\"server\": 150018"));
    let older: String = older.replace("\"set\":true", "\"set\":null").replace("\"set\":false", "\"set\":null");
    std::fs::write(run.path("older.sql"), older).unwrap();
    sql(&db.0, "GRANT cat_grantor TO postgres WITH ADMIN OPTION");
    let admins = "SELECT roleid::regrole, member::regrole FROM pg_auth_members WHERE admin_option ORDER BY 1, 2";
    let before = sql(&db.0, admins);
    file(&db.0, &run.path("older.sql"));
    let after = sql(&db.0, admins);
    sql(&db.0, "REVOKE cat_grantor FROM postgres");
    if version.parse::<u32>().unwrap() >= 160_000 {
        assert_eq!(before, after);
    } else {
        assert_ne!(before, after);
    }
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

/// All queue rows, jobs and secrets, by name and not by number.
const CONTENTS: &str = "SELECT 'q', t::text FROM pgmq.q_cat_jobs t UNION ALL SELECT 'a', t::text FROM pgmq.a_cat_jobs t \
    UNION ALL SELECT 'u', t::text FROM pgmq.q_cat_upper t UNION ALL SELECT 'm', concat_ws(' ', queue_name, is_partitioned, is_unlogged) FROM pgmq.meta \
    UNION ALL SELECT 's', sequencename || last_value FROM pg_sequences WHERE schemaname = 'pgmq' AND last_value IS NOT NULL \
    UNION ALL SELECT 'j', concat_ws(' ', jobname, schedule, command, username, active, \
        CASE WHEN database LIKE 'catalogs_%' THEN 'here' ELSE database END) FROM cron.job ORDER BY 1, 2";

#[test]
fn extension_state_comes_back_after_a_dump_that_lost_it() {
    let _one = alone();
    let source = Database::stack("ext");
    sql(&source.0, "UPDATE cron.job SET database = current_database() WHERE database <> 'another_db'");
    let run = run(&extension_state::COLLECTOR, &source.0);
    let counts = &run.collected.counts;
    for (word, query) in [
        ("cron_jobs", "cron.job"),
        ("vault_secrets", "vault.secrets"),
        ("queues", "pgmq.meta"),
        ("publications", "pg_publication"),
        ("event_triggers", "pg_event_trigger WHERE evtname NOT LIKE 'pgrst_%' AND evtname NOT LIKE 'issue_%'"),
    ] {
        assert_eq!(counts[word].to_string(), sql(&source.0, &format!("SELECT count(*) FROM {query}")).trim(), "{word}");
    }
    assert!(counts["cron_jobs"] >= 4 && counts["vault_secrets"] >= 2 && counts["queues"] >= 3);
    let gaps: Vec<&str> = run.collected.gaps.iter().map(|g| g.what.as_str()).collect();
    assert_eq!(gaps.len() as u64, counts["vault_secrets"], "{gaps:?}");
    assert!(gaps.contains(&"vault secret 'api_key'"));

    let files = [
        "extensions.sql",
        "publications.sql",
        "event_triggers.sql",
        "database_settings.sql",
        "queues.sql",
        "cron_jobs.sql",
    ];
    let (before, contents) = (state(&source.0), sql(&source.0, CONTENTS));
    for round in ["first", "second"] {
        for name in files {
            file(&source.0, &run.path(&format!("extension_state/{name}")));
            assert_same(&before, &state(&source.0), &format!("{name} on its own source, {round} time"));
            assert_eq!(contents, sql(&source.0, CONTENTS), "{name}, {round} time");
        }
    }

    let target = Database::restored_from(&source, "ext_copy");
    sql(
        &target.0,
        "DELETE FROM cron.job; DROP EVENT TRIGGER \"cat ddl\"; ALTER EVENT TRIGGER cat_off ENABLE; DROP PUBLICATION cat_schema; \
        ALTER PUBLICATION cat_filtered SET TABLE public.orders; ALTER PUBLICATION supabase_realtime ADD TABLE public.orders; \
        ALTER TABLE public.published REPLICA IDENTITY DEFAULT",
    );
    for _ in 0..2 {
        for name in files {
            file(&target.0, &run.path(&format!("extension_state/{name}")));
        }
        assert_eq!(contents, sql(&target.0, CONTENTS));
    }
    let ours = |lines: Vec<String>| -> Vec<String> {
        let kinds = ["publication", "event trigger", "extension", "rls"];
        lines.into_iter().filter(|l| kinds.iter().any(|k| l.starts_with(k)) && !l.contains("log_ddl")).collect()
    };
    assert_same(&ours(before), &ours(state(&target.0)), "the restored copy");
    let setting = "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(sql(&source.0, setting), sql(&target.0, setting));
}

#[test]
fn vault_values_are_sealed_or_not_there() {
    let _one = alone();
    let db = Database::stack("vault");
    let key = age::x25519::Identity::generate();
    let settings = stacksnap::collect::context::CollectSettings {
        seal: Some(stacksnap::collect::context::SealTo::Recipients(vec![key.to_public().to_string()])),
        ..Default::default()
    };
    let run = run_with(&extension_state::COLLECTOR, &db.0, "supabase_admin", &settings, || {});
    assert!(run.collected.gaps.is_empty(), "{:?}", run.collected.gaps);
    let sealed = std::fs::read(run.path("extension_state/vault_secrets.json.age")).unwrap();
    let mut text = String::new();
    let mut reader =
        age::Decryptor::new(&sealed[..]).unwrap().decrypt(std::iter::once(&key as &dyn age::Identity)).unwrap();
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    assert!(text.contains("canary-value") && text.contains("for the test"));
    for path in walk(run.folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(12).any(|w| w == b"canary-value"), "{}", path.display());
    }
    // The stand-in's root key is a member table without a mark: it must not be taken as rows to carry.
    assert!(!run.path("extension_state/member_tables/vault.root_key.copy").exists());

    // A root key that fits no more: each secret is a gap, and the shared transaction lives on.
    sql(&db.0, "UPDATE vault.root_key SET key = 'x'");
    let run = run_with(&extension_state::COLLECTOR, &db.0, "supabase_admin", &settings, || {});
    assert_eq!(
        run.collected.gaps.iter().filter(|g| g.code == "vault_secret_undecryptable").count() as u64,
        run.collected.counts["vault_secrets"]
    );
}

#[test]
fn a_role_that_sees_less_says_so() {
    let _one = alone();
    let db = Database::stack("ext_less");
    let run = run_with(&extension_state::COLLECTOR, &db.0, "pgbouncer", &Default::default(), || {});
    let codes: Vec<&str> = run.collected.gaps.iter().map(|g| g.code.as_str()).collect();
    assert!(codes.contains(&"cron_jobs_of_others") && codes.contains(&"vault_secrets_unreadable"), "{codes:?}");
    assert!(codes.contains(&"member_table_not_captured"), "{codes:?}");
}

#[test]
fn a_plain_database_has_no_false_gaps() {
    let _one = alone();
    let db = Database::plain("plain");
    for collector in
        stacksnap::collect::registry::ALL.iter().filter(|c| c.stage == stacksnap::collect::context::Stage::Catalogs)
    {
        let run = run(collector, &db.0);
        assert_eq!(run.collected.gaps, [], "{}", collector.name);
        for artifact in walk(run.folder.path()).iter().filter(|p| p.extension().is_some_and(|e| e == "sql")) {
            let before = state(&db.0);
            for _ in 0..2 {
                file(&db.0, artifact);
                assert_same(&before, &state(&db.0), &artifact.display().to_string());
            }
        }
    }
}
