//! Stand-ins for missing extensions, against a throw-away cluster of a server that does not offer them (trap 26). The
//! archive is restored by pg_restore, so that what is proved does not hang on our own engine.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Database, server};
use stacksnap::model::cancel::Cancel;
use stacksnap::model::connection::{ConnSpec, Host, SslMode};
use stacksnap::model::inventory::Inventory;
use stacksnap::model::secret::Secret;
use stacksnap::pg::catalog::inventory::inventory;
use stacksnap::pg::session::Session;
use stacksnap::pgtools::client::SearchPlaces;
use stacksnap::pgtools::cluster::settings::Locale;
use stacksnap::pgtools::cluster::{Cluster, ClusterRequest};
use stacksnap::pgtools::toc::Toc;
use stacksnap::restore::stubs::{self, StubPlan};

fn spec(database: &Database) -> ConnSpec {
    let server = server();
    ConnSpec {
        hosts: vec![(Host::Tcp(server.host.clone()), server.port)],
        database: database.name.clone(),
        user: server.user.clone(),
        password: Some(Secret::new(&server.password)),
        ssl_mode: SslMode::Disable,
        ..ConnSpec::default()
    }
}

async fn read(database: &Database, archive: &Path) -> (Toc, Inventory) {
    let mut dump = server().program("pg_dump", &database.name);
    let done = dump.args(["-Fd", "-Z0", "-f"]).arg(archive).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let session = Session::open(&spec(database), "test").await.unwrap();
    (Toc::read(archive).unwrap(), inventory(&session).await.unwrap())
}

/// A cluster with the roles of the test server and nothing else.
fn cluster() -> Cluster {
    let request = ClusterRequest {
        programs: SearchPlaces { named: Some(server().bin.clone()), path: vec!["/usr/bin".into()] },
        parents: vec!["/tmp".into()],
        source_version_num: 150_000,
        superuser: server().user.clone(),
        locale: Locale::plain("UTF8"),
        data_bytes: 1 << 20,
        connections: 4,
    };
    let cluster = Cluster::start(&request, &Cancel::new()).unwrap();
    let roles = server().program("pg_dumpall", "postgres").arg("--roles-only").output().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), roles.stdout).unwrap();
    let done = program(&cluster, "psql").args(["-X", "-q", "-f"]).arg(file.path()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    cluster
}

fn program(cluster: &Cluster, name: &str) -> Command {
    let spec = cluster.connection("postgres");
    let Host::Unix(socket) = &spec.hosts[0].0 else { panic!("a socket") };
    let mut command = Command::new(server().bin.join(name));
    command.env("PGHOST", socket).env("PGPORT", "5432").env("PGUSER", &spec.user).env("PGDATABASE", "postgres");
    command.env_remove("PGPASSWORD");
    command
}

fn sql(cluster: &Cluster, text: &str) -> String {
    let done =
        program(cluster, "psql").args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap().trim_end().to_string()
}

/// Stand-ins, then the archive without what is left out. Gives pg_restore's errors.
async fn restore(cluster: &Cluster, archive: &Path, toc: &Toc, plan: &StubPlan) -> Vec<String> {
    let session = Session::open(&cluster.connection("postgres"), "test").await.unwrap();
    for statement in &plan.statements {
        session.execute(statement).await.unwrap_or_else(|e| panic!("{e}: {statement}"));
    }
    drop(session);
    let mut list = String::new();
    for entry in toc.entries.iter().filter(|e| !plan.skip.contains(&e.dump_id)) {
        writeln!(list, "{}; 0 0 x", entry.dump_id).unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), list).unwrap();
    let mut command = program(cluster, "pg_restore");
    command.arg("-L").arg(file.path()).args(["-d", "postgres"]).arg(archive);
    let text = String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned();
    // Schemas of stand-ins are there already: pg_restore cannot pass that over, our own engine compares first.
    let expected =
        |line: &&str| line.contains("error:") && !(line.contains("schema ") && line.contains("already exists"));
    text.lines().filter(expected).map(str::to_string).collect()
}

