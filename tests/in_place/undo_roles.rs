//! Roles that a restore made are gone after its `undo`: the server's roles are what they were, said by pg_dumpall.
//!
//! The target is a cluster of its own: the snapshot brings all roles of the server that the tests share.

use std::path::Path;
use std::process::Stdio;

use crate::support::commands::{contents, into, snapshot};
use crate::support::{Access, Cluster, Database, Place, Ran, alone, server};
use serde_json::Value;

/// A source whose roles own things, let others in, and are let in. They go from the shared server with this value.
struct Source {
    database: Database,
    owner: String,
    reader: String,
    /// A name that needs quotes, and would end the quotes around statements.
    loner: String,
}

impl Source {
    fn new() -> Self {
        let database = server().small();
        let name = database.name.clone();
        let (owner, reader, loner) =
            (format!("{name}_owner"), format!("{name}_reader"), format!("{name} \"Loner\" $stacksnap$"));
        let quoted = loner.replace('"', "\"\"");
        database.sql(&format!(
            "CREATE ROLE {owner} LOGIN PASSWORD 'x'; CREATE ROLE {reader}; CREATE ROLE \"{quoted}\" LOGIN CONNECTION LIMIT 3;
             GRANT {reader} TO {owner} WITH ADMIN OPTION; GRANT {reader} TO \"{quoted}\";
             ALTER ROLE {owner} SET statement_timeout = '7s'; ALTER ROLE {reader} IN DATABASE {name} SET work_mem = '8MB';
             COMMENT ON ROLE {reader} IS 'reads';
             GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {reader}; GRANT CREATE, USAGE ON SCHEMA app TO {owner};
             ALTER TABLE app.notes OWNER TO {owner}; ALTER FUNCTION public.greet OWNER TO {owner};
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}; GRANT SELECT (body) ON app.notes TO {reader};
             GRANT SELECT ON pg_catalog.pg_class TO {reader}, \"{quoted}\";
             ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO {reader};
             ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
             ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT USAGE ON SEQUENCES TO {reader};
             CREATE POLICY reads ON app.notes FOR SELECT TO {reader} USING (true);
             CREATE TYPE app.kind AS ENUM ('a'); ALTER TYPE app.kind OWNER TO {owner};
             GRANT SET ON PARAMETER session_replication_role TO {reader}; SELECT lo_from_bytea(0, 'x')"
        ));
        database.sql(&format!(
            "DO $$ DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP
             EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO {reader}', o); END LOOP; END $$"
        ));
        Self { database, owner, reader, loner }
    }

    /// The name that needs quotes, in them.
    fn quoted(&self) -> String {
        format!("\"{}\"", self.loner.replace('"', "\"\""))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let (owner, reader, quoted) = (&self.owner, &self.reader, self.quoted());
        let sql = format!(
            "REVOKE ALL ON PARAMETER session_replication_role FROM {reader}; DROP OWNED BY {owner} CASCADE;
             DROP OWNED BY {reader} CASCADE; DROP OWNED BY {quoted} CASCADE; DROP ROLE {owner}, {reader}, {quoted}"
        );
        let psql =
            self.database.server.program("psql", &self.database.name).args(["-X", "-q", "-c", &sql]).output().unwrap();
        assert!(psql.status.success() || std::thread::panicking(), "{psql:?}");
    }
}

/// What the two lists do not share.
#[track_caller]
fn equal(now: &[String], before: &[String]) {
    let lost: Vec<_> = before.iter().filter(|l| !now.contains(l)).take(8).collect();
    let new: Vec<_> = now.iter().filter(|l| !before.contains(l)).take(8).collect();
    assert!(now == before, "lost {lost:#?}; new {new:#?}");
}

fn id_of(ran: &Ran) -> String {
    ran.json()["id"].as_str().unwrap_or_else(|| panic!("{ran:?}")).to_string()
}

