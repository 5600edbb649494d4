//! The proof against real databases: a copy is proved equal, and each planted change is found and named.

use std::sync::OnceLock;

use crate::support::{Access, Database, Place, alone, server};
use serde_json::Value;
use stacksnap::model::cancel::{Cancel, CancelReason};
use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::inventory::Inventory;
use stacksnap::model::manifest::Manifest;
use stacksnap::model::name::QualifiedName;
use stacksnap::model::restore::{Exception, ObjectName, Proof, RestoreVerdict};
use stacksnap::model::rls_view::RlsSeen;
use stacksnap::model::secret::Secret;
use stacksnap::monitor::Recording;
use stacksnap::pg::census::census;
use stacksnap::pg::session::Session;
use stacksnap::snapshot::manifest_file::read_manifest;
use stacksnap::verify::proof::{Expected, ProofInput, RowScope, prove};

/// A snapshot of the stack, taken once. Databases of [`crate::support::Server::stack`] are copies of what it shows.
struct Snapshot {
    manifest: Manifest,
    inventory: Inventory,
}

fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let (place, database) = (Place::new(), server().stack());
        let ran = place.run(database.access(), &[]);
        assert!(matches!(ran.code, 0 | 3), "{ran:?}");
        let folder = place.root().join("comprehensive_backup_LATEST");
        let folder = if folder.exists() { folder } else { place.root().join(&place.entries()[0]) };
        let text = std::fs::read_to_string(folder.join("inventory.json")).unwrap();
        let inventory: Value = serde_json::from_str(&text).unwrap();
        Snapshot { manifest: read_manifest(&folder).unwrap(), inventory: serde_json::from_value(inventory).unwrap() }
    })
}

fn spec(database: &Database, user: &str) -> ConnSpec {
    ConnSpec {
        hosts: vec![(Host::Tcp(database.server.host.clone()), database.server.port)],
        database: database.name.clone(),
        user: user.to_string(),
        password: Some(Secret::new("postgres")),
        ..ConnSpec::default()
    }
}

/// What a proof borrows.
struct Scene {
    spec: ConnSpec,
    monitor: Recording,
    cancel: Cancel,
}

impl Scene {
    fn of(database: &Database, user: &str) -> Self {
        Self { spec: spec(database, user), monitor: Recording::default(), cancel: Cancel::new() }
    }

    /// Everything is compared; tests change fields of it.
    fn input(&self) -> ProofInput<'_> {
        let of = snapshot();
        ProofInput::new(&of.manifest, &of.inventory, &self.spec, &self.monitor, &self.cancel)
    }
}

fn scene(database: &Database) -> Scene {
    Scene::of(database, &database.server.user)
}

async fn proof_expecting(database: &Database, expected: &[Expected]) -> Proof {
    let scene = scene(database);
    prove(ProofInput { expected, ..scene.input() }).await.unwrap()
}

fn told(proof: &Proof) -> Vec<String> {
    proof.findings.iter().map(|f| format!("{} {}", f.code, f.what)).collect()
}

