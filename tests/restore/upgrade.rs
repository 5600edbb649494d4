//! From PostgreSQL 15 to 17, as hosted projects go: the fixture stack into a fresh project, onto a bare server and by the
//! restore script. What differs afterwards is what the two versions write differently by nature, or it was named.
//! `STACKSNAP_UPGRADE=16-17` takes other majors.

use std::io::Write;
use std::process::Command;

use crate::support::restored::{Restored, restore, restore_with};
use crate::support::{Cluster, Snapshot, compare, ok, text};
use serde_json::Value;

/// Texts that 15 and 17 print differently, or print otherwise once they were made from their own text.
const ALSO: &str = "CREATE TABLE public.up_orders (id int PRIMARY KEY, a int, b int NOT NULL, t varchar(20) DEFAULT 'x'
        CHECK (t IN ('new', 'paid')), ts timestamptz DEFAULT now(), n text COLLATE \"C\",
        g int GENERATED ALWAYS AS (a * 2) STORED);
    INSERT INTO public.up_orders SELECT n, n % 7, n, 'paid', now(), 'n' || n FROM generate_series(1, 300) n;
    CREATE VIEW public.up_view AS SELECT o.a, o.t, d.x FROM public.up_orders o JOIN (SELECT 1 AS x) d ON d.x = o.id
        WHERE o.t IN ('new', 'paid') ORDER BY o.a;
    CREATE MATERIALIZED VIEW public.up_mat AS SELECT t, count(*) FROM public.up_orders GROUP BY t HAVING t NOT IN ('none');
    CREATE FUNCTION public.up_atomic(x int) RETURNS bigint LANGUAGE sql
        BEGIN ATOMIC SELECT count(*) FROM public.up_orders o WHERE o.t IN ('new', 'paid') AND o.a > x; END;
    CREATE POLICY up_policy ON public.up_orders TO authenticated USING (t IN ('new', 'paid') OR a = ANY (ARRAY[1, 2]));
    ALTER TABLE public.up_orders ENABLE ROW LEVEL SECURITY;
    CREATE INDEX up_index ON public.up_orders (lower(t)) WHERE t IN ('new', 'paid');
    CREATE TYPE public.up_type AS (a json); CREATE FUNCTION public.up_json(json, json[]) RETURNS json LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE FUNCTION public.up_cast(public.up_type) RETURNS json LANGUAGE sql IMMUTABLE AS 'SELECT $1.a';
    CREATE FUNCTION public.up_less(json, json) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
    CREATE OPERATOR public.<<< (LEFTARG = json, RIGHTARG = json, FUNCTION = public.up_less);
    CREATE CAST (public.up_type AS json) WITH FUNCTION public.up_cast(public.up_type);
    COMMENT ON FUNCTION public.up_json(json, json[]) IS 'json'; COMMENT ON OPERATOR public.<<< (json, json) IS 'json';
    COMMENT ON CAST (public.up_type AS json) IS 'json';
    CREATE RULE up_rule AS ON DELETE TO public.up_orders WHERE old.t IN ('paid') DO INSTEAD NOTHING";

fn majors() -> (u32, u32) {
    let Ok(text) = std::env::var("STACKSNAP_UPGRADE") else { return (15, 17) };
    let (from, to) = text.split_once('-').unwrap();
    (from.parse().unwrap(), to.parse().unwrap())
}

/// 17 comes from a package registry. Without it nothing is proved here, and that is said.
fn can_be_installed(major: u32) -> bool {
    let script = crate::support::repo("scripts/pg.sh");
    let output = Command::new(script).args(["install", &major.to_string()]).output().unwrap();
    if !output.status.success() {
        let why = text(&output);
        let _ = writeln!(std::io::stderr().lock(), "NOT TESTED, PostgreSQL {major} cannot be installed: {why}");
    }
    output.status.success()
}

/// What `diff` finds beyond what the versions write differently, and `named` does not name.
#[track_caller]
fn nothing_unnamed(target: &Cluster, database: &str, snapshot: &Snapshot, named: &[String]) {
    let mut command = target.stacksnap(database, snapshot.folder.parent().unwrap());
    let output = command.args(["-o", "json", "diff"]).arg(&snapshot.folder).arg("live").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let is_named = |what: &str| named.iter().any(|one| one.contains(what));
    // Members of an extension that the newer build lacks went with it.
    let went = |o: &Value| o["extension"].as_str().is_some_and(|e| is_named(&format!("extension {e}")));
    let objects = list("objects").into_iter().filter(|o| o["severity"] != "cosmetic" && !went(o));
    let mut unnamed: Vec<String> = objects
        .filter(|o| !is_named(o["identity"].as_str().unwrap().trim_matches('"')))
        .map(|o| o.to_string())
        .collect();
    let tables = list("tables").into_iter();
    let plain = |t: &Value| format!("{}.{}", t["schema"].as_str().unwrap(), t["name"].as_str().unwrap());
    unnamed.extend(tables.filter(|t| !is_named(&plain(t))).map(|t| t.to_string()));
    assert_eq!(unnamed, Vec::<String>::new());
}

