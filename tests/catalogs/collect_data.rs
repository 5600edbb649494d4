//! Collectors that derive from the archive's data files, on a real server: the SQL is applied twice to a damaged
//! copy, and the rows are compared with the source's.

mod archive;

use archive::collect;
use stacksnap::collect::context::CollectSettings;
use stacksnap::collect::{edge_functions, migration_history, migrations, project, storage, user_roles, users};

use crate::support::collector::apply;
use crate::support::{Cluster, alone, repo, server};

/// A database of its own from the fixtures `stack` and `app`.
fn stack(server: &Cluster, name: &str) -> String {
    server.copy(server.loaded_template(), &format!("collect_data_{name}"))
}

fn copy_of(server: &Cluster, template: &str, name: &str) -> String {
    server.copy(template, &format!("collect_data_{name}"))
}

/// Each table's rows as one text, in the order of their text.
fn rows(server: &Cluster, database: &str, tables: &[&str]) -> Vec<String> {
    let one = |table: &&str| {
        let sql =
            format!("SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\"), '') FROM {table} t");
        server.sql(database, &sql)
    };
    tables.iter().map(one).collect()
}

/// Runs the file twice as a user and compares the tables with the source's.
fn heals(server: &Cluster, source: &str, copy: &str, user: &str, file: &std::path::Path, tables: &[&str]) {
    let wanted = rows(server, source, tables);
    for round in 1..=2 {
        let (ok, text) = apply(user, copy, file);
        assert!(ok, "round {round}: {text}");
        for (table, (is, should)) in tables.iter().zip(rows(server, copy, tables).iter().zip(&wanted)) {
            assert_eq!(is, should, "{table} after round {round}");
        }
    }
}

const LOGIN_TABLES: [&str; 9] = [
    "auth.users",
    "auth.identities",
    "auth.mfa_factors",
    "auth.sso_providers",
    "auth.sso_domains",
    "auth.saml_providers",
    "auth.oauth_clients",
    "public.profiles",
    "auth.audit_log_entries",
];
const SESSION_TABLES: [&str; 5] =
    ["auth.sessions", "auth.refresh_tokens", "auth.mfa_amr_claims", "auth.mfa_challenges", "auth.one_time_tokens"];

const DAMAGE_USERS: &str = "SET session_replication_role = replica; \
    DELETE FROM auth.users WHERE email LIKE 'a%' OR email LIKE 'b%'; DELETE FROM auth.identities; \
    UPDATE auth.users SET encrypted_password = 'changed', phone_confirmed_at = now(), raw_user_meta_data = NULL; \
    DELETE FROM auth.sessions; DELETE FROM auth.refresh_tokens; DELETE FROM auth.mfa_amr_claims; \
    DELETE FROM auth.mfa_challenges; DELETE FROM auth.mfa_factors; DELETE FROM auth.one_time_tokens; \
    DELETE FROM auth.saml_providers; DELETE FROM auth.sso_domains; DELETE FROM auth.sso_providers; \
    ALTER SEQUENCE auth.refresh_tokens_id_seq RESTART 1";

#[test]
fn users_come_back_with_their_hashes_sessions_and_tokens() {
    let server = server();
    let (source, copy) = (stack(&server, "users_a"), stack(&server, "users_b"));
    let settings = CollectSettings { keep_sessions: true, ..Default::default() };
    let run = collect(&server, &source, &users::COLLECTOR, &settings);
    assert_eq!((run.count("users"), run.count("hashes_bcrypt"), run.count("identities")), (6, 6, 7));
    assert_eq!(run.collected.gaps, []);
    let secrets: Vec<&str> = run.collected.secrets.iter().map(|s| s.what.as_str()).collect();
    for secret in ["auth.users.encrypted_password", "auth.mfa_factors.secret", "auth.refresh_tokens.token"] {
        assert!(secrets.contains(&secret), "{secret} in {secrets:?}");
    }
    server.sql(&copy, DAMAGE_USERS);
    let tables: Vec<&str> = LOGIN_TABLES.into_iter().chain(SESSION_TABLES).collect();
    heals(&server, &source, &copy, "supabase_admin", &run.path("users_with_encrypted_passwords.sql"), &tables);
    let last = "SELECT last_value || ' ' || is_called FROM auth.refresh_tokens_id_seq";
    assert_eq!(server.sql(&copy, last), server.sql(&source, last));
}

