//! One bad object must not cost everything: what cannot be made is left out with what depends on it, by name and cause.
//! Into an empty database by default, over one connection and over several, in a restore and in a drill; in place only
//! what was named.

use crate::support::restored::{Restored, drill, restore_with, undo};
use crate::support::{Cluster, Snapshot, server};

/// Something that the server refuses, and what has to come of it.
struct Case {
    name: &'static str,
    sql: &'static str,
    code: i32,
    /// `code what` of each cause.
    causes: &'static [&'static str],
    sqlstates: &'static [&'static str],
    /// Objects that fell with them.
    fallen: &'static [&'static str],
    /// Asked of the target; every answer is true.
    holds: &'static [&'static str],
}

const LAZY: &str = "SET check_function_bodies = off;";

/// A default of a parameter came later: what calls both functions is ambiguous now, and neither can be moved out of the way.
const AMBIGUOUS: &str = "CREATE FUNCTION one() RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE FUNCTION one(x int) RETURNS boolean LANGUAGE sql AS 'SELECT true';";
const LATER: &str = "CREATE OR REPLACE FUNCTION one(x int DEFAULT 2) RETURNS boolean LANGUAGE sql AS 'SELECT true';";

fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "an index over a function that finds nothing without a search path",
            sql: "CREATE TABLE words (id int PRIMARY KEY, w text); INSERT INTO words VALUES (1, 'É');
                CREATE FUNCTION plain(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT unaccented($1)';
                CREATE FUNCTION unaccented(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
                CREATE INDEX words_plain ON words (plain(w)); COMMENT ON INDEX words_plain IS 'for the search';
                CREATE INDEX words_w ON words (w)",
            code: 3,
            causes: &["left_out INDEX public.words_plain"],
            sqlstates: &["42883"],
            fallen: &["COMMENT index public.words_plain"],
            holds: &["SELECT count(*) = 2 FROM pg_indexes WHERE tablename = 'words'", "SELECT count(*) = 1 FROM words"],
        },
        Case {
            name: "materialized views that cannot be filled",
            sql: "CREATE FUNCTION outer_one() RETURNS int LANGUAGE sql STABLE AS 'SELECT inner_one()';
                CREATE FUNCTION inner_one() RETURNS int LANGUAGE sql STABLE AS 'SELECT 7';
                CREATE MATERIALIZED VIEW seven AS SELECT outer_one() AS n; CREATE UNIQUE INDEX seven_n ON seven (n);
                CREATE MATERIALIZED VIEW eight AS SELECT n + 1 AS n FROM seven;
                CREATE MATERIALIZED VIEW fine AS SELECT 1 AS n",
            code: 3,
            causes: &["left_not_populated MATERIALIZED VIEW public.seven"],
            sqlstates: &["42883"],
            fallen: &["MATERIALIZED VIEW public.eight"],
            holds: &[
                "SELECT string_agg(relname, ' ' ORDER BY relname) = 'eight seven' FROM pg_class WHERE relkind = 'm' AND NOT relispopulated",
                "SELECT to_regclass('public.seven_n') IS NOT NULL",
                "SELECT n = 1 FROM fine",
            ],
        },
        Case {
            name: "checks that rows do not keep",
            sql: "CREATE TABLE aged (n int CONSTRAINT young CHECK (n < 10), m int CONSTRAINT small CHECK (m < 10));
                ALTER TABLE aged DROP CONSTRAINT young; INSERT INTO aged VALUES (50, 1), (5, 2);
                ALTER TABLE aged ADD CONSTRAINT young CHECK (n < 10) NOT VALID;
                UPDATE pg_constraint SET convalidated = true WHERE conname = 'young';
                CREATE DOMAIN even AS int; CREATE TABLE evens (n even); INSERT INTO evens VALUES (3);
                ALTER DOMAIN even ADD CONSTRAINT is_even CHECK (VALUE % 2 = 0) NOT VALID;
                UPDATE pg_constraint SET convalidated = true WHERE conname = 'is_even'",
            code: 3,
            causes: &["left_not_valid CHECK CONSTRAINT is_even on domain public.even", "left_not_valid CHECK CONSTRAINT young on public.aged"],
            sqlstates: &["23514", "23514"],
            fallen: &[],
            holds: &[
                "SELECT count(*) = 2 FROM aged",
                "SELECT count(*) = 1 FROM evens",
                "SELECT convalidated FROM pg_constraint WHERE conname = 'small'",
                "SELECT count(*) = 2 FROM pg_constraint WHERE conname IN ('young', 'is_even') AND NOT convalidated",
            ],
        },
        Case {
            name: "a check that reads another table, whose rows come later",
            sql: "CREATE TABLE z_limits (n int PRIMARY KEY); INSERT INTO z_limits VALUES (9);
                CREATE FUNCTION limit_of() RETURNS int LANGUAGE sql STABLE AS 'SELECT max(n) FROM public.z_limits';
                CREATE TABLE a_limited (n int CONSTRAINT within CHECK (coalesce(n <= limit_of(), false)));
                INSERT INTO a_limited VALUES (3)",
            code: 0,
            causes: &[],
            sqlstates: &[],
            fallen: &[],
            holds: &["SELECT convalidated FROM pg_constraint WHERE conname = 'within'", "SELECT count(*) = 1 FROM a_limited"],
        },
        Case {
            name: "a foreign key that rows do not keep",
            sql: "CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1);
                CREATE TABLE children (id int, parent int); INSERT INTO children VALUES (1, 1), (2, 99);
                ALTER TABLE children ADD CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parents NOT VALID;
                UPDATE pg_constraint SET convalidated = true WHERE conname = 'of_parent'",
            code: 3,
            causes: &["left_not_valid FK CONSTRAINT of_parent on public.children"],
            sqlstates: &["23503"],
            fallen: &[],
            holds: &[
                "SELECT count(*) = 2 FROM children",
                "SELECT NOT convalidated FROM pg_constraint WHERE conname = 'of_parent'",
                "SELECT count(*) = 2 FROM pg_trigger WHERE tgrelid = 'children'::regclass AND tgenabled = 'O'",
            ],
        },
        Case {
            name: "a generated column whose expression fails on a row",
            sql: "CREATE FUNCTION per(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x; END';
                CREATE TABLE shares (n int PRIMARY KEY CONSTRAINT not_negative CHECK (n >= 0), p int GENERATED ALWAYS AS (per(n)) STORED NOT NULL,
                    q int GENERATED ALWAYS AS (n + 1) STORED);
                INSERT INTO shares VALUES (0), (1), (2); CREATE INDEX shares_p ON shares (p);
                CREATE VIEW shared AS SELECT * FROM shares;
                CREATE OR REPLACE FUNCTION per(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 10 / x; END'",
            code: 3,
            causes: &[
                "left_not_generated TABLE public.shares",
                // Where the snapshot's values are.
                "generated_values_differ generated columns of public.shares",
            ],
            sqlstates: &["22012"],
            fallen: &[],
            holds: &[
                "SELECT count(*) = 3 AND bool_and(q = n + 1) AND bool_and(p IS NULL) FROM shared",
                "SELECT to_regclass('public.shares_p') IS NOT NULL",
                "SELECT convalidated FROM pg_constraint WHERE conname = 'not_negative'",
            ],
        },
        Case {
            name: "a table whose default is ambiguous, and what is built on it",
            sql: "CREATE TABLE given (a boolean DEFAULT (one() AND one(5))); INSERT INTO given VALUES (true);
                CREATE VIEW giving AS SELECT * FROM given; GRANT SELECT ON given TO pg_monitor;
                CREATE INDEX given_a ON given (a); COMMENT ON TABLE given IS 'of old';
                CREATE TABLE beside (id int PRIMARY KEY); INSERT INTO beside VALUES (1)",
            code: 3,
            causes: &["left_out TABLE public.given"],
            sqlstates: &["42725"],
            fallen: &[
                "ACL TABLE public.given",
                "ACL TABLE public.giving",
                "COMMENT table public.given",
                "INDEX public.given_a",
                "VIEW public.giving",
            ],
            holds: &["SELECT to_regclass('public.given') IS NULL", "SELECT count(*) = 1 FROM beside"],
        },
        Case {
            name: "a view that is ambiguous, under another one with a rule and a trigger",
            sql: "CREATE TABLE under (id int); CREATE VIEW lower AS SELECT one() AND one(5) AS o, id FROM under;
                CREATE VIEW upper AS SELECT * FROM lower; CREATE RULE no_way AS ON INSERT TO upper DO INSTEAD NOTHING;
                CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                CREATE TRIGGER quiet INSTEAD OF UPDATE ON upper FOR EACH ROW EXECUTE FUNCTION quiet()",
            code: 3,
            causes: &["left_out VIEW public.lower"],
            sqlstates: &["42725"],
            fallen: &[
                "ACL TABLE public.lower",
                "ACL TABLE public.upper",
                "RULE no_way on public.upper",
                "TRIGGER quiet on public.upper",
                "VIEW public.upper",
            ],
            holds: &["SELECT to_regclass('public.under') IS NOT NULL"],
        },
        Case {
            name: "a restrictive policy: nobody keeps a grant on its table",
            sql: "CREATE TABLE guarded (id int PRIMARY KEY); INSERT INTO guarded VALUES (1);
                ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY wide ON guarded USING (true);
                CREATE POLICY narrow ON guarded AS RESTRICTIVE USING (one() AND one(5)); GRANT SELECT ON guarded TO pg_monitor;
                GRANT INSERT (id) ON guarded TO pg_read_all_stats; CREATE TABLE open (id int); GRANT SELECT ON open TO pg_monitor",
            code: 13,
            causes: &["left_out POLICY narrow on public.guarded"],
            sqlstates: &["42725"],
            fallen: &["ACL COLUMN public.guarded.id", "ACL TABLE public.guarded"],
            holds: &[
                "SELECT relrowsecurity FROM pg_class WHERE oid = 'guarded'::regclass",
                "SELECT NOT has_any_column_privilege('pg_monitor', 'guarded', 'SELECT')",
                "SELECT NOT has_any_column_privilege('pg_read_all_stats', 'guarded', 'INSERT')",
                "SELECT has_table_privilege('pg_monitor', 'open', 'SELECT')",
            ],
        },
        Case {
            name: "a permissive policy: row security shows less, grants stay",
            sql: "CREATE TABLE shown (id int PRIMARY KEY); INSERT INTO shown VALUES (1); ALTER TABLE shown ENABLE ROW LEVEL SECURITY;
                CREATE POLICY wide ON shown USING (one() AND one(5)); GRANT SELECT ON shown TO pg_monitor",
            code: 13,
            causes: &["left_out POLICY wide on public.shown"],
            sqlstates: &["42725"],
            fallen: &[],
            holds: &[
                "SELECT relrowsecurity FROM pg_class WHERE oid = 'shown'::regclass",
                "SELECT has_table_privilege('pg_monitor', 'shown', 'SELECT')",
            ],
        },
    ]
}

