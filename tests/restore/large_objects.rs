//! Large objects from an archive into a live server.

use crate::support::archive::{Archive, message};
use crate::support::{Cluster, alone, server};
use stacksnap::model::cancel::Cancel;
use stacksnap::model::failure::FailureKind;
use stacksnap::pg::session::Session;
use stacksnap::restore::rows::large_objects::{list, write_all};

const SUMS: &str = "SELECT string_agg(format('%s %s %s', oid, length(b), md5(b)), E'\n' ORDER BY oid) \
                    FROM pg_largeobject_metadata, lo_get(oid) b";

async fn there_and_back(cluster: &Cluster, count: u64) {
    let from = cluster.empty("lo_from");
    // Empty, small, exactly one piece, more than one, two to the byte; and many.
    let sizes = "SELECT lo_from_bytea(900000 + n::int, convert_to(repeat('x' || n, size / 2), 'UTF8')) \
                 FROM unnest(ARRAY[0, 10, 262144, 700000, 524288]) WITH ORDINALITY u (size, n)";
    cluster.sql(&from, sizes);
    cluster.sql(&from, &format!("SELECT lo_from_bytea(910000 + n, int4send(n)) FROM generate_series(1, {count}) n"));
    cluster.sql(
        &from,
        "DO $$BEGIN CREATE ROLE lo_owner; EXCEPTION WHEN duplicate_object THEN NULL; END$$; \
        ALTER LARGE OBJECT 900002 OWNER TO lo_owner",
    );
    let archive = Archive::of(cluster, &from, &[]);
    let objects = list(&archive.toc(), archive.path()).unwrap();
    assert_eq!(objects.len() as u64, 5 + count);
    assert_eq!(objects.iter().filter(|o| o.owner == "lo_owner").map(|o| o.oid).collect::<Vec<_>>(), [900_002]);
    assert!(objects.iter().all(|o| !o.owner.is_empty()));

    let to = cluster.empty("lo_to");
    cluster.sql(&to, "SELECT lo_from_bytea(900003, repeat('longer', 100000)::bytea), lo_from_bytea(5000, 'stays')");
    let session = Session::open(&cluster.spec(&to), "test").await.unwrap();
    session.execute("BEGIN").await.unwrap();
    let (loaded, of_others) = write_all(&session, archive.path(), &objects, &Cancel::new(), &|_| ()).await.unwrap();
    assert_eq!((loaded.rows, of_others), (5 + count, Vec::new()));
    let locks =
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE classid = 'pg_largeobject'::pg_catalog.regclass";
    let held: i64 = session.one(locks, &[]).await.unwrap().get(0);
    assert_eq!(held, 0);
    session.execute("COMMIT; SELECT lo_unlink(5000)").await.unwrap();
    let sums = cluster.sql(&from, SUMS);
    assert_eq!(sums, cluster.sql(&to, SUMS));

    // Again, with a file that is cut: nothing of it stays.
    let file = archive.path().join("blob_900004.dat.gz");
    let packed = std::fs::read(&file).unwrap();
    std::fs::write(&file, &packed[..packed.len() - 9]).unwrap();
    session.execute("BEGIN").await.unwrap();
    let failure = write_all(&session, archive.path(), &objects, &Cancel::new(), &|_| ()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Integrity, "{failure}");
    assert!(message(&failure).contains("blob_900004.dat"), "{failure}");
    session.execute("ROLLBACK").await.unwrap();
    assert_eq!(sums, cluster.sql(&to, SUMS));
    assert!(list(&archive.toc(), std::path::Path::new("/nonexistent")).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_size_comes_back_and_replaces_what_was_there() {
    let _alone = alone();
    there_and_back(&server(), 1100).await;
}

/// The archive's other shape: lists of a thousand.
#[tokio::test(flavor = "multi_thread")]
async fn every_size_comes_back_on_16_and_18() {
    for major in [16, 18] {
        there_and_back(&Cluster::start(major), 1100).await;
    }
}