fn loss(code: &str, objects: &[(&str, &str)], rows_of: &[(&str, &str)]) -> Expected {
    let text = |s: &str| s.to_string();
    let object = |(kind, identity): &(&str, &str)| ObjectName { kind: (*kind).into(), identity: text(identity) };
    Expected {
        exception: Exception { code: text(code), what: text(code), why: text("a test"), todo: text("nothing") },
        objects: objects.iter().map(object).collect(),
        rows_of: rows_of.iter().map(|(schema, name)| QualifiedName::new(*schema, *name)).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_a_copy_is_proved_equal_as_superuser_and_as_the_hosted_role() {
    let _alone = alone();
    let database = server().stack();
    let of = snapshot();
    let proof = prove(scene(&database).input()).await.unwrap();
    assert_eq!(proof.verdict, RestoreVerdict::Restorable, "{:#?}", proof.findings);
    assert_eq!(proof.rows_compared, of.manifest.rows_total());
    assert_eq!(proof.tables_compared, of.manifest.tables.len() as u64);
    assert_eq!(proof.objects_compared, of.inventory.objects.len() as u64);
    assert!(proof.probes.iter().any(|p| p.name == "rls_with_claims" && p.passed == Some(true)), "{:?}", proof.probes);
    let hosted = Scene::of(&database, "postgres");
    let proof = prove(hosted.input()).await.unwrap();
    let unread = |f: &&stacksnap::model::restore::ProofFinding| f.code != "rows_not_read";
    let real: Vec<_> = proof.findings.iter().filter(unread).collect();
    assert!(real.is_empty(), "{real:#?}");
    // Nothing that this role may not read is passed over.
    let unread: u64 = of.manifest.tables.len() as u64 - proof.tables_compared;
    assert_eq!(unread, proof.findings.len() as u64);
}

/// What a stranger and a signed-in user saw is in the snapshot, and the target shows the same; what shows more is found.
#[tokio::test(flavor = "multi_thread")]
async fn r35_row_security_shows_what_it_showed_in_the_source() {
    let _alone = alone();
    let (place, database) = (Place::new(), server().stack());
    let of = snapshot();
    // As the hosted role: code of postgres would gain rights in a superuser's session.
    let superusers = of.inventory.rls_view.as_ref().unwrap();
    assert!(superusers.seen.is_empty() && superusers.not_asked.as_ref().is_some_and(|why| why.contains("postgres")));
    let ran = place.run(Access { user: "postgres", password: "postgres", ..database.access() }, &[]);
    let folder = std::fs::read_to_string(ran.folder().join("inventory.json")).unwrap();
    let mut inventory = of.inventory.clone();
    inventory.rls_view = serde_json::from_str::<Inventory>(&folder).unwrap().rls_view;
    let seen = inventory.rls_view.clone().unwrap();
    assert!(seen.user.is_some() && seen.roles.len() == 2, "{seen:?}");
    assert!(
        seen.seen.iter().any(|(key, s)| key.starts_with("authenticated ") && matches!(s, RlsSeen::Rows(n) if *n > 0))
    );
    let detail = |proof: &Proof| proof.probes.iter().find(|p| p.name == "rls_with_claims").unwrap().detail.clone();
    let same = scene(&database);
    let proof = prove(ProofInput { inventory: &inventory, ..same.input() }).await.unwrap();
    // The rows of realtime.messages are the service's own.
    let compared = format!("; {} compared with the source", seen.seen.len() - 2);
    assert!(detail(&proof).contains(&compared) && proof.findings.is_empty(), "{compared}: {proof:#?}");

    // As if the source had shown less: nothing else could tell that the target shows too much.
    let view = inventory.rls_view.as_mut().unwrap();
    let (role, table) = ("anon", "public.feature_flags");
    let key = format!("{role} {table}");
    let RlsSeen::Rows(rows) = view.seen[&key] else { panic!("{view:?}") };
    view.seen.insert(key, RlsSeen::Rows(rows - 1));
    let less = scene(&database);
    let proof = prove(ProofInput { inventory: &inventory, ..less.input() }).await.unwrap();
    assert_eq!(told(&proof), [format!("rls_differs as {role}: {table}")]);
    assert_eq!(proof.verdict, RestoreVerdict::Not);
    let not_asked = ProofInput { inventory: &inventory, compare_rls: false, ..less.input() };
    assert_eq!(prove(not_asked).await.unwrap().verdict, RestoreVerdict::Restorable);

    // A policy that looks at the clock shows something else tomorrow: that is no finding.
    let on = format!(" on {table}");
    let policy = inventory.objects.iter_mut().find(|o| o.kind.word() == "POLICY" && o.identity.ends_with(&on)).unwrap();
    policy.definition.push_str(" AND now() > created_at");
    let proof = prove(ProofInput { inventory: &inventory, ..less.input() }).await.unwrap();
    assert!(!told(&proof).iter().any(|f| f.starts_with("rls_differs")), "{:?}", told(&proof));
    assert!(detail(&proof).contains("its policy depends on the time"), "{}", detail(&proof));
}

/// A change, and findings (code and what) that have to be among those found.
const MUTATIONS: [(&str, &str, &[&str]); 20] = [
    (
        "policy opened",
        "ALTER POLICY \"Members read orders\" ON public.orders TO anon USING (true)",
        &["object_differs POLICY \"Members read orders\" on public.orders"],
    ),
    (
        "row security off",
        "ALTER TABLE public.orders DISABLE ROW LEVEL SECURITY",
        &["object_missing ROW SECURITY public.orders", "census_worse public.orders"],
    ),
    (
        "grant to anon",
        "GRANT SELECT ON public.api_keys TO anon",
        &["object_differs ACL TABLE public.api_keys", "census_worse public.api_keys"],
    ),
    (
        "function opened to anon",
        "GRANT EXECUTE ON FUNCTION public.decrypt_api_key(text) TO anon",
        &["object_differs ACL FUNCTION public.decrypt_api_key(text)", "census_worse public.decrypt_api_key(text)"],
    ),
    (
        "row changed",
        "SET session_replication_role = replica; UPDATE public.departments SET name = name || ' ' WHERE id = (SELECT min(id) FROM public.departments)",
        &["rows_differ \"public\".\"departments\""],
    ),
    (
        "row deleted",
        "SET session_replication_role = replica; DELETE FROM public.payments WHERE ctid = (SELECT min(ctid) FROM public.payments)",
        &["rows_differ \"public\".\"payments\""],
    ),
    ("sequence moved", "SELECT nextval('public.invoice_seq')", &["sequence_differs SEQUENCE SET public.invoice_seq"]),
    (
        "function body changed",
        "CREATE OR REPLACE FUNCTION public.set_updated_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        &["object_differs FUNCTION public.set_updated_at()"],
    ),
    ("owner changed", "ALTER TABLE public.tasks OWNER TO supabase_admin", &["owner_differs TABLE public.tasks"]),
    (
        "trigger disabled",
        "ALTER TABLE public.orders DISABLE TRIGGER set_orders_updated_at",
        &["object_differs TRIGGER set_orders_updated_at on public.orders"],
    ),
    (
        "trigger of a user on auth.users dropped",
        "DROP TRIGGER on_auth_user_created ON auth.users",
        &["object_missing TRIGGER on_auth_user_created on auth.users"],
    ),
    ("comment changed", "COMMENT ON TABLE public.orders IS 'another'", &["COMMENT table public.orders"]),
    (
        "default privileges changed",
        "ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON TABLES FROM anon",
        &["DEFAULT ACL"],
    ),
    ("setting changed", "ALTER DATABASE {db} SET statement_timeout = '7s'", &["object_extra DATABASE SETTING"]),
    ("column added", "ALTER TABLE public.orders ADD COLUMN added int", &["object_differs TABLE public.orders"]),
    (
        "column dropped",
        "ALTER TABLE public.departments DROP COLUMN name CASCADE",
        &["object_differs TABLE public.departments", "rows_not_read \"public\".\"departments\""],
    ),
    (
        "user deleted",
        "SET session_replication_role = replica; DELETE FROM auth.users WHERE email = 'elif@example.org'",
        &["rows_differ \"auth\".\"users\""],
    ),
    (
        "publication changed",
        "ALTER PUBLICATION supabase_realtime DROP TABLE public.tasks",
        &["object_missing PUBLICATION TABLE public.tasks in publication supabase_realtime"],
    ),
    (
        "table dropped",
        "DROP TABLE public.feature_flags CASCADE",
        &["object_missing TABLE public.feature_flags", "rows_not_read \"public\".\"feature_flags\""],
    ),
    (
        "grant to PUBLIC on a member of an extension",
        "REVOKE ALL ON FUNCTION cron.schedule(text, text, text) FROM PUBLIC, postgres",
        &["ACL FUNCTION cron.schedule"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn r35_each_planted_change_is_found_and_named() {
    let _alone = alone();
    for (name, change, wanted) in MUTATIONS {
        let database = server().stack();
        let scene = scene(&database);
        let before = census(&Session::open(&scene.spec, "test").await.unwrap()).await.unwrap();
        database.sql(&change.replace("{db}", &database.name));
        let proof = prove(ProofInput { census_before: Some(before), ..scene.input() }).await.unwrap();
        assert_eq!(proof.verdict, RestoreVerdict::Not, "{name}");
        let told = told(&proof);
        for wanted in wanted {
            assert!(told.iter().any(|t| t.contains(wanted)), "{name}: {wanted:?} not in {told:#?}");
        }
        assert!(told.len() <= wanted.len() + 16, "{name} drowns in {told:#?}");
        assert!(proof.exceptions.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_named_is_an_exception_and_nothing_else_is() {
    let _alone = alone();
    let database = server().stack();
    database.sql("DROP TABLE public.feature_flags; DROP EXTENSION pg_net CASCADE");
    let table = loss("table", &[("TABLE", "public.feature_flags")], &[]);
    let proof = proof_expecting(&database, std::slice::from_ref(&table)).await;
    assert_eq!(proof.verdict, RestoreVerdict::Not);
    assert_eq!(proof.exceptions.as_slice(), std::slice::from_ref(&table.exception));
    let left = told(&proof);
    assert!(left.iter().all(|t| !t.contains("feature_flags")), "{left:#?}");
    assert!(left.iter().any(|t| t == "object_missing EXTENSION pg_net"), "{left:#?}");
    // Members go with their extension; what else its end took away is named by the plan.
    let net = loss(
        "net",
        &[("EXTENSION", "pg_net"), ("SCHEMA", "net"), ("ACL", "SCHEMA net")],
        &[("net", "http_request_queue"), ("net", "_http_response")],
    );
    let idle = loss("idle", &[("TABLE", "public.nowhere")], &[]);
    let by_hand = loss("by hand", &[], &[]);
    let proof = proof_expecting(&database, &[table, net, idle, by_hand]).await;
    let rest = told(&proof);
    let codes: Vec<&str> = proof.exceptions.iter().map(|e| e.code.as_str()).collect();
    assert_eq!(codes, ["table", "net", "by hand"], "an exception that did not come true is not told");
    assert!(rest.is_empty(), "{rest:#?}");
    assert_eq!(proof.verdict, RestoreVerdict::Except);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_is_kept_and_foreign_code_is_not_run() {
    let database = server().stack();
    database.sql("UPDATE public.departments SET name = name || '!'; COMMENT ON TABLE public.orders IS 'another'");
    let departments = [QualifiedName::new("public", "departments")];
    let objects = |o: &stacksnap::model::inventory::CatalogObject| o.kind.word() == "POLICY";
    let scene = scene(&database);
    let rows = RowScope::Except(&departments);
    let input = ProofInput { rows, objects: Some(&objects), run_probes: false, ..scene.input() };
    let proof = prove(input).await.unwrap();
    assert_eq!(proof.verdict, RestoreVerdict::Restorable, "{:#?}", proof.findings);
    assert_eq!(proof.tables_compared, snapshot().manifest.tables.len() as u64 - 1);
    assert!(proof.probes.len() == 1 && proof.probes[0].passed.is_none(), "{:?}", proof.probes);
    let proof = prove(ProofInput { rows: RowScope::Only(&departments), ..scene.input() }).await.unwrap();
    assert_eq!((proof.tables_compared, proof.verdict), (1, RestoreVerdict::Not));
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_1940_null_tokens_of_the_source_are_no_fault_of_the_restore() {
    let database = server().stack();
    database.sql("UPDATE auth.users SET recovery_token = NULL");
    let scene = scene(&database);
    let proof = prove(scene.input()).await.unwrap();
    assert!(told(&proof).contains(&"probe_failed token_columns_not_null".to_string()), "{:?}", told(&proof));
    let failing: Vec<_> = proof.probes.iter().filter(|p| p.passed == Some(false)).cloned().collect();
    let proof = prove(ProofInput { probes_source: Some(&failing), ..scene.input() }).await.unwrap();
    assert_eq!(told(&proof), ["rows_differ \"auth\".\"users\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_cannot_be_made_is_an_error_and_no_verdict() {
    let database = server().stack();
    let mut nowhere = scene(&database);
    nowhere.spec.database = "no_such_database".to_string();
    assert!(prove(nowhere.input()).await.is_err());
    let stopped = scene(&database);
    stopped.cancel.cancel(CancelReason::Interrupted);
    assert!(prove(stopped.input()).await.is_err());
}