#[test]
fn sessions_are_left_out_by_default_and_said_so() {
    let server = server();
    let (source, copy) = (stack(&server, "nosess_a"), stack(&server, "nosess_b"));
    let run = collect(&server, &source, &users::COLLECTOR, &CollectSettings::default());
    assert!(run.count("session_rows_left_out") > 0);
    let text = run.text("users_with_encrypted_passwords.sql");
    assert!(text.contains("-- left out (sessions and tokens are not kept): auth.refresh_tokens, "));
    assert!(!text.contains("INSERT INTO \"auth\".\"sessions\""));
    assert!(!run.collected.secrets.iter().any(|s| s.what.contains("refresh_tokens")));
    server.sql(&copy, DAMAGE_USERS);
    heals(&server, &source, &copy, "supabase_admin", &run.path("users_with_encrypted_passwords.sql"), &LOGIN_TABLES);
}

#[test]
fn the_platforms_role_that_owns_nothing_in_auth_can_run_the_users() {
    let server = server();
    let (source, copy) = (stack(&server, "hosted_a"), stack(&server, "hosted_b"));
    let run = collect(&server, &source, &users::COLLECTOR, &CollectSettings::default());
    server.sql(
        &copy,
        "SET session_replication_role = replica; DELETE FROM auth.users WHERE email LIKE 'a%'; UPDATE auth.users SET encrypted_password = 'changed'",
    );
    let tables: Vec<&str> =
        LOGIN_TABLES.into_iter().filter(|t| t.starts_with("auth.") && *t != "auth.audit_log_entries").collect();
    heals(&server, &source, &copy, "postgres", &run.path("users_with_encrypted_passwords.sql"), &tables);
}

#[test]
fn users_csv_is_what_copy_writes() {
    let server = server();
    let source = stack(&server, "csv");
    server.sql(
        &source,
        "UPDATE auth.users SET phone_change = E'a,\"b\"\\n\\\\.', email_change = '' WHERE email LIKE 'c%'",
    );
    let run = collect(&server, &source, &users::COLLECTOR, &CollectSettings::default());
    let columns = server.sql(
        &source,
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute \
         WHERE attrelid = 'auth.users'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
    );
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.trim().lines().map(String::from).collect();
        lines.sort();
        lines
    };
    let copy = server.sql(
        &source,
        &format!("SET timezone = 'UTC'; COPY (SELECT {columns} FROM auth.users) TO STDOUT (FORMAT csv, HEADER)"),
    );
    assert_eq!(sorted(&run.text("users_complete.csv")), sorted(&copy));
    assert!(!columns.contains("confirmed_at,") || columns.contains("email_confirmed_at"), "R9: no generated column");
}

#[test]
fn an_auth_schema_of_2018_works() {
    let server = server();
    stack(&server, "roles_for_2018");
    let source = copy_of(&server, "template0", "auth21");
    let (ok, text) = apply("supabase_admin", &source, &repo("fixtures/sql/auth21/02_auth.sql"));
    assert!(ok, "{text}");
    server.sql(&source, "UPDATE auth.users SET encrypted_password = '{\"key_id\":\"1\"}' WHERE id = (SELECT min(id::text)::uuid FROM auth.users)");
    let copy = copy_of(&server, &source, "auth21_copy");
    let run =
        collect(&server, &source, &users::COLLECTOR, &CollectSettings { keep_sessions: true, ..Default::default() });
    assert_eq!(run.collected.gaps[0].code, "hashes_need_external_key");
    assert_eq!(run.text("users_complete.csv").lines().next().unwrap().split(',').count(), 21);
    server.sql(
        &copy,
        "DELETE FROM auth.refresh_tokens; UPDATE auth.users SET encrypted_password = 'x', email = id::text",
    );
    heals(
        &server,
        &source,
        &copy,
        "supabase_admin",
        &run.path("users_with_encrypted_passwords.sql"),
        &["auth.users", "auth.refresh_tokens"],
    );
}