/// The newest record.
fn record(place: &Place) -> Value {
    let folder = place.root().join("restores");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort_by_key(|path| (path.to_string_lossy().len(), path.clone()));
    read(files.last().unwrap())
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn yes(database: &Database) -> Vec<&str> {
    vec!["--confirm", &database.name, "-o", "json"]
}

#[test]
fn roles_that_a_restore_made_go_with_its_undo_and_come_back_with_a_redo() {
    let _alone = alone();
    let (place, source, target) = (Place::new(), Source::new(), Cluster::start(15));
    snapshot(&place, &source.database, &[]);
    // It has objects of its own, and a role that nobody else has.
    let database = target.small();
    database.sql("CREATE ROLE theirs LOGIN; GRANT SELECT ON public.people TO theirs");
    let (roles, good) = (target.roles(), contents(&database));
    let args = [&yes(&database)[..], &["--replace-other-project"]].concat();
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["restore", "latest"], &args));
    assert!(matches!(ran.code, 0 | 3), "{ran:?}");
    let id = id_of(&ran);
    for role in [&source.owner, &source.reader, &source.loner] {
        assert!(target.has_role(role), "{role}");
    }
    let (restored, full) = (target.roles(), contents(&database));
    let made = record(&place)["roles_made"].clone();
    let names: Vec<&str> = made.as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert!(names.contains(&source.loner.as_str()) && !names.contains(&"supabase_admin"), "{made}");
    assert!(made.as_array().unwrap().iter().all(|r| r["oid"].as_u64().unwrap() >= 16384), "{made}");

    // The plan names them, and its digest stands for them.
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["undo", &id], &["--dry-run", "-o", "json"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let plan = ran.json();
    let drop: Vec<&str> = plan["drop"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|o| o["kind"] == "ROLE")
        .map(|o| o["identity"].as_str().unwrap())
        .collect();
    assert_eq!(drop.len(), names.len(), "{drop:?} {names:?}");
    assert!(drop.contains(&source.owner.as_str()) && drop.contains(&source.quoted().as_str()), "{drop:?}");
    assert!(!drop.contains(&"theirs"), "{drop:?}");
    let text = Ran::of(&mut into(&target, &place, database.access(), &["undo", &id], &["--dry-run", "--long"])).stdout;
    assert!(text.contains("WILL BE DROPPED") && text.contains(&format!("ROLE {}", source.owner)), "{text}");
    assert_eq!(target.roles(), restored, "a dry run changes nothing");

    let undo = [&yes(&database)[..], &["--safety-snapshot"]].concat();
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["undo", &id], &undo));
    assert_eq!(ran.code, 0, "{ran:?}");
    equal(&target.roles(), &roles);
    equal(&contents(&database), &good);

    // An undo of the undo brings them back, and can be undone too.
    let redo = id_of(&ran);
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["undo", &redo], &undo));
    assert_eq!(ran.code, 0, "{ran:?}");
    equal(&target.roles(), &restored);
    equal(&contents(&database), &full);
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["undo", &id_of(&ran)], &yes(&database)));
    assert_eq!(ran.code, 0, "{ran:?}");
    equal(&target.roles(), &roles);
    equal(&contents(&database), &good);

    // Somebody else's role of the same name is another one: it is left and named, and nothing is left to do.
    target.sql("postgres", &format!("CREATE ROLE {} LOGIN CREATEDB", source.reader));
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["undo", &id], &yes(&database)));
    let named = ran.json()["exceptions"].clone();
    assert!(named[0]["code"] == "role_stays" && named[0]["what"] == format!("ROLE {}", source.reader), "{ran:?}");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(target.has_role(&source.reader));
}