/// The rows, read again by a new snapshot.
#[track_caller]
fn same_rows(target: &Cluster, database: &str, snapshot: &Snapshot, named: &[String]) {
    let differs = compare::tables(snapshot, &target.look(database));
    let of_table = |line: &String| line.trim_start_matches("rows of ").split(':').next().unwrap().to_string();
    let unnamed: Vec<_> = differs.iter().filter(|l| !named.iter().any(|n| n.contains(&of_table(l)))).collect();
    assert!(unnamed.is_empty(), "{unnamed:#?}");
}

/// The extensions of a database that another server lacks: builds of some majors that tests have do not bring all.
fn lacking(cluster: &Cluster, database: &str, server: &Cluster) -> Vec<String> {
    let available = server.sql("postgres", "SELECT name FROM pg_available_extensions");
    let there: Vec<&str> = available.lines().collect();
    let wanted = cluster.sql(database, "SELECT extname FROM pg_extension");
    wanted.lines().filter(|name| !there.contains(name)).map(str::to_string).collect()
}

fn well(done: &Restored) -> Vec<String> {
    done.is_well();
    done.exceptions()
}

#[test]
fn a_project_goes_from_15_to_17() {
    let (from, to) = majors();
    if !can_be_installed(to) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let source = Cluster::start(from);
    source.load("up", "member", &["stack", "app"]);
    // The build of 17 that tests have does not bring it.
    source.sql("up", "DROP EXTENSION IF EXISTS \"uuid-ossp\"");
    source.sql("up", &format!("SET ROLE postgres; {ALSO}"));
    // Of this only a superuser has the making.
    source.sql("up", "CREATE TRANSFORM FOR json LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal))");
    let snapshot = source.create("up", &place.path().join("snapshots"), 3, &[]);

    let target = Cluster::start(to);
    target.load("postgres", "member", &["stack"]);
    let mut named = well(&restore(&target, "postgres", "postgres", "postgres", &snapshot, place.path()));
    // A platform keeps what is its own; jobs name the database that they run in, the number of their last run is its own.
    named.extend(["supabase_admin", "postgres", "cron.job", "cron.runid_seq"].map(String::from));
    // The gaps name each secret.
    named.push("vault.secrets".to_string());
    named.extend(lacking(&target, "postgres", &source).into_iter().map(|own| format!("extension {own}")));
    nothing_unnamed(&target, "postgres", &snapshot, &named);
    same_rows(&target, "postgres", &snapshot, &named);

    let bare = Cluster::start(to);
    bare.empty("bare");
    let mut named = well(&restore_with(&bare, "bare", &snapshot, place.path(), &["--no-safety-snapshot"]));
    let own = "ROLE supabase_admin".to_string();
    named.extend([own.clone(), "cron.job".to_string()]);
    nothing_unnamed(&bare, "bare", &snapshot, &named);
    same_rows(&bare, "bare", &snapshot, &named);
    let again = restore_with(&bare, "bare", &snapshot, place.path(), &["--replace-other-project", "--dry-run"]);
    for list in ["drop", "replace", "create"] {
        assert_eq!(again.planned(list), Vec::<String>::new(), "{list}: {}", again.said);
    }

    bare.empty("script");
    if !lacking(&source, "up", &bare).is_empty() {
        let said = bare.restore(&snapshot, "script", 1);
        assert!(said.contains("extensions that the target server does not have"), "{said}");
        return;
    }
    let said = bare.restore(&snapshot, "script", 3);
    assert!(said.contains("extension pgmq belongs to supabase_admin, in the snapshot to postgres"), "{said}");
    let named = [own, "pgmq".into(), "log_ddl".into(), "cron.job".into()];
    nothing_unnamed(&bare, "script", &snapshot, &named);
    same_rows(&bare, "script", &snapshot, &named);
    // Both are asked the same, by their own programs.
    let sql = "SELECT count(*), sum(a), sum(g), public.up_atomic(2) FROM public.up_orders";
    for database in ["bare", "script"] {
        assert_eq!(bare.sql(database, sql), source.sql("up", sql));
        ok(bare.program("pg_dump", database).args(["-s", "-f", "/dev/null"]));
    }
}