#[test]
fn a_target_that_lacks_a_column_is_told_and_left_alone() {
    let server = server();
    let (source, copy) = (stack(&server, "lack_a"), stack(&server, "lack_b"));
    let run = collect(&server, &source, &users::COLLECTOR, &CollectSettings::default());
    server.sql(
        &copy,
        "ALTER TABLE auth.users DROP COLUMN is_anonymous CASCADE; SET session_replication_role = replica; \
         DELETE FROM auth.users WHERE email LIKE 'a%'",
    );
    let (ok, text) = apply("supabase_admin", &copy, &run.path("users_with_encrypted_passwords.sql"));
    assert!(!ok && text.contains("auth.users") && text.contains("is_anonymous"), "{text}");
    assert_eq!(server.sql(&copy, "SELECT count(*) FROM auth.users"), "5");
}

#[test]
fn a_database_without_users_is_no_gap() {
    let server = server();
    let plain = copy_of(&server, "template0", "plain");
    for collector in [&users::COLLECTOR, &user_roles::COLLECTOR, &migration_history::COLLECTOR, &storage::COLLECTOR] {
        let run = collect(&server, &plain, collector, &CollectSettings::default());
        assert!(run.collected.skipped.is_some() && run.collected.gaps.is_empty(), "{}", collector.name);
    }
}

const ROLE_TABLES: [&str; 4] =
    ["public.departments", "public.user_roles", "public.role_permissions", "public.role_audit"];

#[test]
fn role_tables_are_found_and_come_back() {
    let server = server();
    let (source, copy) = (stack(&server, "roles_a"), stack(&server, "roles_b"));
    let run = collect(&server, &source, &user_roles::COLLECTOR, &CollectSettings::default());
    assert_eq!(run.count("role_tables"), 4);
    assert_eq!(run.count("user_roles").to_string(), server.sql(&source, "SELECT count(*) FROM public.user_roles"));
    server.sql(
        &copy,
        "SET session_replication_role = replica; DELETE FROM public.role_audit; DELETE FROM public.departments; \
         UPDATE public.user_roles SET is_active = NOT is_active, custom_permissions = '{}'; DELETE FROM public.role_permissions",
    );
    heals(&server, &source, &copy, "supabase_admin", &run.path("user_roles_complete.sql"), &ROLE_TABLES);
}

/// Partitions, a table without a key and with equal rows, json (no equality), a generated column, hostile names.
const ODD_TABLES: &str = r#"
    CREATE SCHEMA "we""ird
\! x";
    CREATE TABLE "we""ird
\! x"."acl é" (a json, b text, p point, "sel""f" text GENERATED ALWAYS AS (b || '!') STORED, d domain_of_text);
    INSERT INTO "we""ird
