//! Definitions whose texts differ and mean the same are equal, everywhere that objects are compared; those that mean
//! something else are not (trap 27).

use std::path::Path;
use std::process::Output;

use crate::support::{Cluster, server, text};

/// An `IN` on varchar, which is deparsed otherwise once it was made from its deparse, in every place that has an expression.
const EVERYWHERE: &str = r#"
    CREATE TABLE public.orders (id int PRIMARY KEY, status varchar(20) DEFAULT 'new' CHECK (status IN ('new', 'paid')),
        note text, code char(3), "Kind" varchar(9) DEFAULT CASE WHEN 'a'::varchar(3) IN ('a', 'b') THEN 'x' ELSE 'y' END);
    INSERT INTO public.orders VALUES (1, 'new'), (2, 'paid');
    CREATE VIEW public.v AS SELECT * FROM public.orders WHERE status IN ('new', 'paid') AND code NOT IN ('abc', 'def');
    CREATE MATERIALIZED VIEW public.mv AS SELECT status, count(*) FROM public.orders WHERE status NOT IN ('a', 'b') GROUP BY 1;
    ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON public.orders USING (status IN ('new', 'paid')) WITH CHECK (status IN ('new', 'void')
        AND EXISTS (SELECT 1 FROM public.orders o WHERE o.id = orders.id AND o.status IN ('x', 'y')));
    CREATE INDEX i1 ON public.orders (id) WHERE status IN ('new', 'paid');
    CREATE INDEX i2 ON public.orders (note, (CASE WHEN status IN ('new', 'x') THEN 1 END) DESC);
    CREATE FUNCTION public.tf() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
    CREATE TRIGGER t1 BEFORE UPDATE ON public.orders FOR EACH ROW WHEN (new.status IN ('a', 'b') AND old.* IS DISTINCT FROM new.*)
        EXECUTE FUNCTION public.tf();
    CREATE RULE r1 AS ON DELETE TO public.orders WHERE old.status IN ('q', 'r') DO INSTEAD
        (INSERT INTO public.orders SELECT old.id + 100 WHERE old.note::varchar IN ('b', 'c'); UPDATE public.orders SET note = 'x' WHERE orders.id = old.id AND orders.status IN ('z', 'y'));
    CREATE DOMAIN public.d AS varchar(10) DEFAULT 'x' CHECK (value IN ('x', 'y'));
    CREATE FUNCTION public."F g"(a varchar DEFAULT CASE WHEN 'q'::varchar IN ('q', 'r') THEN 'zz' END, b text DEFAULT 'x')
        RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC SELECT id FROM public.orders WHERE status IN ('new', a)
        AND CASE WHEN b IN ('u', 'v') THEN true END; SELECT 1; END;
    CREATE TABLE public.g (s varchar(20), b bool GENERATED ALWAYS AS (s IN ('a', 'b')) STORED, c varchar(5) GENERATED ALWAYS AS (s || 'x') STORED);
    ALTER TABLE public.orders ADD CONSTRAINT ex EXCLUDE USING btree (id WITH =) WHERE (status IN ('new', 'old'));
    ALTER TABLE public.orders ADD CONSTRAINT ex2 EXCLUDE USING btree (id WITH =) WITH (fillfactor = 50)
        WHERE (status IN ('new', 'old')) DEFERRABLE INITIALLY DEFERRED;
    CREATE PUBLICATION pub FOR TABLE public.orders WHERE (note IN ('new', 'x'));
    CREATE STATISTICS public.st ON (status IN ('a', 'b')), id FROM public.orders;
    CREATE TABLE public.pt (a varchar(5), b int) PARTITION BY LIST ((a IN ('x', 'y')));
    CREATE TABLE public.kinds (a int CHECK (a IN (1, 2)) NOT NULL, b varchar(3)[] DEFAULT '{a,b}' CHECK ('a'::varchar(3) = ANY (b)));"#;

