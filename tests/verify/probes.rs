//! The census and the functional probes on a real server: what they find, what they leave alone, what they leave behind.

use crate::support::{Database, Place, alone, server};
use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::restore::{ProbeOutcome, SecurityCensus};
use stacksnap::model::rls_view::RlsSeen;
use stacksnap::model::secret::Secret;
use stacksnap::pg::catalog::inventory::inventory;
use stacksnap::pg::census::{census, compare};
use stacksnap::pg::probe_rls::rls_view;
use stacksnap::pg::probes::{known_login, probes};
use stacksnap::pg::session::Session;
use stacksnap::verify::proof::rls;

fn spec(database: &Database, user: &str) -> ConnSpec {
    ConnSpec {
        hosts: vec![(Host::Tcp(database.server.host.clone()), database.server.port)],
        database: database.name.clone(),
        user: user.to_string(),
        password: Some(Secret::new("postgres")),
        ..ConnSpec::default()
    }
}

async fn open(database: &Database, user: &str) -> Session {
    Session::open(&spec(database, user), "stacksnap-test").await.unwrap()
}

async fn superuser(database: &Database) -> Session {
    open(database, &database.server.user).await
}

#[track_caller]
fn outcome<'a>(all: &'a [ProbeOutcome], name: &str) -> &'a ProbeOutcome {
    all.iter().find(|o| o.name == name).unwrap_or_else(|| panic!("no probe {name} in {all:?}"))
}