\! x"."acl é" VALUES ('{"a": 1}', E'x\n\\! touch y', '(1,2)'), ('{"a": 1}', E'x\n\\! touch y', '(1,2)'), (NULL, NULL, NULL), (NULL, '', NULL);
    CREATE TABLE public.acl_parts (id int GENERATED ALWAYS AS IDENTITY, region text NOT NULL, no int GENERATED BY DEFAULT AS IDENTITY,
        PRIMARY KEY (region, id)) PARTITION BY LIST (region);
    CREATE TABLE public.acl_eu PARTITION OF public.acl_parts FOR VALUES IN ('eu');
    CREATE TABLE public.acl_us PARTITION OF public.acl_parts FOR VALUES IN ('us');
    INSERT INTO public.acl_parts (region) SELECT CASE WHEN i % 2 = 0 THEN 'eu' ELSE 'us' END FROM generate_series(1, 1500) i;
    CREATE TABLE public.acl_defer (id int UNIQUE DEFERRABLE, b bytea, t tstzrange, f float8);
    INSERT INTO public.acl_defer VALUES (1, '\x00ff5c', '[2020-01-01,infinity)', 'NaN'), (2, '', 'empty', '-Infinity');
    CREATE TABLE public.acl_none ();
    CREATE TABLE public.acl_keys (a text, b text, PRIMARY KEY (a, b)); INSERT INTO public.acl_keys VALUES ('x', '\'), ('', '''');
"#;

#[test]
fn odd_tables_that_the_configuration_names_come_back() {
    let _alone = alone();
    let server = server();
    let source = copy_of(&server, "template0", "odd_a");
    server.sql(&source, "CREATE DOMAIN public.domain_of_text AS text");
    server.sql(&source, ODD_TABLES);
    let copy = copy_of(&server, &source, "odd_b");
    let tables = ["\"we\"\"ird\n\\! x\".\"acl é\"", "public.acl_parts", "public.acl_defer", "public.acl_keys"];
    let settings = CollectSettings {
        user_role_tables: vec!["*.acl *".into(), "acl_*".into(), "public.gone".into()],
        ..Default::default()
    };
    let run = collect(&server, &source, &user_roles::COLLECTOR, &settings);
    assert_eq!(run.collected.gaps.iter().map(|g| g.what.as_str()).collect::<Vec<_>>(), ["public.gone"]);
    assert_eq!(run.count("role_tables"), 6);
    server.sql(
        &copy,
        "DELETE FROM \"we\"\"ird\n\\! x\".\"acl é\" WHERE b IS NOT NULL; DELETE FROM public.acl_parts WHERE id % 3 = 0; \
         DELETE FROM public.acl_defer WHERE id = 2; DELETE FROM public.acl_keys; \
         ALTER SEQUENCE public.acl_parts_id_seq RESTART 7",
    );
    server.sql(
        &copy,
        "DROP ROLE IF EXISTS collect_data_plain; CREATE ROLE collect_data_plain LOGIN PASSWORD 'collect_data_plain'; \
         GRANT ALL ON SCHEMA public, \"we\"\"ird\n\\! x\" TO collect_data_plain; \
         GRANT ALL ON ALL TABLES IN SCHEMA public, \"we\"\"ird\n\\! x\" TO collect_data_plain; \
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO collect_data_plain",
    );
    let file = run.path("user_roles_complete.sql");
    heals(&server, &source, &copy, "collect_data_plain", &file, &tables);
    let (_, said) = apply("collect_data_plain", &copy, &file);
    assert!(said.contains("WARNING:  this role may not set session_replication_role"), "{said}");
    assert_eq!(server.sql(&copy, "SELECT last_value FROM public.acl_parts_id_seq"), "1500");
    assert!(!said.contains("not found"), "traps 12 and 13: the shell was asked for x: {said}");
}

#[test]
fn the_migration_history_comes_back_even_without_its_schema() {
    let server = server();
    let (source, copy) = (stack(&server, "hist_a"), stack(&server, "hist_b"));
    let big = "UPDATE supabase_migrations.schema_migrations SET statements = array[repeat('select ''x''; ' || E'\\n', 100000)] \
               WHERE version = '20250101000001'";
    server.sql(&source, big);
    server.sql(&source, "CREATE TABLE public._prisma_migrations (id text, logs text); INSERT INTO public._prisma_migrations VALUES ('1', 'x')");
    let run = collect(&server, &source, &migration_history::COLLECTOR, &CollectSettings::default());
    assert_eq!(run.count("migrations_applied"), 24);
    server.sql(&copy, &format!("DROP SCHEMA supabase_migrations CASCADE; GRANT CREATE ON DATABASE {copy} TO postgres"));
    let tables = ["supabase_migrations.schema_migrations", "supabase_migrations.seed_files"];
    heals(&server, &source, &copy, "postgres", &run.path("migration_history.sql"), &tables);
    let list: serde_json::Value = serde_json::from_str(&run.text("project/migration_versions.json")).unwrap();
    let of = |name: &str| list.as_array().unwrap().iter().find(|t| t["about"]["table"] == name).unwrap().clone();
    let auth = of("auth.schema_migrations");
    assert_eq!(auth["rows"].to_string(), server.sql(&source, "SELECT count(*) FROM auth.schema_migrations"));
    assert_eq!(auth["applied"].as_array().unwrap().len() as u64, auth["rows"].as_u64().unwrap());
    assert_eq!(of("storage.migrations")["about"]["restored"], false);
    assert_eq!(of("public._prisma_migrations")["about"]["kept_by"], "Prisma");
    assert!(!run.text("migration_history.sql").contains("\"auth\""), "R22");
}

#[test]
fn storage_is_an_inventory_and_its_files_when_they_are_given() {
    let server = server();
    let source = stack(&server, "storage");
    let run = collect(&server, &source, &storage::COLLECTOR, &CollectSettings::default());
    let objects: u64 = server.sql(&source, "SELECT count(*) FROM storage.objects").parse().unwrap();
    assert_eq!((run.count("storage_objects"), run.count("storage_buckets")), (objects, 3));
    let bytes = server.sql(&source, "SELECT sum((metadata ->> 'size')::int8) FROM storage.objects");
    assert_eq!(run.count("storage_bytes").to_string(), bytes);
    assert_eq!(run.collected.gaps[0].code, "storage_files_not_captured");
    assert_eq!(run.text("storage/objects.jsonl").lines().count() as u64, objects);

    let store = tempfile::tempdir().unwrap();
    let place = |path: &str, bytes: usize| {
        let path = store.path().join("stub/stub").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![b'x'; bytes]).unwrap();
    };
    let paths = server.sql(
        &source,
        "SELECT string_agg(concat_ws('|', bucket_id || '/' || name || '/' || version, metadata ->> 'size'), E'\\n') \
         FROM storage.objects WHERE version IS NOT NULL AND name NOT LIKE '%doc 7.pdf'",
    );
    for line in paths.lines() {
        let (path, size) = line.split_once('|').unwrap();
        place(path, size.parse().unwrap());
    }
    place("documents/left/behind", 3);
    let settings = CollectSettings { storage_dir: Some(store.path().into()), ..Default::default() };
    let run = collect(&server, &source, &storage::COLLECTOR, &settings);
    assert_eq!((run.count("storage_files"), run.count("storage_orphans")), (objects - 2, 1));
    assert_eq!(run.collected.gaps.len(), 1);
    assert!(run.collected.gaps[0].what.starts_with("2 of "), "{:?}", run.collected.gaps);
    assert_eq!(run.text("storage/missing.jsonl").lines().count(), 2);
    assert!(run.text("storage/orphans.json").contains("documents/left/behind"));
    server.sql(&source, "SET session_replication_role = replica; DELETE FROM storage.objects");
    let run = collect(&server, &source, &storage::COLLECTOR, &CollectSettings::default());
    assert_eq!(run.collected.gaps, []);
}

#[test]
fn the_projects_files_are_copied_and_its_secrets_are_not() {
    let server = server();
    let source = stack(&server, "project");
    let project_dir = tempfile::tempdir().unwrap();
    let put = |path: &str, content: &str| {
        let path = project_dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    put("supabase/migrations/1_a.sql", "select 1;");
    put("supabase/migrations/readme.md", "x");
    put("supabase/functions/_shared/cors.ts", "x");
    put("supabase/functions/hello/index.ts", "x");
    put("supabase/functions/hello/deno.json", "{}");
    put("supabase/functions/.env", "IN_FUNCTIONS=canary");
    put("supabase/import_map.json", "{}");
    put(".env", "TOP=canary\n");
    put("supabase/config.toml", "[auth.external.x]\nsecret = \"canary\"\nclient_id = \"id\"\n");
    let settings = CollectSettings { project_dir: Some(project_dir.path().into()), ..Default::default() };

    let run = collect(&server, &source, &migrations::COLLECTOR, &settings);
    assert_eq!((run.count("migrations"), run.text("migrations/1_a.sql").as_str()), (1, "select 1;"));
    let run = collect(&server, &source, &edge_functions::COLLECTOR, &settings);
    assert_eq!(run.count("edge_functions"), 1);
    assert!(run.text("project/edge_functions/left_out.json").contains("IN_FUNCTIONS"));
    assert!(run.path("edge_functions/_shared/cors.ts").exists() && !run.path("edge_functions/.env").exists());
    let run = collect(&server, &source, &project::COLLECTOR, &settings);
    assert!(run.text("project/secret_names.json").contains("TOP"));
    assert!(run.text("project/not_in_snapshot.json").contains("JWT"));
    assert!(run.path("project/files/supabase/import_map.json").exists());
    let mut all = String::new();
    for entry in walkdir::WalkDir::new(run.folder.path()).into_iter().flatten().filter(|e| e.file_type().is_file()) {
        all.push_str(&std::fs::read_to_string(entry.path()).unwrap());
    }
    assert!(!all.contains("canary"));
    assert_eq!(run.collected.gaps, [], "what lies outside of the database is a note");

    for collector in [&migrations::COLLECTOR, &edge_functions::COLLECTOR] {
        let run = collect(&server, &source, collector, &CollectSettings::default());
        assert_eq!(run.collected.skipped.as_deref(), Some("no project folder given"));
    }
}