const APP: &str = "CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions;
    CREATE TABLE public.docs (id int PRIMARY KEY, v extensions.vector(3), many extensions.vector[], body text,
        dims int DEFAULT extensions.vector_dims('[1]'::extensions.vector));
    INSERT INTO public.docs SELECT n, ('[' || n || ',2.50,-3e-5]')::extensions.vector, ARRAY['[1]', '[2,3]']::extensions.vector[], 'b'
        FROM generate_series(1, 50) n;
    CREATE INDEX docs_v ON public.docs USING hnsw (v extensions.vector_l2_ops);
    CREATE INDEX docs_body ON public.docs (body);
    CREATE TYPE public.hit AS (id int, v extensions.vector(3));
    CREATE VIEW public.near AS SELECT id, v OPERATOR(extensions.<->) '[1,2,3]'::extensions.vector AS far FROM public.docs;
    CREATE VIEW public.sorted AS SELECT DISTINCT v FROM public.docs;
    CREATE FUNCTION public.match(q extensions.vector) RETURNS SETOF public.docs LANGUAGE sql AS
        'SELECT * FROM public.docs ORDER BY v OPERATOR(extensions.<->) q LIMIT 3';
    ALTER TABLE public.docs ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON public.docs USING (extensions.vector_dims(v) = 3);";

#[tokio::test]
async fn trap_26_columns_of_a_missing_type_round_trip() {
    let database = server().database("TEMPLATE template0");
    database.sql(APP);
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("dump");
    let (toc, inventory) = read(&database, &archive).await;
    let plan = stubs::plan(&toc, &inventory, &["plpgsql".to_string()]);
    let cluster = cluster();
    let errors = restore(&cluster, &archive, &toc, &plan).await;
    assert_eq!(errors, Vec::<String>::new());
    let rows = "SET search_path = ''; COPY (SELECT * FROM public.docs ORDER BY id) TO STDOUT";
    assert_eq!(sql(&cluster, rows), database.sql(rows).trim_end());
    let columns = "SET search_path = ''; SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_catalog.pg_attribute
        WHERE attrelid = 'public.docs'::regclass AND attnum > 0";
    assert_eq!(sql(&cluster, columns), database.sql(columns).trim_end());
    let policy = "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy";
    assert_eq!(sql(&cluster, policy), database.sql(policy).trim_end());
    let view = "SELECT pg_get_viewdef('public.near'::regclass)";
    assert_eq!(sql(&cluster, view), database.sql(view).trim_end());
    let made = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('i', 'v')";
    assert_eq!(sql(&cluster, made), "docs_body docs_pkey near");
    let left: Vec<&str> =
        plan.not_proven.iter().filter(|e| e.code == stubs::MISSING).map(|e| e.what.as_str()).collect();
    assert_eq!(left, ["INDEX public.docs_v", "VIEW public.sorted", "extension vector"]);
    for what in
        ["table public.docs", "view public.near", "policy public.docs p", "function public.match(extensions.vector)"]
    {
        assert!(plan.not_proven.iter().any(|e| e.code == stubs::STUBBED && e.what == what), "{what}: {plan:?}");
    }
}

#[tokio::test]
async fn trap_26_a_stack_without_vault_cron_queues_and_http_is_restored_but_for_them() {
    let database = server().stack();
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("dump");
    let (toc, inventory) = read(&database, &archive).await;
    let plan = stubs::plan(&toc, &inventory, &["plpgsql".to_string()]);
    let cluster = cluster();
    let errors = restore(&cluster, &archive, &toc, &plan).await;
    // An event trigger of a user cannot be given to a role that is no superuser: so it is on any plain server.
    let others: Vec<&String> = errors.iter().filter(|e| !e.contains("event trigger")).collect();
    assert_eq!(others, Vec::<&String>::new());
    for name in ["supabase_vault", "pg_cron", "pgmq", "pg_net", "pg_graphql", "pgcrypto"] {
        assert!(plan.not_proven.iter().any(|e| e.what == format!("extension {name}")), "{name}");
    }
    let rows = "SELECT count(*) FROM auth.users";
    assert_eq!(sql(&cluster, rows), database.sql(rows).trim_end());
    let policies = "SELECT md5(string_agg(concat_ws('|', polname, polrelid::regclass, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), ';' ORDER BY polrelid::regclass::text, polname)) FROM pg_policy WHERE polrelid::regclass::text !~ '^(cron|vault|pgmq|net)\\.'";
    assert_eq!(sql(&cluster, policies), database.sql(policies).trim_end());
}
