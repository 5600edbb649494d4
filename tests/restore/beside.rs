//! `-t TABLE --into-schema NAME`: copies beside what is there, and nothing else.

use std::path::Path;
use std::process::Output;

use crate::support::{Cluster, Snapshot, server, text};
use serde_json::Value;

fn copy(server: &Cluster, database: &str, snapshot: &Snapshot, root: &Path, arguments: &[&str]) -> Output {
    let to = format!("host=127.0.0.1 port={} user=supabase_admin dbname={database}", server.port);
    let mut command = server.stacksnap(database, root);
    command.arg("restore").arg(&snapshot.folder).args(["--to", &to, "--confirm", database, "-o", "json"]);
    command.args(["--into-schema", "rescue copy"]).args(arguments).output().unwrap()
}

#[test]
fn rows_come_back_beside_the_table_that_lost_them() {
    let server = server();
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("all");
    let database = server.load("beside", "revoked", &["stack", "app", "types"]);
    server.sql(&database, "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon");
    let snapshot = server.create(&database, &root, 3, &[]);
    server.sql(&database, "CREATE TABLE public.was AS SELECT * FROM public.orders");
    server.sql(
        &database,
        "UPDATE public.orders SET status = 'paid' WHERE id % 2 = 0; ALTER TABLE types.arrays RENAME TO gone",
    );
    let state = "SELECT count(*), sum(relfilenode::bigint) FROM pg_class WHERE relnamespace::regnamespace::text NOT IN ('\"rescue copy\"', 'pg_toast')";
    let before = server.sql(&database, state);

    let done =
        copy(&server, &database, &snapshot, &root, &["--allow-partial", "-t", "public.orders", "-t", "types.arrays"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["proof"]["tables_compared"], 2);
    assert_eq!(report["safety_snapshot"], Value::Null, "nothing that exists is touched: there is nothing to save");
    let lost = "SELECT count(*) FROM (SELECT id, status, total FROM public.was EXCEPT SELECT id, status, total FROM \"rescue copy\".orders) x";
    assert_eq!(server.sql(&database, lost), "0");
    assert_eq!(server.sql(&database, "SELECT count(*) > 0 FROM \"rescue copy\".arrays"), "t");
    assert_eq!(server.sql(&database, state), before, "no other object was made or written anew");
    let open = "SELECT count(*) FROM pg_class WHERE relnamespace = '\"rescue copy\"'::regnamespace AND relkind = 'r' \
                AND (has_table_privilege('anon', oid, 'SELECT') OR NOT relrowsecurity)";
    assert_eq!(server.sql(&database, open), "0", "nobody is let in");

    let again = copy(&server, &database, &snapshot, &root, &["--allow-partial", "-t", "public.orders"]);
    assert_eq!(again.status.code(), Some(14), "{}", text(&again));
    let unknown = copy(&server, &database, &snapshot, &root, &["--allow-partial", "-t", "public.no_such"]);
    assert_eq!(unknown.status.code(), Some(10), "{}", text(&unknown));
    let whole = copy(&server, &database, &snapshot, &root, &[]);
    assert_eq!(whole.status.code(), Some(64), "it wants tables: {}", text(&whole));
    named_by_its_path_it_lies_in_its_root(&server, &database, &snapshot, &root);
    server.drop_database(&database);
}

/// Where no root was asked for and none is here, the folder of the snapshot is its root: with the key that signed it.
fn named_by_its_path_it_lies_in_its_root(server: &Cluster, database: &str, snapshot: &Snapshot, root: &Path) {
    let elsewhere = tempfile::tempdir().unwrap();
    let to = format!("host=127.0.0.1 port={} user=supabase_admin dbname={database}", server.port);
    let dry_run = |arguments: &[&str]| {
        let mut command = server.stacksnap(database, root);
        let program = command.get_program().to_owned();
        let variables: Vec<_> = command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
        command = std::process::Command::new(program);
        command
            .env_clear()
            .envs(variables.into_iter().filter_map(|(k, v)| Some((k, v?))))
            .current_dir(elsewhere.path());
        command.args(arguments).arg("restore").arg(&snapshot.folder).args([
            "--to",
            &to,
            "--dry-run",
            "--allow-partial",
        ]);
        command.output().unwrap()
    };
    let found = dry_run(&[]);
    assert_eq!(found.status.code(), Some(0), "{}", text(&found));
    let foreign = dry_run(&["--root", "another"]);
    assert_eq!(foreign.status.code(), Some(13), "{}", text(&foreign));
}