/// One change of meaning in each place, by what has to be told.
const CHANGES: [(&str, &str); 14] = [
    (
        "CHECK CONSTRAINT orders_status_check",
        "ALTER TABLE public.orders DROP CONSTRAINT orders_status_check, ADD CHECK (status IN ('new', 'paid', 'x'))",
    ),
    (
        "VIEW public.v",
        "CREATE OR REPLACE VIEW public.v AS SELECT * FROM public.orders WHERE status IN ('new', 'paid') AND code NOT IN ('abc', 'dee')",
    ),
    ("POLICY p on public.orders", "ALTER POLICY p ON public.orders USING (status IN ('new', 'paid', 'open'))"),
    ("INDEX public.i1", "DROP INDEX public.i1; CREATE INDEX i1 ON public.orders (id) WHERE status IN ('new', 'pays')"),
    (
        "INDEX public.i2",
        "DROP INDEX public.i2; CREATE INDEX i2 ON public.orders (note, (CASE WHEN status IN ('new', 'x') THEN 2 END) DESC)",
    ),
    (
        "TRIGGER t1 on public.orders",
        "CREATE OR REPLACE TRIGGER t1 BEFORE UPDATE ON public.orders FOR EACH ROW WHEN (new.status IN ('a', 'b') \
        AND new.* IS DISTINCT FROM new.*) EXECUTE FUNCTION public.tf()",
    ),
    (
        "RULE r1 on public.orders",
        "CREATE OR REPLACE RULE r1 AS ON DELETE TO public.orders WHERE old.status IN ('q', 'r') DO INSTEAD NOTHING",
    ),
    (
        "CHECK CONSTRAINT d_check on domain public.d",
        "ALTER DOMAIN public.d DROP CONSTRAINT d_check; ALTER DOMAIN public.d ADD CHECK (value IN ('x', 'z'))",
    ),
    (
        "FUNCTION public.\"F g\"",
        "CREATE OR REPLACE FUNCTION public.\"F g\"(a varchar DEFAULT 'zz', b text DEFAULT 'x') RETURNS SETOF int LANGUAGE sql \
        BEGIN ATOMIC SELECT id FROM public.orders WHERE status IN ('new', a) AND CASE WHEN b IN ('u', 'w') THEN true END; SELECT 1; END",
    ),
    (
        "TABLE public.orders",
        "ALTER TABLE public.orders ALTER \"Kind\" SET DEFAULT CASE WHEN 'a'::varchar(3) IN ('a', 'c') THEN 'x' ELSE 'y' END",
    ),
    (
        "CONSTRAINT ex on public.orders",
        "ALTER TABLE public.orders DROP CONSTRAINT ex, ADD CONSTRAINT ex EXCLUDE USING btree (id WITH =) WHERE (status IN ('new'))",
    ),
    ("PUBLICATION TABLE public.orders", "ALTER PUBLICATION pub SET TABLE public.orders WHERE (note IN ('new', 'y'))"),
    (
        "STATISTICS public.st",
        "DROP STATISTICS public.st; CREATE STATISTICS public.st ON (status IN ('a', 'c')), id FROM public.orders",
    ),
    ("DOMAIN public.d", "ALTER DOMAIN public.d SET DEFAULT 'y'"),
];

struct Journey<'a> {
    root: &'a Path,
}

