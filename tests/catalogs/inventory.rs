//! The inventory on a real server: every kind is there, no secret is, and it is quick.

use std::time::{Duration, Instant};

use crate::support::sessions::{fixtures, fresh, open, role};
use crate::support::{alone, server};
use stacksnap::config::Verify;
use stacksnap::model::inventory::Inventory;
use stacksnap::model::name::QualifiedName;
use stacksnap::model::object_kind::ObjectKind;
use stacksnap::ops::doctor::{FoundClient, Here, Status, doctor_for_create};
use stacksnap::pg::catalog::coverage::counts;
use stacksnap::pg::catalog::drift::drift;
use stacksnap::pg::catalog::inventory::inventory;
use stacksnap::pg::catalog::source::{host_sha256, source};
use stacksnap::pg::session::Session;
use stacksnap::pg::snapshot::SnapshotHolder;
use stacksnap::pgtools::client::SearchPlaces;

fn definition<'a>(inventory: &'a Inventory, kind: &str, identity: &str) -> &'a str {
    let found = inventory.objects.iter().find(|o| o.kind.word() == kind && o.identity == identity);
    let of_kind = || inventory.of_kind(kind.into()).map(|o| o.identity.clone()).collect::<Vec<_>>();
    &found.unwrap_or_else(|| panic!("no {kind} {identity} among {:?}", of_kind())).definition
}

const CANARY: &str = "canary-4f1d";

