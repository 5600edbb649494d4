//! Who may not see every row is told so before anything is counted.

use crate::support::server;
use crate::tenant;

#[test]
fn a_role_that_row_security_holds_back_is_refused_and_the_tables_are_named() {
    let server = server();
    let database = server.load("tenant_rights", "revoked", &["tenancy"]);
    let folder = tempfile::tempdir().unwrap();
    server.sql(
        &database,
        "DO $$ BEGIN CREATE ROLE tenant_reader LOGIN PASSWORD 'reader'; EXCEPTION WHEN duplicate_object THEN END $$;
        ALTER ROLE tenant_reader NOBYPASSRLS; GRANT USAGE ON SCHEMA auth, storage TO tenant_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA public, auth, storage TO tenant_reader",
    );
    let reader = server.as_user("tenant_reader", "reader");
    for verb in ["check", "list"] {
        let ran = tenant(&reader, &database, folder.path(), &[verb]);
        let message = ran.document["message"].as_str().unwrap_or_default();
        assert_eq!((ran.code, ran.document["code"].as_str()), (12, Some("denied")), "{}", ran.text);
        assert!(message.contains("tenant_reader") && message.contains("public.secrets"), "{message}");
        assert!(ran.text.contains("BYPASSRLS"), "{}", ran.text);
    }
    // It may look at the catalogs all the same.
    assert_eq!(tenant(&reader, &database, folder.path(), &["classify"]).code, 0);
    assert_eq!(tenant(&reader, &database, folder.path(), &["detect"]).code, 0);

    server.sql(
        &database,
        "ALTER ROLE tenant_reader BYPASSRLS; REVOKE SELECT ON public.notes, public.countries FROM tenant_reader",
    );
    let ran = tenant(&reader, &database, folder.path(), &["check"]);
    assert!(
        ran.code == 12 && ran.text.contains("public.countries, public.notes") && ran.text.contains("GRANT SELECT"),
        "{}",
        ran.text
    );
    // What belongs to nobody is not listed by tenant.
    server.sql(&database, "GRANT SELECT ON public.notes TO tenant_reader");
    assert_eq!(tenant(&reader, &database, folder.path(), &["list"]).code, 0);
    server.sql(&database, "GRANT SELECT ON public.countries TO tenant_reader");
    let ran = tenant(&reader, &database, folder.path(), &["check"]);
    assert_eq!((ran.code, ran.document["sums_up"].as_bool()), (0, Some(true)), "{}", ran.text);

    // FORCE ROW LEVEL SECURITY: not even the owner sees all.
    server.sql(&database, "ALTER ROLE tenant_reader NOBYPASSRLS; ALTER TABLE public.secrets OWNER TO tenant_reader");
    assert_eq!(tenant(&reader, &database, folder.path(), &["check"]).code, 12);
    server.sql(&database, "ALTER TABLE public.secrets NO FORCE ROW LEVEL SECURITY");
    assert_eq!(tenant(&reader, &database, folder.path(), &["check"]).code, 0);
    server.drop_database(&database);
    server.sql("template1", "DROP ROLE tenant_reader");
}

#[test]
fn a_locked_table_is_waited_for_and_then_named() {
    let server = server();
    let database = server.load("tenant_locked", "revoked", &["tenancy"]);
    let folder = tempfile::tempdir().unwrap();
    let mut holder =
        server.psql(&database).args(["-c", "BEGIN; LOCK TABLE public.notes; SELECT pg_sleep(60)"]).spawn().unwrap();
    let held =
        "SELECT count(*) FROM pg_locks WHERE relation = 'public.notes'::regclass AND mode = 'AccessExclusiveLock'";
    while server.sql(&database, held) != "1" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut command = server.stacksnap(&database, &folder.path().join("root"));
    let output = command.env("STACKSNAP_LOCK_WAIT", "200ms").args(["tenant", "check", "-o", "json"]).output().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(output.status.code(), Some(11), "{}", String::from_utf8_lossy(&output.stdout));
}
