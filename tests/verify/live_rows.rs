//! Rows of a live database against what a snapshot of it recorded: the same fingerprint, table by table.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::{Database, Place, Ran, server, success};
use stacksnap::model::cancel::{Cancel, CancelReason};
use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::failure::FailureKind;
use stacksnap::model::manifest::Manifest;
use stacksnap::model::name::QualifiedName;
use stacksnap::model::secret::Secret;
use stacksnap::pg::rows::{LiveTable, fingerprint_table, fingerprint_tables};
use stacksnap::pg::session::Session;

fn spec(database: &Database) -> ConnSpec {
    let access = database.access();
    ConnSpec {
        hosts: vec![(Host::Tcp(access.host.into()), access.port)],
        database: access.database.into(),
        user: access.user.into(),
        password: Some(Secret::new(access.password)),
        ..ConnSpec::default()
    }
}

fn load(names: &[&str]) -> Database {
    let database = server().database("TEMPLATE template0");
    let mut load = Command::new(crate::support::repo("fixtures/load.sh"));
    load.args(names).env("PGDATABASE", &database.name).env("STACKSNAP_TEST_BIN", &server().bin);
    success(&mut load);
    database
}

fn manifest(place: &Place, database: &Database) -> Manifest {
    let ran = Ran::of(&mut place.create(database.access(), &["--formats", "dump"]));
    stacksnap::snapshot::manifest_file::read_manifest(&ran.folder()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn live_fingerprints_are_those_of_the_snapshot() {
    let database = load(&["types", "nasty"]);
    database.sql(
        "CREATE TABLE public.no_columns (); INSERT INTO public.no_columns DEFAULT VALUES; \
         INSERT INTO public.no_columns DEFAULT VALUES; CREATE TABLE public.parent (a int); \
         CREATE TABLE public.child () INHERITS (public.parent); INSERT INTO public.parent VALUES (1); \
         INSERT INTO public.child VALUES (2), (3); CREATE TABLE public.only_generated (a int GENERATED ALWAYS AS (1) STORED); \
         INSERT INTO public.only_generated DEFAULT VALUES; CREATE TABLE public.long (t text); \
         INSERT INTO public.long SELECT repeat('long \t', 3000000) FROM generate_series(1, 2)",
    );
    let manifest = manifest(&Place::new(), &database);
    assert!(manifest.tables.len() > 10 && manifest.rows_total() > 20, "{:?}", manifest.counts);
    let tables: Vec<(QualifiedName, Vec<String>)> =
        manifest.tables.iter().map(|t| (t.name.clone(), t.columns.clone())).collect();
    let seen = AtomicU64::new(0);
    let progress = |bytes| {
        seen.fetch_add(bytes, Ordering::Relaxed);
    };
    let live = fingerprint_tables(&spec(&database), &tables, 3, &Cancel::new(), &progress).await.unwrap();
    let recorded: Vec<LiveTable> = manifest
        .tables
        .iter()
        .map(|t| LiveTable {
            name: t.name.clone(),
            rows: t.rows,
            sum: t.fingerprint.clone(),
            // The archive's file ends with `\.` and newlines.
            bytes_raw: live.iter().find(|l| l.name == t.name).map_or(0, |l| l.bytes_raw),
        })
        .collect();
    assert_eq!(live, recorded);
    assert_eq!(seen.load(Ordering::Relaxed), live.iter().map(|t| t.bytes_raw).sum::<u64>());
    let rows = |name: &str| live.iter().find(|t| t.name.plain() == name).unwrap().rows;
    assert_eq!([rows("public.no_columns"), rows("public.parent"), rows("public.child")], [2, 1, 2], "ONLY, as pg_dump");

    // One row more, one value else.
    let name = QualifiedName::new("public", "parent");
    let session = Session::open(&spec(&database), "test").await.unwrap();
    let before = fingerprint_table(&session, &name, &["a".into()]).await.unwrap();
    database.sql("UPDATE ONLY public.parent SET a = 9");
    let after = fingerprint_table(&session, &name, &["a".into()]).await.unwrap();
    assert!(before.rows == after.rows && before.sum != after.sum);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_an_error_that_names_the_table() {
    let database = server().small();
    let cancel = Cancel::new();
    let missing = [(QualifiedName::new("public", "go\u{1b}ne"), vec!["a".to_string()])];
    let failure = fingerprint_tables(&spec(&database), &missing, 2, &cancel, &|_| {}).await.unwrap_err();
    assert!(failure.to_string().contains("cannot read the rows of"), "{failure}");
    assert_eq!(fingerprint_tables(&spec(&database), &[], 2, &cancel, &|_| {}).await.unwrap(), vec![]);
    cancel.cancel(CancelReason::Interrupted);
    let people = [(QualifiedName::new("public", "people"), vec!["id".to_string()])];
    let failure = fingerprint_tables(&spec(&database), &people, 2, &cancel, &|_| {}).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Interrupted);
}
