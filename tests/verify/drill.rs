//! `stacksnap drill` end to end: verdicts and exit codes, assertions, targets, signals, and that nothing stays behind.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Database, Place, Ran, is_root, processes, server, success, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A place with one snapshot, and a folder for clusters that every user can enter.
struct Scene {
    place: Place,
    clusters: tempfile::TempDir,
    snapshot: PathBuf,
}

impl Scene {
    fn of(database: &Database) -> Self {
        let place = Place::new();
        let clusters = tempfile::Builder::new().prefix("d").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(clusters.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        let snapshot = place.run(database.access(), &[]).folder();
        Self { place, clusters, snapshot }
    }

    fn small() -> Self {
        let database = server().small();
        Self::of(&database)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.bare(&[]);
        command.args(args).args(["-o", "json"]).env("TMPDIR", self.clusters.path());
        command
    }

    fn drill(&self, args: &[&str]) -> Ran {
        let mut command = self.command(&["drill"]);
        if !args.contains(&"--target-url") {
            command.arg("--pg-bin").arg(&server().bin);
        }
        let ran = Ran::of(command.arg(&self.snapshot).args(args));
        processes::assert_gone(&self.place.mark, Duration::from_secs(2));
        ran
    }

    fn left(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.clusters.path()).unwrap().map(|e| e.unwrap().path()).collect()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.place.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// A drill under way, with its throw-away server up.
    fn under_way(&self) -> (std::process::Child, PathBuf, u32) {
        let mut command = self.command(&["drill"]);
        command.arg("--pg-bin").arg(&server().bin).arg(&self.snapshot);
        // Asked while the server is up: it waits longer than this test.
        command.args(["--assert", &self.file("slow.sql", "SELECT pg_sleep(50) IS NOT NULL")]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut found = None;
        wait_until("the throw-away server", || {
            found = self.left().first().and_then(|folder| {
                let text = std::fs::read_to_string(folder.join("data/postmaster.pid")).ok()?;
                Some((folder.clone(), text.lines().next()?.parse::<u32>().ok()?))
            });
            found.is_some()
        });
        std::thread::sleep(Duration::from_millis(1500));
        let (folder, pid) = found.unwrap();
        (child, folder, pid)
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[track_caller]
fn assert_restorable(document: &Value) {
    assert_eq!(document["verdict"], "restorable", "{document}");
    assert_eq!(document["proof"]["findings"], serde_json::json!([]), "{document}");
    assert!(document["rows_loaded"].as_u64().unwrap() >= 900, "{document}");
    assert!(document["recovery_ms"].as_u64().unwrap() > 0, "{document}");
}

#[test]
fn a_good_snapshot_is_restorable_and_nothing_stays_behind() {
    let scene = Scene::small();
    let ran = scene.drill(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["schema"], "stacksnap.v1.drill");
    assert_eq!(document["stage"], "throw_away_cluster");
    assert_restorable(&document);
    assert_eq!(scene.left(), Vec::<PathBuf>::new());
    // The record is beside the snapshots: the snapshot itself is as it was.
    let name = scene.snapshot.file_name().unwrap().to_string_lossy().into_owned();
    let record = std::fs::read_to_string(scene.place.root().join(format!("drills/{name}.json"))).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["verdict"], "restorable");
    assert_eq!(record["recovery_ms"], document["recovery_ms"]);
    crate::support::assert_verified(&scene.place, &scene.snapshot);
    // With this server too: another one may lack a library that a role of the source loads, and would say so.
    let mut verify = scene.command(&["verify", "--level", "restore"]);
    let again = Ran::of(verify.env("STACKSNAP_PG_BIN", &server().bin).arg(&scene.snapshot));
    assert_eq!((again.code, again.json()["schema"].as_str()), (0, Some("stacksnap.v1.drill")), "{again:?}");
}

#[test]
fn trap_25_a_user_without_rights_drills_too() {
    if !is_root() {
        return;
    }
    let scene = Scene::small();
    success(Command::new("chown").args(["-R", "65534:65534"]).arg(scene.place.dir.path()));
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(crate::support::program());
    command.env_clear().env("HOME", "/").env("PATH", "/usr/bin:/bin").env("TMPDIR", scene.clusters.path());
    command.current_dir(scene.place.dir.path()).arg("--root").arg(scene.place.root());
    command.args(["-o", "json", "drill", "--pg-bin"]).arg(&server().bin).arg(&scene.snapshot);
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_restorable(&ran.json());
    assert_eq!(scene.left(), Vec::<PathBuf>::new());
}

#[test]
fn assertions_are_asked_and_one_that_fails_is_a_verdict() {
    let scene = Scene::small();
    let good =
        scene.file("good.sql", "-- people\nSELECT count(*) = 500 FROM people;\nSELECT max(id) = 400 FROM app.notes");
    let ran = scene.drill(&["--assert", &good]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["assertions"].as_array().unwrap().len(), 2);
    let bad = "SELECT count(*) = 1 FROM people; SELECT 1; SELECT true FROM people; DELETE FROM people RETURNING true;
        COMMIT; SELECT nothing; SELECT NULL::boolean; SELECT count(*) = 500 FROM people";
    let ran = scene.drill(&["--assert", &scene.file("bad.sql", bad)]);
    assert_eq!(ran.code, 13, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["verdict"], "not");
    let outcomes = document["assertions"].as_array().unwrap();
    let details: Vec<&str> = outcomes.iter().map(|o| o["detail"].as_str().unwrap()).collect();
    let expected = ["is false", "no boolean", "500 rows", "read-only", "0 rows", "42703", "is NULL", ""];
    assert_eq!(details.len(), expected.len(), "{details:?}");
    for (detail, part) in details.iter().zip(expected) {
        assert!(detail.contains(part), "{part} in {details:?}");
    }
    assert_eq!(outcomes[7]["passed"], true, "nothing of the others stayed: {document}");
    let missing = scene.drill(&["--assert", "/nonexistent.sql"]);
    assert_eq!(missing.code, 10, "{missing:?}");
}

#[test]
fn a_damaged_snapshot_is_refused_before_anything_is_made() {
    let scene = Scene::small();
    let data = std::fs::read_dir(scene.snapshot.join("complete_database_with_data.dump")).unwrap();
    let file = data.map(|e| e.unwrap().path()).find(|p| p.to_string_lossy().contains(".dat")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ran = scene.drill(&[]);
    assert_eq!(ran.code, 13, "{ran:?}");
    assert!(ran.error().contains("damaged"), "{ran:?}");
    assert!(!scene.place.root().join("drills").exists() && scene.left().is_empty());
}

#[test]
fn a_named_target_is_empty_and_named_for_drills_or_refused() {
    // It writes roles: those that are there already, as they are.
    let _roles = crate::support::alone();
    let source = server().small();
    let scene = Scene::of(&source);
    let url = |database: &str| {
        let server = server();
        format!("postgresql://{}@{}:{}/{database}?sslmode=disable", server.user, server.host, server.port)
    };
    let drill = |database: &str| {
        let mut command = scene.command(&["drill", "--target-url", &url(database)]);
        Ran::of(command.arg(&scene.snapshot).env("PGPASSWORD", &server().password))
    };
    let ran = drill(&source.name);
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.error().contains("_drill_"), "{ran:?}");
    let name = format!("test_{}_drill_1", std::process::id());
    server().sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
    let target = Database { server: server().clone(), name };
    target.sql("CREATE TABLE public.mine (id int)");
    let ran = drill(&target.name);
    assert_eq!(ran.code, 14, "{ran:?}");
    assert!(ran.error().contains("not empty"), "{ran:?}");
    target.sql("DROP TABLE public.mine");
    let ran = drill(&target.name);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["stage"], "target");
    assert_restorable(&document);
    assert_eq!(document["left"].as_array().unwrap().len(), 1, "roles alone: {document}");
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'";
    assert_eq!(target.sql(tables).trim(), "0");
    assert_eq!(source.sql("SELECT count(*) FROM people").trim(), "500");
}

#[test]
fn interrupted_it_ends_at_once_and_leaves_nothing() {
    let scene = Scene::small();
    let (mut child, folder, server) = scene.under_way();
    kill_process(pid(child.id()), Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(!folder.exists() && !is_alive(server));
}

#[test]
fn killed_without_a_word_it_leaves_nothing() {
    let scene = Scene::small();
    let (mut child, folder, server) = scene.under_way();
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the folder to go", || !folder.exists());
    wait_until("the server to go", || !is_alive(server));
}

#[test]
fn a_kept_one_can_be_looked_at_and_removed_as_it_says() {
    let scene = Scene::small();
    let mut command = scene.command(&["drill", "--keep"]);
    let ran = Ran::of(command.arg("--pg-bin").arg(&server().bin).arg(&scene.snapshot));
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    let (connect, remove) =
        (document["kept"]["connect"].as_str().unwrap(), document["kept"]["remove"].as_str().unwrap());
    let path = format!("{}:/usr/bin:/bin", server().bin.display());
    let sh = |script: &str| success(Command::new("sh").args(["-c", script]).env("PATH", &path));
    assert_eq!(sh(&format!("{connect} -X -A -t -c 'SELECT count(*) FROM public.people'")), "500");
    let folder = PathBuf::from(document["kept"]["folder"].as_str().unwrap());
    assert!(folder.starts_with(scene.clusters.path().canonicalize().unwrap()));
    sh(remove);
    assert!(!Path::new(&folder).exists());
    processes::assert_gone(&scene.place.mark, Duration::from_secs(2));
}

#[test]
fn create_and_drill_in_one_go() {
    let database = server().small();
    let place = Place::new();
    let ran = place.run(database.access(), &["--verify", "restore"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["schema"], "stacksnap.v1.create");
    assert_eq!(document["complete"], true);
    assert_restorable(&document["drill"]);
    processes::assert_gone(&place.mark, Duration::from_secs(2));
}

const VECTORS: &str = "CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions;
    CREATE TABLE public.docs (id int PRIMARY KEY, v extensions.vector(3), dims int DEFAULT extensions.vector_dims('[1]'::extensions.vector));
    INSERT INTO public.docs SELECT n, ('[' || n || ',2.50,-3e-5]')::extensions.vector FROM generate_series(1, 1000) n;
    COMMENT ON TABLE public.docs IS 'with vectors';
    CREATE INDEX docs_v ON public.docs USING hnsw (v extensions.vector_l2_ops);
    COMMENT ON INDEX public.docs_v IS 'gone without the extension';
    CREATE FUNCTION public.match(q extensions.vector) RETURNS SETOF public.docs LANGUAGE sql AS
        'SELECT * FROM public.docs ORDER BY v OPERATOR(extensions.<->) q LIMIT 3';
    ALTER TABLE public.docs ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON public.docs USING (extensions.vector_dims(v) = 3);";

#[test]
fn trap_26_a_missing_extension_is_stood_in_for_and_named() {
    let bare = Path::new("/usr/lib/postgresql/15/bin");
    if !bare.join("initdb").exists() {
        return;
    }
    let database = server().database("TEMPLATE template0");
    database.sql(VECTORS);
    let scene = Scene::of(&database);
    let mut command = scene.command(&["drill"]);
    let checks = scene.file("checks.sql", "SELECT v::text = '[7,2.50,-3e-5]' FROM public.docs WHERE id = 7");
    command.arg("--pg-bin").arg(bare).arg(&scene.snapshot).args(["--assert", &checks]);
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, 3, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["verdict"], "except");
    assert_eq!(document["proof"]["findings"], serde_json::json!([]), "{document}");
    assert_eq!(document["assertions"][0]["passed"], true, "{document}");
    let exceptions = document["exceptions"].as_array().unwrap();
    let named = |code: &str| -> Vec<&str> {
        let of_code = exceptions.iter().filter(|e| e["code"] == code);
        of_code.map(|e| e["what"].as_str().unwrap()).collect()
    };
    assert_eq!(named("extension_missing"), ["INDEX public.docs_v", "extension vector"]);
    let stubbed = named("extension_stubbed");
    for what in ["table public.docs", "policy public.docs p", "function public.match(extensions.vector)"] {
        assert!(stubbed.contains(&what), "{what} in {stubbed:?}");
    }
}

/// The first superuser of the source loads a library that the drill's server lacks: it can still log in there.
#[test]
fn trap_26_the_superusers_own_library_that_is_missing_here() {
    let bare = Path::new("/usr/lib/postgresql/15/bin");
    if !bare.join("initdb").exists() {
        return;
    }
    let roles = crate::support::alone();
    let database = server().small();
    let superuser = database.sql("SELECT quote_ident(rolname) FROM pg_roles WHERE oid = 10");
    let setting = format!("ALTER ROLE {superuser} IN DATABASE {} SET session_preload_libraries", database.name);
    database.sql(&format!("{setting} = 'supautils'"));
    let scene = Scene::of(&database);
    drop(roles);
    let mut command = scene.command(&["drill"]);
    let ran = Ran::of(command.arg("--pg-bin").arg(bare).arg(&scene.snapshot));
    assert_eq!(ran.code, 3, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["proof"]["findings"], serde_json::json!([]), "{document}");
    let named = document["proof"]["exceptions"].as_array().unwrap();
    let of_role = |e: &Value| e["code"] == "library_missing" && e["what"].as_str().unwrap().contains(&superuser);
    assert!(named.iter().any(of_role), "{document}");
}

/// An extension whose files are there and that the server refuses to make: no rows of it are missed.
#[test]
fn trap_26_an_extension_that_cannot_be_made_is_named_with_its_rows() {
    let database = server().database("TEMPLATE template0");
    database.sql(
        "SET needs_library.is_loaded = 'yes'; CREATE SCHEMA library; CREATE EXTENSION needs_library SCHEMA library;
         INSERT INTO library.jobs VALUES (1, 'SELECT 1');
         CREATE TABLE public.mine (id int); INSERT INTO public.mine VALUES (1);",
    );
    let ran = Scene::of(&database).drill(&[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["proof"]["findings"], serde_json::json!([]), "{document}");
    let exceptions = document["exceptions"].as_array().unwrap();
    let named: Vec<&str> = exceptions.iter().map(|e| e["what"].as_str().unwrap()).collect();
    for what in ["extension needs_library", "table data library.jobs"] {
        assert!(named.contains(&what), "{what} in {named:?}");
    }
}

#[test]
fn a_whole_stack_is_restorable_but_for_what_is_named() {
    let roles = crate::support::alone();
    let database = server().stack();
    let scene = Scene::of(&database);
    drop(roles);
    let ran = scene.drill(&[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let document = ran.json();
    assert_eq!(document["proof"]["findings"], serde_json::json!([]), "{document}");
    let probes = document["proof"]["probes"].as_array().unwrap();
    assert!(probes.iter().any(|p| p["passed"] == true) && !probes.iter().any(|p| p["passed"] == false), "{document}");
}