fn source(cluster: &Cluster, name: &str, cases: &[&Case]) {
    cluster.empty(name);
    let parts: Vec<&str> = cases.iter().map(|case| case.sql).collect();
    cluster.sql(name, &format!("{LAZY} {AMBIGUOUS} {}; {LATER}", parts.join(";\n")));
}

/// Enough rows for several connections.
fn fill(cluster: &Cluster, database: &str) {
    cluster.sql(
        database,
        "CREATE TABLE heavy (id int, t text); INSERT INTO heavy SELECT n, repeat('x', 1000000) FROM generate_series(1, 70) n",
    );
}

#[track_caller]
fn is_as_expected(cases: &[&Case], done: &Restored) {
    let said = |text: &[&str]| format!("{text:?}\n{}", done.said);
    let mut causes: Vec<&str> = cases.iter().flat_map(|case| case.causes.iter().copied()).collect();
    causes.sort_unstable();
    assert_eq!(done.exceptions(), causes, "{}", said(&causes));
    assert_eq!(done.findings(), Vec::<String>::new(), "{}", done.said);
    let all = done.report["left_out"].as_array().cloned().unwrap_or_default();
    let what =
        |one: &serde_json::Value| format!("{} {}", one["kind"].as_str().unwrap(), one["identity"].as_str().unwrap());
    let (roots, fallen): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.get("because_of").is_none());
    let mut states: Vec<&str> = roots.iter().map(|one| one["sqlstate"].as_str().unwrap()).collect();
    let mut expected: Vec<&str> = cases.iter().flat_map(|case| case.sqlstates.iter().copied()).collect();
    states.sort_unstable();
    expected.sort_unstable();
    assert_eq!(states, expected, "{}", done.said);
    let mut fallen: Vec<String> = fallen.into_iter().map(what).collect();
    let mut expected: Vec<&str> = cases.iter().flat_map(|case| case.fallen.iter().copied()).collect();
    fallen.sort();
    expected.sort_unstable();
    assert_eq!(fallen, expected, "{}", done.said);
    let code = cases.iter().map(|case| case.code).max().unwrap_or(0);
    assert_eq!(done.code, code, "{}", done.said);
}

