//! Onto servers that were made otherwise: their first role has another name, or is called like a role of the source that
//! has fewer rights there; and they lack a library that the source loads.

use std::path::Path;

use crate::support::restored::{Restored, restore};
use crate::support::{Cluster, Snapshot};

/// A project whose user was given rights on what the server brings, and a library at the start of each session.
fn source(place: &Path) -> (Cluster, Snapshot) {
    let source = Cluster::start(15);
    source.load("from", "revoked", &["stack"]);
    source.sql(
        "from",
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_reload_conf() TO postgres;
         GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO service_role;
         GRANT SELECT ON pg_catalog.pg_authid TO postgres; REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
         GRANT USAGE ON LANGUAGE plpgsql TO postgres, anon;
         GRANT SET, ALTER SYSTEM ON PARAMETER log_min_duration_statement TO postgres;
         GRANT SET ON PARAMETER log_min_messages TO dashboard_user;
         SET ROLE postgres; CREATE TABLE public.things (id int PRIMARY KEY, name text);
         INSERT INTO public.things SELECT n, 'thing ' || n FROM generate_series(1, 100) n; RESET ROLE;
         ALTER ROLE postgres SET session_preload_libraries = 'not_there'; ALTER ROLE postgres SET statement_timeout = '9s';
         ALTER ROLE dashboard_user SET local_preload_libraries = 'not_there_either', 'safeupdate';
         ALTER ROLE pgbouncer SET local_preload_libraries = 'safeupdate';
         ALTER ROLE dashboard_user IN DATABASE \"from\" SET work_mem = '7MB'",
    );
    let snapshot = source.create("from", &place.join("snapshots"), 0, &[]);
    (source, snapshot)
}

/// A server whose first role has this name, with an empty database.
fn made_by(name: &str) -> Cluster {
    let cluster = Cluster::start(15);
    cluster.sql("template1", "CREATE ROLE renamer SUPERUSER LOGIN PASSWORD 'renamer'");
    let renamer = cluster.as_user("renamer", "renamer");
    renamer.sql("template1", &format!("ALTER ROLE supabase_admin RENAME TO {name}"));
    let first = cluster.as_user(name, "postgres");
    first.sql("template1", "DROP ROLE renamer");
    first.empty("bare");
    cluster
}

/// What is there as in the source, and what had to be left out is named.
fn is_as_in_the_source(source: &Cluster, target: &Cluster, done: &Restored) {
    done.is_well();
    let missing: Vec<_> = done.exceptions().into_iter().filter(|e| e.starts_with("library_missing")).collect();
    let setting = |role: &str, name: &str| format!("library_missing ROLE SETTING role {role} {name}_preload_libraries");
    // Everybody may load what is among the plugins, and only that: this library is elsewhere.
    let wanted = [setting("dashboard_user", "local"), setting("pgbouncer", "local"), setting("postgres", "session")];
    assert_eq!(missing, wanted, "{}", done.said);
    let things = "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM public.things t";
    assert_eq!(target.sql("bare", things), source.sql("from", things));
    // Everybody whose password the snapshot has can log in, and has the settings that harm nobody.
    let postgres = target.as_user("postgres", "postgres");
    assert_eq!(postgres.sql("bare", "SHOW statement_timeout"), "9s");
    for role in ["pgbouncer", "authenticator"] {
        assert_eq!(target.as_user(role, role).sql("bare", "SELECT current_user"), role);
    }
    let settings = |and: &str| {
        format!(
            "SELECT string_agg(concat(setrole::regrole, ' ', s), chr(10) ORDER BY setrole::regrole::text, s)
             FROM pg_db_role_setting d, unnest(setconfig) s WHERE setrole <> 0 {and}"
        )
    };
    let harmless = settings("AND s !~ 'not_there|^local_preload'");
    assert_eq!(target.sql("bare", &settings("")), source.sql("from", &harmless));
    let rights = "SELECT string_agg(has_function_privilege(r, f, 'EXECUTE')::text, ' ') FROM
        (VALUES ('postgres', 'pg_reload_conf()'), ('service_role', 'pg_read_file(text)'), ('anon', 'pg_read_file(text)')) v (r, f)";
    assert_eq!(target.sql("bare", rights), "true true false");
    let parameters = "SELECT has_parameter_privilege('postgres', 'log_min_duration_statement', 'ALTER SYSTEM'),
        has_parameter_privilege('dashboard_user', 'log_min_messages', 'SET'),
        has_parameter_privilege('anon', 'log_min_messages', 'SET'), has_language_privilege('anon', 'plpgsql', 'USAGE'),
        has_language_privilege('service_role', 'plpgsql', 'USAGE')";
    assert_eq!(target.sql("bare", parameters), "t|t|f|t|f");
}

#[test]
fn r40_the_first_role_of_a_server_may_have_any_name() {
    let place = tempfile::tempdir().unwrap();
    let (source, snapshot) = source(place.path());

    let target = made_by("admin");
    let admin = target.as_user("admin", "postgres");
    let done = restore(&target, "admin", "postgres", "bare", &snapshot, place.path());
    is_as_in_the_source(&source, &admin, &done);
    assert!(!done.exceptions().iter().any(|e| e.starts_with("own_role")), "{}", done.said);
    let owner = "SELECT proowner::regrole FROM pg_proc WHERE oid = 'pg_reload_conf'::regproc";
    assert_eq!(admin.sql("bare", owner), "admin");
    drop(target);

    // There it is called like the platform's user, who is no superuser in the source.
    let target = made_by("postgres");
    let postgres = target.as_user("postgres", "postgres");
    let done = restore(&target, "postgres", "postgres", "bare", &snapshot, place.path());
    is_as_in_the_source(&source, &postgres, &done);
    assert!(done.exceptions().contains(&"own_role ROLE postgres".to_string()), "{}", done.said);
    let superusers = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolsuper";
    assert_eq!(postgres.sql("bare", superusers), "postgres supabase_admin");
}
