//! The restore script and what no archive holds: it comes back from the files beside it, or is named, and the exit code
//! says so.

use crate::support::restored::restore;
use crate::support::{Cluster, alone, server};

const BESIDE: &str = "CREATE EXTENSION pgmq; SELECT pgmq.create('jobs'); SELECT pgmq.send('jobs', '{\"a\": 1}');
    GRANT USAGE ON SCHEMA pgmq TO queue_reader; GRANT SELECT ON pgmq.q_jobs TO queue_reader;
    GRANT SELECT (message) ON pgmq.a_jobs TO queue_reader; GRANT USAGE ON SEQUENCE pgmq.q_jobs_msg_id_seq TO queue_reader;
    ALTER TABLE pgmq.q_jobs ENABLE ROW LEVEL SECURITY; CREATE INDEX own_idx ON pgmq.q_jobs (enqueued_at);
    CREATE POLICY \"it's mine\" ON pgmq.q_jobs FOR SELECT TO queue_reader USING (msg_id > 0);
    CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TRIGGER on_job AFTER INSERT ON pgmq.q_jobs FOR EACH ROW EXECUTE FUNCTION fires();
    CREATE TABLE par (a int CONSTRAINT c CHECK (a > 0)); CREATE TABLE chi () INHERITS (par);
    COMMENT ON CONSTRAINT c ON chi IS 'inherited'; CREATE TABLE pt (a int) PARTITION BY LIST (a);
    CREATE TABLE p1 PARTITION OF pt FOR VALUES IN (1); CREATE TRIGGER tr AFTER INSERT ON pt FOR EACH ROW EXECUTE FUNCTION fires();
    COMMENT ON TRIGGER tr ON p1 IS 'cloned'";
const SEEN: &str = "SELECT 'policy', concat(polrelid::regclass, polname, polcmd, pg_get_expr(polqual, polrelid)) FROM pg_policy
    UNION ALL SELECT 'security', relname || relrowsecurity FROM pg_class WHERE relname ~ '^[aq]_jobs$'
    UNION ALL SELECT 'acl', concat(relname, a.privilege_type, a.grantee::regrole) FROM pg_class, aclexplode(relacl) a WHERE relname ~ '_jobs'
    UNION ALL SELECT 'column', concat(attrelid::regclass, attname, attacl) FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid >= 16384
    UNION ALL SELECT 'index', indexrelid::regclass::text FROM pg_index WHERE indrelid::regclass::text ~ 'jobs'
    UNION ALL SELECT 'trigger', concat(tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal OR tgparentid <> 0
    UNION ALL SELECT 'comment', concat(pg_describe_object(classoid, objoid, objsubid), description) FROM pg_description
        WHERE classoid IN ('pg_constraint'::regclass, 'pg_trigger'::regclass) AND objoid >= 16384
    UNION ALL SELECT 'message', message::text FROM pgmq.q_jobs ORDER BY 1, 2";

fn source(cluster: &Cluster, name: &str, more: &str) -> String {
    let from = cluster.empty(name);
    cluster.sql(&from, "DROP ROLE IF EXISTS queue_reader");
    cluster.sql(&from, "CREATE ROLE queue_reader");
    cluster.sql(&from, BESIDE);
    if !more.is_empty() {
        cluster.sql(&from, more);
    }
    from
}

#[test]
fn what_no_archive_holds_comes_from_beside_it_or_is_named() {
    let _alone = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = source(&cluster, "script_beside", "");
    let wanted = cluster.sql(&from, SEEN);
    assert!(wanted.contains("it's mine") && wanted.contains("cloned") && wanted.contains("inherited"), "{wanted}");
    let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
    let to = cluster.empty("script_beside_new");
    cluster.restore(&snapshot, &to, 0);
    assert_eq!(cluster.sql(&to, SEEN), wanted);
    // The engine makes the same of it.
    let again = cluster.empty("script_beside_new");
    let place_of_restores = tempfile::tempdir().unwrap();
    let done = restore(&cluster, "supabase_admin", "postgres", &again, &snapshot, place_of_restores.path());
    assert_eq!((done.code, done.findings()), (0, Vec::new()), "{}", done.said);
    assert_eq!(cluster.sql(&again, SEEN), wanted);
    cluster.sql(
        &from,
        "CREATE TABLE broken (a int); CREATE INDEX broken_idx ON broken (a);
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken_idx'::regclass",
    );
    let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
    cluster.empty("script_beside_new");
    let said = cluster.restore(&snapshot, &to, 3);
    assert!(said.contains("not restored: INDEX public.broken_idx"), "{said}");
    assert_eq!(cluster.sql(&to, SEEN), wanted);
    for database in [&from, &to] {
        cluster.drop_database(database);
    }
    cluster.sql("postgres", "DROP ROLE queue_reader");
}

/// The platform's event trigger makes the function inside of CREATE EXTENSION, so that it is a member and in no dump. A plain
/// target has no such trigger when the extension is made.
#[test]
fn a_function_that_joined_an_extension_comes_back_on_a_plain_server() {
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = cluster.empty("joined");
    cluster.sql(
        &from,
        "CREATE SCHEMA graphql; CREATE SCHEMA graphql_public;
         CREATE FUNCTION public.joins() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN
         IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE 'graphql.resolve(%') THEN
            CREATE FUNCTION graphql_public.graphql(query text DEFAULT NULL) RETURNS jsonb LANGUAGE sql
                AS $$ SELECT graphql.resolve(query := query) $$;
            REVOKE ALL ON FUNCTION graphql_public.graphql(text) FROM PUBLIC;
         END IF; END $f$;
         CREATE EVENT TRIGGER joins ON ddl_command_end WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION public.joins();
         CREATE EXTENSION pg_graphql WITH SCHEMA graphql",
    );
    let seen = "SELECT e.extname, p.oid::regprocedure, p.proacl, pg_get_functiondef(p.oid) FROM pg_depend d
        JOIN pg_proc p ON p.oid = d.objid JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND p.proname = 'graphql'";
    let wanted = cluster.sql(&from, seen);
    assert!(wanted.starts_with("pg_graphql|graphql_public.graphql(text)|"), "{wanted}");
    let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
    for script in [false, true] {
        let to = cluster.empty("joined_new");
        if script {
            cluster.restore(&snapshot, &to, 0);
        } else {
            let done = restore(&cluster, "supabase_admin", "postgres", &to, &snapshot, place.path());
            assert_eq!((done.code, done.exceptions(), done.findings()), (0, Vec::new(), Vec::new()), "{}", done.said);
        }
        assert_eq!(cluster.sql(&to, seen), wanted, "by the script: {script}");
        cluster.drop_database(&to);
    }
    cluster.drop_database(&from);
}