impl Journey<'_> {
    fn run(&self, cluster: &Cluster, database: &str, args: &[&str]) -> Output {
        cluster.stacksnap(database, self.root).args(args).output().unwrap()
    }

    #[track_caller]
    fn restores(&self, cluster: &Cluster, database: &str) {
        let to = format!("host=127.0.0.1 port={} user=supabase_admin dbname={database}", cluster.port);
        let bin = cluster.bin.to_str().unwrap();
        let args =
            ["restore", "latest", "--to", &to, "--confirm", database, "--replace-other-project", "--pg-bin", bin];
        let output = self.run(cluster, database, &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }

    #[track_caller]
    fn has_nothing_to_do(&self, cluster: &Cluster, database: &str) {
        let to = format!("host=127.0.0.1 port={} user=supabase_admin dbname={database}", cluster.port);
        let output = self.run(cluster, database, &["-o", "json", "restore", "latest", "--to", &to, "--dry-run"]);
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for list in ["drop", "replace", "create", "load"] {
            assert_eq!(plan[list].as_array().map(Vec::len), Some(0), "{list}: {}", text(&output));
        }
    }

    #[track_caller]
    fn is_equal(&self, cluster: &Cluster, database: &str) {
        let output = self.run(cluster, database, &["diff", "latest", "live"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
}

#[test]
fn texts_of_either_generation_are_equal_in_place_elsewhere_and_again() {
    let source = server();
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("r");
    let journey = Journey { root: &root };
    source.empty("meaning_source");
    source.sql("meaning_source", EVERYWHERE);
    source.create("meaning_source", &root, 0, &[]);
    source.empty("meaning_target");
    journey.restores(&source, "meaning_target");
    journey.is_equal(&source, "meaning_target");
    journey.is_equal(&source, "meaning_source");
    // In place the live objects are of the first generation, the table that is made again of the second.
    source.sql("meaning_source", "DROP TABLE public.orders CASCADE");
    journey.restores(&source, "meaning_source");
    journey.is_equal(&source, "meaning_source");
    journey.has_nothing_to_do(&source, "meaning_source");
    // And the other way round: the snapshot is of the second generation, and one object of the first comes in between.
    source.create("meaning_source", &root, 0, &[]);
    source.sql(
        "meaning_source",
        "ALTER TABLE public.orders DROP CONSTRAINT orders_status_check, ADD CHECK (status IN ('new', 'paid'))",
    );
    journey.is_equal(&source, "meaning_source");
    for (what, change) in CHANGES {
        source.sql("meaning_source", &format!("BEGIN; {change}; COMMIT"));
        let output = journey.run(&source, "meaning_source", &["diff", "latest", "live", "--schema", "-o", "json"]);
        assert_eq!(output.status.code(), Some(4), "{what}: {}", text(&output));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let name =
            |d: &serde_json::Value| format!("{} {}", d["kind"].as_str().unwrap(), d["identity"].as_str().unwrap());
        let is_there = said["objects"].as_array().unwrap().iter().any(|d| name(d).starts_with(what));
        assert!(is_there, "{what}: {said}");
    }
    journey.restores(&source, "meaning_source");
    journey.is_equal(&source, "meaning_source");
    source.drop_database("meaning_source");
    source.drop_database("meaning_target");
}

/// What each major prints in its own way is no difference, and what was changed is one.
#[test]
fn from_each_major_into_it_and_newer_ones() {
    let source = server();
    let major: u32 =
        source.sql("postgres", "SELECT current_setting('server_version_num')::int / 10000").parse().unwrap();
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("r");
    let journey = Journey { root: &root };
    source.empty("meaning_majors");
    source.sql("meaning_majors", EVERYWHERE);
    source.create("meaning_majors", &root, 0, &[]);
    for major in [15, 16, 17, 18].into_iter().filter(|target| *target >= major) {
        let target = Cluster::start(major);
        target.empty("meaning_newer");
        journey.restores(&target, "meaning_newer");
        for (_, change) in CHANGES {
            target.sql("meaning_newer", &format!("BEGIN; {change}; COMMIT"));
        }
        let output = journey.run(&target, "meaning_newer", &["diff", "latest", "live", "--schema", "-o", "json"]);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let structure = said["objects"].as_array().unwrap().iter().filter(|d| d["severity"] == "structure").count();
        let policies = said["objects"].as_array().unwrap().iter().filter(|d| d["kind"] == "POLICY").count();
        assert_eq!((structure, policies), (CHANGES.len() - 1, 1), "{}", text(&output));
        journey.restores(&target, "meaning_newer");
    }
    source.drop_database("meaning_majors");
}
