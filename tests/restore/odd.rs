//! What databases of users have and fixtures seldom do: policies on queues, objects on which nobody granted anything,
//! types within types, memberships that somebody else granted. As the platform's superuser, and as its user.

use std::path::Path;

use crate::support::restored::{Restored, restore};
use crate::support::{Cluster, Snapshot, alone, server};

const USERS: [&str; 2] = ["supabase_admin", "postgres"];

/// A project of the platform with a little of its user's, on the server that all tests here share.
fn project(cluster: &Cluster, name: &str, of_user: &str) -> String {
    cluster.load(name, "revoked", &["stack"]);
    if !of_user.is_empty() {
        cluster.as_user("postgres", "postgres").sql(name, of_user);
    }
    name.to_string()
}

fn snapshot(cluster: &Cluster, database: &str, place: &Path) -> Snapshot {
    cluster.create(database, &place.join("snapshots"), 0, &[])
}

/// Nothing is wrong and nothing is missing.
#[track_caller]
fn is_equal(done: &Restored) {
    done.is_well();
    assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{}", done.said);
}

const QUEUES: &str = "CREATE TABLE public.things (id int PRIMARY KEY); INSERT INTO public.things VALUES (1);
    CREATE FUNCTION public.seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    SELECT pgmq.create('orders'); SELECT pgmq.create('plain'); SELECT pgmq.send('orders', '{\"n\": 1}');
    ALTER TABLE pgmq.q_orders ENABLE ROW LEVEL SECURITY; GRANT SELECT ON pgmq.q_orders TO authenticated;
    CREATE POLICY \"who's \"\"it\"\"\" ON pgmq.q_orders AS RESTRICTIVE FOR SELECT TO authenticated USING (message ? 'n');
    CREATE TRIGGER seen AFTER INSERT ON pgmq.q_orders FOR EACH ROW EXECUTE FUNCTION public.seen();
    ALTER TABLE pgmq.q_orders DISABLE TRIGGER seen;
    CREATE TRIGGER told AFTER INSERT ON pgmq.a_orders FOR EACH ROW EXECUTE FUNCTION public.seen('secret', 'eyJhbGciOiJIUzI1');
    CREATE INDEX \"who's first\" ON pgmq.q_orders ((message ->> 'n'));
    COMMENT ON TABLE pgmq.q_orders IS 'what came in'";
const QUEUES_SEEN: &str = "SELECT 'policy', p.tablename, p.policyname, p.permissive || p.roles::text || p.cmd || p.qual
        FROM pg_policies p WHERE p.schemaname = 'pgmq'
    UNION ALL SELECT 'table', c.relname, concat(c.relpersistence, c.relrowsecurity, c.relowner::regrole),
            (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(c.relacl) a)
        FROM pg_class c WHERE c.relnamespace = 'pgmq'::regnamespace AND c.relkind = 'r'
    UNION ALL SELECT 'trigger', t.tgrelid::regclass::text, t.tgenabled::text, pg_get_triggerdef(t.oid)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'pgmq'::regnamespace
    UNION ALL SELECT 'index', indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'pgmq'
    UNION ALL SELECT 'comment', obj_description('pgmq.q_orders'::regclass), '', ''
    UNION ALL SELECT 'message', m::text, '', '' FROM pgmq.q_orders m ORDER BY 1, 2, 3, 4";

#[test]
fn r15_who_sees_a_queue_and_what_a_message_sets_off_come_back() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "odd_queues", QUEUES);
    let snapshot = snapshot(&cluster, &from, place.path());
    let before = cluster.sql(&from, QUEUES_SEEN);
    for user in USERS {
        let to = project(&cluster, &format!("odd_queues_{user}"), "");
        let done = restore(&cluster, user, "postgres", &to, &snapshot, place.path());
        done.is_well();
        assert_eq!(cluster.sql(&to, QUEUES_SEEN), before, "{user}: {}", done.said);
        cluster.drop_database(&to);
    }
    let damages = [
        "ALTER TABLE pgmq.q_orders DISABLE ROW LEVEL SECURITY",
        "DROP POLICY \"who's \"\"it\"\"\" ON pgmq.q_orders; CREATE POLICY all_of_it ON pgmq.q_orders USING (true)",
        "ALTER TABLE pgmq.q_plain ENABLE ROW LEVEL SECURITY; CREATE POLICY new ON pgmq.q_plain USING (true);
            CREATE TRIGGER new AFTER INSERT ON pgmq.q_plain FOR EACH ROW EXECUTE FUNCTION public.seen()",
        "ALTER TABLE pgmq.q_orders ENABLE TRIGGER seen; DROP TRIGGER told ON pgmq.a_orders; DROP INDEX pgmq.\"who's first\";
            CREATE INDEX new ON pgmq.q_plain (enqueued_at)",
        "SELECT pgmq.drop_queue('orders'); COMMENT ON TABLE pgmq.q_plain IS 'new'",
        "SELECT pgmq.drop_queue('orders'); SELECT pgmq.create_unlogged('orders'); SELECT pgmq.create('new');
            ALTER TABLE pgmq.q_new ENABLE ROW LEVEL SECURITY; CREATE POLICY new ON pgmq.q_new USING (true)",
    ];
    for user in USERS {
        for damage in damages {
            cluster.as_user("postgres", "postgres").sql(&from, damage);
            is_equal(&restore(&cluster, user, "postgres", &from, &snapshot, place.path()));
            assert_eq!(cluster.sql(&from, QUEUES_SEEN), before, "{user}: {damage}");
        }
    }
    cluster.drop_database(&from);
}