#[test]
fn a_role_that_something_else_needs_stays_and_is_named() {
    let _alone = alone();
    let (place, source, target) = (Place::new(), Source::new(), Cluster::start(15));
    snapshot(&place, &source.database, &[]);
    let (database, other) = (target.small(), target.small());
    let (roles, good) = (target.roles(), contents(&database));
    let args = [&yes(&database)[..], &["--replace-other-project"]].concat();
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["restore", "latest"], &args));
    let id = id_of(&ran);
    let (owner, reader) = (&source.owner, &source.reader);
    other.sql(&format!("ALTER TABLE app.notes OWNER TO {owner}; GRANT SELECT ON public.people TO {reader}"));
    let theirs = contents(&other);

    let ran = Ran::of(&mut into(&target, &place, database.access(), &["undo", &id], &yes(&database)));
    assert_eq!(ran.code, 3, "{ran:?}");
    let report = ran.json();
    let stays: Vec<&Value> =
        report["exceptions"].as_array().unwrap().iter().filter(|e| e["code"] == "role_stays").collect();
    assert_eq!(stays.len(), 2, "{report}");
    for (exception, role, why) in [(stays[0], owner, "owns something"), (stays[1], reader, "has rights")] {
        assert_eq!(exception["what"], format!("ROLE {role}"));
        let text = exception["why"].as_str().unwrap();
        assert!(text.contains(&format!("{why} in the database {}", other.name)), "{text}");
        assert_eq!(exception["todo"], format!("when nothing needs it any more: DROP ROLE {role}"));
    }
    assert!(target.has_role(owner) && target.has_role(reader) && !target.has_role(&source.loner));
    equal(&contents(&database), &good);
    equal(&contents(&other), &theirs);

    // When nothing needs them any more the same undo takes them away.
    other.sql(&format!("ALTER TABLE app.notes OWNER TO supabase_admin; REVOKE ALL ON public.people FROM {reader}"));
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["undo", &id], &yes(&database)));
    assert_eq!(ran.code, 0, "{ran:?}");
    equal(&target.roles(), &roles);
}

