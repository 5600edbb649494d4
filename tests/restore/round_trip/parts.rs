//! Every exported SQL file alone, twice: on a whole copy it changes nothing, on a damaged one it repairs.

use std::path::{Path, PathBuf};

use crate::support::compare::{differences, tables};
use crate::support::{Cluster, Snapshot, ok};

/// In the order in which a damaged database is repaired.
const FILES: [&str; 8] = [
    "database_roles.sql",
    "rpc_functions_complete.sql",
    "rls_policies_complete.sql",
    "encryption_system.sql",
    "managed_schema_objects.sql",
    "users_with_encrypted_passwords.sql",
    "user_roles_complete.sql",
    "migration_history.sql",
];

const DAMAGE: &str = r"
SET session_replication_role = replica;
DO $$ DECLARE r record; BEGIN
    FOR r IN SELECT * FROM pg_policies WHERE schemaname IN ('public', 'storage', 'realtime', 'zoo') LOOP
        EXECUTE format('DROP POLICY %I ON %I.%I', r.policyname, r.schemaname, r.tablename);
    END LOOP;
    FOR r IN SELECT * FROM pg_tables WHERE schemaname = 'public' AND rowsecurity LOOP
        EXECUTE format('ALTER TABLE public.%I DISABLE ROW LEVEL SECURITY', r.tablename);
    END LOOP;
    FOR r IN SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = prolang
             WHERE pronamespace IN ('public'::regnamespace, 'zoo'::regnamespace) AND prokind = 'f' AND lanname = 'plpgsql' LOOP
        EXECUTE replace(pg_get_functiondef(r.oid), 'AS $function$', 'AS $function$ /* damaged */ ');
        EXECUTE format('ALTER ROUTINE %s COST 7', r.oid::regprocedure);
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO anon', r.oid::regprocedure);
    END LOOP;
    FOR r IN SELECT t.tgname, t.tgrelid::regclass AS rel FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
             WHERE NOT tgisinternal AND relnamespace = 'auth'::regnamespace LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', r.tgname, r.rel);
    END LOOP;
    FOR r IN SELECT t.tgname, t.tgrelid::regclass AS rel FROM pg_trigger t
             WHERE tgfoid = 'public.encrypt_api_key_trigger'::regproc LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', r.tgname, r.rel);
    END LOOP;
END $$;
DELETE FROM auth.users WHERE email LIKE 'a%' OR email LIKE 'b%';
UPDATE auth.users SET encrypted_password = 'x';
DELETE FROM auth.identities; DELETE FROM auth.mfa_factors;
DELETE FROM supabase_migrations.schema_migrations WHERE version > (SELECT min(version) FROM supabase_migrations.schema_migrations);
DELETE FROM cron.job;
DELETE FROM pgmq.q_order_events;
DROP EVENT TRIGGER log_ddl;
ALTER FUNCTION net.http_post SECURITY INVOKER RESET ALL;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM anon, authenticated, service_role;
REVOKE USAGE ON SCHEMA public FROM anon;
GRANT ALL ON ALL TABLES IN SCHEMA auth TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON TABLES FROM anon;
REVOKE anon FROM authenticator;
ALTER ROLE authenticated SET statement_timeout = '17s';
ALTER ROLE app_reporter PASSWORD 'another' CONNECTION LIMIT 99;
";

fn own_files(snapshot: &Snapshot) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = FILES.iter().map(|f| snapshot.folder.join(f)).collect();
    let mut state: Vec<PathBuf> = std::fs::read_dir(snapshot.folder.join("extension_state"))
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .collect();
    state.sort();
    // As the restore script does it: event triggers act on what comes after them.
    let last = state.iter().position(|p| p.ends_with("event_triggers.sql")).unwrap();
    let events = state.remove(last);
    files.extend(state);
    files.push(snapshot.folder.join("access_grants.sql"));
    files.push(events);
    files
}

fn run(target: &Cluster, database: &str, file: &Path) {
    ok(target.psql(database).arg("-o").arg("/dev/null").arg("-f").arg(file));
}

/// All differences but these: `log_ddl`, a trigger of the application, notes each CREATE POLICY; a job of pg_cron that
/// is made anew has a new number (`JOBS` compares the rest).
fn changed(whole: &Snapshot, now: &Snapshot) -> Vec<String> {
    let own = ["private.ddl_log", "cron.jobid_seq", "rows of cron.job: values"];
    differences(whole, now).into_iter().filter(|line| !own.iter().any(|o| line.contains(o))).collect()
}

const JOBS: &str =
    "SELECT jobname, schedule, command, username, active, nodename, nodeport, database FROM cron.job ORDER BY 2, 3";

/// `database` is the snapshot, restored.
pub fn each_file_runs_twice_and_repairs(snapshot: &Snapshot, target: &Cluster, database: &str, whole: &Snapshot) {
    let files = own_files(snapshot);
    assert!(files.len() >= 16, "{files:?}");
    for file in files.iter().chain(&files) {
        run(target, database, file);
    }
    let after = changed(whole, &target.look(database));
    assert!(after.is_empty(), "run on a whole copy, the files changed: {after:#?}");

    let jobs = target.sql(database, JOBS);
    target.sql(database, DAMAGE);
    let damaged = target.look(database);
    for part in ["POLICY", "FUNCTION", "TRIGGER", "ACL", "ROLE", "EVENT TRIGGER", "ROW SECURITY", "DEFAULT ACL"] {
        let hit = differences(whole, &damaged).iter().any(|line| line.starts_with(&format!("{part} ")));
        assert!(hit, "nothing of {part} was damaged");
    }
    for table in ["auth.users", "auth.identities", "supabase_migrations.schema_migrations", "cron.job"] {
        let hit = tables(whole, &damaged).iter().any(|line| line.contains(table));
        assert!(hit, "{table} was not damaged");
    }
    for round in 1..=2 {
        for file in &files {
            run(target, database, file);
        }
        let left = changed(whole, &target.look(database));
        assert_eq!(target.sql(database, JOBS), jobs);
        assert!(left.is_empty(), "after round {round} on a damaged copy: {left:#?}");
    }
}