const UNGRANTED: &str =
    "CREATE SCHEMA api; CREATE TABLE api.t (id int PRIMARY KEY, name text); INSERT INTO api.t VALUES (1, 'x');
    CREATE FUNCTION api.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE api.s;
    CREATE VIEW api.v AS SELECT id FROM api.t; CREATE TYPE api.kind AS ENUM ('a');
    ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT SELECT ON TABLES TO anon;
    ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT USAGE ON SEQUENCES TO anon, PUBLIC;
    ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO anon";
const GRANTS_SEEN: &str = "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'api'::regnamespace
    UNION ALL SELECT proname, proacl::text FROM pg_proc WHERE pronamespace = 'api'::regnamespace
    UNION ALL SELECT typname, typacl::text FROM pg_type WHERE typnamespace = 'api'::regnamespace
    UNION ALL SELECT concat(defaclrole::regrole, ' ', n.nspname, defaclobjtype),
            (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(defaclacl) a)
        FROM pg_default_acl LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
        WHERE defaclrole IN ('postgres'::regrole, 'supabase_admin'::regrole) ORDER BY 1";

#[test]
fn r32_an_object_on_which_nobody_granted_anything_stays_one() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "odd_grants", UNGRANTED);
    let snapshot = snapshot(&cluster, &from, place.path());
    let before = cluster.sql(&from, GRANTS_SEEN);
    let damages = [
        "ALTER TABLE api.t RENAME COLUMN name TO nickname; ALTER FUNCTION api.f() RENAME TO g; DROP SEQUENCE api.s",
        "DROP SCHEMA api CASCADE; ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC, anon",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT ALL ON TABLES TO authenticated; DROP TYPE api.kind",
    ];
    for user in USERS {
        for damage in damages {
            cluster.as_user("postgres", "postgres").sql(&from, damage);
            is_equal(&restore(&cluster, user, "postgres", &from, &snapshot, place.path()));
            assert_eq!(cluster.sql(&from, GRANTS_SEEN), before, "{user}: {damage}");
        }
        let to = project(&cluster, &format!("odd_grants_{user}"), "");
        restore(&cluster, user, "postgres", &to, &snapshot, place.path()).is_well();
        assert_eq!(cluster.sql(&to, GRANTS_SEEN), before, "{user}");
        cluster.drop_database(&to);
    }
    cluster.drop_database(&from);
}

/// What a GRANT and its REVOKE leave says nothing, and is not what was there. One that was there stays.
#[test]
fn a_list_of_privileges_that_nobody_wrote_is_gone_again() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "odd_unwritten", UNGRANTED);
    cluster.sql(&from, "CREATE TABLE api.written (id int); GRANT SELECT ON api.written TO anon; REVOKE SELECT ON api.written FROM anon");
    let snapshot = snapshot(&cluster, &from, place.path());
    let seen = "SELECT n.nspacl::text FROM pg_namespace n WHERE n.nspname = 'api' UNION ALL
        SELECT c.relname || coalesce(c.relacl::text, '-') FROM pg_class c WHERE c.relnamespace = 'api'::regnamespace UNION ALL
        SELECT p.proname || coalesce(p.proacl::text, '-') FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace UNION ALL
        SELECT t.typname || coalesce(t.typacl::text, '-') FROM pg_type t WHERE t.typnamespace = 'api'::regnamespace ORDER BY 1";
    let before = cluster.sql(&from, seen);
    assert!(before.contains("t-") && before.contains("written{"), "{before}");
    let damage = "GRANT SELECT ON api.t TO anon; REVOKE EXECUTE ON FUNCTION api.f() FROM PUBLIC; GRANT USAGE ON TYPE api.kind TO anon;
        GRANT USAGE ON SEQUENCE api.s TO anon; GRANT CREATE ON SCHEMA api TO anon";
    cluster.sql(&from, damage);
    assert_ne!(cluster.sql(&from, seen), before);
    is_equal(&restore(&cluster, "supabase_admin", "postgres", &from, &snapshot, place.path()));
    assert_eq!(cluster.sql(&from, seen), before);
    cluster.drop_database(&from);
}