#[test]
fn killed_while_it_fills_an_empty_database_undo_takes_the_roles_away() {
    let _alone = alone();
    let (place, source, target) = (Place::new(), Source::new(), Cluster::start(15));
    // More than what is restored in one transaction.
    crate::support::fill(&source.database, "public.large", 70);
    snapshot(&place, &source.database, &[]);
    let database = target.database("TEMPLATE template0");
    let (roles, empty) = (target.roles(), contents(&database));
    let args = [&yes(&database)[..], &["--no-proof"]].concat();
    let mut command = into(&target, &place, database.access(), &["restore", "latest"], &args);
    let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    for _ in 0..600 {
        if database.sql("SELECT count(*) FROM pg_class WHERE relname = 'large'") != "0" {
            break;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(target.has_role(&source.owner) && target.has_role(&source.loner), "it was killed in the middle");
    let record = record(&place);
    assert_eq!(record["state"], "running");
    assert_eq!(record["roles_made"][0]["oid"], Value::Null, "{}", record["roles_made"]);
    let ran = Ran::of(&mut into(
        &target,
        &place,
        database.access(),
        &["undo", record["id"].as_str().unwrap()],
        &yes(&database),
    ));
    assert_eq!(ran.code, 0, "{ran:?}");
    equal(&target.roles(), &roles);
    equal(&contents(&database), &empty);
}

#[test]
fn a_restore_that_was_rolled_back_made_no_role() {
    let _alone = alone();
    let (place, source, target) = (Place::new(), Source::new(), Cluster::start(15));
    snapshot(&place, &source.database, &[]);
    let database = target.small();
    database.sql("ALTER TABLE public.people ADD COLUMN added int");
    let roles = target.roles();
    let sql = "BEGIN; LOCK TABLE public.people IN ROW EXCLUSIVE MODE; SELECT pg_sleep(60)";
    let mut holder = database.server.program("psql", &database.name);
    let mut holder = holder.args(["-X", "-q", "-c", sql]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while database.sql("SELECT count(*) FROM pg_locks WHERE mode = 'RowExclusiveLock' AND granted AND relation = 'public.people'::regclass") == "0" {
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    let args = [&yes(&database)[..], &["--replace-other-project", "--lock-wait", "1s"]].concat();
    let ran = Ran::of(&mut into(&target, &place, database.access(), &["restore", "latest"], &args));
    database.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE mode = 'RowExclusiveLock' AND relation = 'public.people'::regclass");
    holder.wait().unwrap();
    assert_eq!(ran.code, 11, "{ran:?}");
    equal(&target.roles(), &roles);
    let record = record(&place);
    assert_eq!((record["state"].as_str(), record.get("roles_made")), (Some("failed"), None), "{record}");
}

/// A source in which everything belongs to a role that is no superuser.
fn of_a_builder(server: &Cluster) -> (Source, String) {
    let database = server.database("TEMPLATE template0");
    let name = database.name.clone();
    let source = Source {
        owner: format!("{name}_owner"),
        reader: format!("{name}_reader"),
        loner: format!("{name} \"Loner\" $stacksnap$"),
        database,
    };
    let (owner, reader, quoted, builder) = (&source.owner, &source.reader, source.quoted(), format!("{name}_builder"));
    let database = &source.database;
    database.sql(&format!(
        "CREATE ROLE {builder} LOGIN CREATEROLE CREATEDB PASSWORD 'x'; ALTER DATABASE {name} OWNER TO {builder};
         ALTER SCHEMA public OWNER TO {builder}"
    ));
    database.sql(&format!(
        "SET SESSION AUTHORIZATION {builder}; CREATE ROLE {owner}; CREATE ROLE {reader}; CREATE ROLE {quoted} LOGIN;
         GRANT {owner} TO {builder}; GRANT {reader} TO {owner}; GRANT {reader} TO {quoted};
         ALTER ROLE {owner} SET statement_timeout = '7s'; ALTER ROLE {reader} IN DATABASE {name} SET work_mem = '8MB';
         CREATE TABLE public.mine (a int); INSERT INTO public.mine VALUES (1); GRANT SELECT ON public.mine TO {reader};
         GRANT CREATE, USAGE ON SCHEMA public TO {owner};
         CREATE TABLE public.theirs (a int); ALTER TABLE public.theirs OWNER TO {owner};
         ALTER TABLE public.mine ENABLE ROW LEVEL SECURITY; CREATE POLICY reads ON public.mine FOR SELECT TO {reader} USING (true);
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {reader};
         ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO {reader};
         ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
    ));
    (source, builder)
}

/// A role that is no superuser makes roles, and takes away those that it made.
#[test]
fn whoever_may_make_roles_takes_them_away_again() {
    let _alone = alone();
    // A server of its own: the shared one has roles that this one may not make.
    let origin = Cluster::start(15);
    let (source, builder) = of_a_builder(&origin);
    for major in [15, 16] {
        let (place, target) = (Place::new(), Cluster::start(major));
        snapshot(&place, &source.database, &[]);
        let database = target.database("TEMPLATE template0");
        database.sql(&format!(
            "CREATE ROLE {builder} LOGIN CREATEROLE CREATEDB PASSWORD 'x'; ALTER DATABASE {} OWNER TO {builder};
             ALTER SCHEMA public OWNER TO {builder}; GRANT SET ON PARAMETER session_replication_role TO {builder};
             CREATE TABLE public.before (a int); ALTER TABLE public.before OWNER TO {builder}",
            database.name
        ));
        let (roles, good) = (target.roles(), contents(&database));
        let access = Access { user: &builder, password: "x", ..database.access() };
        let args = [&yes(&database)[..], &["--replace-other-project", "--allow-partial"]].concat();
        let ran = Ran::of(&mut into(&target, &place, access, &["restore", "latest"], &args));
        assert!(matches!(ran.code, 0 | 3) && target.has_role(&source.owner), "{major}: {ran:?}");
        let ran = Ran::of(&mut into(&target, &place, access, &["undo", &id_of(&ran)], &yes(&database)));
        assert!(matches!(ran.code, 0 | 3), "{major}: {ran:?}");
        assert!(!ran.stdout.contains("role_stays"), "{major}: {ran:?}");
        equal(&target.roles(), &roles);
        equal(&contents(&database), &good);
    }
    let name = &source.database.name;
    source.database.sql(&format!("ALTER DATABASE {name} OWNER TO supabase_admin; DROP OWNED BY {builder} CASCADE"));
    source.database.sql(&format!("DROP ROLE {builder}"));
}
