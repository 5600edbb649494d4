//! Every form of a publication comes back: into an empty database, and in place where it has become each other form.

use std::path::Path;

use crate::support::restored::{Restored, restore};
use crate::support::{Cluster, Snapshot, server};

const TABLES: &str = "CREATE TABLE public.plain (a int PRIMARY KEY, b text, c int);
    CREATE TABLE public.parted (a int PRIMARY KEY, b text, c int) PARTITION BY RANGE (a);
    CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (10);
    CREATE SCHEMA \"Other one\"; CREATE TABLE \"Other one\".t (a int PRIMARY KEY, b int)";

/// What comes after `CREATE PUBLICATION forms`.
const FORMS: [&str; 10] = [
    "",
    "WITH (publish = 'insert, truncate', publish_via_partition_root = true)",
    "FOR ALL TABLES",
    "FOR ALL TABLES WITH (publish_via_partition_root = true)",
    "FOR TABLE ONLY public.plain, public.parted",
    "FOR TABLE public.plain (a, c), \"Other one\".t WHERE (b > 3)",
    "FOR TABLE public.parted WHERE (c > 5) WITH (publish_via_partition_root = true)",
    "FOR TABLE public.parted (a, b), public.plain WHERE (b <> 'x') WITH (publish_via_partition_root = true)",
    "FOR TABLES IN SCHEMA public, \"Other one\"",
    "FOR TABLE public.plain WHERE (a > 1), TABLES IN SCHEMA \"Other one\" WITH (publish = 'delete')",
];

/// Since 18.
const GENERATED: [&str; 2] = [
    "FOR TABLE public.plain WITH (publish_generated_columns = stored)",
    "FOR TABLE public.plain WITH (publish_generated_columns = none)",
];

const SEEN: &str = "SELECT to_jsonb(p) - 'oid' || jsonb_build_object(
        'tables', (SELECT jsonb_agg(ARRAY[r.prrelid::regclass::text, pg_get_expr(r.prqual, r.prrelid), r.prattrs::text] ORDER BY r.prrelid::regclass::text)
                   FROM pg_publication_rel r WHERE r.prpubid = p.oid),
        'schemas', (SELECT jsonb_agg(n.pnnspid::regnamespace::text ORDER BY n.pnnspid::regnamespace::text) FROM pg_publication_namespace n WHERE n.pnpubid = p.oid))
    FROM pg_publication p WHERE pubname = 'forms'";

#[track_caller]
fn is_equal(done: &Restored, what: &str) {
    let all = (done.code, done.findings(), done.exceptions());
    assert_eq!(all, (0, Vec::new(), Vec::new()), "{what}: {}", done.said);
}

fn each_form_into_each(cluster: &Cluster, forms: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let from = cluster.empty("publication_forms");
    cluster.sql(&from, TABLES);
    let become_form = |form: &str| {
        cluster.sql(&from, &format!("DROP PUBLICATION IF EXISTS forms; CREATE PUBLICATION forms {form}"));
    };
    let restored = |to: &str, snapshot: &Snapshot, place: &Path, what: &str| {
        let done = restore(cluster, "supabase_admin", "postgres", to, snapshot, place);
        is_equal(&done, what);
    };
    for (number, form) in forms.iter().enumerate() {
        become_form(form);
        let seen = cluster.sql(&from, SEEN);
        let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
        let to = cluster.empty("publication_forms_to");
        restored(&to, &snapshot, place.path(), form);
        assert_eq!(cluster.sql(&to, SEEN), seen, "into an empty database: {form}");

        for (other_number, other) in forms.iter().enumerate() {
            if other_number == number {
                continue;
            }
            become_form(other);
            // What the file of the snapshot does by itself, without an engine that would try again.
            let mut psql = cluster.psql(&from);
            let ran = psql.arg("-f").arg(snapshot.folder.join("extension_state/publications.sql")).output().unwrap();
            assert!(ran.status.success(), "{other} to {form}: {}", String::from_utf8_lossy(&ran.stderr));
            assert_eq!(cluster.sql(&from, SEEN), seen, "{other} to {form}");
        }
        if number % 2 == 0 {
            become_form(forms[(number + 1) % forms.len()]);
            restored(&from, &snapshot, place.path(), form);
            assert_eq!(cluster.sql(&from, SEEN), seen, "in place: {form}");
        }
    }
    cluster.drop_database(&from);
    cluster.drop_database("publication_forms_to");
}

#[test]
fn every_form_comes_back_and_each_other_becomes_it() {
    each_form_into_each(&server(), &FORMS);
}

#[test]
fn generated_columns_are_published_or_not() {
    let cluster = Cluster::start(18);
    each_form_into_each(&cluster, &[&FORMS[4..8], &GENERATED].concat());
}
