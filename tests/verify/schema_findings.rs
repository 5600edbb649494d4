//! `create --verify schema`: what cannot be restored is a named gap, and nothing of the source's runs meanwhile.

use std::os::unix::fs::PermissionsExt;

use crate::support::throw_away::{Scene, gaps, verified};
use crate::support::{Ran, alone, server};

/// What no restore can make of a dump: an SQL function that only a search path makes work, in an index; a generated column
/// whose function is immutable no more. A call that a later overload made ambiguous comes back, and so does a volatile SQL function that the
/// planner inlines.
const BROKEN: &str =
    "CREATE TABLE public.fine (id int PRIMARY KEY, n text); CREATE VIEW public.fine_too AS SELECT * FROM public.fine;
    CREATE FUNCTION public.f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE TABLE public.overloaded (a int DEFAULT public.f());
    CREATE FUNCTION public.f(x int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE FUNCTION public.inlined(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
    CREATE TABLE public.inlined_too (a int, b int GENERATED ALWAYS AS (public.inlined(a)) STORED);
    CREATE INDEX inlined_index ON public.inlined_too (public.inlined(a));
    CREATE FUNCTION public.doubled(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 * 2; END';
    CREATE TABLE public.t (a int, b int GENERATED ALWAYS AS (public.doubled(a)) STORED);
    CREATE VIEW public.v AS SELECT a FROM public.t; ALTER FUNCTION public.doubled(int) VOLATILE;
    CREATE FUNCTION public.plain(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
    CREATE FUNCTION public.search(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT plain($1)';
    SET check_function_bodies = off;
    CREATE TABLE public.names (name text);
    CREATE INDEX by_name ON public.names (public.plain(name));";

#[test]
fn what_cannot_be_restored_is_a_named_gap() {
    let database = server().database("TEMPLATE template0");
    database.sql(BROKEN);
    // Since 17 an index is made with a search path of the server's own: there it can only become unusable later.
    database.sql(
        "CREATE FUNCTION public.unaccented(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT public.plain($1)'; \
         CREATE INDEX broken ON public.names (public.unaccented(name)); \
         SET check_function_bodies = off; \
         CREATE OR REPLACE FUNCTION public.unaccented(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT plain($1)'",
    );
    let scene = Scene::new();
    let ran = scene.run(database.access(), &["--verify", "schema"]);
    assert_eq!((ran.code, &ran.json()["complete"]), (3, &false.into()), "{ran:?}");
    assert_eq!(verified(&ran)["outcome"], "gaps");
    let found = gaps(&ran);
    let names: Vec<&str> = found.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(names, ["INDEX public.broken", "TABLE public.t"], "{found:?}");
    // The cause with the server's words and its SQLSTATE, and what fell with it.
    assert!(found[0].1.contains("plain(text) does not exist") && found[0].1.contains("42883"), "{found:?}");
    assert!(found[1].1.contains("42P17"), "{found:?}");
    assert!(found[1].1.contains("VIEW public.v"), "{found:?}");
    assert!(found.iter().all(|(_, why)| why.contains(&format!("PostgreSQL {}.", server().major()))), "{found:?}");
    // A real restore says the same.
    let mut drill = scene.place.bare(&["-o", "json", "drill", "--pg-bin"]);
    let drilled = Ran::of(drill.arg(&server().bin).arg(ran.folder()).env("TMPDIR", scene.clusters.path())).json();
    let left_out = drilled["left_out"].as_array().unwrap_or_else(|| panic!("{drilled}"));
    let causes = left_out.iter().filter(|one| one["because_of"].is_null());
    let causes: Vec<String> =
        causes.map(|o| format!("{} {}", o["kind"].as_str().unwrap(), o["identity"].as_str().unwrap())).collect();
    assert_eq!(causes, names, "{drilled}");
}

#[test]
fn a_whole_stack_is_verified_by_its_own_role_too() {
    let _alone = alone();
    let database = server().stack();
    let scene = Scene::new();
    let password = &server().password;
    for user in ["supabase_admin", "postgres"] {
        let access = crate::support::Access { user, password, ..database.access() };
        let ran = scene.run(access, &["--verify", "schema"]);
        let found = verified(&ran);
        assert_eq!((found["outcome"].as_str(), gaps(&ran).len()), (Some("verified"), 0), "{user}: {found} {ran:?}");
        // What this machine's server lacks is no gap.
        for one in found["not_tried"].as_array().into_iter().flatten() {
            assert!(one["why"].as_str().unwrap().len() > 10, "{one}");
        }
    }
}

/// Every function here says that it ran, where the throw-away server runs it: at the port that such servers have.
fn marking(folder: &str) -> String {
    format!(
        "CREATE FUNCTION public.mark(what text) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN \
           IF current_setting('port') = '5432' THEN EXECUTE format('COPY (SELECT 1) TO %L', '{folder}/' || what); END IF; \
           RETURN 1; END $f$;
         CREATE FUNCTION public.p0() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.mark('p0'); END $$;
         CREATE FUNCTION public.p1(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.mark('p1'); END $$;
         CREATE FUNCTION public.s0() RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT public.mark('s0') $$;
         CREATE FUNCTION public.s1(x int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT public.mark('s1') + $1 $$;
         CREATE FUNCTION public.sd(int) RETURNS int LANGUAGE sql IMMUTABLE SECURITY DEFINER AS $$ SELECT public.mark('sd') $$;
         CREATE FUNCTION public.sb(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT public.mark('sb') > 0 $$;"
    )
}

/// They are called wherever the server may call one when an object is made.
const CALLING: &str = "
    CREATE TABLE public.t (a int, b int DEFAULT public.p0(), c int DEFAULT public.s0(),
        g int GENERATED ALWAYS AS (public.p1(a)) STORED, h int GENERATED ALWAYS AS (public.s1(1) + a) STORED,
        CHECK (public.p0() > 0), CHECK (public.s1(1) + a > 0));
    INSERT INTO public.t SELECT n FROM generate_series(1, 5) n;
    CREATE INDEX ON public.t ((a + public.p0())); CREATE INDEX ON public.t ((a + public.s0()));
    CREATE INDEX ON public.t ((a + public.s1(2))); CREATE INDEX ON public.t ((a + public.sd(3)));
    CREATE INDEX ON public.t (public.s1(a)); CREATE INDEX ON public.t (public.p1(a)) WHERE public.sb(1);
    CREATE INDEX ON public.t (a) WHERE public.p0() > 0 AND public.sb(a);
    ALTER TABLE public.t ADD CONSTRAINT not_proved CHECK (public.p1(1) + a > 0) NOT VALID;
    ALTER TABLE public.t ADD CONSTRAINT excluded EXCLUDE USING btree (public.s1(a) WITH =);
    CREATE DOMAIN public.d AS int CHECK (public.p1(1) + value > 0) DEFAULT public.s0();
    ALTER DOMAIN public.d ADD CONSTRAINT later CHECK (public.s1(1) + value > 0) NOT VALID;
    CREATE TABLE public.of_domain (x public.d, y public.d[]);
    CREATE TABLE public.part (a int, b int) PARTITION BY RANGE (public.p1(b));
    CREATE TABLE public.part_1 PARTITION OF public.part FOR VALUES FROM (1) TO (10);
    CREATE TABLE public.part_2 (a int, b int, CHECK (public.p0() > 0));
    ALTER TABLE public.part ATTACH PARTITION public.part_2 FOR VALUES FROM (10) TO (20);
    CREATE FUNCTION public.on_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.mark('trigger'); RETURN new; END $$;
    CREATE TRIGGER always BEFORE INSERT ON public.t FOR EACH ROW WHEN (public.p0() > 0) EXECUTE FUNCTION public.on_row();
    ALTER TABLE public.t ENABLE ALWAYS TRIGGER always; ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON public.t USING (public.s0() > 0);
    CREATE MATERIALIZED VIEW public.m AS SELECT public.p0() AS x, public.s1(a) AS y FROM public.t;
    CREATE VIEW public.v AS SELECT public.p0() AS x, public.s1(2) AS y;
    CREATE RULE r AS ON INSERT TO public.v DO INSTEAD SELECT public.p0();
    CREATE STATISTICS public.st ON (public.s1(a)), (public.p1(a)) FROM public.t;
    CREATE FUNCTION public.checks(text[], oid) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM public.mark('validator'); END $$;
    CREATE FOREIGN DATA WRAPPER w VALIDATOR public.checks OPTIONS (a 'b'); CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (x 'y');
    CREATE FOREIGN TABLE public.far (a int) SERVER s OPTIONS (z 'q');
    CREATE FUNCTION public.atomic(x int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT public.mark('atomic') + x; END;
    CREATE INDEX ON public.t ((a + public.atomic(5)));
    CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.mark('event'); END $$;
    CREATE EVENT TRIGGER at_end ON ddl_command_end EXECUTE FUNCTION public.on_ddl(); ALTER EVENT TRIGGER at_end ENABLE ALWAYS;
    CREATE EVENT TRIGGER at_start ON ddl_command_start EXECUTE FUNCTION public.on_ddl(); ALTER EVENT TRIGGER at_start ENABLE ALWAYS;
    CREATE EVENT TRIGGER at_drop ON sql_drop EXECUTE FUNCTION public.on_ddl(); ALTER EVENT TRIGGER at_drop ENABLE REPLICA;";

#[test]
fn no_function_of_the_source_runs() {
    let marks = tempfile::Builder::new().prefix("marks").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(marks.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let ran_here = || {
        let names = std::fs::read_dir(marks.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let database = server().database("TEMPLATE template0");
    database.sql(&marking(marks.path().to_str().unwrap()));
    database.sql(CALLING);
    if server().major() >= 17 {
        database.sql("CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION public.on_ddl()");
        database.sql("ALTER EVENT TRIGGER at_login ENABLE ALWAYS");
    }
    let scene = Scene::new();
    let ran = scene.run(database.access(), &["--verify", "schema"]);
    assert_eq!(ran_here(), Vec::<String>::new(), "{ran:?}");
    // And it is no reason for a gap: functions that sleep are compared awake.
    let found = verified(&ran);
    assert_eq!((ran.code, found["outcome"].as_str()), (0, Some("verified")), "{ran:?}");
    assert!(found.get("not_tried").is_none(), "{found}");
    // The marks would tell: a drill loads rows and runs what is called.
    let mut drill = scene.place.bare(&["-o", "json", "drill", "--pg-bin"]);
    Ran::of(drill.arg(&server().bin).arg(ran.folder()).env("TMPDIR", scene.clusters.path()));
    let told = ran_here();
    for name in ["p0", "p1", "s0", "s1"] {
        assert!(told.iter().any(|mark| mark == name), "{told:?}");
    }
}

#[test]
fn what_only_a_running_function_could_tell_is_not_tried() {
    let database = server().database("TEMPLATE template0");
    database.sql(
        "CREATE FUNCTION public.compares(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($1, $2)'; \
         CREATE OPERATOR CLASS public.own FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, \
             OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 public.compares(int, int); \
         CREATE TABLE public.part (a int) PARTITION BY RANGE (a public.own); \
         CREATE TABLE public.part_1 PARTITION OF public.part FOR VALUES FROM (1) TO (10); \
         CREATE TABLE public.fine (id int PRIMARY KEY)",
    );
    let ran = Scene::new().run(database.access(), &["--verify", "schema"]);
    let found = verified(&ran);
    assert_eq!((ran.code, found["outcome"].as_str()), (0, Some("verified")), "{ran:?}");
    let not_tried = found["not_tried"].as_array().unwrap();
    assert_eq!(not_tried.len(), 1, "{found}");
    assert_eq!(not_tried[0]["what"], "TABLE ATTACH public.part_1", "{found}");
}

#[test]
fn what_holds_rows_only_comes_without_them() {
    let database = server().small();
    database.sql(
        "SELECT lo_from_bytea(0, 'large'); CREATE VIEW public.of_view AS SELECT * FROM public.summary; \
         CREATE MATERIALIZED VIEW public.second AS SELECT * FROM public.summary; CREATE UNIQUE INDEX ON public.second (n)",
    );
    let oid = database.sql("SELECT oid FROM pg_largeobject_metadata LIMIT 1");
    database
        .sql(&format!("COMMENT ON LARGE OBJECT {0} IS 'one'; GRANT SELECT ON LARGE OBJECT {0} TO PUBLIC", oid.trim()));
    let ran = Scene::new().run(database.access(), &["--verify", "schema"]);
    assert_eq!((ran.code, verified(&ran)["outcome"].as_str()), (0, Some("verified")), "{ran:?}");
}