const SCHEMA: &str = r#"SET search_path = public;
    CREATE TABLE "Odd ""name""" (gone int, id int GENERATED ALWAYS AS IDENTITY, a text COLLATE "C" NOT NULL DEFAULT 'x',
        twice text GENERATED ALWAYS AS (a || a) STORED, PRIMARY KEY (id));
    ALTER TABLE "Odd ""name""" DROP COLUMN gone;
    CREATE TABLE child (odd int REFERENCES "Odd ""name""" DEFERRABLE INITIALLY DEFERRED);
    ALTER TABLE child DISABLE TRIGGER ALL;
    CREATE FUNCTION hook() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER web AFTER INSERT ON child FOR EACH ROW
        EXECUTE FUNCTION hook('http://x', 'POST', '{"Authorization":"Bearer canary-4f1d"}');
    ALTER TABLE child DISABLE TRIGGER web;
    CREATE FUNCTION f(a int DEFAULT 2) RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT $1';
    CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
    CREATE SEQUENCE counted START 5; SELECT nextval('counted'); CREATE SEQUENCE untouched START 7;
    ALTER TABLE child ENABLE ROW LEVEL SECURITY; ALTER TABLE child FORCE ROW LEVEL SECURITY;
    CREATE POLICY "p 1" ON child AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (odd > 0) WITH CHECK (odd > 1);
    CREATE FOREIGN DATA WRAPPER w; CREATE SERVER srv FOREIGN DATA WRAPPER w OPTIONS (host 'h', api_key 'canary-4f1d');
    CREATE USER MAPPING FOR PUBLIC SERVER srv OPTIONS (password 'canary-4f1d');
    ALTER DATABASE catalog_inventory SET app.jwt_secret = 'canary-4f1d';
    REVOKE ALL ON FUNCTION f(int) FROM PUBLIC; GRANT SELECT (odd) ON child TO PUBLIC;
    COMMENT ON COLUMN child.odd IS 'a comment'; SELECT lo_create(4712); CREATE PUBLICATION pub FOR TABLE child;
    CREATE MATERIALIZED VIEW m AS SELECT 1 AS one WITH NO DATA;"#;

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_exact_and_hold_no_secret() {
    let _alone = alone();
    let (spec, session) = fresh("catalog_inventory").await;
    session.execute(SCHEMA).await.unwrap();
    role(&session, "catalog_canary", "PASSWORD 'canary-4f1d' CONNECTION LIMIT 3", &spec).await;
    let reading = open(&spec).await;
    let all = inventory(&reading).await.unwrap();
    let odd = "public.\"Odd \"\"name\"\"\"";
    assert_eq!(
        definition(&all, "TABLE", odd),
        "(\n  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,\n  a text COLLATE pg_catalog.\"C\" NOT NULL DEFAULT \
         'x'::text,\n  twice text GENERATED ALWAYS AS ((a || a)) STORED\n)"
    );
    assert!(definition(&all, "FK CONSTRAINT", "child_odd_fkey on public.child").ends_with("RI TRIGGERS DO"));
    let trigger = definition(&all, "TRIGGER", "web on public.child");
    assert!(trigger.ends_with("DISABLED") && trigger.contains("arguments sha256:"), "{trigger}");
    let function = definition(&all, "FUNCTION", "public.f(integer)");
    assert!(function.contains("SECURITY DEFINER") && function.ends_with("\nSELECT $1"), "{function}");
    assert!(definition(&all, "AGGREGATE", "public.total(integer)").contains("SFUNC int4pl STYPE integer"));
    assert_eq!(definition(&all, "SEQUENCE SET", "public.counted"), "5, true");
    assert_eq!(definition(&all, "SEQUENCE SET", "public.untouched"), "7, false");
    assert_eq!(definition(&all, "ROW SECURITY", "public.child"), "ENABLE, FORCE");
    assert_eq!(
        definition(&all, "POLICY", "\"p 1\" on public.child"),
        "AS RESTRICTIVE FOR UPDATE TO PUBLIC USING ((odd > 0)) WITH CHECK ((odd > 1))"
    );
    assert!(definition(&all, "SERVER", "srv").contains("host=h"));
    assert!(!definition(&all, "ACL", "FUNCTION public.f(integer)").contains("PUBLIC"));
    assert!(definition(&all, "ACL", "COLUMN public.child.odd").starts_with("PUBLIC=SELECT/"));
    assert_eq!(definition(&all, "COMMENT", "table column public.child.odd"), "a comment");
    assert_eq!(definition(&all, "BLOB", "4712"), "");
    assert_eq!(definition(&all, "PUBLICATION TABLE", "public.child in publication pub"), "");
    assert!(definition(&all, "MATERIALIZED VIEW", "public.m").ends_with("WITH NO DATA"));
    assert!(definition(&all, "ROLE", "catalog_canary").contains("CONNECTION LIMIT 3 PASSWORD sha256:"));
    assert!(!format!("{all:?}").contains(CANARY), "a secret got into the inventory");

    let table = all.table(&QualifiedName::new("public", "Odd \"name\"")).unwrap();
    let columns: Vec<(&str, bool)> = table.columns.iter().map(|c| (c.name.as_str(), c.generated)).collect();
    assert_eq!(columns, [("id", false), ("a", false), ("twice", true)]);
    session.execute("CREATE TEMP TABLE never (x int)").await.unwrap();
    assert!(inventory(&session).await.unwrap().tables.iter().all(|t| t.name.name != "never"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_of_a_minor_release_on_a_column_is_no_option() {
    let (_, session) = fresh("catalog_inventory_marks").await;
    session.execute("CREATE TABLE public.t (a int, b int)").await.unwrap();
    let seen = async |options: &str| {
        let set = "UPDATE pg_catalog.pg_attribute SET attoptions = ";
        let of = "WHERE attrelid = 'public.t'::regclass AND attname = 'a'";
        session.execute(&format!("{set}{options} {of}")).await.unwrap();
        let read = inventory(&session).await.unwrap();
        definition(&read, "TABLE", "public.t").to_string()
    };
    let plain = seen("NULL").await;
    assert_eq!(seen("'{pg_attver=15.8}'").await, plain);
    let option = seen("'{n_distinct=-0.5}'").await;
    assert!(option != plain && option.contains("n_distinct=-0.5"), "{option}");
    assert_eq!(seen("'{pg_attver=15.8,n_distinct=-0.5}'").await, option);
    assert_ne!(seen("'{n_distinct=-0.25}'").await, option);
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_5_bodies_come_from_the_snapshot() {
    let (spec, session) = fresh("catalog_inventory_bodies").await;
    let make = |body: &str| {
        format!("CREATE OR REPLACE FUNCTION public.f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN {body}; END'")
    };
    session.execute(&make("1")).await.unwrap();
    let holder = SnapshotHolder::export(&spec, "stacksnap-test").await.unwrap();
    let joined = Session::join(&spec, "stacksnap-test", &holder.exported).await.unwrap();
    session.execute(&make("2")).await.unwrap();
    let seen = inventory(&joined).await.unwrap();
    assert!(definition(&seen, "FUNCTION", "public.f()").contains("RETURN 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fixtures_are_read_quickly_and_the_source_is_known() {
    let spec = fixtures();
    let session = open(&spec).await;
    inventory(&session).await.unwrap();
    let started = Instant::now();
    let all = inventory(&session).await.unwrap();
    timing("inventory of the fixtures", all.objects.len(), started.elapsed());
    assert!(all.objects.windows(2).all(|pair| pair[0] <= pair[1]));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let identities: std::collections::BTreeSet<_> =
        all.objects.iter().map(|o| (&o.kind, &o.schema, &o.identity)).collect();
    assert_eq!(identities.len(), all.objects.len(), "two objects have one identity");

    let (facts, abilities) = source(&session, host_sha256(&spec)).await.unwrap();
    assert!(abilities.is_superuser && abilities.bypasses_rls && abilities.reads_role_passwords && !facts.is_standby);
    assert_eq!((facts.encoding.as_str(), facts.host_sha256.len()), ("UTF8", 64));
    assert!(facts.system_identifier.is_some() && facts.database_bytes > 0);
    assert_eq!(facts.is_supabase, abilities.schemas.iter().any(|s| s == "auth"));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_tables_are_no_hardship() {
    let (spec, session) = fresh("catalog_inventory_many").await;
    session
        .execute(
            "DO $$ BEGIN FOR i IN 1..5000 LOOP EXECUTE format('CREATE TABLE public.t%s (id serial PRIMARY KEY, a text,
             b int DEFAULT 1, c timestamptz, d jsonb)', i); IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$",
        )
        .await
        .unwrap();
    session.execute("VACUUM ANALYZE").await.unwrap();
    let started = Instant::now();
    let all = inventory(&session).await.unwrap();
    timing("inventory of 5,000 tables", all.objects.len(), started.elapsed());
    assert_eq!(all.tables.len(), 5_000);
    let started = Instant::now();
    assert_eq!(counts(&session, 15, &[]).await.unwrap()[&ObjectKind::Default], 5_000);
    timing("coverage of 5,000 tables", 0, started.elapsed());
    let holder = SnapshotHolder::export(&spec, "stacksnap-test").await.unwrap();
    let joined = Session::join(&spec, "stacksnap-test", &holder.exported).await.unwrap();
    let started = Instant::now();
    assert!(drift(&joined, &session).await.unwrap().is_empty());
    timing("drift of 5,000 tables", 0, started.elapsed());
    drop((joined, holder));
    let admin = open(&server().spec("postgres")).await;
    drop(session);
    admin.execute("DROP DATABASE catalog_inventory_many WITH (FORCE)").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_a_lock_and_the_client() {
    let (spec, session) = fresh("catalog_doctor").await;
    session.execute("CREATE TABLE public.t (x int)").await.unwrap();
    session.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let asking = open(&spec).await;
    let root = tempfile::tempdir().unwrap();
    let client = FoundClient { path: "pg_dump".into(), major: session.version_num / 10_000, minor: 99 };
    let programs = SearchPlaces { named: Some("/nonexistent".into()), path: Vec::new() };
    let here = Here { clients: &[client], root: root.path(), programs: &programs, verify: Some(Verify::Nothing) };
    let checks = doctor_for_create(&spec, &asking, &here).await.unwrap();
    let of = |name: &str| checks.iter().find(|c| c.name == name).unwrap_or_else(|| panic!("no {name} in {checks:?}"));
    assert_eq!(of("locks").status, Status::Warn);
    assert!(of("locks").what.contains("public.t"), "{:?}", of("locks"));
    for name in ["server", "client", "privileges", "bypassrls", "max_locks", "standby", "encoding", "timeouts"] {
        assert_eq!(of(name).status, Status::Ok, "{:?}", of(name));
    }
    assert!(checks.iter().all(|c| (c.status == Status::Ok) == c.todo.is_none()), "{checks:?}");
}

#[allow(clippy::disallowed_macros, clippy::print_stderr)]
fn timing(what: &str, objects: usize, took: Duration) {
    eprintln!("{what}: {objects} objects in {took:?}");
}