/// Changes the copy and gives back what the census says is worse.
async fn worse_after(change: &str) -> (SecurityCensus, Vec<String>) {
    let database = server().stack();
    let session = superuser(&database).await;
    let before = census(&session).await.unwrap();
    session.execute(change).await.unwrap();
    let after = census(&session).await.unwrap();
    let told = compare(&before, &after).into_iter().map(|f| format!("{} -> {}", f.what, f.found)).collect();
    (after, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_census_names_what_was_opened() {
    let cases = [
        ("ALTER TABLE public.orders DISABLE ROW LEVEL SECURITY", "public.orders -> row security off"),
        ("GRANT SELECT ON public.api_keys TO anon", "public.api_keys -> anon: SELECT; row security on"),
        ("GRANT UPDATE (email) ON auth.users TO anon", "auth.users -> anon: UPDATE(email); row security on"),
        ("GRANT DELETE ON public.role_audit TO PUBLIC", "public.role_audit -> anon: DELETE; row security on"),
        (
            "CREATE FUNCTION public.\"od d\"(a int, b text[]) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
            "public.\"od d\"(integer,text[]) -> SECURITY DEFINER, callable by anon",
        ),
        (
            "CREATE TABLE public.\"a: b, c; d\" (\"x, y\" int); REVOKE ALL ON public.\"a: b, c; d\" FROM anon; \
             GRANT SELECT (\"x, y\") ON public.\"a: b, c; d\" TO anon",
            "public.\"a: b, c; d\" -> anon: SELECT(\"x, y\"); row security off",
        ),
        (
            "GRANT USAGE ON SCHEMA private TO anon; GRANT SELECT ON private.ddl_log TO anon",
            "private.ddl_log -> anon: SELECT; row security off",
        ),
    ];
    for (change, wanted) in cases {
        let (_, told) = worse_after(change).await;
        assert!(told.iter().any(|t| t == wanted), "{change}: {wanted:?} not in {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_or_unchanged_is_no_finding_and_the_platform_is_no_table_of_the_user() {
    let (after, told) =
        worse_after("REVOKE ALL ON public.orders FROM anon; ALTER TABLE private.ddl_log ENABLE ROW LEVEL SECURITY")
            .await;
    assert!(told.is_empty(), "{told:?}");
    assert!(after.tables_rls_off.iter().all(|t| !t.starts_with("auth.") && !t.starts_with("net.")), "{after:?}");
    assert!(after.tables_rls_off.contains(&"private.encryption_keys".to_string()), "{after:?}");
    let columns = "public.profiles: SELECT(avatar_path), SELECT(display_name), SELECT(id); row security on";
    assert!(after.tables_anon.contains(&columns.to_string()), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_role_anon_nothing_is_open_to_it() {
    let _alone = alone();
    // The role is the cluster's: inside a transaction that is rolled back it has another name.
    let database = server().small();
    let session = superuser(&database).await;
    session.execute("BEGIN; DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN ALTER ROLE anon RENAME TO nona; END IF; END $$").await.unwrap();
    let found = census(&session).await.unwrap();
    session.execute("ROLLBACK").await.unwrap();
    assert!(found.tables_anon.is_empty() && found.definer_functions_anon.is_empty());
    assert!(
        found.tables_rls_off.contains(&"public.people".to_string())
            && !found.tables_rls_off.contains(&"app.notes".to_string())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_a_whole_stack_passes_every_probe_and_nothing_stays() {
    let _alone = alone();
    let database = server().stack();
    let session = superuser(&database).await;
    let state = "SELECT (SELECT count(*) FROM auth.users) || ',' || (SELECT count(*) FROM storage.buckets) || ',' \
                 || (SELECT count(*) FROM public.profiles)";
    let before = database.sql(state);
    let source = inventory(&session).await.unwrap();
    let found = probes(&session, Some(&source)).await.unwrap();
    let pgcrypto = database.sql("SELECT count(*) FROM pg_extension WHERE extname = 'pgcrypto'") == "1";
    for probe in &found {
        let applies = probe.name != "hash_verifies" || pgcrypto;
        assert_eq!(probe.passed, applies.then_some(true), "{probe:?}");
    }
    assert_eq!(outcome(&found, "auth_admin_reads_users").detail, "6 users");
    assert_eq!(outcome(&found, "hash_kinds").detail, "bcrypt 6");
    assert_eq!(database.sql(state), before);
    let row = session.one("SELECT current_user::text = session_user::text, current_setting('statement_timeout'), pg_current_xact_id_if_assigned() IS NULL", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0) && row.get::<_, &str>(1) == "0" && row.get::<_, bool>(2));
    if pgcrypto {
        let login =
            async |email: &str, password: &str| known_login(&session, email, &Secret::new(password)).await.unwrap();
        assert_eq!(login("alice@example.com", "alice-secret-1").await.passed, Some(true));
        let wrong = login("alice@example.com", "alice-secret-2").await;
        assert_eq!(wrong.passed, Some(false));
        assert!(!format!("{wrong:?}").contains("secret"));
        assert_eq!(login("nobody@example.com", "x").await.passed, Some(false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_what_a_naive_restore_breaks_is_found() {
    let _alone = alone();
    let cases = [
        (
            "ALTER TABLE auth.users OWNER TO supabase_admin; REVOKE ALL ON auth.users FROM supabase_auth_admin",
            "auth_admin_reads_users",
        ),
        // It still has SELECT, and would see no row.
        (
            "ALTER TABLE auth.users OWNER TO supabase_admin; ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY; \
          GRANT SELECT ON auth.users TO supabase_auth_admin",
            "auth_admin_reads_users",
        ),
        (
            "ALTER TABLE storage.buckets OWNER TO supabase_admin; REVOKE ALL ON storage.buckets FROM supabase_storage_admin",
            "storage_admin_inserts",
        ),
        ("DROP FUNCTION pgbouncer.get_auth(text)", "pgbouncer_get_auth"),
        (
            "REVOKE ALL ON FUNCTION pgbouncer.get_auth(text) FROM pgbouncer; ALTER FUNCTION pgbouncer.get_auth(text) OWNER TO supabase_admin",
            "pgbouncer_get_auth",
        ),
        ("UPDATE auth.users SET recovery_token = NULL WHERE email = 'bruno@example.com'", "token_columns_not_null"),
    ];
    for (damage, probe) in cases {
        let database = server().stack();
        let session = superuser(&database).await;
        let source = inventory(&session).await.unwrap();
        session.execute(damage).await.unwrap();
        let found = probes(&session, Some(&source)).await.unwrap();
        let failed: Vec<&str> = found.iter().filter(|o| o.passed == Some(false)).map(|o| o.name.as_str()).collect();
        assert_eq!(failed, [probe], "{damage}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_an_authenticator_that_lost_its_roles_is_found() {
    let _alone = alone();
    let database = server().stack();
    let session = superuser(&database).await;
    database.sql("REVOKE anon FROM authenticator");
    let found = probes(&session, None).await.unwrap();
    let by_user = probes(&open(&database, "postgres").await, None).await.unwrap();
    database.sql("GRANT anon TO authenticator");
    for found in [found, by_user] {
        assert_eq!(outcome(&found, "authenticator_becomes_anon").passed, Some(false), "{found:?}");
        assert_eq!(outcome(&found, "authenticator_becomes_authenticated").passed, Some(true), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_is_told_why_a_probe_does_not_apply() {
    let _alone = alone();
    let database = server().stack();
    let found = probes(&open(&database, "postgres").await, None).await.unwrap();
    let why = &outcome(&found, "auth_admin_reads_users").detail;
    assert_eq!(outcome(&found, "auth_admin_reads_users").passed, None);
    assert_eq!(why, "this role may not become supabase_auth_admin");
    assert_eq!(outcome(&found, "hash_kinds").detail, "bcrypt 6");
    assert_eq!(outcome(&found, "pgbouncer_get_auth").passed, None);
    // Without USAGE on auth a name there is an error, not an answer.
    let mut spec = spec(&database, "supabase_functions_admin");
    spec.password = Some(Secret::new("supabase_functions_admin"));
    let stranger = Session::open(&spec, "stacksnap-test").await.unwrap();
    let found = probes(&stranger, None).await.unwrap();
    assert!(!found.iter().any(|o| o.passed == Some(false)), "{found:?}");
    assert_eq!(rls_view(&stranger, None).await.unwrap().user, None);
    let bare = server().small();
    let found = probes(&superuser(&bare).await, None).await.unwrap();
    let applies = |o: &&ProbeOutcome| o.passed.is_some() && !o.name.starts_with("authenticator_");
    assert!(!found.iter().any(|o| applies(&o)), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_no_trigger_of_a_user_is_fired() {
    let database = server().stack();
    let session = superuser(&database).await;
    session
        .execute(
            "CREATE FUNCTION public.boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'it called out'; END $$; \
             CREATE TRIGGER calls_out BEFORE INSERT ON storage.buckets FOR EACH ROW EXECUTE FUNCTION public.boom()",
        )
        .await
        .unwrap();
    let found = probes(&session, None).await.unwrap();
    assert_eq!(outcome(&found, "storage_admin_inserts").detail, "a bucket was made and taken back");
    session.execute("ALTER TABLE storage.buckets ENABLE ALWAYS TRIGGER calls_out").await.unwrap();
    let found = probes(&session, None).await.unwrap();
    let insert = outcome(&found, "storage_admin_inserts");
    assert_eq!(insert.passed, Some(true), "{insert:?}");
    assert!(insert.detail.contains("would fire calls_out"), "{insert:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_row_security_shows_what_it_showed_and_an_opened_policy_is_found() {
    let database = server().stack();
    let session = superuser(&database).await;
    let before = rls_view(&session, None).await.unwrap();
    assert_eq!(before.user.as_deref(), Some("a1111111-1111-4111-8111-111111111111"));
    assert_eq!(rls::outcome(&before).passed, Some(true));
    let refused: Vec<_> = before.seen.iter().filter(|(_, s)| !matches!(s, RlsSeen::Rows(_))).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert!(
        before.seen.keys().any(|k| k.starts_with("anon "))
            && before.seen.keys().any(|k| k.starts_with("authenticated "))
    );
    assert_eq!(rls_view(&session, before.user.as_deref()).await.unwrap(), before);
    session.execute("CREATE POLICY open ON public.orders FOR SELECT TO anon USING (true)").await.unwrap();
    let after = rls_view(&session, before.user.as_deref()).await.unwrap();
    let told: Vec<String> =
        rls::compare(&before, &after, |_| true).differences.into_iter().map(|(_, f)| f.what).collect();
    assert_eq!(told, ["as anon: public.orders"]);
    session.execute("DROP POLICY open ON public.orders; CREATE POLICY slow ON public.orders AS RESTRICTIVE USING (pg_sleep(3) IS NOT NULL)").await.unwrap();
    let slow = rls_view(&session, before.user.as_deref()).await.unwrap();
    assert_eq!(slow.seen["authenticated public.orders"], RlsSeen::TooSlow);
}

/// A policy's function could take its role back: then it is whoever makes the snapshot.
#[test]
fn no_code_of_a_lesser_role_is_run_by_create() {
    let _alone = alone();
    // Loading the stack makes anon.
    drop(server().stack());
    let database = server().small();
    let owner = format!("{}_owner", database.name);
    database.sql(&format!(
        "CREATE ROLE {owner}; GRANT CREATE ON SCHEMA public TO {owner}; SET ROLE {owner};
         CREATE FUNCTION public.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
             EXECUTE 'RESET ROLE'; PERFORM pg_advisory_lock(4711); PERFORM pg_sleep(0); RETURN true; END $$;
         CREATE TABLE public.bait (id int); INSERT INTO public.bait VALUES (1);
         ALTER TABLE public.bait ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON public.bait USING (public.trap());
         GRANT SELECT ON public.bait TO anon"
    ));
    let view = || -> serde_json::Value {
        let place = Place::new();
        let folder = place.run(database.access(), &[]).folder();
        let text = std::fs::read_to_string(folder.join("inventory.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["rls_view"].clone()
    };
    let shown = view();
    assert!(shown["not_asked"].as_str().unwrap().contains(&owner) && shown["seen"] == serde_json::json!({}), "{shown}");
    database.sql(&format!(
        "REASSIGN OWNED BY {owner} TO CURRENT_USER; DROP OWNED BY {owner}; DROP ROLE {owner};
         CREATE OR REPLACE FUNCTION public.trap() RETURNS boolean LANGUAGE sql AS 'SELECT true'"
    ));
    let shown = view();
    assert_eq!(shown["seen"]["anon public.bait"], serde_json::json!({ "rows": 1 }), "{shown}");
}