#[track_caller]
fn holds(cluster: &Cluster, database: &str, cases: &[&Case]) {
    for case in cases {
        for sql in case.holds {
            assert_eq!(cluster.sql(database, sql), "t", "{}: {sql}", case.name);
        }
    }
}

#[test]
fn each_bad_object_costs_itself_and_what_depends_on_it() {
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    for (number, case) in cases().iter().enumerate() {
        let (from, to) = (format!("leave_{number}_from"), format!("leave_{number}_to"));
        source(&cluster, &from, &[case]);
        let snapshot = cluster.create(&from, &place.path().join(format!("snapshots_{number}")), 0, &[]);
        cluster.empty(&to);
        let done = restore_with(&cluster, &to, &snapshot, &place.path().join(number.to_string()), &[]);
        is_as_expected(&[case], &done);
        holds(&cluster, &to, &[case]);
        cluster.drop_database(&from);
        cluster.drop_database(&to);
    }
}

#[test]
fn all_at_once_over_several_connections_and_in_a_drill_and_back() {
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let (all, to) = (cases(), "leave_all_to");
    let all: Vec<&Case> = all.iter().collect();
    source(&cluster, "leave_all_from", &all);
    fill(&cluster, "leave_all_from");
    let snapshot = cluster.create("leave_all_from", &place.path().join("snapshots"), 0, &[]);
    cluster.empty(to);
    let done = restore_with(&cluster, to, &snapshot, place.path(), &["--jobs", "3"]);
    is_as_expected(&all, &done);
    holds(&cluster, to, &all);
    let id = done.report["id"].as_str().unwrap();
    let back = undo(&cluster, to, id, place.path());
    assert_eq!(back.code, 0, "{}", back.said);
    assert_eq!(cluster.sql(to, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"), "0");
    is_as_expected(&all, &drill(&cluster, &snapshot));
    cluster.drop_database("leave_all_from");
    cluster.drop_database(to);
}

/// Takes a snapshot of a database whose index can no longer be made, and drops the index and a table.
fn damaged(cluster: &Cluster, name: &str, place: &std::path::Path) -> Snapshot {
    let all = cases();
    source(cluster, name, &[&all[0], &all[4]]);
    let snapshot = cluster.create(name, &place.join("snapshots"), 0, &[]);
    cluster.sql(name, "DROP INDEX words_plain; DELETE FROM words; ALTER TABLE children DROP CONSTRAINT of_parent");
    snapshot
}

#[test]
fn in_place_only_what_was_named_may_be_missing() {
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let name = "leave_in_place";
    let snapshot = damaged(&cluster, name, place.path());
    let rows = |cluster: &Cluster| cluster.sql(name, "SELECT count(*) FROM words");
    let index = ["--leave-out", "INDEX public.words_plain"];
    let key = ["--leave-out", "FK CONSTRAINT of_parent on public.children"];

    let refused = restore_with(&cluster, name, &snapshot, place.path(), &[]);
    assert_eq!((refused.code, rows(&cluster).as_str()), (1, "0"), "{}", refused.said);
    let first = refused.report["message"].as_str().unwrap();
    assert!(first.contains("causes: 2") && first.contains("(SQLSTATE "), "{first}");
    let hint = refused.report["hint"].as_str().unwrap();
    assert!(hint.contains("--leave-out 'FK CONSTRAINT of_parent on public.children'"), "{hint}");
    assert!(hint.contains("INDEX public.words_plain: the server refused: function unaccented"), "{hint}");

    let all = refused.list("/left_out", &["kind", "identity"]);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.contains(&"COMMENT index public.words_plain".to_string()), "{all:?}");

    let half = restore_with(&cluster, name, &snapshot, place.path(), &index);
    assert_eq!((half.code, rows(&cluster).as_str()), (1, "0"), "{}", half.said);
    let wrong = restore_with(&cluster, name, &snapshot, place.path(), &["--leave-out", "INDEX public.words"]);
    assert_eq!((wrong.code, rows(&cluster).as_str()), (64, "0"), "{}", wrong.said);

    let plan = |args: &[&str]| restore_with(&cluster, name, &snapshot, place.path(), &[args, &["--dry-run"]].concat());
    let (without, with) = (plan(&[]), plan(&index));
    assert_eq!(with.planned("leave_out"), ["INDEX public.words_plain"], "{}", with.said);
    assert_ne!(with.report["digest"], without.report["digest"]);

    let done = restore_with(&cluster, name, &snapshot, place.path(), &[index, key].concat());
    assert_eq!(done.code, 3, "{}", done.said);
    assert_eq!(
        done.exceptions(),
        ["left_not_valid FK CONSTRAINT of_parent on public.children", "left_out INDEX public.words_plain"]
    );
    assert_eq!((rows(&cluster).as_str(), done.findings()), ("1", Vec::new()), "{}", done.said);
    assert_eq!(cluster.sql(name, "SELECT convalidated FROM pg_constraint WHERE conname = 'of_parent'"), "f");
    cluster.drop_database(name);
}
