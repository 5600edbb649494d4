//! Tables in which an extension has rows of its own beside those of users, as PostGIS has in `spatial_ref_sys`. A dump holds
//! the rows of users alone: the others are nobody's difference, and no restore takes them away.

use crate::support::restored::{drill, restore_with};
use crate::support::{Cluster, Snapshot, server, text};

const SOURCE: &str =
    "CREATE EXTENSION sample_rows; INSERT INTO sample_systems VALUES (2000, 'mine'), (2001, 'mine too');
    INSERT INTO sample_options VALUES ('colour', 'red');
    CREATE TABLE places (id int PRIMARY KEY, system int NOT NULL REFERENCES sample_systems);
    INSERT INTO places VALUES (1, 3), (2, 2000), (3, 40)";
const ROWS: &str = "SELECT (SELECT count(*) FROM sample_systems WHERE id <= 40), (SELECT string_agg(name, ',' ORDER BY id)
    FROM sample_systems WHERE id > 40), (SELECT string_agg(value, ',') FROM sample_options), (SELECT count(*) FROM places),
    (SELECT convalidated FROM pg_constraint WHERE conname = 'places_system_fkey')";
const AS_IT_WAS: &str = "40|mine,mine too|red|3|t";

fn diff(cluster: &Cluster, database: &str, snapshot: &Snapshot, args: &[&str]) -> (Option<i32>, String) {
    let mut command = cluster.stacksnap(database, snapshot.folder.parent().unwrap());
    let output = command.args(["diff"]).arg(&snapshot.folder).arg("live").args(args).output().unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn rows_of_an_extension_stay_beside_those_of_users() {
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = cluster.empty("rows_of_extensions");
    cluster.sql(&from, SOURCE);
    let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
    let is_equal = |database: &str| {
        assert_eq!(cluster.sql(database, ROWS), AS_IT_WAS);
        for args in [&[][..], &["--data"]] {
            let (code, said) = diff(&cluster, database, &snapshot, args);
            assert_eq!(code, Some(0), "{said}");
        }
    };
    is_equal(&from);

    let elsewhere = cluster.empty("rows_of_extensions_elsewhere");
    let done = restore_with(&cluster, &elsewhere, &snapshot, place.path(), &["--no-safety-snapshot"]);
    assert_eq!((done.code, done.exceptions(), done.findings()), (0, vec![], vec![]), "{}", done.said);
    is_equal(&elsewhere);
    let script = cluster.empty("rows_of_extensions_script");
    cluster.restore(&snapshot, &script, 0);
    is_equal(&script);
    assert_eq!(drill(&cluster, &snapshot).code, 0);

    cluster.sql(&from, "DELETE FROM places WHERE id = 2; UPDATE sample_systems SET name = 'other' WHERE id = 2001;
        DELETE FROM sample_systems WHERE id = 2000; INSERT INTO sample_systems VALUES (3000, 'late'); DELETE FROM sample_options");
    let (code, said) = diff(&cluster, &from, &snapshot, &["--data"]);
    assert_eq!(code, Some(4), "{said}");
    let done = restore_with(&cluster, &from, &snapshot, place.path(), &["--read-all"]);
    assert_eq!((done.code, done.exceptions()), (0, vec![]), "{}", done.said);
    is_equal(&from);
    for database in [from, elsewhere, script] {
        cluster.drop_database(&database);
    }
}