const TYPES: &str =
    "CREATE TYPE public.mood AS ENUM ('sad', 'ok'); CREATE TYPE public.note AS (a int, mood public.mood);
    CREATE TABLE public.notes (id int PRIMARY KEY, note public.note, moods public.mood[] DEFAULT '{ok}');
    INSERT INTO public.notes VALUES (1, ROW(1, 'ok')), (2, NULL);
    CREATE FUNCTION public.told(public.note) RETURNS text LANGUAGE sql AS 'SELECT ($1).mood::text';
    CREATE VIEW public.told AS SELECT id, public.told(note) AS told FROM public.notes;
    CREATE VIEW public.toldest AS SELECT * FROM public.told";
const TYPES_SEEN: &str = "SELECT n::text FROM public.notes n UNION ALL SELECT t::text FROM public.toldest t
    UNION ALL SELECT pg_get_viewdef('public.toldest'::regclass) UNION ALL SELECT column_name || column_default
    FROM information_schema.columns WHERE table_schema = 'public' AND column_default IS NOT NULL ORDER BY 1";

#[test]
fn what_goes_with_another_is_whole_before_anything_is_made_of_it() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "odd_types", TYPES);
    let snapshot = snapshot(&cluster, &from, place.path());
    let before = cluster.sql(&from, TYPES_SEEN);
    let damages = [
        "ALTER TYPE public.mood RENAME VALUE 'ok' TO 'fine'",
        "DROP TYPE public.mood CASCADE",
        "ALTER TYPE public.note ADD ATTRIBUTE b int; ALTER TYPE public.mood ADD VALUE 'new' BEFORE 'ok'",
        "ALTER VIEW public.told ALTER COLUMN told SET DEFAULT 'z'",
    ];
    for user in USERS {
        for damage in damages {
            cluster.as_user("postgres", "postgres").sql(&from, damage);
            is_equal(&restore(&cluster, user, "postgres", &from, &snapshot, place.path()));
            assert_eq!(cluster.sql(&from, TYPES_SEEN), before, "{user}: {damage}");
        }
    }
    cluster.drop_database(&from);
}

#[test]
fn r7_a_membership_that_another_role_granted_is_there_again() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "odd_roles", "CREATE TABLE public.things (id int PRIMARY KEY)");
    cluster.sql(&from, "CREATE ROLE odd_group NOLOGIN; CREATE ROLE odd_member NOLOGIN; GRANT odd_group TO odd_member");
    let snapshot = snapshot(&cluster, &from, place.path());
    let seen =
        "SELECT count(*) FROM pg_auth_members WHERE roleid = 'odd_group'::regrole AND member = 'odd_member'::regrole";
    cluster.sql(&from, "DROP ROLE odd_group");
    let done = restore(&cluster, "postgres", "postgres", &from, &snapshot, place.path());
    done.is_well();
    assert_eq!(cluster.sql(&from, seen), "1", "{}", done.said);
    // A role that came with grants goes with them; one that nothing here refers to may be for another database.
    let neighbours = cluster.empty("odd_neighbours");
    let damage = "CREATE ROLE odd_new; CREATE ROLE odd_elsewhere; GRANT ALL ON public.things TO odd_new;
        CREATE TABLE public.new (a int); ALTER TABLE public.new OWNER TO odd_new; CREATE POLICY p ON public.new TO odd_new";
    for user in USERS {
        cluster.sql(&from, damage);
        let done = restore(&cluster, user, "postgres", &from, &snapshot, place.path());
        done.is_well();
        assert_eq!(cluster.sql(&from, "SELECT rolname FROM pg_roles WHERE rolname ~ '^odd_[en]'"), "odd_elsewhere");
        cluster.sql(&from, "DROP ROLE odd_elsewhere");
    }
    cluster.drop_database(&from);
    cluster.drop_database(&neighbours);
    cluster.sql("postgres", "DROP ROLE odd_group, odd_member");
}

#[test]
fn a_wrapper_belongs_to_whom_the_platform_gave_it() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "odd_wrapper", "CREATE TABLE public.things (id int PRIMARY KEY)");
    let given = "CREATE EXTENSION postgres_fdw; ALTER ROLE postgres SUPERUSER;
        ALTER FOREIGN DATA WRAPPER postgres_fdw OWNER TO postgres; ALTER ROLE postgres NOSUPERUSER;
        GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO authenticated";
    cluster.sql(&from, given);
    let snapshot = snapshot(&cluster, &from, place.path());
    let to = project(&cluster, "odd_wrapper_to", "");
    let done = restore(&cluster, "supabase_admin", "postgres", &to, &snapshot, place.path());
    done.is_well();
    let seen = "SELECT fdwowner::regrole, fdwacl, (SELECT rolsuper FROM pg_roles WHERE rolname = 'postgres')
        FROM pg_foreign_data_wrapper WHERE fdwname = 'postgres_fdw'";
    assert_eq!(cluster.sql(&to, seen), cluster.sql(&from, seen), "{}", done.said);
    for database in [from, to] {
        cluster.drop_database(&database);
    }
}
